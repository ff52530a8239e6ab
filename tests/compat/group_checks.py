"""Groups as real clients use them: kcat -G, Apache Kafka's console consumer and its tool for groups, and, where the broker is ours
to kill, what is left of committed offsets after kill -9."""

import re
import subprocess
import time

from rig import kafka_jars

LINES = 60


class Groups:
    """Topics and groups start with `prefix`. `broker`: one that may be killed, or None."""

    def __init__(self, bootstrap, prefix, report, broker):
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.report = report
        self.broker = broker

    def run(self):
        run = self.report.run
        run("groups/kcat_goes_on_where_it_stopped", self.goes_on)
        run("groups/kcat_two_members_share_partitions", self.share)
        run("groups/kcat_member_that_is_killed_is_replaced", self.replaced)
        run("groups/console_consumer_from_the_beginning", self.console)
        run("groups/tool_describes_resets_and_deletes", self.tool)
        if self.broker:
            run("groups/offsets_survive_kill_9", self.survive)

    def name(self, name):
        return f"{self.prefix}-{name}"

    def create(self, topic, partitions):
        done = kafka_jars.run_tool("kafka-topics", ["--bootstrap-server", self.bootstrap, "--create",
                                                    "--topic", topic, "--partitions", str(partitions)])
        assert done.returncode == 0, done.stdout + done.stderr[-300:]

    def produce(self, topic, first, last, *more):
        lines = "".join(f"{i}\n" for i in range(first, last))
        subprocess.run(["kcat", "-b", self.bootstrap, "-P", "-t", topic, *more], input=lines, text=True,
                       check=True, timeout=30)

    def member(self, group, topic, *more):
        return ["kcat", "-b", self.bootstrap, "-G", group, topic, "-X", "auto.offset.reset=earliest",
                "-X", "session.timeout.ms=6000", "-u", "-f", "%p %o %s\\n", *more]

    def consume(self, group, topic, count, timeout=40):
        """The values that a member of the group reads, `count` of them; it commits as it leaves."""
        done = subprocess.run(self.member(group, topic, "-c", str(count)), capture_output=True, text=True,
                              timeout=timeout, check=False)
        assert done.returncode == 0, done.stderr[-300:]
        return [int(line.split()[2]) for line in done.stdout.splitlines()]

    def goes_on(self):
        topic, group = self.name("on"), self.name("on-group")
        self.create(topic, 1)
        self.produce(topic, 0, LINES)
        assert self.consume(group, topic, LINES // 2) == list(range(LINES // 2))
        assert self.consume(group, topic, LINES // 2) == list(range(LINES // 2, LINES))

    def assigned(self, process, seconds=20):
        """The partitions of the first assignment a running member tells of."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = re.search(r"assigned: (.*)", process.stderr.readline())
            if found:
                return re.findall(r"\[(\d+)\]", found.group(1))
        raise AssertionError("no assignment")

    def start_member(self, group, topic):
        return subprocess.Popen(self.member(group, topic), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True)

    def share(self):
        topic, group = self.name("share"), self.name("share-group")
        self.create(topic, 4)
        first = self.start_member(group, topic)
        second = None
        try:
            assert self.assigned(first) == ["0", "1", "2", "3"]
            second = self.start_member(group, topic)
            mine, other = self.assigned(second), self.assigned(first)
            assert len(mine) == 2 and sorted(mine + other) == ["0", "1", "2", "3"], (mine, other)
        finally:
            self.end(first, second)

    def replaced(self):
        topic, group = self.name("replaced"), self.name("replaced-group")
        self.create(topic, 2)
        first = self.start_member(group, topic)
        second = self.start_member(group, topic)
        try:
            while len(self.assigned(first)) != 1:
                pass  # alone for a moment
            second.kill()
            assert self.assigned(first, 30) == ["0", "1"]
        finally:
            self.end(first, second)

    @staticmethod
    def end(*processes):
        for process in processes:
            if process:
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(5)
                process.stdout.close()
                process.stderr.close()

    def console(self):
        topic = self.name("console")
        self.produce(topic, 0, LINES)
        done = kafka_jars.run_tool("kafka-console-consumer",
                                   ["--bootstrap-server", self.bootstrap, "--topic", topic,
                                    "--from-beginning", "--group", self.name("console-group"),
                                    "--max-messages", str(LINES), "--timeout-ms", "30000"])
        assert done.stdout.split() == [str(i) for i in range(LINES)], done.stdout + done.stderr[-300:]

    def groups_tool(self, *arguments):
        done = kafka_jars.run_tool("kafka-consumer-groups",
                                   ["--bootstrap-server", self.bootstrap, *arguments])
        assert done.returncode == 0, done.stdout + done.stderr[-300:]
        return done.stdout

    def tool(self):
        topic, group = self.name("tool"), self.name("tool-group")
        self.create(topic, 1)
        self.produce(topic, 0, LINES)
        self.consume(group, topic, LINES // 2)
        assert self.committed(group, topic) == LINES // 2
        assert group in self.groups_tool("--list").split()
        self.groups_tool("--group", group, "--reset-offsets", "--to-offset", "7", "--topic", topic, "--execute")
        assert self.consume(group, topic, 3) == [7, 8, 9]
        self.groups_tool("--group", group, "--delete")
        assert group not in self.groups_tool("--list").split()

    def committed(self, group, topic):
        """Of partition 0, as the tool tells it."""
        out = self.groups_tool("--describe", "--group", group)
        found = re.search(rf"^{group}\s+{topic}\s+0\s+(\d+)", out, re.M)
        assert found, out
        return int(found.group(1))

    def survive(self):
        """What was committed is there after each kill, while members come and go."""
        topic, group = self.name("survive"), self.name("survive-group")
        self.create(topic, 1)
        seen = 0
        for life in range(3):
            self.produce(topic, life * 20, life * 20 + 20)
            assert self.consume(group, topic, 10) == list(range(seen, seen + 10)), f"life {life}"
            seen += 10
            self.broker.kill()
            self.broker.start()
            assert self.committed(group, topic) == seen, f"life {life}"
