"""What Apache Kafka's own command-line tools see of a broker."""

import glob
import json
import os
import re
import time

from rig import kafka_jars, wire

RECORDS = 60


class Tools:
    """The tools against one bootstrap address. `data_dir` is None where the files are out of reach."""

    def __init__(self, bootstrap, prefix, report, scratch, data_dir=None):
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.report = report
        self.scratch = scratch
        self.data_dir = data_dir

    def topic(self, name):
        return f"{self.prefix}-{name}"

    def tool(self, name, *arguments, text=None, timeout=60):
        done = kafka_jars.run_tool(name, ["--bootstrap-server", self.bootstrap, *arguments], timeout,
                                   input=text)
        output = done.stdout + done.stderr
        if done.returncode != 0 or "Exception" in done.stderr:
            raise RuntimeError(f"{name} ended with {done.returncode}: {output.strip()[-500:]}")
        return done.stdout

    def run(self):
        run = self.report.run
        run("tools/topics_create", self.topics_create)
        run("tools/topics_list", self.topics_list)
        run("tools/topics_describe", self.topics_describe)
        run("tools/topics_alter_partitions", self.topics_alter)
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            run(f"tools/console_{codec}", self.console, codec)
        run("tools/console_consumer_from_offset", self.console_offset)
        run("tools/get_offsets", self.get_offsets)
        run("tools/get_offsets_at_a_time", self.get_offsets_at_a_time)
        run("tools/configs_topic", self.configs_topic)
        run("tools/configs_broker", self.configs_broker)
        run("tools/configs_connections", self.configs_connections)
        run("tools/log_dirs", self.log_dirs)
        run("tools/producer_perf_test_acks_0", self.producer_perf, "0", "gzip")
        run("tools/producer_perf_test_acks_1", self.producer_perf, "1", "none")
        run("tools/producer_perf_test_acks_all", self.producer_perf, "all", "zstd")
        run("tools/consumer_perf_test", self.consumer_perf_test)
        run("tools/delete_records", self.delete_records)
        run("tools/broker_api_versions", self.api_versions)
        run("tools/cluster_id", self.cluster_id)
        run("tools/metadata_quorum", self.metadata_quorum)
        run("tools/features", self.features)
        run("tools/topics_delete", self.topics_delete)
        if self.data_dir:
            run("tools/dump_log_of_running_broker", self.dump_log, self.topic("console-lz4"))

    def topics_create(self):
        self.tool("kafka-topics", "--create", "--topic", self.topic("made"), "--partitions", "3",
                  "--replication-factor", "1", "--config", "retention.ms=7200000")

    def topics_list(self):
        names = self.tool("kafka-topics", "--list").split()
        assert self.topic("made") in names, names

    def topics_describe(self):
        out = self.tool("kafka-topics", "--describe", "--topic", self.topic("made"))
        assert "PartitionCount: 3" in out and "ReplicationFactor: 1" in out, out
        assert "retention.ms=7200000" in out, out
        assert len(re.findall(r"Leader: \d+\s+Replicas: \d+\s+Isr: \d+", out)) == 3, out

    def topics_alter(self):
        self.tool("kafka-topics", "--alter", "--topic", self.topic("made"), "--partitions", "5")
        out = self.tool("kafka-topics", "--describe", "--topic", self.topic("made"))
        assert "PartitionCount: 5" in out, out

    def topics_delete(self):
        self.tool("kafka-topics", "--delete", "--topic", self.topic("made"))
        deadline = time.monotonic() + 15  # Apache Kafka's list may be a moment behind its answer
        while self.topic("made") in self.tool("kafka-topics", "--list").split():
            assert time.monotonic() < deadline, "still listed"

    def lines(self):
        return [f"k{i}\tvalue {i} {'v' * i}" for i in range(RECORDS)]

    def console(self, codec):
        topic = self.topic(f"console-{codec}")
        text = "\n".join(self.lines()) + "\n"
        self.tool("kafka-console-producer", "--topic", topic, "--compression-codec", codec,
                  "--reader-property", "parse.key=true", text=text)
        got = self.tool("kafka-console-consumer", "--topic", topic, "--partition", "0", "--offset",
                        "earliest", "--max-messages", str(RECORDS), "--timeout-ms", "20000",
                        "--formatter-property", "print.key=true", "--formatter-property",
                        "print.offset=true")
        wanted = [f"Offset:{i}\t{line}" for i, line in enumerate(self.lines())]
        assert got.splitlines() == wanted, f"{len(got.splitlines())} lines, first {got[:100]!r}"

    def console_offset(self):
        got = self.tool("kafka-console-consumer", "--topic", self.topic("console-zstd"), "--partition",
                        "0", "--offset", "41", "--max-messages", "5", "--timeout-ms", "20000")
        wanted = [line.split("\t")[1] for line in self.lines()[41:46]]
        assert got.splitlines() == wanted, got

    def get_offsets(self):
        topic = self.topic("console-none")
        for moment, wanted in (("-1", RECORDS), ("-2", 0), ("latest", RECORDS), ("earliest", 0), ("1", 0)):
            out = self.tool("kafka-get-offsets", "--topic", topic, "--time", moment)
            assert out.strip() == f"{topic}:0:{wanted}", f"time {moment}: {out.strip()}"
        out = self.tool("kafka-get-offsets", "--topic", topic, "--time", "max-timestamp")
        assert out.strip().startswith(f"{topic}:0:"), out

    def get_offsets_at_a_time(self):
        topic = self.topic("times")
        self.tool("kafka-console-producer", "--topic", topic, text="one\ntwo\nthree\n")
        moment = int(time.time() * 1000) + 1
        time.sleep(0.01)
        self.tool("kafka-console-producer", "--topic", topic, text="four\n")
        out = self.tool("kafka-get-offsets", "--topic", topic, "--time", str(moment))
        assert out.strip() == f"{topic}:0:3", out
        got = self.tool("kafka-console-consumer", "--topic", topic, "--partition", "0", "--offset", "3",
                        "--max-messages", "1", "--timeout-ms", "20000")
        assert got.splitlines() == ["four"], got

    def configs_topic(self):
        entity = ["--entity-type", "topics", "--entity-name", self.topic("console-none")]
        self.tool("kafka-configs", "--alter", *entity, "--add-config",
                  "retention.ms=86400000,max.message.bytes=2000000")
        out = self.tool("kafka-configs", "--describe", *entity)
        assert "retention.ms=86400000" in out and "max.message.bytes=2000000" in out, out
        self.tool("kafka-configs", "--alter", *entity, "--delete-config", "retention.ms")
        out = self.tool("kafka-configs", "--describe", *entity)
        assert "retention.ms" not in out and "max.message.bytes=2000000" in out, out

    def configs_broker(self):
        host, port = self.bootstrap.rsplit(":", 1)
        with wire.Connection(host, int(port)) as connection:
            node = connection.node_id()
        out = self.tool("kafka-configs", "--describe", "--entity-type", "brokers", "--entity-name",
                        str(node), "--all")
        for key in ("log.dirs", "log.retention.hours", "listeners", "num.partitions"):
            assert re.search(rf"^  {re.escape(key)}=", out, re.M), f"{key} is missing: {out[:300]}"

    def alter_brokers(self, *change):
        self.tool("kafka-configs", "--alter", "--entity-type", "brokers", "--entity-default", *change)

    def served(self):
        """A connection that was answered on, or None where it was closed instead."""
        host, port = self.bootstrap.rsplit(":", 1)
        connection = wire.Connection(host, int(port))
        try:
            connection.api_versions(0)
            return connection
        except (OSError, wire.WireError):
            connection.close()
            return None

    def configs_connections(self):
        """A limit that is set while the broker runs counts the connections that are open."""
        held = [self.served() for _ in range(20)]
        self.alter_brokers("--add-config", "max.connections.per.ip=20")
        try:
            deadline = time.monotonic() + 15  # Apache Kafka applies it a moment after the answer
            while (more := self.served()) is not None:
                more.close()
                assert time.monotonic() < deadline, "one more was served"
                time.sleep(0.1)
            for connection in held:
                connection.api_versions(0)
                connection.close()
        finally:
            time.sleep(0.5)
            self.alter_brokers("--delete-config", "max.connections.per.ip")
        held = [self.served() for _ in range(25)]
        assert all(held), "refused without a limit"
        for connection in held:
            connection.close()

    def log_dirs(self):
        out = self.tool("kafka-log-dirs", "--describe", "--topic-list", self.topic("console-none"))
        found = json.loads(out.strip().splitlines()[-1])
        partitions = found["brokers"][0]["logDirs"][0]["partitions"]
        assert partitions[0]["partition"] == self.topic("console-none") + "-0", partitions
        assert partitions[0]["size"] > RECORDS * 20, partitions

    def producer_perf(self, acks, codec):
        out = self.tool("kafka-producer-perf-test", "--topic", self.topic(f"perf-{acks}"),
                        "--num-records", "20000", "--record-size", "200", "--throughput", "-1",
                        "--command-property", f"acks={acks}", f"compression.type={codec}")
        assert "20000 records sent" in out, out
        assert self.tool("kafka-get-offsets", "--topic", self.topic(f"perf-{acks}")).strip().endswith(
            ":20000"), "not all records are there"

    def consumer_perf_test(self):
        out = self.tool("kafka-consumer-perf-test", "--topic", self.topic("perf-1"), "--num-records",
                        "20000", "--hide-header", timeout=90)
        assert re.search(r", 20\d\d\d, ", out), out

    def delete_records(self):
        path = os.path.join(self.scratch, "delete-records.json")
        with open(path, "w", encoding="utf-8") as out:
            json.dump({"version": 1, "partitions": [
                {"topic": self.topic("console-none"), "partition": 0, "offset": 13}]}, out)
        self.tool("kafka-delete-records", "--offset-json-file", path)
        out = self.tool("kafka-get-offsets", "--topic", self.topic("console-none"), "--time", "-2")
        assert out.strip().endswith(":0:13"), out

    def api_versions(self):
        out = self.tool("kafka-broker-api-versions")
        for name in ("Produce(0)", "Fetch(1)", "Metadata(3)", "ApiVersions(18)", "CreateTopics(19)"):
            line = re.search(rf"{re.escape(name)}: (.*)", out)
            assert line and "usable" in line.group(1), f"{name}: {line and line.group(1)}"

    def cluster_id(self):
        done = kafka_jars.run_tool("kafka-cluster", ["cluster-id", "--bootstrap-server", self.bootstrap])
        assert re.search(r"Cluster ID: \S{22}", done.stdout), done.stdout + done.stderr

    def metadata_quorum(self):
        out = self.tool("kafka-metadata-quorum", "describe", "--status")
        assert re.search(r"LeaderId:\s+\d+", out) and re.search(r"HighWatermark:\s+\d+", out), out

    def features(self):
        out = self.tool("kafka-features", "describe")
        assert "metadata.version" in out, out

    def dump_log(self, topic):
        """kafka-dump-log reads the partition's segments and indexes without complaint."""
        return dump_partition(self.data_dir, topic, [line.split("\t")[1] for line in self.lines()])


def dump_partition(data_dir, topic, values):
    folder = os.path.join(data_dir, f"{topic}-0")
    logs = sorted(glob.glob(os.path.join(folder, "*.log")))
    assert logs, f"no segments in {folder}"
    done = kafka_jars.run_tool("kafka-dump-log", ["--deep-iteration", "--print-data-log", "--files",
                                                  ",".join(logs)])
    out = done.stdout + done.stderr
    assert done.returncode == 0 and "isvalid: false" not in out and "Exception" not in out, out[-400:]
    found = re.findall(r"payload: (.*)", done.stdout)
    assert found == values, f"{len(found)} records, wanted {len(values)}"
    for index in glob.glob(os.path.join(folder, "*index")):
        done = kafka_jars.run_tool("kafka-dump-log", ["--index-sanity-check", "--files", index])
        out = done.stdout + done.stderr
        assert done.returncode == 0 and "Mismatch" not in out and "Exception" not in out, out[-400:]
    return f"{len(found)} records in {len(logs)} segments"


def dump_metadata_log(data_dir):
    """kafka-dump-log reads the metadata log's records."""
    logs = sorted(glob.glob(os.path.join(data_dir, "__cluster_metadata-0", "*.log")))
    assert logs, "no metadata log"
    done = kafka_jars.run_tool("kafka-dump-log", ["--cluster-metadata-decoder", "--files", ",".join(logs)])
    out = done.stdout + done.stderr
    assert done.returncode == 0 and "isvalid: false" not in out and "Exception" not in out, out[-400:]
    kinds = sorted(set(re.findall(r'payload: \{"type":"(\w+)"', done.stdout)))
    for kind in ("TOPIC_RECORD", "PARTITION_RECORD", "FEATURE_LEVEL_RECORD", "REGISTER_BROKER_RECORD"):
        assert kind in kinds, f"{kind} is not among {kinds}"
    return " ".join(kinds)
