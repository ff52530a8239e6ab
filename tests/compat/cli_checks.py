"""What Millrace's own commands see of a broker, Millrace or Apache Kafka."""

import json
import subprocess

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
LINES = 80
REFUSED, WRONG_USAGE, NO_BROKER = 1, 2, 3


class Cli:
    """The binary's commands against one bootstrap address."""

    def __init__(self, binary, bootstrap, prefix, report):
        self.binary = binary
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.report = report

    def topic(self, name):
        return f"{self.prefix}-{name}"

    def call(self, *arguments, text="", wanted=0, bootstrap=None):
        command = [self.binary, *arguments, "--bootstrap-server", bootstrap or self.bootstrap]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=40, check=False)
        if done.returncode != wanted:
            raise RuntimeError(f"{' '.join(arguments)}: exit code {done.returncode}, wanted {wanted}: "
                               + (done.stdout + done.stderr).strip()[-300:])
        return done.stdout if wanted == 0 else done.stderr

    def call_json(self, *arguments):
        return json.loads(self.call(*arguments, "--format", "json"))

    def run(self):
        run = self.report.run
        run("cli/topic_create", self.create)
        run("cli/topic_create_again_is_refused", self.create_again)
        run("cli/topic_list", self.list)
        run("cli/topic_describe", self.describe)
        run("cli/topic_alter", self.alter)
        for codec in CODECS:
            run(f"cli/produce_and_consume_{codec}", self.round, codec)
        run("cli/consume_ranges", self.ranges)
        run("cli/consume_json", self.consume_json)
        run("cli/config_topic", self.config_topic)
        run("cli/config_broker", self.config_broker)
        run("cli/cluster_describe", self.cluster)
        run("cli/topic_delete", self.delete)
        run("cli/unknown_topic_is_refused", self.unknown_topic)
        run("cli/no_broker_is_exit_code_3", self.no_broker)

    def create(self):
        self.call("topic", "create", self.topic("made"), "-p", "3", "-c", "retention.ms=3600000")
        self.call("topic", "create", self.topic("made"), "--if-not-exists")

    def create_again(self):
        message = self.call("topic", "create", self.topic("made"), wanted=REFUSED)
        assert "exist" in message, message

    def list(self):
        found = self.call("topic", "list")
        assert self.topic("made") in found, found
        assert self.topic("made") in json.dumps(self.call_json("topic", "list"))

    def describe(self):
        found = self.call_json("topic", "describe", self.topic("made"))
        assert json.dumps(found).count('"leader"') >= 3, found

    def alter(self):
        self.call("topic", "alter", self.topic("made"), "-p", "5", "-c", "retention.ms=7200000")
        found = self.call_json("topic", "describe", self.topic("made"))
        assert json.dumps(found).count('"leader"') >= 5, found

    def lines(self):
        return [f"k{i}:value {i} {'c' * (i % 40)}" for i in range(LINES)]

    def round(self, codec):
        topic = self.topic(f"round-{codec}")
        self.call("topic", "create", topic, "-p", "1")
        self.call("produce", topic, "-K", ":", "-z", codec, "--idempotent", "-H", "note=yes",
                  text="\n".join(self.lines()) + "\n")
        got = self.call("consume", topic, "-e", "-f", "%o %h %k:%s\\n").splitlines()
        wanted = [f"{i} note=yes {line}" for i, line in enumerate(self.lines())]
        assert got == wanted, f"{len(got)} lines, first {got[:1]}"

    def ranges(self):
        topic = self.topic("round-lz4")
        for offset, first, last in (("-5", LINES - 5, LINES), ("31", 31, LINES), ("20..30", 20, 30)):
            got = self.call("consume", topic, "-p", "0", "-o", offset, "-e", "-f", "%o\\n").split()
            assert got == [str(i) for i in range(first, last)], f"{offset}: {got}"
        got = self.call("consume", topic, "-o", "beginning", "-c", "7", "-f", "%o\\n").split()
        assert len(got) == 7, got

    def consume_json(self):
        out = self.call("consume", self.topic("round-zstd"), "-o", "10..12", "-e", "--format", "json")
        found = [json.loads(line) for line in out.splitlines()]
        assert [record["offset"] for record in found] == [10, 11], out

    def config_topic(self):
        topic = self.topic("made")
        self.call("config", "alter", "topic", topic, "--set", "max.message.bytes=123456")
        assert "123456" in self.call("config", "describe", "topic", topic)
        self.call("config", "alter", "topic", topic, "--delete", "max.message.bytes")
        assert "123456" not in self.call("config", "describe", "topic", topic)
        message = self.call("config", "alter", "topic", topic, "--set", "retention.ms=soon", wanted=REFUSED)
        assert "retention.ms" in message, message

    def config_broker(self):
        nodes = self.call_json("cluster", "describe")["brokers"]
        out = self.call("config", "describe", "broker", str(nodes[0]["broker"]), "--all")
        assert "log.dirs" in out, out[:300]

    def cluster(self):
        found = self.call_json("cluster", "describe")
        assert len(found["brokers"]) == 1, found

    def delete(self):
        self.call("topic", "delete", self.topic("made"))
        assert self.topic("made") not in self.call("topic", "list").split()
        self.call("topic", "delete", self.topic("made"), "--if-exists")

    def unknown_topic(self):
        self.call("topic", "describe", self.topic("absent"), wanted=REFUSED)
        self.call("topic", "delete", self.topic("absent"), wanted=REFUSED)
        self.call("no-such-command", wanted=WRONG_USAGE)

    def no_broker(self):
        message = self.call("topic", "list", "--timeout", "1500", wanted=NO_BROKER, bootstrap="127.0.0.1:1")
        assert "127.0.0.1:1" in message, message
