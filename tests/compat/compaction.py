#!/usr/bin/env python3
"""Compacted topics: Millrace's cleaner runs, Apache Kafka's tool reads what it wrote, and both systems go on with it in turn.

  compaction.py --binary build/release/millrace

After each turn every key's last value is there, at its own offset, and what was deleted stays deleted.
"""

import argparse
import glob
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from rig import brokers, kafka_jars, report as reports, wire  # noqa: E402

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
KEYS = 150
LINES = 6000
CONFIG = {"cleanup.policy": "compact", "segment.bytes": "1048576", "segment.ms": "1500",
          "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "0"}
SETTINGS = {"log.cleaner.backoff.ms": "200", "log.retention.check.interval.ms": "500", "node.id": "1"}


def kcat(broker, *arguments, text=""):
    done = subprocess.run(["kcat", "-b", broker.bootstrap, "-m", "15", *arguments], input=text, text=True,
                          capture_output=True, timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"kcat: {done.stderr.strip()[-300:]}")
    return done.stdout


class Topic:
    """One topic per codec, and what was sent to it."""

    def __init__(self, codec):
        self.codec = codec
        self.name = f"compacted-{codec}"
        self.sent = 0
        self.last = {}  # key: (offset, value); value None once deleted

    def produce(self, broker, turn):
        lines = []
        for i in range(LINES):
            key = f"key-{(i * 7 + turn) % KEYS}"
            value = "" if i % 11 == 0 else f"turn {turn} line {i} {'s' * (100 + i % 70)}"
            lines.append(f"{key}\t{value}")
            self.last[key] = (self.sent, value or None)
            self.sent += 1
        # The last ones of some keys are deletions.
        for key in (f"key-{i}" for i in range(turn, 20 + turn)):
            lines.append(f"{key}\t")
            self.last[key] = (self.sent, None)
            self.sent += 1
        kcat(broker, "-P", "-t", self.name, "-p", "0", "-z", self.codec, "-K", "\t", "-Z", "-X",
             "enable.idempotence=true", text="\n".join(lines) + "\n")

    def check(self, broker):
        with wire.Connection("127.0.0.1", broker.port) as connection:
            connection.await_served(self.name, 0)
        out = kcat(broker, "-C", "-t", self.name, "-p", "0", "-o", "beginning", "-e", "-q", "-X", "check.crcs=true",
                   "-f", "%o\\t%k\\t%S\\t%s\\n")
        there = {}
        least = 0
        for line in out.splitlines():
            offset, key, size, value = line.split("\t")
            assert int(offset) >= least, f"offset {offset} after {least - 1}"
            least = int(offset) + 1
            there[key] = (int(offset), None if size == "-1" else value)
        for key, wanted in self.last.items():
            got = there.pop(key, None)
            gone = got is None and wanted[1] is None
            assert gone or got == wanted, f"{key} is {got}, sent was {wanted}"
        assert not there, f"{len(there)} keys that nobody sent"
        return f"{len(out.splitlines())} records of {self.sent}"


def await_cleaned_by_millrace(broker, topic):
    """The active segment ends after segment.ms; then the cleaner must come by itself and reach the log's end."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        ends = re.findall(rf"log.cleaned partition={topic.name}-0 .*cleaned_end=(\d+)", broker.log_text())
        if ends and int(ends[-1]) == topic.sent:
            return f"cleaned_end={ends[-1]}"
        time.sleep(0.2)
    raise AssertionError(f"not cleaned up to {topic.sent}: {ends[-3:]}")


def dump(data_dir, topic):
    """kafka-dump-log reads the compacted segments and their indexes without complaint."""
    folder = os.path.join(data_dir, f"{topic.name}-0")
    logs = sorted(glob.glob(os.path.join(folder, "*.log")))
    done = kafka_jars.run_tool("kafka-dump-log", ["--deep-iteration", "--print-data-log", "--files", ",".join(logs)])
    out = done.stdout + done.stderr
    assert done.returncode == 0 and "isvalid: false" not in out and "Exception" not in out, out[-400:]
    records = len(re.findall(r"^\| offset: ", done.stdout, re.M))
    assert 0 < records < topic.sent / 4, f"{records} records of {topic.sent}"
    for index in glob.glob(os.path.join(folder, "*index")):
        done = kafka_jars.run_tool("kafka-dump-log", ["--index-sanity-check", "--files", index])
        out = done.stdout + done.stderr
        assert done.returncode == 0 and "Mismatch" not in out and "Exception" not in out, out[-400:]
    return f"{records} records in {len(logs)} segments"


def verify(binary, data_dir):
    """Millrace's own tool finds nothing wrong either."""
    done = subprocess.run([binary, "log", "verify", "--deep", data_dir], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-400:]


INVALID_RECORD = 87


def keyless_is_refused(broker):
    """A batch with a record that has no key is INVALID_RECORD, and that record is named."""
    payload = wire.record(0, b"one", b"key") + wire.record(1, b"two") + wire.record(2, b"three", b"key")
    data = wire.batch([], payload=payload, count=3)
    topic = "compacted-none"
    with wire.Connection("127.0.0.1", broker.port) as connection:
        connection.await_served(topic, 0)
        body = struct.pack(">hhi", -1, 1, 30000) + struct.pack(">i", 1) + wire.string(topic)
        body += struct.pack(">iii", 1, 0, len(data)) + data
        reader = connection.ask(wire.PRODUCE, 8, body)
    assert (reader.i32(), reader.string(), reader.i32(), reader.i32()) == (1, topic, 1, 0)
    error, _, _, _ = reader.i16(), reader.i64(), reader.i64(), reader.i64()
    named = [(reader.i32(), bool(reader.string())) for _ in range(reader.i32())]
    assert error == INVALID_RECORD, f"error {error}"
    assert named == [(1, True)], named


def take_turn(report, broker, topics, turn):
    name = f"turn_{turn}_{broker.system}"
    try:
        broker.start()
    except brokers.StartFailed as error:
        report.failed(f"{name}/starts", error)
        return False
    with broker:
        if turn == 0:
            with wire.Connection("127.0.0.1", broker.port) as connection:
                answer = connection.create_topics(4, {topic.name: (1, CONFIG) for topic in topics})
                assert all(error == 0 for error, _ in answer.values()), answer
                for topic in topics:
                    connection.await_served(topic.name, 0)
        report.run(f"{name}/keyless_is_refused", keyless_is_refused, broker)
        for topic in topics:
            if turn > 0:
                report.run(f"{name}/read_{topic.codec}", topic.check, broker)
            report.run(f"{name}/produce_{topic.codec}", topic.produce, broker, turn)
        for topic in topics:
            if broker.system == "millrace":
                report.run(f"{name}/cleans_{topic.codec}", await_cleaned_by_millrace, broker, topic)
            report.run(f"{name}/read_more_{topic.codec}", topic.check, broker)
        code = broker.stop()
        report.expect(f"{name}/stops_cleanly", code in (0, 143), f"exit code {code}")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--binary", default=os.path.join(kafka_jars.ROOT, "build/release/millrace"))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--override", action="append", default=[], metavar="KEY=VALUE", help="a setting for Millrace")
    reports.add_report_options(parser)
    options = parser.parse_args()
    report = reports.Report(options.only)
    scratch = tempfile.mkdtemp(prefix="millrace-compaction-")
    topics = [Topic(codec) for codec in CODECS]
    data_dir = os.path.join(scratch, "data")
    try:
        port = brokers.free_port()
        for turn in range(options.turns):
            system = ("millrace", "kafka")[turn % 2]
            own = dict(pair.split("=", 1) for pair in options.override) if system == "millrace" else {}
            broker = brokers.open_broker(system, os.path.join(scratch, system), options.binary,
                                         {**SETTINGS, **own, "log.dirs": data_dir}, port=port, static_quorum=True)
            if not take_turn(report, broker, topics, turn):
                break
            if system == "millrace":
                report.run(f"turn_{turn}_{system}/verify", verify, options.binary, data_dir)
                for topic in topics:
                    report.run(f"turn_{turn}_{system}/dump_{topic.codec}", dump, data_dir, topic)
    except Exception as error:  # the closing line is printed whatever happens
        report.failed("script/ends", f"{type(error).__name__}: {error}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(report.close(options.json, {}))


if __name__ == "__main__":
    main()
