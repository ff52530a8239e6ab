#!/usr/bin/env python3
"""`millrace group`, `consume --group` and `topic analyze` against a broker, and beside kafka-consumer-groups.

What Kafka's tool also tells (committed offsets, ends, lag, members, states) must be the same from both. With
`--system kafka` the broker is Apache Kafka: the commands are for it as well.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from rig import group_member, kafka_jars, running, wire  # noqa: E402

TOPIC, GROUP = "orders", "billing"
PER_HALF = 20
OLD_MS = 3_600_000
REFUSED, WRONG_USAGE = 1, 2


class Commands:
    """The binary's commands and Kafka's tool against one broker; the checks build on each other in order."""

    def __init__(self, binary, broker, report):
        self.binary = binary
        self.broker = broker
        self.report = report

    def run(self):
        run = self.report.run
        run("topic_is_filled", self.fill)
        run("consume_commits_what_it_printed", self.consume)
        run("consume_goes_on_and_stops_at_the_end", self.consume_rest)
        run("consume_is_interrupted_and_leaves", self.interrupted)
        run("consume_shares_with_another_member", self.shared)
        run("list", self.list)
        for target, offsets in ((("--to-earliest",), (0, 0)), (("--to-latest",), (40, 40)),
                                (("--to-offset", "7"), (7, 7)), (("--to-offset", "1000"), (40, 40)),
                                (("--shift-by", "-10"), (30, 30)), (("--shift-by", "5"), (35, 35)),
                                (("--to-timestamp", "2001-01-01"), (0, 0)),
                                (("--by-duration", "30m"), (20, 20)), (("--by-duration", "2h"), (0, 0))):
            name = "_".join(target).replace("--", "").replace("-", "_")
            run(f"seek_{name}", self.seek, target, offsets)
        run("seek_of_some_partitions", self.seek_some)
        run("seek_dry_run_changes_nothing", self.dry_run)
        run("seek_makes_a_group", self.seek_new)
        run("seek_beyond_the_log_is_said", self.seek_beyond)
        run("empty_names_are_wrong_usage", self.empty_names)
        run("seek_wrong_usage", self.seek_wrong)
        run("lag_is_what_kafka_counts", self.lag)
        run("lag_in_time_is_the_age_of_the_first_unread_record", self.lag_time)
        run("group_with_members_is_described_and_refused", self.with_member)
        run("remove_member", self.remove)
        if self.serves_consumer_protocol():
            run("group_of_the_consumer_protocol", self.consumer_protocol)
            run("remove_members_of_a_mixed_group", self.remove_mixed)
        run("delete_of_offsets", self.delete_offsets)
        run("delete", self.delete)
        run("analyze_counts_what_is_there", self.analyze)
        run("analyze_of_a_range_and_of_the_last_batches", self.analyze_parts)
        run("completion_knows_the_groups", self.completion)

    def call(self, *arguments, text="", wanted=0):
        command = [self.binary, *arguments, "--bootstrap-server", self.broker.bootstrap]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == wanted, (f"{' '.join(arguments)}: exit code {done.returncode}, wanted {wanted}: "
                                           + (done.stdout + done.stderr)[-400:])
        return done.stdout if wanted == 0 else done.stderr

    def json(self, *arguments):
        return json.loads(self.call(*arguments, "--format", "json"))

    def tool(self, *arguments):
        done = kafka_jars.run_tool("kafka-consumer-groups",
                                   ["--bootstrap-server", self.broker.bootstrap, *arguments])
        assert done.returncode == 0, done.stdout + done.stderr[-400:]
        return done.stdout

    def tool_rows(self, group=GROUP):
        """{partition: (committed, end, lag)} as Kafka's tool tells them, with `-` as None."""
        out = self.tool("--describe", "--group", group)
        rows = re.findall(rf"^{group}\s+{TOPIC}\s+(\d+)\s+(\d+|-)\s+(\d+|-)\s+(-?\d+|-)\s", out, re.M)
        number = lambda text: None if text == "-" else int(text)  # noqa: E731
        return {int(row[0]): tuple(number(text) for text in row[1:]) for row in rows}

    def our_rows(self, group=GROUP):
        return {row["partition"]: (row["committed"], row["log_end"], row["lag"])
                for row in self.json("group", "lag", group)}

    def offsets(self, group=GROUP):
        rows = self.our_rows(group)
        return tuple(rows[partition][0] if partition in rows else None for partition in range(2))

    def produce(self, partition, first, count):
        values = "".join(f"{partition} {i}\n" for i in range(first, first + count))
        self.call("produce", TOPIC, "-p", str(partition), text=values)

    def fill(self):
        """Half of the records an hour old, half of them new."""
        self.call("topic", "create", TOPIC, "-p", "2")
        old = int(time.time() * 1000) - OLD_MS
        with wire.Connection("127.0.0.1", self.broker.port) as connection:
            for partition in range(2):
                connection.await_served(TOPIC, partition)
                values = [f"{partition} {i}".encode() for i in range(PER_HALF)]
                error, _ = connection.produce(TOPIC, partition, wire.batch(values, timestamp=old))
                assert error == 0, f"error {error}"
        for partition in range(2):
            self.produce(partition, PER_HALF, PER_HALF)

    def consume(self):
        got = self.call("consume", TOPIC, "--group", GROUP, "-c", "15").splitlines()
        assert len(got) == 15 and len(set(got)) == 15, got
        rows = self.our_rows()
        assert sum(row[0] or 0 for row in rows.values()) == 15, rows
        self.first = set(got)

    def consume_rest(self):
        got = self.call("consume", TOPIC, "--group", GROUP, "-e").splitlines()
        wanted = {f"{p} {i}" for p in range(2) for i in range(2 * PER_HALF)} - self.first
        assert set(got) == wanted and len(got) == len(wanted), f"{len(got)} lines, wanted {len(wanted)}"
        assert self.offsets() == (40, 40), self.offsets()

    def start_member(self, *more):
        return subprocess.Popen([self.binary, "consume", TOPIC, "--group", GROUP, "--bootstrap-server",
                                 self.broker.bootstrap, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True)

    def described(self, group=GROUP):
        return self.json("group", "describe", group)[0]

    def await_members(self, count, group=GROUP, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.described(group)
            if len(found["members"]) == count and (count == 0 or (
                    found["state"] == "Stable" and all(member["partitions"] for member in found["members"]))):
                return found
            time.sleep(0.2)
        raise AssertionError(f"{len(found['members'])} members in state {found['state']}, wanted {count}")

    @staticmethod
    def end(process, number=signal.SIGINT):
        process.send_signal(number)
        try:
            return process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise

    def interrupted(self):
        member = self.start_member()
        try:
            self.await_members(1)
        finally:
            self.end(member, signal.SIGTERM)
        assert member.returncode == 0, member.returncode
        found = self.described()
        assert found["members"] == [] and found["state"] == "Empty", found

    def shared(self):
        first, second = self.start_member(), None
        try:
            self.await_members(1)
            second = self.start_member()
            found = self.await_members(2)
            held = [member["partitions"] for member in found["members"]]
            assert sorted(sum(held, [])) == [f"{TOPIC}-0", f"{TOPIC}-1"], held
        finally:
            for member in filter(None, (first, second)):
                self.end(member)
        assert self.described()["members"] == []

    def list(self):
        rows = {row["group"]: row for row in self.json("group", "list")}
        assert rows[GROUP]["state"] == "Empty" and rows[GROUP]["type"] == "classic", rows
        assert GROUP in self.call("group", "list", "--names", "--state", "empty").split()
        assert GROUP not in self.call("group", "list", "--names", "--state", "Stable").split()
        assert "none of Stable, Empty" in self.call("group", "list", "--state", "stabel", wanted=2)
        assert set(self.tool("--list").split()) == set(rows), rows

    def seek(self, target, wanted):
        rows = self.json("group", "seek", GROUP, "--all-topics", *target)
        assert tuple(row["after"] for row in rows) == wanted, rows
        assert self.offsets() == wanted, self.offsets()

    def seek_some(self):
        self.call("group", "seek", GROUP, "--topic", f"{TOPIC}:1", "--to-offset", "9")
        assert self.offsets() == (0, 9), self.offsets()

    def dry_run(self):
        rows = self.json("group", "seek", GROUP, "--topic", TOPIC, "--to-latest", "--dry-run")
        assert [(row["before"], row["after"]) for row in rows] == [(0, 40), (9, 40)], rows
        assert self.offsets() == (0, 9), self.offsets()

    def seek_new(self):
        self.call("group", "seek", "fresh", "--topic", f"{TOPIC}:0", "--to-offset", "3")
        assert self.offsets("fresh") == (3, None), self.offsets("fresh")
        assert self.tool_rows("fresh")[0] == (3, 40, 37)
        message = self.call("group", "seek", "fresh", "--topic", TOPIC, "--shift-by", "1", wanted=REFUSED)
        assert "nothing is committed" in message, message
        self.call("group", "delete", "fresh")

    def seek_beyond(self):
        command = [self.binary, "group", "seek", GROUP, "--topic", f"{TOPIC}:1", "--to-offset", "999999", "--dry-run",
                   "--bootstrap-server", self.broker.bootstrap]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0 and "offset 999999 is beyond the end of the log" in done.stderr, done.stderr

    def empty_names(self):
        self.call("group", "seek", "", "--topic", TOPIC, "--to-latest", wanted=WRONG_USAGE)
        self.call("group", "delete", "", wanted=WRONG_USAGE)
        self.call("consume", TOPIC, "--group", "", wanted=WRONG_USAGE)

    def seek_wrong(self):
        for arguments in (["--to-latest"], ["--topic", TOPIC], ["--topic", TOPIC, "--to-latest", "--to-earliest"],
                          ["--topic", TOPIC, "--by-duration", "soon"], ["--topic", f"{TOPIC}:x", "--to-latest"]):
            self.call("group", "seek", GROUP, *arguments, wanted=WRONG_USAGE)
        message = self.call("group", "seek", GROUP, "--topic", "absent", "--to-latest", wanted=REFUSED)
        assert "absent" in message, message
        message = self.call("group", "seek", GROUP, "--topic", f"{TOPIC}:2", "--to-latest", wanted=REFUSED)
        assert "partitions 0 to 1" in message, message

    def lag(self):
        ours, theirs = self.our_rows(), self.tool_rows()
        assert ours == theirs == {0: (0, 40, 40), 1: (9, 40, 31)}, f"{ours}, and Kafka's tool {theirs}"
        totals = {row["group"]: row["lag"] for row in self.json("group", "lag", "--total")}
        assert totals[GROUP] == 71, totals

    def lag_time(self):
        def ages():
            return [row["lag_ms"] for row in self.json("group", "lag", GROUP)]
        assert all(abs(age - OLD_MS) < 600_000 for age in ages()), ages()
        self.call("group", "seek", GROUP, "--all-topics", "--to-offset", str(PER_HALF))
        assert all(0 < age < 600_000 for age in ages()), ages()
        self.call("group", "seek", GROUP, "--all-topics", "--to-latest")
        assert ages() == [0, 0], ages()
        rows = self.json("group", "lag", GROUP, "--no-time")
        assert [row["lag_ms"] for row in rows] == [None, None], rows

    def with_member(self):
        member = self.start_member("-X", "client.id=worker-7")
        try:
            found = self.await_members(1)
            out = self.tool("--describe", "--group", GROUP, "--members", "--verbose")
            assert found["members"][0]["member"] in out and "worker-7" in out, out
            assert found["assignor"] in self.tool("--describe", "--group", GROUP, "--state"), found
            assert self.our_rows() == self.tool_rows()
            for arguments in (["seek", GROUP, "--all-topics", "--to-earliest"], ["delete", GROUP],
                              ["delete", GROUP, "--topic", TOPIC]):
                message = self.call("group", *arguments, wanted=REFUSED)
                assert "worker-7" in message and "remove-member" in message, message
            self.call("group", "seek", GROUP, "--all-topics", "--to-earliest", "--dry-run")
            assert self.offsets() == (40, 40), self.offsets()
        finally:
            self.end(member)

    def remove(self):
        """A static member that was killed holds its partitions until somebody takes it away."""
        members = [self.start_member("-X", f"group.instance.id=one-{i}", "-X", "session.timeout.ms=45000")
                   for i in range(2)]
        try:
            self.await_members(2)
        finally:
            for member in members:
                self.end(member, signal.SIGKILL)
        found = self.described()
        assert {member["instance"] for member in found["members"]} == {"one-0", "one-1"}, found
        message = self.call("group", "remove-member", GROUP, "--instance", "one-7", wanted=REFUSED)
        assert "one-7" in message, message
        rows = self.json("group", "remove-member", GROUP, "--instance", "one-0")
        assert [row["instance"] for row in rows] == ["one-0"], rows
        rows = self.json("group", "remove-member", GROUP, "--all")
        assert [row["instance"] for row in rows] == ["one-1"], rows
        self.await_members(0)

    def serves_consumer_protocol(self):
        with wire.Connection("127.0.0.1", self.broker.port) as connection:
            return 68 in connection.api_versions(0)[1]

    def consumer_protocol(self):
        """A member of the newer protocol: Kafka's console consumer, killed so that it cannot leave."""
        command = kafka_jars.command_for("kafka-console-consumer", [
            "--bootstrap-server", self.broker.bootstrap, "--topic", TOPIC, "--group", "newer",
            "--command-property", "group.protocol=consumer"])
        member = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 40
            while "newer" not in self.call("group", "list", "--names").split():
                assert time.monotonic() < deadline, "the group does not appear"
                time.sleep(0.3)
            found = self.await_members(1, "newer")
            assert found["type"] == "consumer" and found["epoch"] > 0, found
            self.call("group", "seek", "newer", "--topic", TOPIC, "--to-earliest", wanted=REFUSED)
        finally:
            member.kill()
            member.wait(20)
        self.call("group", "remove-member", "newer", "--all")
        self.await_members(0, "newer")
        self.call("group", "seek", "newer", "--topic", TOPIC, "--to-offset", "5")
        assert self.tool_rows("newer") == self.our_rows("newer") == {0: (5, 40, 35), 1: (5, 40, 35)}
        self.call("group", "delete", "newer")

    def remove_mixed(self):
        """One of each protocol, and then all: the group is not left in between, where neither could be named as it was."""
        with wire.Connection("127.0.0.1", self.broker.port, timeout=70) as old, \
                wire.Connection("127.0.0.1", self.broker.port) as young:
            group_member.ClassicMember(old, "mixed", TOPIC, "old").join()
            for number in range(2):
                group_member.ConsumerMember(young, "mixed", TOPIC, f"young-{number}").join()
            rows = self.json("group", "remove-member", "mixed", "--member", "young-1")
            assert [row["member"] for row in rows] == ["young-1"], rows
            assert len(self.described("mixed")["members"]) == 2, self.described("mixed")
            rows = self.json("group", "remove-member", "mixed", "--all")
            assert len(rows) == 2 and {row["instance"] for row in rows} == {"old", None}, rows
            self.await_members(0, "mixed")

    def delete_offsets(self):
        self.call("group", "delete", GROUP, "--topic", f"{TOPIC}:0")
        assert self.offsets() == (None, 40), self.offsets()
        assert set(self.tool_rows()) == {1}
        self.call("group", "delete", GROUP, "--topic", f"{TOPIC}:0", wanted=REFUSED)
        self.call("group", "delete", GROUP, "--topic", f"{TOPIC}:0", "--if-exists")

    def delete(self):
        self.call("group", "delete", GROUP)
        assert GROUP not in self.tool("--list").split()
        self.call("group", "delete", GROUP, wanted=REFUSED)
        self.call("group", "delete", GROUP, "--if-exists")
        message = self.call("group", "describe", GROUP, wanted=REFUSED)
        assert "group list" in message, message

    def analyze(self):
        found = self.json("topic", "analyze", TOPIC)[0]
        assert found["records"] == 80 and all(row["complete"] for row in found["partitions"]), found
        for row in found["partitions"]:
            assert row["records"] == 40 and row["batches"] >= 2, row
            assert abs(row["span_ms"] - OLD_MS) < 600_000, row
            assert abs(row["records_per_s"] - 40_000 / row["span_ms"]) < 0.06, row
            assert row["batch_max"] <= row["bytes"] and row["codecs"] == ["none"], row

    def analyze_parts(self):
        row = self.json("topic", "analyze", f"{TOPIC}:1", "-o", f"0..{PER_HALF}")[0]["partitions"][0]
        assert (row["partition"], row["batches"], row["records"]) == (1, 1, PER_HALF), row
        self.call("topic", "create", "many", "-p", "1")
        for _ in range(12):
            self.call("produce", "many", text="a\nb\nc\n")
        row = self.json("topic", "analyze", "many", "-n", "5")[0]["partitions"][0]
        assert row["batches"] == 5 and row["records"] == 15, row
        message = self.call("topic", "analyze", "absent", wanted=REFUSED)
        assert "absent" in message, message

    def completion(self):
        """bash, with the binary under its name on the path, offers the groups there are."""
        self.call("group", "seek", "offered", "--topic", TOPIC, "--to-latest")
        script = ('source <(millrace completion bash); COMP_WORDS=(millrace group describe of); COMP_CWORD=3; '
                  '_millrace; echo "${COMPREPLY[@]}"')
        environment = dict(os.environ, MILLRACE_BOOTSTRAP=self.broker.bootstrap,
                           PATH=os.path.dirname(self.binary) + os.pathsep + os.environ["PATH"])
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30, check=False,
                              env=environment)
        assert done.stdout.split() == ["offered"], done.stdout + done.stderr


def body(run):
    with run.open({"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "4"}) as broker:
        broker.start()
        Commands(os.path.abspath(run.options.binary), broker, run.report).run()
        run.report.expect("broker_lives", broker.alive(), broker.log_tail())


if __name__ == "__main__":
    running.main(running.parser(__doc__).parse_args(), body)
