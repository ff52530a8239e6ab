// Remote (tiered) storage. One row a setting, in the order of their names.
#include "server/settings_table.h"

namespace millrace::server {
namespace {

constexpr Setting kSettings[] = {
    integer("remote.fetch.max.wait.ms", "500", "How long a fetch may wait for remote data.")
        .within(at_least(1))
        .accepted(kNoTiering)
        .cluster_wide(),
    long_integer("remote.list.offsets.request.timeout.ms", "30000",
                 "How long a search by timestamp may take in remote data.")
        .within(at_least(1))
        .accepted(kNoTiering)
        .cluster_wide(),
    long_integer("remote.log.index.file.cache.total.size.bytes", "1073741824",
                 "Bytes of remote indexes kept here.")
        .within(at_least(1))
        .accepted(kNoTiering)
        .cluster_wide(),
    integer("remote.log.manager.copier.thread.pool.size", "10", "Threads that copy segments out.")
        .within(at_least(1))
        .accepted(kNoTiering)
        .cluster_wide(),
    long_integer("remote.log.manager.copy.max.bytes.per.second", "9223372036854775807",
                 "Bytes copied out in a second.")
        .within(at_least(1))
        .accepted(kNoTiering)
        .cluster_wide(),
    integer("remote.log.manager.copy.quota.window.num", "11", "Samples kept for that limit.")
        .within(at_least(1))
        .accepted(kNoTiering),
    integer("remote.log.manager.copy.quota.window.size.seconds", "1", "Length of one such sample.")
        .within(at_least(1))
        .accepted(kNoTiering),
    integer("remote.log.manager.expiration.thread.pool.size", "10",
            "Threads that remove old remote data.")
        .within(at_least(1))
        .accepted(kNoTiering)
        .cluster_wide(),
    long_integer("remote.log.manager.fetch.max.bytes.per.second", "9223372036854775807",
                 "Bytes read back in a second.")
        .within(at_least(1))
        .accepted(kNoTiering)
        .cluster_wide(),
    integer("remote.log.manager.fetch.quota.window.num", "11", "Samples kept for that limit.")
        .within(at_least(1))
        .accepted(kNoTiering),
    integer("remote.log.manager.fetch.quota.window.size.seconds", "1", "Length of one such sample.")
        .within(at_least(1))
        .accepted(kNoTiering),
    integer("remote.log.manager.follower.thread.pool.size", "2",
            "Threads that follow other brokers' remote data.")
        .within(at_least(1))
        .accepted(kNoTiering)
        .cluster_wide(),
    long_integer("remote.log.manager.task.interval.ms", "30000",
                 "Time between two rounds of copying and removing.")
        .within(at_least(1))
        .accepted(kNoTiering),
    long_integer("remote.log.manager.task.retry.backoff.max.ms", "30000",
                 "Longest pause after such a round failed.")
        .within(at_least(1))
        .accepted(kNoTiering)
        .internal(),
    long_integer("remote.log.manager.task.retry.backoff.ms", "500",
                 "First pause after such a round failed.")
        .within(at_least(1))
        .accepted(kNoTiering)
        .internal(),
    real("remote.log.manager.task.retry.jitter", "0.2", "Share of random time in that pause.")
        .within(between(0, 0.5))
        .accepted(kNoTiering)
        .internal(),
    integer("remote.log.manager.thread.pool.size", "2", "Threads of remote storage in all.")
        .within(at_least(1))
        .accepted(kNoTiering),
    integer("remote.log.metadata.custom.metadata.max.bytes", "128",
            "Most bytes a storage plug-in may keep per segment.")
        .within(at_least(0))
        .accepted(kNoTiering),
    string("remote.log.metadata.manager.class.name",
           "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
           "Java class that keeps the list of remote segments.")
        .accepted(kNoTiering),
    string("remote.log.metadata.manager.class.path", kNull, "Where that class is loaded from.")
        .accepted(kNoTiering),
    string("remote.log.metadata.manager.impl.prefix", "rlmm.config.",
           "Prefix of that class's own settings.")
        .accepted(kNoTiering),
    string("remote.log.metadata.manager.listener.name", kNull, "Listener that class connects to.")
        .accepted(kNoTiering),
    integer("remote.log.reader.max.pending.tasks", "100", "Remote reads that may wait.")
        .within(at_least(1))
        .accepted(kNoTiering),
    integer("remote.log.reader.threads", "10", "Threads that read remote data.")
        .within(at_least(1))
        .accepted(kNoTiering)
        .cluster_wide(),
    string("remote.log.storage.manager.class.name", kNull, "Java class that stores segments.")
        .accepted(kNoTiering),
    string("remote.log.storage.manager.class.path", kNull, "Where that class is loaded from.")
        .accepted(kNoTiering),
    string("remote.log.storage.manager.impl.prefix", "rsm.config.",
           "Prefix of that class's own settings.")
        .accepted(kNoTiering),
    boolean("remote.log.storage.system.enable", "false", "Offer remote storage to topics.")
        .refused(kNoTiering),
};

}  // namespace

std::span<const Setting> remote_settings() {
  return kSettings;
}

}  // namespace millrace::server
