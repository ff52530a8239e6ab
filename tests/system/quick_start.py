#!/usr/bin/env python3
"""The quick start of Kafka's documentation, word for word, with Kafka's own tools and a broker nobody has configured.

Each tool gets the options that the quick start and README.md give it, and no others but the address. The consumer that
reads from the beginning is left running and ended by Ctrl-C, as a reader would.
"""

import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from rig import kafka_jars, running  # noqa: E402

TOPIC = "quickstart-events"
EVENTS = ["This is my first event", "This is my second event"]
LIMIT_S = 60


class QuickStart:
    """One reader at one terminal; the steps build on each other in order."""

    def __init__(self, broker, report, scratch):
        self.address = ["--bootstrap-server", broker.bootstrap]
        self.report = report
        self.scratch = scratch

    def run(self):
        run = self.report.run
        run("create_a_topic", self.create)
        run("describe_the_topic", self.describe)
        run("write_events", self.produce, EVENTS)
        run("read_the_events_from_the_beginning", self.read_all)
        run("read_as_a_group_and_go_on_where_it_stopped", self.read_as_group)
        run("describe_the_group", self.describe_group)
        run("group_configurations_of_kafka_configs", self.group_configs)

    def tool(self, name, *arguments, text=None):
        done = kafka_jars.run_tool(name, [*arguments, *self.address], LIMIT_S, input=text)
        assert done.returncode == 0 and "ERROR" not in done.stdout + done.stderr, done.stdout + done.stderr
        return done.stdout

    def create(self):
        out = self.tool("kafka-topics", "--create", "--topic", TOPIC)
        assert f"Created topic {TOPIC}." in out, out

    def describe(self):
        out = self.tool("kafka-topics", "--describe", "--topic", TOPIC)
        assert re.search(rf"Topic: {TOPIC}\s+TopicId: \S+\s+PartitionCount: 1\s+ReplicationFactor: 1", out), out
        assert re.search(r"Partition: 0\s+Leader: \d+\s+Replicas: \d+\s+Isr: \d+", out), out

    def produce(self, events):
        self.tool("kafka-console-producer", "--topic", TOPIC, text="".join(event + "\n" for event in events))

    def consume(self, count, *arguments):
        """What the console consumer prints until it has printed `count` lines and Ctrl-C is pressed."""
        command = kafka_jars.command_for("kafka-console-consumer", ["--topic", TOPIC, *arguments, *self.address])
        path = os.path.join(self.scratch, "consumer.out")
        with open(path, "w", encoding="utf-8") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            deadline = time.monotonic() + LIMIT_S
            while self.read(path).count("\n") < count and time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.05)
            time.sleep(0.5)  # whatever comes beyond them is wrong
            process.send_signal(signal.SIGINT)
            process.wait(20)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(20)
        out = self.read(path)
        assert f"Processed a total of {count} messages" in out, out
        return [line for line in out.splitlines() if not line.startswith("Processed a total")]

    @staticmethod
    def read(path):
        with open(path, encoding="utf-8") as text:
            return text.read()

    def read_all(self):
        for _ in range(2):
            got = self.consume(len(EVENTS), "--from-beginning")
            assert got == EVENTS, got

    def read_as_group(self):
        assert self.consume(len(EVENTS), "--from-beginning", "--group", "readers") == EVENTS
        self.produce(["This is my third event"])
        assert self.consume(1, "--group", "readers") == ["This is my third event"]

    def describe_group(self):
        self.produce(["This is my fourth event"])
        out = self.tool("kafka-consumer-groups", "--describe", "--group", "readers")
        assert re.search(rf"^readers\s+{TOPIC}\s+0\s+3\s+4\s+1\s", out, re.M), out

    def configs(self, *arguments):
        done = kafka_jars.run_tool("kafka-configs", [*self.address, "--entity-type", "groups", "--entity-name", "readers",
                                                     *arguments], LIMIT_S)
        return done.returncode, done.stdout + done.stderr

    def group_configs(self):
        code, altered = self.configs("--alter", "--add-config", "consumer.session.timeout.ms=50000")
        assert code == 0, altered
        _, described = self.configs("--describe")
        assert "consumer.session.timeout.ms=50000" in described, described


def body(run):
    with run.open() as broker:
        broker.start()
        QuickStart(broker, run.report, run.scratch).run()
        run.report.expect("broker_lives", broker.alive(), broker.log_tail())


if __name__ == "__main__":
    running.main(running.parser(__doc__).parse_args(), body)
