// Consumer, share and streams groups, transactions, delegation tokens. One row a setting, in the
// order of their names.
#include "server/settings_table.h"

namespace millrace::server {
namespace {

constexpr Setting kSettings[] = {
    integer("add.partitions.to.txn.retry.backoff.max.ms", "100",
            "Longest pause before adding partitions to a transaction again.")
        .within(at_least(0))
        .accepted(kNoTransactions),
    integer("add.partitions.to.txn.retry.backoff.ms", "20",
            "First pause before adding partitions to a transaction again.")
        .within(at_least(1))
        .accepted(kNoTransactions),
    long_integer("delegation.token.expiry.check.interval.ms", "3600000",
                 "Time between two looks for expired tokens.")
        .within(at_least(1))
        .accepted(kNoSecurity),
    long_integer("delegation.token.expiry.time.ms", "86400000",
                 "How long a token holds without being renewed.")
        .within(at_least(1))
        .accepted(kNoSecurity),
    long_integer("delegation.token.max.lifetime.ms", "604800000", "How long a token holds at most.")
        .within(at_least(1))
        .accepted(kNoSecurity),
    password("delegation.token.secret.key", kNull, "Secret from which tokens are made.")
        .refused(kNoTokens),
    list("group.consumer.assignors", "uniform,range",
         "Ways of sharing partitions out that the broker offers.")
        .within(one_of("uniform,range")),
    integer("group.consumer.heartbeat.interval.ms", "5000", "Time between a member's heartbeats.")
        .within(at_least(1)),
    integer("group.consumer.max.heartbeat.interval.ms", "15000",
            "Largest heartbeat interval a group may ask for.")
        .within(at_least(1)),
    integer("group.consumer.max.session.timeout.ms", "60000",
            "Largest session timeout a group may ask for.")
        .within(at_least(1)),
    integer("group.consumer.max.size", "2147483647", "Most members of a group.")
        .within(at_least(1)),
    string("group.consumer.migration.policy", "bidirectional",
           "Whether groups with members may move from the classic protocol to the consumer protocol (UPGRADE) and back.")
        .within(one_of_ignoring_case("DISABLED,DOWNGRADE,UPGRADE,BIDIRECTIONAL")),
    integer("group.consumer.min.heartbeat.interval.ms", "5000",
            "Smallest heartbeat interval a group may ask for.")
        .within(at_least(1)),
    integer("group.consumer.min.session.timeout.ms", "45000",
            "Smallest session timeout a group may ask for.")
        .within(at_least(1)),
    integer("group.consumer.regex.refresh.interval.ms", "600000",
            "Time between two evaluations of a subscription by pattern.")
        .within(at_least(10000))
        .internal(),
    integer("group.consumer.session.timeout.ms", "45000",
            "Silence after which a member is taken for dead.")
        .within(at_least(1)),
    integer("group.coordinator.append.linger.ms", "-1",
            "How long the coordinator gathers records before it writes them; -1 adapts.")
        .within(at_least(-1))
        .accepted(kNoEffect),
    list("group.coordinator.rebalance.protocols", "classic,consumer,streams",
         "Group protocols that are offered.")
        .within(one_of("consumer,classic,share,streams")),
    integer("group.coordinator.threads", "4", "Threads of the group coordinator.")
        .within(at_least(1))
        .accepted(kNoPools),
    integer("group.initial.rebalance.delay.ms", "3000",
            "How long a new group waits for more members."),
    integer("group.max.session.timeout.ms", "1800000",
            "Largest session timeout a member may ask for."),
    integer("group.max.size", "2147483647", "Most members of a group.")
        .within(at_least(1)),
    integer("group.min.session.timeout.ms", "6000",
            "Smallest session timeout a member may ask for."),
    list("group.share.assignors", "simple", "Ways of sharing partitions out in share groups.")
        .accepted(kNoGroups),
    integer("group.share.delivery.count.limit", "5", "Deliveries after which a record is given up.")
        .within(between(2, 10))
        .accepted(kNoGroups),
    boolean("group.share.enable", "false", "Offer share groups.").accepted(kNoGroups).internal(),
    integer("group.share.heartbeat.interval.ms", "5000",
            "Time between the heartbeats of a share group's member.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("group.share.initialize.retry.interval.ms", "30000",
            "Pause before setting up a share partition again.")
        .within(at_least(1))
        .accepted(kNoGroups)
        .internal(),
    integer("group.share.max.heartbeat.interval.ms", "15000",
            "Largest heartbeat interval of a share group.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("group.share.max.record.lock.duration.ms", "60000",
            "Longest lock on a record a group may ask for.")
        .within(between(30000, 3600000))
        .accepted(kNoGroups),
    integer("group.share.max.session.timeout.ms", "60000",
            "Largest session timeout of a share group.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("group.share.max.share.sessions", "2000", "Share sessions remembered.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("group.share.max.size", "200", "Most members of a share group.")
        .within(between(1, 1000))
        .accepted(kNoGroups),
    integer("group.share.min.heartbeat.interval.ms", "5000",
            "Smallest heartbeat interval of a share group.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("group.share.min.record.lock.duration.ms", "15000",
            "Shortest lock on a record a group may ask for.")
        .within(between(1000, 30000))
        .accepted(kNoGroups),
    integer("group.share.min.session.timeout.ms", "45000",
            "Smallest session timeout of a share group.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("group.share.partition.max.record.locks", "2000",
            "Most records of a partition locked at a time.")
        .within(between(100, 10000))
        .accepted(kNoGroups),
    string("group.share.persister.class.name",
           "org.apache.kafka.server.share.persister.DefaultStatePersister",
           "Java class that keeps the state of share groups.")
        .accepted(kNoGroups)
        .internal(),
    integer("group.share.record.lock.duration.ms", "30000",
            "How long a delivered record stays locked.")
        .within(between(1000, 3600000))
        .accepted(kNoGroups),
    integer("group.share.session.timeout.ms", "45000",
            "Silence after which a share group's member is taken for dead.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("group.streams.heartbeat.interval.ms", "5000",
            "Time between the heartbeats of a streams group's member.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("group.streams.initial.rebalance.delay.ms", "3000",
            "How long a new streams group waits for more members.")
        .within(at_least(0))
        .accepted(kNoGroups),
    integer("group.streams.max.heartbeat.interval.ms", "15000",
            "Largest heartbeat interval of a streams group.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("group.streams.max.session.timeout.ms", "60000",
            "Largest session timeout of a streams group.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("group.streams.max.size", "2147483647", "Most members of a streams group.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("group.streams.max.standby.replicas", "2",
            "Most standby copies a streams group may ask for.")
        .within(at_least(0))
        .accepted(kNoGroups),
    integer("group.streams.min.heartbeat.interval.ms", "5000",
            "Smallest heartbeat interval of a streams group.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("group.streams.min.session.timeout.ms", "45000",
            "Smallest session timeout of a streams group.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("group.streams.num.standby.replicas", "0", "Standby copies of a task's state.")
        .within(at_least(0))
        .accepted(kNoGroups),
    integer("group.streams.session.timeout.ms", "45000",
            "Silence after which a streams group's member is taken for dead.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("offset.metadata.max.bytes", "4096", "Most bytes of text beside a committed offset."),
    integer("offsets.commit.timeout.ms", "5000",
            "How long a commit of offsets waits for its replicas.")
        .within(at_least(1))
        .accepted(kOneNode),
    integer("offsets.load.buffer.size", "5242880", "Bytes read at a time when offsets are loaded.")
        .within(at_least(1))
        .accepted(kNoEffect),
    long_integer("offsets.retention.check.interval.ms", "600000",
                 "Time between two looks for old offsets.")
        .within(at_least(1)),
    integer("offsets.retention.minutes", "10080",
            "How long the offsets of an empty group are kept.")
        .within(at_least(1)),
    integer("offsets.topic.compression.codec", "0", "Codec of the offsets topic, by number.")
        .within(between(0, 4))
        .accepted(kNoEffect),
    integer("offsets.topic.num.partitions", "50", "Partitions of the offsets topic.")
        .within(at_least(1)),
    short_integer("offsets.topic.replication.factor", "3", "Replicas of the offsets topic.")
        .within(at_least(1)),
    integer("offsets.topic.segment.bytes", "104857600", "Segment size of the offsets topic.")
        .within(at_least(1)),
    integer("share.coordinator.append.linger.ms", "-1",
            "How long the share coordinator gathers records; -1 adapts.")
        .within(at_least(-1))
        .accepted(kNoGroups),
    integer("share.coordinator.cold.partition.snapshot.interval.ms", "300000",
            "Time between snapshots of idle share partitions.")
        .within(at_least(1))
        .accepted(kNoGroups)
        .internal(),
    integer("share.coordinator.load.buffer.size", "5242880",
            "Bytes read at a time when share state is loaded.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("share.coordinator.snapshot.update.records.per.snapshot", "500",
            "Updates between two snapshots of share state.")
        .within(at_least(0))
        .accepted(kNoGroups),
    integer("share.coordinator.state.topic.compression.codec", "0",
            "Codec of the share state topic, by number.")
        .accepted(kNoGroups),
    short_integer("share.coordinator.state.topic.min.isr", "2",
                  "min.insync.replicas of the share state topic.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("share.coordinator.state.topic.num.partitions", "50",
            "Partitions of the share state topic.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("share.coordinator.state.topic.prune.interval.ms", "300000",
            "Time between two prunings of the share state topic.")
        .within(at_least(1))
        .accepted(kNoGroups)
        .internal(),
    short_integer("share.coordinator.state.topic.replication.factor", "3",
                  "Replicas of the share state topic.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("share.coordinator.state.topic.segment.bytes", "104857600",
            "Segment size of the share state topic.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("share.coordinator.threads", "1", "Threads of the share coordinator.")
        .within(at_least(1))
        .accepted(kNoPools),
    integer("share.coordinator.write.timeout.ms", "5000",
            "How long a write of share state waits for its replicas.")
        .within(at_least(1))
        .accepted(kNoGroups),
    integer("share.fetch.purgatory.purge.interval.requests", "1000",
            "Requests between two sweeps of waiting share fetches.")
        .accepted(kNoPurgatory),
    integer("transaction.abort.timed.out.transaction.cleanup.interval.ms", "10000",
            "Time between two looks for transactions that timed out.")
        .within(at_least(1))
        .accepted(kNoTransactions),
    integer("transaction.max.timeout.ms", "900000", "Longest timeout a producer may ask for.")
        .within(at_least(1))
        .accepted(kNoTransactions),
    boolean("transaction.partition.verification.enable", "true",
            "Check that a partition belongs to the transaction before writing.")
        .accepted(kNoTransactions)
        .cluster_wide(),
    integer("transaction.remove.expired.transaction.cleanup.interval.ms", "3600000",
            "Time between two looks for expired transactional ids.")
        .within(at_least(1))
        .accepted(kNoTransactions),
    integer("transaction.state.log.load.buffer.size", "5242880",
            "Bytes read at a time when transactions are loaded.")
        .within(at_least(1))
        .accepted(kNoTransactions),
    integer("transaction.state.log.min.isr", "2", "min.insync.replicas of the transaction topic.")
        .within(at_least(1))
        .accepted(kNoTransactions),
    integer("transaction.state.log.num.partitions", "50", "Partitions of the transaction topic.")
        .within(at_least(1))
        .accepted(kNoTransactions),
    short_integer("transaction.state.log.replication.factor", "3",
                  "Replicas of the transaction topic.")
        .within(at_least(1))
        .accepted(kNoTransactions),
    integer("transaction.state.log.segment.bytes", "104857600",
            "Segment size of the transaction topic.")
        .within(at_least(1))
        .accepted(kNoTransactions),
    boolean("transaction.two.phase.commit.enable", "false",
            "Let an outside coordinator take part in transactions.")
        .refused(kNoTransactions),
    integer("transactional.id.expiration.ms", "604800000",
            "How long a silent transactional id is remembered.")
        .within(at_least(1))
        .accepted(kNoTransactions),
};

}  // namespace

std::span<const Setting> coordinator_settings() {
  return kSettings;
}

}  // namespace millrace::server
