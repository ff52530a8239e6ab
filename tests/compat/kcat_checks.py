"""What kcat sees of a broker: metadata, produce with every codec and acks setting, consume, offsets."""

import json
import subprocess
import time

from rig import wire

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
LINES = 100


class Kcat:
    """kcat against one bootstrap address; topics start with `prefix`."""

    def __init__(self, bootstrap, prefix, report):
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.report = report

    def topic(self, name):
        return f"{self.prefix}-{name}"

    def kcat(self, arguments, text="", timeout=40):
        done = subprocess.run(["kcat", "-b", self.bootstrap, "-m", "15", *arguments], input=text,
                              capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"kcat {' '.join(arguments[:4])}: {done.stderr.strip()[-300:]}")
        return done.stdout

    def lines(self, label, first=0, last=LINES):
        return [f"k{i}|{label} value {i} {'w' * (i % 50)}" for i in range(first, last)]

    def produce(self, topic, lines, *settings):
        self.kcat(["-P", "-t", topic, "-p", "0", "-K", "|", "-H", "note=yes", *settings],
                  "\n".join(lines) + "\n")

    def consume(self, topic, offset, *more):
        out = self.kcat(["-C", "-t", topic, "-p", "0", "-o", str(offset), "-e", "-q", "-X",
                         "check.crcs=true", "-X", "fetch.wait.max.ms=100", "-f", "%o %h %k|%s\\n", *more])
        return out.splitlines()

    def expect_lines(self, got, label, first=0, last=LINES):
        wanted = [f"{i} note=yes {line}"
                  for i, line in enumerate(self.lines(label, first, last), first)]
        if got != wanted:
            different = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), "none")
            raise AssertionError(f"{len(got)} lines, wanted {len(wanted)}; first difference: {different}")

    def round(self, label, settings):
        topic = self.topic(label)
        self.produce(topic, self.lines(label, 0, LINES // 2), *settings)
        self.produce(topic, self.lines(label, LINES // 2, LINES), *settings)
        self.expect_lines(self.consume(topic, "beginning"), label)

    def run(self):
        run = self.report.run
        for number, codec in enumerate(CODECS):
            run(f"kcat/all_{codec}", self.round, f"all_{codec}", ["-z", codec, "-X", "acks=all"])
            run(f"kcat/idempotent_{codec}", self.round, f"idempotent_{codec}",
                ["-z", codec, "-X", "enable.idempotence=true"])
            run(f"kcat/{codec}_is_used", self.codec_is_used, self.topic(f"all_{codec}"), number)
        run("kcat/acks_1", self.round, "acks_1", ["-X", "acks=1"])
        run("kcat/acks_0", self.round, "acks_0", ["-X", "acks=0"])
        run("kcat/metadata", self.metadata)
        run("kcat/from_offset", self.from_offset)
        run("kcat/from_tail", self.from_tail)
        run("kcat/from_and_to_timestamp", self.timestamps)
        run("kcat/query_offsets", self.query)
        run("kcat/tombstones", self.tombstones)

    def codec_is_used(self, topic, number):
        """librdkafka sends plain batches where a broker's ApiVersions make it doubt the codec."""
        host, port = self.bootstrap.rsplit(":", 1)
        with wire.Connection(host, int(port)) as connection:
            error, _, _, data = connection.fetch(topic, 0, 0)
        assert error == 0, f"fetch: error {error}"
        used = {wire.codec_of(part) for _, _, part in wire.batches(data)}
        # A batch that does not become smaller is sent as it is.
        assert number in used and used <= {0, number}, f"codecs of the batches: {used}, wanted {number}"

    def metadata(self):
        self.round("listed", [])
        found = json.loads(self.kcat(["-L", "-J", "-t", self.topic("listed")]))
        assert found["brokers"][0]["name"] == self.bootstrap, found["brokers"]
        assert found["topics"][0]["partitions"][0]["leader"] == found["brokers"][0]["id"], found
        everything = json.loads(self.kcat(["-L", "-J"]))
        names = [topic["topic"] for topic in everything["topics"]]
        assert self.topic("listed") in names, names

    def from_offset(self):
        self.round("offset", [])
        self.expect_lines(self.consume(self.topic("offset"), 63), "offset", 63)
        self.expect_lines(self.consume(self.topic("offset"), 63, "-c", "7"), "offset", 63, 70)

    def from_tail(self):
        self.round("tail", ["-z", "lz4"])
        self.expect_lines(self.consume(self.topic("tail"), -11), "tail", LINES - 11)

    def timestamps(self):
        topic = self.topic("times")
        moments = []
        for part in range(3):
            self.produce(topic, self.lines("times", part * 10, part * 10 + 10))
            time.sleep(0.05)
            moments.append(int(time.time() * 1000))
            time.sleep(0.05)
        self.expect_lines(self.consume(topic, f"s@{moments[0]}"), "times", 10, 30)
        got = self.kcat(["-C", "-t", topic, "-p", "0", "-o", f"s@{moments[0]}", "-o", f"e@{moments[1]}",
                         "-e", "-q", "-f", "%o %h %k|%s\\n"])
        self.expect_lines(got.splitlines(), "times", 10, 20)

    def query(self):
        topic = self.topic("query")
        self.produce(topic, self.lines("query"))
        for timestamp, wanted in ((-1, LINES), (-2, 0), (1, 0)):
            out = self.kcat(["-Q", "-t", f"{topic}:0:{timestamp}"])
            assert out.strip().endswith(f"offset {wanted}"), f"time {timestamp}: {out.strip()}"

    def tombstones(self):
        topic = self.topic("tombstones")
        self.kcat(["-P", "-t", topic, "-p", "0", "-K", "|", "-Z"], "a|one\nb|\n")
        out = self.kcat(["-C", "-t", topic, "-p", "0", "-o", "0", "-e", "-q", "-f", "%k %S\\n"])
        assert out.split("\n")[:2] == ["a 3", "b -1"], out
