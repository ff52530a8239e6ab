#!/usr/bin/env python3
"""Kills the broker with SIGKILL again and again while offsets are committed and members come and go.

Committers write offsets of eight groups as fast as they are answered. After every restart each committed offset is the
last acknowledged one or one that was sent after it. Meanwhile members of one more group join, leave and vanish without
a word, so that kills come amid rebalances; in the end that group takes in a new member.
"""

import os
import random
import struct
import sys
import threading
import time

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
from rig import running, wire  # noqa: E402

TOPIC, PARTITIONS, GROUPS, CHURNED, CHURNERS = "committed", 3, 8, "churned-group", 6
SETTINGS = {"group.min.session.timeout.ms": "500", "group.initial.rebalance.delay.ms": "0"}
OFFSET_COMMIT, JOIN_GROUP, LEAVE_GROUP, SYNC_GROUP = 8, 11, 13, 14
MEMBER_ID_REQUIRED = 79
SESSION_MS, REBALANCE_MS = 600, 150  # short, so that rounds end between two kills
ASK_AGAIN = (14, 15, 16)  # loading, not there yet, elsewhere
REBALANCING = (22, 25, 27)  # of an older generation, unknown member, rebalance in progress


class Committer(threading.Thread):
    """Commits 1, 2, 3... for all partitions of one group; knows what was sent and what was acknowledged."""

    def __init__(self, broker, group):
        super().__init__()
        self.broker = broker
        self.group = group
        self.sent = self.acknowledged = 0
        self.ending = False
        self.error = None

    def run(self):
        while not self.ending and not self.error:
            try:
                with wire.Connection("127.0.0.1", self.broker.port, timeout=5) as connection:
                    while not self.ending and not self.error:
                        self.commit(connection)
            except (OSError, wire.WireError):
                time.sleep(0.01)

    def commit(self, connection):
        """OffsetCommit 2 of somebody who is no member."""
        self.sent += 1
        body = wire.string(self.group) + struct.pack(">i", -1) + wire.string("") + struct.pack(">q", -1)
        body += struct.pack(">i", 1) + wire.string(TOPIC) + struct.pack(">i", PARTITIONS)
        for partition in range(PARTITIONS):
            body += struct.pack(">iq", partition, self.sent) + wire.string("note")
        reader = connection.ask(OFFSET_COMMIT, 2, body)
        reader.i32(), reader.string()
        errors = set()
        for _ in range(reader.i32()):
            reader.i32()
            errors.add(reader.i16())
        if errors == {0}:
            self.acknowledged = self.sent
        elif errors & set(ASK_AGAIN):
            time.sleep(0.01)
        else:
            self.error = f"{self.group}: OffsetCommit answered {errors}"


class Churner(threading.Thread):
    """Joins CHURNED, takes part in a round, and leaves, or vanishes by closing its connection."""

    def __init__(self, broker, seed):
        super().__init__()
        self.broker = broker
        self.chance = random.Random(seed)
        self.rounds = 0
        self.ending = False
        self.error = None

    def run(self):
        while not self.ending and not self.error:
            try:
                with wire.Connection("127.0.0.1", self.broker.port, timeout=8) as connection:
                    self.life(connection)
            except (OSError, wire.WireError):
                time.sleep(0.01)

    def life(self, connection):
        member = ""
        for _ in range(self.chance.randrange(1, 5)):
            error, generation, leader, given, members = join(connection, member)
            member = given or member
            if error == MEMBER_ID_REQUIRED:
                continue
            if error == 0:
                error = sync(connection, generation, member, members if leader == member else [])
            if error == 0:
                self.rounds += 1
            elif error in ASK_AGAIN:
                time.sleep(0.01)
            elif error not in REBALANCING:
                self.error = f"JoinGroup or SyncGroup answered {error}"
                return
            time.sleep(self.chance.uniform(0, 0.05))
        if member and self.chance.random() < 0.7:
            connection.ask(LEAVE_GROUP, 1, wire.string(CHURNED) + wire.string(member))


def join(connection, member):
    """JoinGroup 4. Returns (error, generation, leader, member id, member ids)."""
    body = wire.string(CHURNED) + struct.pack(">ii", SESSION_MS, REBALANCE_MS) + wire.string(member)
    body += wire.string("consumer") + struct.pack(">i", 1) + wire.string("range") + struct.pack(">i", 4) + b"meta"
    reader = connection.ask(JOIN_GROUP, 4, body)
    reader.i32()
    error, generation = reader.i16(), reader.i32()
    reader.string()
    leader, given = reader.string(), reader.string()
    members = []
    for _ in range(reader.i32()):
        members.append(reader.string())
        reader.bytes32()
    return error, generation, leader, given, members


def sync(connection, generation, member, members):
    """SyncGroup 1. Returns the error."""
    body = wire.string(CHURNED) + struct.pack(">i", generation) + wire.string(member)
    body += struct.pack(">i", len(members))
    body += b"".join(wire.string(one) + struct.pack(">i", 4) + b"part" for one in members)
    reader = connection.ask(SYNC_GROUP, 1, body)
    reader.i32()
    return reader.i16()


def committed(broker, group, timeout=30):
    deadline = time.monotonic() + timeout
    error = None
    while time.monotonic() < deadline:
        with wire.Connection("127.0.0.1", broker.port) as connection:
            error, found = connection.fetch_offsets(group, TOPIC, range(PARTITIONS))
        if error == 0:
            return found
        if error not in ASK_AGAIN:
            break
        time.sleep(0.01)
    raise AssertionError(f"{group}: OffsetFetch answered {error}")


def check(broker, committers, promised):
    """`promised` was read before the kill's restart; what is there may be newer, but only by what was sent."""
    for committer, acknowledged in zip(committers, promised):
        for partition, offset in committed(broker, committer.group).items():
            assert offset >= acknowledged, \
                f"{committer.group}-{partition}: committed is {offset}, acknowledged was {acknowledged}"
            assert offset <= committer.sent, f"{committer.group}-{partition}: {offset} was never sent"


def takes_in_members(broker):
    """The group that was churned through all kills forms again within its timeouts."""
    deadline = time.monotonic() + 30
    member, said = "", None
    with wire.Connection("127.0.0.1", broker.port, timeout=15) as connection:
        while time.monotonic() < deadline:
            error, generation, leader, given, members = join(connection, member)
            member = given or member
            said = (error, leader, members)
            if error == 0 and members == [member] and sync(connection, generation, member, members) == 0:
                return f"generation {generation}"
            if error not in (0, MEMBER_ID_REQUIRED, *ASK_AGAIN, *REBALANCING):
                break
            time.sleep(0.05)
    raise AssertionError(f"JoinGroup: (error, leader, members) {said}")


def prepare(run, broker):
    with wire.Connection("127.0.0.1", broker.port) as connection:
        answer = connection.create_topics(4, {TOPIC: (PARTITIONS, run.topic_configs("replicated"))})
        assert answer[TOPIC][0] == 0, answer
        for partition in range(PARTITIONS):
            connection.await_served(TOPIC, partition)
        deadline = time.monotonic() + 30
        while connection.find_coordinator(CHURNED) != 0:
            assert time.monotonic() < deadline, "no coordinator"
            time.sleep(0.05)


def body(run):
    chance = random.Random(run.options.seed)
    broker = run.open(SETTINGS)
    with broker:
        broker.start()
        prepare(run, broker)
        committers = [Committer(broker, f"group-{number}") for number in range(GROUPS)]
        churners = [Churner(broker, run.options.seed * 100 + number) for number in range(CHURNERS)]
        threads = [*committers, *churners]
        try:
            for thread in threads:
                thread.start()
            time.sleep(1)
            for _ in range(run.options.kills):
                time.sleep(chance.uniform(0.1, 0.9))
                broker.kill()
                promised = [committer.acknowledged for committer in committers]
                broker.start()
                check(broker, committers, promised)
            run.report.ok("no_commit_is_lost_or_moved_back", f"{run.options.kills} kills")
        finally:
            for thread in threads:
                thread.ending = True
            for thread in threads:
                thread.join(30)
        for thread in threads:
            if thread.error:
                run.report.failed("answers", thread.error)
        commits, rounds = sum(one.acknowledged for one in committers), sum(one.rounds for one in churners)
        run.report.expect("committers_and_members_made_progress",
                          commits > 100 * run.options.kills and rounds > run.options.kills,
                          f"{commits} commits, {rounds} rounds of members")
        print(f"  {commits} commits acknowledged, {rounds} rounds of members")
        run.report.run("the_churned_group_takes_in_members", takes_in_members, broker)
        run.report.run("after_the_last_commit", check, broker, committers, [one.acknowledged for one in committers])
        code = broker.stop()
        run.report.expect("stops_cleanly", code in (0, 143), f"exit code {code}")


if __name__ == "__main__":
    parser = running.parser(__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=40)
    running.main(parser.parse_args(), body)
