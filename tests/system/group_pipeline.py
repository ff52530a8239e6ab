#!/usr/bin/env python3
"""Three members of a group work on six partitions while members and the broker are killed with SIGKILL.

A producer that counts what was acknowledged feeds the topic. Afterwards the members' histories are held against it:
every acknowledged record was processed at least once, no member ever went past a record that nobody had processed,
and no committed offset is behind one that a committer was told of. One member is static; now and then one is frozen
until the group has given it up, and goes on as a zombie.
"""

import os
import random
import signal
import subprocess
import sys
import time

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
import loads  # noqa: E402
from rig import kafka_jars, python_packages, running, wire  # noqa: E402

TOPIC, GROUP, PARTITIONS = "pipeline", "pipeline-group", 6
SESSION_MS = 1500
SETTINGS = {"group.min.session.timeout.ms": "500", "group.initial.rebalance.delay.ms": "0",
            "group.consumer.session.timeout.ms": str(SESSION_MS), "group.consumer.min.session.timeout.ms": "500",
            "group.consumer.heartbeat.interval.ms": "300", "group.consumer.min.heartbeat.interval.ms": "100"}
CONSUMER_GROUP_HEARTBEAT = 68
ASKED_TOO_EARLY = (14, 15, 16)  # the coordinator is loading, or is not there yet


def program(client, arguments):
    """What a member runs. The two write the same history."""
    folder = os.path.dirname(os.path.abspath(__file__))
    if client == "python":
        return [sys.executable, os.path.join(folder, "group_member.py"), *arguments]
    # Nobody reads what it logs.
    return kafka_jars.command_for_source(os.path.join(folder, "GroupMember.java"), arguments, log_level="OFF")


class Member:
    """One place in the group: the process that holds it is killed and started again."""

    def __init__(self, run, broker, number, environment):
        self.command = program(run.options.client, [
            "--bootstrap", broker.bootstrap, "--topic", TOPIC, "--group", GROUP, "--assignor", run.options.assignor,
            "--protocol", run.options.protocol, "--session-ms", str(SESSION_MS)])
        if number == 0:
            self.command += ["--instance", "instance-0"]
        self.run = run
        self.number = number
        self.environment = environment
        self.lives = 0
        self.frozen = False
        self.process = None

    def start(self):
        history = os.path.join(self.run.scratch, f"member-{self.number}-{self.lives}.members")
        self.lives += 1
        self.frozen = False
        self.process = subprocess.Popen([*self.command, "--history", history], env=self.environment,
                                        stderr=subprocess.PIPE, text=True)

    def kill(self):
        self.process.kill()
        self.process.wait(10)
        self.process.stderr.close()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)
        self.frozen = False

    def replace_if_ended(self):
        """A fenced static member ends with a fatal error, which is right; any other end is a failure."""
        if self.process.poll() is None:
            return
        said = self.process.stderr.read()
        self.process.stderr.close()
        if "fatal" not in said:
            raise RuntimeError(f"member {self.number} ended with {self.process.returncode}: {said[-300:]}")
        self.start()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()


def committed(broker):
    """{partition: committed offset} as the coordinator tells it; -1 where there is none."""
    deadline = time.monotonic() + 30
    error = None
    while time.monotonic() < deadline:
        try:
            with wire.Connection("127.0.0.1", broker.port) as connection:
                error, found = connection.fetch_offsets(GROUP, TOPIC, range(PARTITIONS))
        except (OSError, wire.WireError) as failure:
            error, found = str(failure), {}
        if error == 0:
            return found
        if error not in ASKED_TOO_EARLY:
            break
        time.sleep(0.02)
    raise RuntimeError(f"OffsetFetch: {error}")


def read_histories(folder):
    """All lines of all members in the order of their times. A killed member's last line may be cut short."""
    events = []
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".members"):
            continue
        with open(os.path.join(folder, name), encoding="ascii") as text:
            for line in text.read().split("\n")[:-1]:
                words = line.split()
                events.append((int(words[1]), words[0], *words[2:]))
    events.sort(key=lambda event: event[0])
    return events


def acknowledged_commits(folder):
    """{partition: the highest offset that a committer was told is committed}."""
    highest = {}
    for _, word, *rest in read_histories(folder):
        if word == "committed":
            partition, offset = int(rest[1]), int(rest[2])
            highest[partition] = max(highest.get(partition, 0), offset)
    return highest


def check_commits(run, broker, moment):
    """Called while nobody can commit, or with the histories read first: later commits only move forward."""
    promised = acknowledged_commits(run.scratch)
    found = committed(broker)
    behind = {partition: (found.get(partition), offset) for partition, offset in promised.items()
              if found.get(partition, -1) < offset}
    if behind:
        raise AssertionError(f"{moment}: partition: (committed, acknowledged) {behind}")
    return sum(promised.values())


def judge(run, ends):
    """Walks through everything that happened, in order. Returns (records processed, times, commits)."""
    frontier = dict.fromkeys(range(PARTITIONS), 0)  # everything below it was processed
    told = dict.fromkeys(range(PARTITIONS), 0)      # the highest acknowledged commit
    began = {}                                       # commit: what had been acknowledged when it was sent
    times = commits = 0
    for _, word, *rest in read_histories(run.scratch):
        if word == "processed":
            partition, offset = int(rest[0]), int(rest[1])
            assert offset <= frontier[partition], \
                f"partition {partition}: {offset} was processed, {frontier[partition]} never was before"
            frontier[partition] = max(frontier[partition], offset + 1)
            times += 1
        elif word in ("committing", "committed"):
            commit, partition, offset = rest[0], int(rest[1]), int(rest[2])
            if word == "committing":
                began[commit, partition] = told[partition]
                assert offset <= frontier[partition], f"partition {partition}: committed before it was processed"
                continue
            assert offset >= began[commit, partition], \
                f"partition {partition}: a commit of {offset} was taken after one of {began[commit, partition]}"
            told[partition] = max(told[partition], offset)
            commits += 1
    assert frontier == ends, f"processed up to {frontier}, the log ends at {ends}"
    return sum(frontier.values()), times, commits


def kill_something(run, chance, broker, members, number):
    """One kill: of the broker, or of a member, which may have been a zombie before."""
    time.sleep(chance.uniform(0.2, 1.6))
    victim = chance.choice(members)
    for member in members:
        if member.frozen:
            member.thaw()
        member.replace_if_ended()
    if number % 10 == 9:
        victim.freeze()
        time.sleep(SESSION_MS / 1000 + 1)
        return "frozen"
    if chance.random() < 0.45:
        broker.kill()
        broker.start()
        check_commits(run, broker, f"after kill {number}")
        return "broker"
    victim.kill()
    victim.start()
    return "member"


def drain(broker, members, timeout=60):
    """Waits until the group has committed all there is. Returns {partition: end of the log}."""
    with wire.Connection("127.0.0.1", broker.port) as connection:
        for partition in range(PARTITIONS):
            connection.await_served(TOPIC, partition)
        ends = {partition: connection.list_offsets(TOPIC, partition, -1)[2] for partition in range(PARTITIONS)}
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        for member in members:
            member.replace_if_ended()
        if committed(broker) == ends:
            return ends
        time.sleep(0.1)
    raise AssertionError(f"committed {committed(broker)}, the log ends at {ends}")


def body(run):
    chance = random.Random(run.options.seed)
    broker = run.open(SETTINGS)
    with broker:
        broker.start()
        with wire.Connection("127.0.0.1", broker.port) as connection:
            advertised = connection.api_versions(0)[1]
        if run.options.protocol == "consumer" and CONSUMER_GROUP_HEARTBEAT not in advertised:
            run.report.ok("pipeline", "left out: the broker does not advertise ConsumerGroupHeartbeat")
            return
        sending = loads.Sending(broker, run.scratch, TOPIC, "all", "replicated", PARTITIONS, rate=1000)
        loads.create_topics(run, broker, [sending])
        members = [Member(run, broker, number, python_packages.environment()) for number in range(3)]
        kills = {"broker": 0, "member": 0, "frozen": 0}
        try:
            sending.start()
            for member in members:
                member.start()
            time.sleep(2)
            number = 0
            while kills["broker"] + kills["member"] < run.options.kills:
                kills[kill_something(run, chance, broker, members, number)] += 1
                number += 1
            sending.stop()
            for member in members:
                if member.frozen:
                    member.thaw()
            ends = drain(broker, members)
            run.report.ok("the_group_reaches_the_end", f"{sum(ends.values())} records")
        finally:
            sending.kill()
            for member in members:
                if member.process and member.process.poll() is None:
                    if member.frozen:
                        member.thaw()
                    member.stop()
        print(f"killed: {kills}")
        good, note = sending.verify()
        run.report.expect("nothing_acknowledged_is_lost", good, note)
        run.report.run("committed_offsets_are_never_behind", check_commits, run, broker, "at the end")
        judged = run.report.run("every_record_is_processed_and_none_skipped", judge, run, ends)
        if judged:
            print("  {} records, processed {} times, {} commits".format(*judged))
            run.report.expect("kills_came_between_work_and_commit", judged[1] > judged[0], "no record was processed twice")
        assigned = sum(event[1] == "assigned" for event in read_histories(run.scratch))
        run.report.expect("the_group_was_rebalanced", assigned > run.options.kills, f"{assigned} partitions were assigned")
        broker.kill()
        broker.start()
        run.report.run("committed_offsets_survive_the_end", check_commits, run, broker, "after the last kill")


if __name__ == "__main__":
    parser = running.parser(__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--assignor", default="range", choices=("range", "roundrobin", "cooperative-sticky"))
    parser.add_argument("--protocol", default="classic", choices=("classic", "consumer"))
    parser.add_argument("--client", default="python", choices=("python", "java"), help="java knows --assignor range alone")
    running.main(parser.parse_args(), body)
