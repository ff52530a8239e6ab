#!/usr/bin/env python3
"""10,000 members in one group (or --members), in both protocols, each on a connection of its own; then all of them vanish.

Members of the classic protocol are too many for one record of the topic of offsets: they are told so as Kafka tells
them, and work once max.message.bytes allows the record. Then a consumer of the other protocol moves all of them over,
and takes them back when it leaves. In the end each group takes in a new member that gets everything.

All the time another process of ours asks the broker on connections of its own, and notes how long each answer takes and
how much of that time one thread of the broker was busy: that is how long the shard did not get to it, whatever else the
machine does. Memory stays bounded.
"""

import multiprocessing
import os
import resource
import selectors
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from rig import running, wire  # noqa: E402

TOPIC, PARTITIONS = "crowded", 100
JOIN_GROUP, HEARTBEAT, SYNC_GROUP, CONSUMER_GROUP_HEARTBEAT = 11, 12, 14, 68
NONE, UNKNOWN_SERVER_ERROR, REBALANCE_IN_PROGRESS, MEMBER_ID_REQUIRED = 0, -1, 27, 79
SESSION_MS, REBALANCE_MS = 60_000, 120_000
LAST_SESSION_MS = 5_000  # of those who are about to vanish
SETTINGS = {"group.min.session.timeout.ms": "1000", "group.initial.rebalance.delay.ms": "1000",
            "group.consumer.session.timeout.ms": str(SESSION_MS), "group.consumer.min.session.timeout.ms": "1000",
            "group.consumer.heartbeat.interval.ms": "1000", "group.consumer.min.heartbeat.interval.ms": "100",
            "group.consumer.max.size": "20000"}
RECORD_BYTES_MAX, BYTES_PER_MEMBER_OF_RECORD_MIN = 1048588, 105
BYTES_PER_MEMBER_MAX = 24 * 1024  # of resident memory, its connection included
# Of an answer to others: for how long one thread of the broker was busy meanwhile; and the answer's time without that for
# which somebody had to wait for a core of the machine.
BUSY_MAX_S = 0.5
SERVED_MAX_S = 1.0
WITNESSES = 4  # connections, so that each shard has some
# What a consumer says that reads the topic and has given back what it had.
SUBSCRIPTION = struct.pack(">hi", 1, 1) + wire.string(TOPIC) + struct.pack(">ii", -1, 0)


def assignment(partitions):
    """What the leader tells a consumer."""
    topics = wire.string(TOPIC) + struct.pack(f">i{len(partitions)}i", len(partitions), *partitions)
    return struct.pack(">hi", 1, 1 if partitions else 0) + (topics if partitions else b"") + struct.pack(">i", -1)


def read_assignment(data):
    reader = wire.Reader(data)
    reader.i16()
    partitions = []
    for _ in range(reader.i32()):
        assert reader.string() == TOPIC
        partitions += [reader.i32() for _ in range(reader.i32())]
    return partitions


# ---- Somebody else

def spent(pid):
    """By thread of the process: how long it has run, and how long it has waited for a core; in seconds."""
    seconds = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as stat:
                ran, waited, _ = stat.read().split()
                seconds[thread] = (int(ran) / 1e9, int(waited) / 1e9)
        except (OSError, ValueError):  # a worker of the kernel's that has gone
            pass
    return seconds


def differences(before, after):
    """[(ran, waited)] of the threads between two spent()."""
    return [(after[thread][0] - ran, after[thread][1] - waited) for thread, (ran, waited) in before.items() if thread in after]


def witness(port, pid, pipe):
    """Asks all the time; the pipe asks for what was seen since the last time, by kind of request."""
    connections = [wire.Connection("127.0.0.1", port, timeout=60) for _ in range(WITNESSES)]
    body = wire.batch([b"still served"])
    requests = {"ApiVersions": lambda connection, at: connection.api_versions(0)[0],
                "Produce": lambda connection, at: connection.produce("witnessed", at, body)[0]}
    seen = {kind: [] for kind in requests}
    while True:
        for at, connection in enumerate(connections):
            for kind, ask in requests.items():
                ours, theirs, begin = spent(os.getpid()), spent(pid), time.monotonic()
                error = ask(connection, at)
                wall = time.monotonic() - begin
                assert error == 0, f"{kind}: error {error}"
                theirs = differences(theirs, spent(pid))
                busy = min(max(ran for ran, _ in theirs), wall)
                waited = sum(waited for _, waited in theirs + differences(ours, spent(os.getpid())))
                seen[kind].append((wall, busy, max(wall - waited, 0.0)))
            time.sleep(0.002)
        if pipe.poll():
            if pipe.recv() == "end":
                return
            pipe.send(seen)
            seen = {kind: [] for kind in requests}


class Witness:
    """The process that asks. Lifetime: until end()."""

    def __init__(self, run, broker):
        self.run = run
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("spawn").Process(
            target=witness, args=(broker.port, broker.pid, theirs), daemon=True)
        self.process.start()
        self.lap("nothing", check=False)

    def lap(self, during, check=True):
        """Says what was seen since the last lap, and checks it."""
        self.pipe.send("lap")
        assert self.pipe.poll(60), "the witness does not answer: it has met an error"
        busiest = longest = 0.0
        for kind, answers in self.pipe.recv().items():
            if not answers:
                continue
            walls = sorted(wall for wall, _, _ in answers)
            busy, served = max(busy for _, busy, _ in answers), max(served for _, _, served in answers)
            busiest, longest = max(busiest, busy), max(longest, served)
            if check:
                print(f"  others while {during}: {kind} {len(walls)} times, p50 {walls[len(walls) // 2] * 1000:.1f} ms, "
                      f"p99 {walls[len(walls) * 99 // 100] * 1000:.0f} ms, max {walls[-1] * 1000:.0f} ms; without waits for "
                      f"a core at most {served * 1000:.0f} ms, a thread was busy for {busy * 1000:.0f} ms at most")
        if check:
            self.run.report.expect("others_are_served_while_" + during.replace(" ", "_"),
                                   busiest <= BUSY_MAX_S and longest <= SERVED_MAX_S,
                                   f"{longest:.3f} s without waits for a core, a thread was busy for {busiest:.3f} s")

    def end(self):
        """Whether it was served to the end."""
        if self.process.is_alive():
            self.pipe.send("end")
        self.process.join(60)
        return self.process.exitcode == 0


# ---- The members

class Crowd:
    """Members of one group; all ask at the same time, and their answers are read as they come."""

    def __init__(self, broker, group, count):
        self.group = group
        self.topic_id = None
        self.members = [self.Member(broker, number) for number in range(count)]
        self.poll = selectors.DefaultSelector()
        for member in self.members:
            self.poll.register(member.connection.socket, selectors.EVENT_READ, member)

    class Member:
        def __init__(self, broker, number):
            self.connection = wire.Connection("127.0.0.1", broker.port, timeout=60)
            self.id = f"member-{number:015}"
            self.generation = 0
            self.owned = []
            self.session_ms = SESSION_MS

    def ask_all(self, request, members=None, timeout=150):
        """`request` gives (api, version, body, flexible) of a member. Yields (member, Reader)."""
        members = self.members if members is None else members
        for member in members:
            api, version, body, flexible = request(member)
            member.connection.send_frame(member.connection.header(api, version, flexible) + body)
        answered, deadline = 0, time.monotonic() + timeout
        while answered < len(members):
            assert time.monotonic() < deadline, f"{answered} of {len(members)} are answered"
            for key, _ in self.poll.select(1):
                answered += 1
                yield key.data, key.data.connection.receive()

    def owners(self):
        owners = {}
        for member in self.members:
            for partition in member.owned:
                assert partition not in owners, f"{partition} belongs to {owners[partition]} and {member.id}"
                owners[partition] = member.id
        return owners

    def vanish(self):
        self.poll.close()
        for member in self.members:
            member.connection.close()


# ---- The consumer protocol

def heartbeat_body(crowd, member):
    """ConsumerGroupHeartbeat 0."""
    joins = member.generation == 0
    body = wire.compact_string(crowd.group) + wire.compact_string(member.id) + struct.pack(">i", member.generation)
    body += b"\0\0" + struct.pack(">i", REBALANCE_MS if joins else -1)
    body += (b"\2" + wire.compact_string(TOPIC) if joins else b"\0") + b"\0"
    if joins or not member.owned:
        return body + b"\1\0"
    owned = b"".join(struct.pack(">i", partition) for partition in member.owned)
    return body + b"\2" + crowd.topic_id + wire.uvarint(len(member.owned) + 1) + owned + b"\0\0"


def take_heartbeat(crowd, member, reader):
    reader.uvarint(), reader.i32()
    error = reader.i16()
    message = reader.compact_string()
    assert error == NONE, f"ConsumerGroupHeartbeat answered {error}: {message}"
    reader.compact_string()
    member.generation = reader.i32()
    reader.i32()
    if reader.i8() > 0:
        member.owned = []
        for _ in range(reader.uvarint() - 1):
            crowd.topic_id = reader.take(16)
            member.owned = [reader.i32() for _ in range(reader.uvarint() - 1)]
            reader.uvarint()


def beat_all(crowd):
    for member, reader in crowd.ask_all(
            lambda member: (CONSUMER_GROUP_HEARTBEAT, 0, heartbeat_body(crowd, member), True)):
        take_heartbeat(crowd, member, reader)


def settle(crowd, timeout=90):
    """Until every partition has an owner and nobody's epoch is behind."""
    begin = time.monotonic()
    while time.monotonic() - begin < timeout:
        beat_all(crowd)
        epochs = {member.generation for member in crowd.members}
        if len(crowd.owners()) == PARTITIONS and len(epochs) == 1:
            return f"{len(crowd.members)} at epoch {epochs.pop()} after {time.monotonic() - begin:.1f} s"
        time.sleep(0.2)
    raise AssertionError(f"{len(crowd.owners())} partitions have owners, epochs {sorted(epochs)[-3:]}")


def takes_in_a_consumer(broker, group):
    """Somebody new gets everything when the sessions of those who have vanished are over."""
    crowd = Crowd(broker, group, 1)
    text = settle(crowd, timeout=LAST_SESSION_MS / 1000 + 90)
    crowd.vanish()
    return text


def consumers(run, broker, witness, count):
    crowd = Crowd(broker, "consumer-group", count)
    witness.lap("consumers connect")
    run.report.run("members_of_the_consumer_protocol_are_all_assigned", settle, crowd)
    witness.lap("consumers join")
    peak = broker.rss_bytes()
    with wire.Connection("127.0.0.1", broker.port) as connection:
        error = connection.set_group_configs(crowd.group, {"consumer.session.timeout.ms": str(LAST_SESSION_MS)})
    run.report.expect("the_session_of_the_group_is_shortened", error == 0, f"error {error}")
    run.report.run("and_all_hear_of_it", beat_all, crowd)
    crowd.vanish()
    run.report.run("after_all_consumers_vanished_the_group_works", takes_in_a_consumer, broker, crowd.group)
    witness.lap("consumers vanish")
    return peak


# ---- The classic protocol

def join_body(crowd, member):
    """JoinGroup 5."""
    body = wire.string(crowd.group) + struct.pack(">ii", member.session_ms, REBALANCE_MS) + wire.string(member.id)
    body += struct.pack(">h", -1) + wire.string("consumer") + struct.pack(">i", 1) + wire.string("range")
    return body + struct.pack(">i", len(SUBSCRIPTION)) + SUBSCRIPTION


def join(crowd, members=None):
    """Returns the errors, the leader and the ids of all members."""
    leader, ids, errors = None, [], set()
    for member, reader in crowd.ask_all(lambda member: (JOIN_GROUP, 5, join_body(crowd, member), False), members):
        reader.i32()
        error, member.generation = reader.i16(), reader.i32()
        reader.string()
        led_by, member.id = reader.string(), reader.string() or member.id
        member.owned = []
        errors.add(error)
        found = []
        for _ in range(reader.i32()):
            found.append(reader.string())
            reader.take(2), reader.bytes32()
        if error == NONE and led_by == member.id:
            leader, ids = member, found
    return errors, leader, ids


def join_all(crowd):
    for _ in range(10):
        errors, leader, ids = join(crowd)
        if errors == {NONE}:
            return leader, ids
        assert errors <= {NONE, MEMBER_ID_REQUIRED, REBALANCE_IN_PROGRESS}, f"JoinGroup answered {errors}"
    raise AssertionError("the members do not come together")


def sync(crowd, leader=None, ids=(), members=None):
    """The leader gives each partition to one member, the others nothing. Returns the errors."""
    def sync_body(member):
        body = wire.string(crowd.group) + struct.pack(">i", member.generation) + wire.string(member.id)
        body += struct.pack(">hi", -1, len(ids) if member is leader else 0)
        if member is leader:
            for at, one in enumerate(ids):
                told = assignment([at] if at < PARTITIONS else [])
                body += wire.string(one) + struct.pack(">i", len(told)) + told
        return SYNC_GROUP, 3, body, False

    errors = set()
    for member, reader in crowd.ask_all(sync_body, members):
        reader.i32()
        errors.add(reader.i16())
        told = reader.bytes32()
        member.owned = read_assignment(told) if told else []
    return errors


def form(crowd, error=NONE):
    """A rebalance; `error` is what the assignment is answered with."""
    begin = time.monotonic()
    leader, ids = join_all(crowd)
    assert len(ids) == len(crowd.members), f"{len(ids)} members"
    errors = sync(crowd, leader, ids)
    # Who asks for its assignment when the leader's has been refused is told that there is another rebalance.
    assert error in errors and errors - {error} <= ({REBALANCE_IN_PROGRESS} if error else set()), \
        f"SyncGroup answered {errors}"
    expected = 0 if error else min(PARTITIONS, len(ids))
    assert len(crowd.owners()) == expected, f"{len(crowd.owners())} partitions have owners"
    return f"{len(ids)} members in generation {leader.generation} after {time.monotonic() - begin:.1f} s"


def beat(crowd):
    """Returns those who are to join again."""
    again = []
    for member, reader in crowd.ask_all(lambda member: (
            HEARTBEAT, 3, wire.string(crowd.group) + struct.pack(">i", member.generation) + wire.string(member.id) +
            struct.pack(">h", -1), False)):
        reader.i32()
        error = reader.i16()
        assert error in (NONE, REBALANCE_IN_PROGRESS), f"Heartbeat answered {error}"
        if error:
            again.append(member)
    return again


def all_are_members(crowd):
    again = beat(crowd)
    assert not again, f"{len(again)} are to join again"


def takes_in_a_classic_member(broker, group):
    crowd = Crowd(broker, group, 1)
    crowd.members[0].id = ""
    text = form(crowd)
    crowd.vanish()
    return text


# ---- From one protocol to the other

def move_up(crowd, mover):
    """Returns how long the coordinator took for the heartbeat that moves all."""
    begin = time.monotonic()
    beat_all(mover)
    moved = time.monotonic() - begin
    deadline = begin + 90
    rounds = 0
    while again := beat(crowd):
        assert time.monotonic() < deadline, f"{len(again)} are still to join again"
        assert join(crowd, again)[0] <= {NONE}
        assert sync(crowd, members=again) <= {NONE, REBALANCE_IN_PROGRESS}
        rounds += 1
    beat_all(mover)
    owners = {**crowd.owners(), **mover.owners()}
    assert len(owners) == PARTITIONS, f"{len(owners)} partitions have owners"
    return f"{moved * 1000:.0f} ms, all at rest after {rounds} rounds and {time.monotonic() - begin:.1f} s"


def move_down(crowd, mover):
    begin = time.monotonic()
    mover.members[0].generation = -1
    beat_all(mover)
    moved = time.monotonic() - begin
    return f"{moved * 1000:.0f} ms, then {form(crowd)}"


def set_message_bytes_max(run, broker, number):
    with wire.Connection("127.0.0.1", broker.port) as connection:
        error = connection.set_topic_configs("__consumer_offsets", {"max.message.bytes": str(number)})
    run.report.expect(f"max_message_bytes_is_{number}", error == 0, f"error {error}")


def classic_members(run, broker, witness, count):
    crowd = Crowd(broker, "classic-group", count)
    for member in crowd.members:
        member.id = ""
    witness.lap("classic members connect")
    # At 10,000 members the record has more than the default max.message.bytes.
    set_message_bytes_max(run, broker, min(RECORD_BYTES_MAX, count * BYTES_PER_MEMBER_OF_RECORD_MIN))
    run.report.run("too_many_for_one_record_are_told_so", form, crowd, UNKNOWN_SERVER_ERROR)
    set_message_bytes_max(run, broker, 16 << 20)
    run.report.run("then_they_form_a_generation", form, crowd)
    run.report.run("and_all_are_members", all_are_members, crowd)
    witness.lap("classic members join")
    mover = Crowd(broker, crowd.group, 1)
    run.report.run("a_consumer_of_the_other_protocol_moves_all", move_up, crowd, mover)
    witness.lap("they move to the consumer protocol")
    run.report.run("and_back_when_it_leaves", move_down, crowd, mover)
    mover.vanish()
    run.report.run("and_all_are_members_again", all_are_members, crowd)
    witness.lap("they move to the classic protocol")
    peak = broker.rss_bytes()
    # In the middle of a rebalance: the leader has begun one, and nobody asks for the assignment.
    for member in crowd.members:
        member.session_ms = LAST_SESSION_MS
    errors, _, _ = join(crowd)
    run.report.expect("all_join_once_more", errors == {NONE}, f"errors {errors}")
    crowd.vanish()
    run.report.run("after_all_classic_members_vanished_the_group_works", takes_in_a_classic_member, broker, crowd.group)
    witness.lap("classic members vanish")
    return peak


def prepare(broker):
    with wire.Connection("127.0.0.1", broker.port) as connection:
        # What waits for no disk: a slow one is not the group's doing.
        witnessed = (WITNESSES, {"millrace.durability": "replicated"})
        answer = connection.create_topics(4, {TOPIC: PARTITIONS, "witnessed": witnessed})
        assert answer[TOPIC][0] == 0, answer
        for partition in range(WITNESSES):
            connection.await_served("witnessed", partition)
        for group in ("consumer-group", "classic-group"):
            deadline = time.monotonic() + 30
            while connection.find_coordinator(group) != 0:
                assert time.monotonic() < deadline, "no coordinator"
                time.sleep(0.05)


def body(run):
    count = run.options.members
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 1000), hard))
    with run.open(SETTINGS) as broker:
        broker.start()
        prepare(broker)
        base = broker.rss_bytes()
        others = Witness(run, broker)
        peak = max(consumers(run, broker, others, count), classic_members(run, broker, others, count))
        run.report.expect("others_have_no_errors", others.end(), "its process says which")
        each = (peak - base) / count
        run.report.expect("memory_is_bounded", each <= BYTES_PER_MEMBER_MAX,
                          f"{each:.0f} bytes per member, at most {BYTES_PER_MEMBER_MAX}")
        print(f"  resident memory per member {each / 1024:.1f} KiB")
        warnings = [line for line in broker.log_text().splitlines() if " warning " in line or " error " in line]
        run.report.expect("nothing_is_warned_of", not warnings, f"{len(warnings)} lines: {warnings[:3]}")
        code = broker.stop()
        run.report.expect("stops_cleanly", code in (0, 143), f"exit code {code}")


if __name__ == "__main__":
    parser = running.parser(__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--members", type=int, default=10_000)
    running.main(parser.parse_args(), body)
