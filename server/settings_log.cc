// Logs: directories, segments, retention, flushing, compaction. One row a setting, in the order of
// their names.
#include "server/settings_table.h"

namespace millrace::server {
namespace {

constexpr Setting kSettings[] = {
    long_integer("log.cleaner.backoff.ms", "15000",
                 "Pause of the log cleaner when there is nothing to clean.")
        .within(at_least(0))
        .cluster_wide(),
    long_integer("log.cleaner.dedupe.buffer.size", "134217728",
                 "Memory of the log cleaner for keys, all shards together; 16 bytes a key.")
        .cluster_wide(),
    long_integer("log.cleaner.delete.retention.ms", "86400000",
                 "Default of topics: how long the markers of deleted keys stay.")
        .within(at_least(0))
        .cluster_wide(),
    boolean("log.cleaner.enable", "true", "Run the log cleaner."),
    real("log.cleaner.io.buffer.load.factor", "0.9",
         "How full the cleaner's table of keys may get.")
        .cluster_wide(),
    integer("log.cleaner.io.buffer.size", "524288",
            "Memory of the log cleaner for reading and writing.")
        .within(at_least(0))
        .accepted(kCleanerChunks)
        .cluster_wide(),
    real("log.cleaner.io.max.bytes.per.second", "1.7976931348623157E308",
         "Bytes that log cleaning may read and write in a second; each shard has an equal part of it.")
        .cluster_wide(),
    long_integer("log.cleaner.max.compaction.lag.ms", "9223372036854775807",
                 "Default of topics: longest time a record stays out of compaction.")
        .within(at_least(1))
        .cluster_wide(),
    real("log.cleaner.min.cleanable.ratio", "0.5",
         "Default of topics: share of a log that must be uncompacted before it is compacted.")
        .within(between(0, 1))
        .cluster_wide(),
    long_integer("log.cleaner.min.compaction.lag.ms", "0",
                 "Default of topics: shortest time a record stays out of compaction.")
        .within(at_least(0))
        .cluster_wide(),
    integer("log.cleaner.threads", "1", "Threads of the log cleaner.")
        .within(at_least(0))
        .accepted(kCleanerPerShard)
        .cluster_wide(),
    list("log.cleanup.policy", "delete",
         "Default of topics: what happens to old records; `delete`, `compact`, both, or empty to keep them.")
        .within(one_of("compact,delete"))
        .cluster_wide(),
    list("log.dir", "/tmp/kafka-logs", "Directory of the logs, used when log.dirs is not set."),
    long_integer("log.dir.failure.timeout.ms", "30000",
                 "Stop when the controller could not be told of a failed directory for so long.")
        .within(at_least(1))
        .accepted(kOneNode),
    list("log.dirs", kNull, "Directories of the logs, separated by commas."),
    long_integer("log.flush.interval.messages", "9223372036854775807",
                 "Default of topics: force a log to disk after so many records.")
        .within(at_least(1))
        .cluster_wide(),
    long_integer("log.flush.interval.ms", kNull,
                 "Default of topics: force a log to disk after so long.")
        .cluster_wide(),
    integer("log.flush.offset.checkpoint.interval.ms", "60000",
            "Time between two writes of the recovery points.")
        .within(at_least(0)),
    long_integer("log.flush.scheduler.interval.ms", "9223372036854775807",
                 "Default of topics where log.flush.interval.ms is not set."),
    integer("log.flush.start.offset.checkpoint.interval.ms", "60000",
            "Time between two writes of the log start offsets.")
        .within(at_least(0))
        .accepted(kCheckpointsTogether),
    integer("log.index.interval.bytes", "4096",
            "Default of topics: bytes of log between two entries of the offset index.")
        .within(at_least(0))
        .cluster_wide(),
    integer("log.index.size.max.bytes", "10485760",
            "Default of topics: largest size of an offset index.")
        .within(at_least(4))
        .cluster_wide(),
    long_integer("log.initial.task.delay.ms", "30000",
                 "Delay after the start before retention and flushing begin.")
        .within(at_least(0))
        .accepted(kNoDelay)
        .internal(),
    long_integer("log.local.retention.bytes", "-2",
                 "Default of topics: bytes of a tiered partition kept here.")
        .within(at_least(-2))
        .accepted(kNoTiering)
        .cluster_wide(),
    long_integer("log.local.retention.ms", "-2",
                 "Default of topics: time a tiered partition is kept here.")
        .within(at_least(-2))
        .accepted(kNoTiering)
        .cluster_wide(),
    long_integer("log.message.timestamp.after.max.ms", "3600000",
                 "Default of topics: how far ahead of the broker's clock a timestamp may be.")
        .within(at_least(0))
        .cluster_wide(),
    long_integer("log.message.timestamp.before.max.ms", "9223372036854775807",
                 "Default of topics: how far behind the broker's clock a timestamp may be.")
        .within(at_least(0))
        .cluster_wide(),
    string("log.message.timestamp.type", "CreateTime",
           "Default of topics: whose clock stamps a record.")
        .within(one_of("CreateTime,LogAppendTime"))
        .cluster_wide(),
    boolean("log.preallocate", "false",
            "Default of topics: give a new segment its whole size at once.")
        .cluster_wide(),
    long_integer("log.retention.bytes", "-1",
                 "Default of topics: size a partition may grow to; -1 for no limit.")
        .cluster_wide(),
    long_integer("log.retention.check.interval.ms", "300000",
                 "Time between two looks for segments to remove.")
        .within(at_least(1)),
    integer("log.retention.hours", "168",
            "Default of topics: age at which a segment goes, in hours."),
    integer("log.retention.minutes", kNull, "The same in minutes; outweighs log.retention.hours."),
    long_integer("log.retention.ms", kNull,
                 "The same in milliseconds; outweighs both. -1 for no limit.")
        .cluster_wide(),
    integer("log.roll.hours", "168",
            "Default of topics: age at which a segment is closed, in hours.")
        .within(at_least(1)),
    integer("log.roll.jitter.hours", "0",
            "Default of topics: up to this much is taken off that age, in hours.")
        .within(at_least(0)),
    long_integer("log.roll.jitter.ms", kNull,
                 "The same in milliseconds; outweighs log.roll.jitter.hours.")
        .cluster_wide(),
    long_integer("log.roll.ms", kNull,
                 "Age at which a segment is closed, in milliseconds; outweighs log.roll.hours.")
        .cluster_wide(),
    integer("log.segment.bytes", "1073741824",
            "Default of topics: size at which a segment is closed.")
        .within(at_least(1048576))
        .cluster_wide(),
    long_integer("log.segment.delete.delay.ms", "60000",
                 "Default of topics: how long the file of a dropped segment stays.")
        .within(at_least(0))
        .cluster_wide(),
    integer("message.max.bytes", "1048588",
            "Default of topics: largest record batch, as it arrives.")
        .within(at_least(0))
        .cluster_wide(),
    integer("min.insync.replicas", "1",
            "Default of topics: in-sync replicas without which acks=all is refused.")
        .within(at_least(1))
        .cluster_wide(),
    integer("num.recovery.threads.per.data.dir", "2",
            "Threads that recover logs at start, per directory.")
        .within(at_least(1))
        .accepted(kNoPools)
        .cluster_wide(),
    integer("num.replica.alter.log.dirs.threads", kNull,
            "Threads that move replicas between directories.")
        .accepted(kNoPools),
    integer("num.replica.fetchers", "1", "Connections to fetch from each other broker.")
        .within(at_least(1))
        .accepted(kOneNode)
        .cluster_wide(),
    integer("producer.id.expiration.check.interval.ms", "600000",
            "Time between two looks for producers to forget.")
        .within(at_least(1))
        .accepted(kProducersWithRetention)
        .internal(),
    integer("producer.id.expiration.ms", "86400000",
            "Forget the sequence numbers of a producer that was silent for so long.")
        .within(at_least(1))
        .cluster_wide(),
    integer("producer.purgatory.purge.interval.requests", "1000",
            "Requests between two sweeps of waiting produces.")
        .accepted(kNoPurgatory),
};

}  // namespace

std::span<const Setting> log_settings() {
  return kSettings;
}

}  // namespace millrace::server
