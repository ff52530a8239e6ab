// General settings: identity, topics, connections, controller. One row a setting, in the order of
// their names.
#include "server/settings_table.h"

namespace millrace::server {
namespace {

constexpr Setting kSettings[] = {
    list("advertised.listeners", kNull,
         "Addresses that clients are told to connect to; those of `listeners` when it is not set."),
    class_name("alter.config.policy.class.name", kNull,
               "Java class that may veto changes of configurations.")
        .refused(kNoPlugins),
    integer("alter.log.dirs.replication.quota.window.num", "11",
            "Samples kept for the quota of moves between log directories.")
        .within(at_least(1))
        .accepted(kNoQuotas),
    integer("alter.log.dirs.replication.quota.window.size.seconds", "1",
            "Length of one such sample.")
        .within(at_least(1))
        .accepted(kNoQuotas),
    boolean("auto.create.topics.enable", "true",
            "Create a topic when a client asks for one that does not exist."),
    boolean("auto.leader.rebalance.enable", "true",
            "Give leadership back to preferred replicas from time to time.")
        .accepted(kOneNode),
    integer("background.threads", "10", "Threads for background work.")
        .within(at_least(1))
        .accepted(kNoPools)
        .cluster_wide(),
    integer("broker.heartbeat.interval.ms", "2000",
            "Time between a broker's heartbeats to the controller.")
        .accepted(kOneNode),
    integer("broker.id", "-1", "Old name of node.id, used when that is not set."),
    string("broker.rack", kNull,
           "Rack of this broker, told to clients and used to spread replicas."),
    integer("broker.session.timeout.ms", "9000",
            "How long the controller waits for a heartbeat before it takes a broker for dead.")
        .accepted(kOneNode),
    class_name("client.quota.callback.class", kNull, "Java class that computes quotas.")
        .refused(kNoPlugins),
    integer("compression.gzip.level", "-1",
            "Default of topics: level at which the broker compresses with gzip.")
        .within(between_or(1, 9, -1))
        .cluster_wide(),
    integer("compression.lz4.level", "9",
            "Default of topics: level at which the broker compresses with lz4.")
        .within(between(1, 17))
        .cluster_wide(),
    string("compression.type", "producer",
           "Default of topics: codec in which batches are stored; `producer` keeps them as they "
           "arrive.")
        .within(one_of("uncompressed,zstd,lz4,snappy,gzip,producer"))
        .cluster_wide(),
    integer("compression.zstd.level", "3",
            "Default of topics: level at which the broker compresses with zstd.")
        .within(between(-131072, 22))
        .cluster_wide(),
    list("config.providers", "", "Java classes that replace ${...} in values.")
        .refused(kNoPlugins)
        .cluster_wide(),
    long_integer("connections.max.idle.ms", "600000",
                 "Close a connection on which nothing happened for so long; -1 for never."),
    boolean("controlled.shutdown.enable", "true", "Hand leadership over before stopping.")
        .accepted(kOneNode),
    list(
        "controller.listener.names", "CONTROLLER",
        "Names of the listeners on which the controller is reached; clients are not served there."),
    long_integer("controller.performance.always.log.threshold.ms", "2000",
                 "Log every controller event slower than this.")
        .within(at_least(0))
        .accepted(kNoEffect)
        .internal(),
    long_integer("controller.performance.sample.period.ms", "60000",
                 "Time between summaries of controller events.")
        .within(at_least(100))
        .accepted(kNoEffect)
        .internal(),
    integer("controller.quorum.append.linger.ms", "25",
            "How long the leader of the metadata quorum gathers records before it writes them.")
        .within(at_least(0))
        .accepted(kOneNode),
    boolean("controller.quorum.auto.join.enable", "false",
            "Let a controller join the quorum by itself.")
        .accepted(kOneNode),
    list("controller.quorum.bootstrap.servers", "",
         "Addresses at which the metadata quorum is found.")
        .accepted(kOneNode),
    integer("controller.quorum.election.backoff.max.ms", "1000",
            "Longest pause before a new election.")
        .within(at_least(0))
        .accepted(kOneNode),
    integer("controller.quorum.election.timeout.ms", "1000",
            "Longest wait for votes before an election is begun again.")
        .within(at_least(0))
        .accepted(kOneNode),
    integer("controller.quorum.fetch.timeout.ms", "2000",
            "How long a voter does without hearing from the leader before it stands for election.")
        .within(at_least(0))
        .accepted(kOneNode),
    integer("controller.quorum.request.timeout.ms", "2000",
            "How long a request between controllers may take.")
        .within(at_least(0))
        .accepted(kOneNode),
    integer("controller.quorum.retry.backoff.ms", "20",
            "Pause before a request between controllers is sent again.")
        .within(at_least(0))
        .accepted(kOneNode),
    list("controller.quorum.voters", "",
         "The fixed voters of the metadata quorum as id@host:port; this node alone, or empty."),
    integer("controller.quota.window.num", "11", "Samples kept for the quota of topic changes.")
        .within(at_least(1))
        .accepted(kNoQuotas),
    integer("controller.quota.window.size.seconds", "1", "Length of one such sample.")
        .within(at_least(1))
        .accepted(kNoQuotas),
    integer("controller.socket.timeout.ms", "30000",
            "How long a broker waits for the controller's answer.")
        .accepted(kOneNode),
    class_name("create.topic.policy.class.name", kNull, "Java class that may veto new topics.")
        .refused(kNoPlugins),
    integer("default.replication.factor", "1",
            "Replicas of a topic created automatically or without a number."),
    integer("delete.records.purgatory.purge.interval.requests", "1",
            "Requests between two sweeps of waiting DeleteRecords requests.")
        .accepted(kNoPurgatory),
    boolean("delete.topic.enable", "true", "Whether topics may be deleted."),
    list("early.start.listeners", kNull, "Listeners to open before metadata is loaded.")
        .accepted(kNoEffect),
    integer("fetch.max.bytes", "57671680", "Most bytes in one answer to a fetch.")
        .within(at_least(1024)),
    integer("fetch.purgatory.purge.interval.requests", "1000",
            "Requests between two sweeps of waiting fetches.")
        .accepted(kNoPurgatory),
    integer("initial.broker.registration.timeout.ms", "60000",
            "How long a broker tries to register before it gives up.")
        .accepted(kOneNode),
    string("inter.broker.listener.name", kNull, "Listener that brokers use among themselves."),
    long_integer("internal.metadata.delete.delay.millis", "60000",
                 "Delay before an old metadata snapshot is removed.")
        .accepted(kNoEffect)
        .internal(),
    integer("internal.metadata.log.segment.bytes", kNull,
            "Segment size of the metadata log, for tests.")
        .accepted(kNoEffect)
        .internal(),
    integer("internal.metadata.max.batch.size.in.bytes", "8388608",
            "Largest batch of the metadata log, for tests.")
        .accepted(kNoEffect)
        .internal(),
    integer("internal.metadata.max.fetch.size.in.bytes", "8388608",
            "Largest fetch from the metadata log, for tests.")
        .accepted(kNoEffect)
        .internal(),
    integer("kafka.metrics.polling.interval.secs", "10",
            "Time between two reports of the Java metrics.")
        .within(at_least(1))
        .accepted(kNoJvmMetrics),
    list("kafka.metrics.reporters", "", "Java classes that report metrics.")
        .accepted(kNoJvmMetrics),
    long_integer("leader.imbalance.check.interval.seconds", "300",
                 "Time between checks of whether preferred replicas lead.")
        .within(at_least(1))
        .accepted(kOneNode),
    string("listener.security.protocol.map",
           "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
           "Which protocol each listener name stands for; all of them PLAINTEXT in this version."),
    list("listeners", "PLAINTEXT://:9092",
         "Addresses to listen on, as NAME://host:port; an empty host is every address."),
    integer("max.connection.creation.rate", "2147483647", "Most connections accepted in a second.")
        .within(at_least(0))
        .accepted(kNoQuotas)
        .cluster_wide(),
    integer("max.connections", "2147483647", "Most connections open at a time.")
        .within(at_least(0))
        .cluster_wide(),
    integer("max.connections.per.ip", "2147483647",
            "Most connections open at a time from one address.")
        .within(at_least(0))
        .cluster_wide(),
    string("max.connections.per.ip.overrides", "",
           "Other limits for some addresses, as address:limit,...; hosts by name in the file only.")
        .cluster_wide(),
    integer("max.incremental.fetch.session.cache.slots", "1000",
            "Incremental fetch sessions remembered.")
        .within(at_least(0)),
    integer("max.request.partition.size.limit", "2000",
            "Most partitions in one answer to DescribeTopicPartitions.")
        .within(at_least(1))
        .accepted(kFixedPage),
    string("metadata.log.dir", kNull,
           "Directory of the metadata log; the first of log.dirs when it is not set."),
    long_integer("metadata.log.max.record.bytes.between.snapshots", "20971520",
                 "Bytes of new metadata after which a snapshot is written.")
        .within(at_least(1)),
    long_integer("metadata.log.max.snapshot.interval.ms", "3600000",
                 "Longest time between two snapshots of metadata; 0 for no limit.")
        .within(at_least(0))
        .accepted(kSnapshotsBySize),
    integer("metadata.log.segment.bytes", "1073741824", "Segment size of the metadata log.")
        .within(at_least(8388608)),
    long_integer("metadata.log.segment.ms", "604800000",
                 "Age at which a segment of the metadata log is closed.")
        .accepted(kNoEffect),
    integer("metadata.max.idle.interval.ms", "500",
            "How often an idle controller writes a no-op record; 0 for never.")
        .within(at_least(0))
        .accepted(kNothingToSay),
    long_integer("metadata.max.retention.bytes", "104857600",
                 "Size of metadata log and snapshots above which old ones are removed.")
        .accepted(kNewestSnapshot),
    long_integer("metadata.max.retention.ms", "604800000",
                 "Age at which old metadata logs and snapshots are removed.")
        .accepted(kNewestSnapshot),
    list("metric.reporters", "org.apache.kafka.common.metrics.JmxReporter",
         "Java classes that report metrics.")
        .accepted(kNoJvmMetrics)
        .cluster_wide(),
    integer("metrics.num.samples", "2", "Samples from which a Java metric is computed.")
        .within(at_least(1))
        .accepted(kNoJvmMetrics),
    string("metrics.recording.level", "INFO", "Which Java metrics are recorded.")
        .accepted(kNoJvmMetrics),
    long_integer("metrics.sample.window.ms", "30000", "Length of one sample of a Java metric.")
        .within(at_least(1))
        .accepted(kNoJvmMetrics),
    integer("node.id", "1", "Number of this node in the cluster.").within(at_least(0)),
    integer("num.io.threads", "8", "Threads that work on requests.")
        .within(at_least(1))
        .accepted(kNoPools)
        .cluster_wide(),
    integer("num.network.threads", "3", "Threads that read and write connections.")
        .within(at_least(1))
        .accepted(kNoPools)
        .cluster_wide(),
    integer("num.partitions", "1",
            "Partitions of a topic created automatically or without a number.")
        .within(at_least(1)),
    class_name("principal.builder.class",
               "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
               "Java class that names the user of a connection.")
        .accepted(kNoSecurity)
        .per_broker(),
    list("process.roles", "broker,controller",
         "What this process is; `broker,controller` is what this version serves.")
        .within(one_of("broker,controller")),
    long_integer("queued.max.request.bytes", "-1", "Bytes of requests waiting for a thread.")
        .accepted(kBounded),
    integer("queued.max.requests", "500", "Requests waiting for a thread.")
        .within(at_least(1))
        .accepted(kBounded),
    integer("quota.window.num", "11", "Samples kept for client quotas.")
        .within(at_least(1))
        .accepted(kNoQuotas),
    integer("quota.window.size.seconds", "1", "Length of one such sample.")
        .within(at_least(1))
        .accepted(kNoQuotas),
    integer("replica.fetch.backoff.ms", "1000", "Pause after a fetch from the leader failed.")
        .within(at_least(0))
        .accepted(kOneNode),
    integer("replica.fetch.max.bytes", "1048576", "Bytes a follower asks for per partition.")
        .within(at_least(0))
        .accepted(kOneNode),
    integer("replica.fetch.min.bytes", "1", "Bytes a follower waits for.").accepted(kOneNode),
    integer("replica.fetch.response.max.bytes", "10485760", "Bytes a follower asks for in all.")
        .within(at_least(0))
        .accepted(kOneNode),
    integer("replica.fetch.wait.max.ms", "500",
            "How long a follower's fetch may wait at the leader.")
        .accepted(kOneNode),
    long_integer("replica.high.watermark.checkpoint.interval.ms", "5000",
                 "Time between two writes of the high watermarks to disk.")
        .accepted(kCheckpointsTogether),
    long_integer("replica.lag.time.max.ms", "30000",
                 "How far a follower may fall behind before it leaves the in-sync replicas.")
        .accepted(kOneNode),
    string("replica.selector.class", kNull,
           "Java class that chooses the replica a consumer reads from.")
        .accepted(kOneNode),
    integer("replica.socket.receive.buffer.bytes", "65536",
            "Receive buffer of connections to the leader.")
        .accepted(kOneNode),
    integer("replica.socket.timeout.ms", "30000",
            "How long a follower waits for the leader's answer.")
        .accepted(kOneNode),
    integer("replication.quota.window.num", "11", "Samples kept for replication quotas.")
        .within(at_least(1))
        .accepted(kNoQuotas),
    integer("replication.quota.window.size.seconds", "1", "Length of one such sample.")
        .within(at_least(1))
        .accepted(kNoQuotas),
    integer("request.timeout.ms", "30000", "How long a request between brokers may take.")
        .accepted(kOneNode),
    long_integer("server.max.startup.time.ms", "9223372036854775807",
                 "Give up starting after this time; for tests.")
        .within(at_least(0))
        .accepted(kNoEffect)
        .internal(),
    long_integer("socket.connection.setup.timeout.max.ms", "30000",
                 "Longest wait for a connection to another broker.")
        .accepted(kOneNode),
    long_integer("socket.connection.setup.timeout.ms", "10000",
                 "First wait for a connection to another broker.")
        .accepted(kOneNode),
    integer("socket.listen.backlog.size", "1024", "Connections of a shard that may wait to be accepted.")
        .within(at_least(1)),
    integer("socket.receive.buffer.bytes", "1048576",
            "Receive buffer of a connection; -1 for the system's default."),
    integer("socket.request.max.bytes", "104857600",
            "Largest request; a connection that announces more is closed.")
        .within(at_least(1)),
    integer("socket.send.buffer.bytes", "1048576",
            "Send buffer of a connection; -1 for the system's default."),
    integer("telemetry.max.bytes", "1048576", "Largest push of client metrics.")
        .within(at_least(1))
        .accepted(kNoTelemetry),
    boolean(
        "unclean.leader.election.enable", "false",
        "Default of topics: whether a replica that is not in sync may lead when no other is left.")
        .cluster_wide(),
    long_integer("unclean.leader.election.interval.ms", "300000",
                 "How often the controller looks for partitions that need such an election.")
        .within(at_least(1))
        .accepted(kOneNode)
        .internal(),
    boolean("unstable.api.versions.enable", "false",
            "Offer versions of requests that Kafka has not released yet.")
        .accepted(kNoEffect)
        .internal(),
    boolean("unstable.feature.versions.enable", "false",
            "Allow feature levels that Kafka has not released yet.")
        .accepted(kNoEffect)
        .internal(),
};

}  // namespace

std::span<const Setting> broker_settings() {
  return kSettings;
}

}  // namespace millrace::server
