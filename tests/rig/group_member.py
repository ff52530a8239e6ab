"""Members of groups on raw sockets: they say what they are told to and nothing by themselves, so one that is left alone is as a
process that has died."""

import contextlib
import struct
import time

from rig import wire

JOIN_GROUP, LEAVE_GROUP, SYNC_GROUP = 11, 13, 14
CONSUMER_GROUP_HEARTBEAT, CONSUMER_GROUP_DESCRIBE = 68, 69
COORDINATOR_ERRORS = (14, 15, 16)  # loading, not available, not the coordinator
REBALANCE_IN_PROGRESS, MEMBER_ID_REQUIRED = 27, 79
LEAVES, LEAVES_FOR_A_MOMENT = -1, -2
SESSION_MS, REBALANCE_MS = 30_000, 60_000


def nullable(text):
    return b"\xff\xff" if text is None else wire.string(text)


def compact_nullable(text):
    return b"\0" if text is None else wire.compact_string(text)


def until_served(connection, group, ask, seconds=30):
    """`ask()` again and again until its answer, which starts with an error code, is not that of a coordinator that is not ready."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer[0] not in COORDINATOR_ERRORS or time.monotonic() > deadline:
            return answer
        connection.find_coordinator(group)
        time.sleep(0.1)


class ConsumerMember:
    """A member of the consumer protocol that names itself, and says no more than it must."""

    def __init__(self, connection, group, topic, member="member-1", instance=None):
        self.connection = connection
        self.group = group
        self.topic = topic
        self.member = member
        self.instance = instance
        self.epoch = 0
        self.interval = None  # milliseconds until the next heartbeat, as the broker wants it

    def beat(self, epoch=None):
        """ConsumerGroupHeartbeat 1. Returns (error, message)."""
        return until_served(self.connection, self.group, lambda: self._ask(self.epoch if epoch is None else epoch))

    def join(self):
        error, message = self.beat(0)
        assert error == 0, f"{self.member}: error {error} {message}"
        return self

    def leave(self, epoch=LEAVES):
        return self.beat(epoch)

    def _ask(self, epoch):
        first = epoch == 0
        body = wire.compact_string(self.group) + wire.compact_string(self.member) + struct.pack(">i", epoch)
        body += compact_nullable(self.instance) + compact_nullable(None)
        body += struct.pack(">i", REBALANCE_MS if first else -1)
        body += b"\2" + wire.compact_string(self.topic) if first else b"\0"
        body += compact_nullable(None) + compact_nullable(None) + (b"\1" if first else b"\0") + b"\0"
        reader = self.connection.ask(CONSUMER_GROUP_HEARTBEAT, 1, body, flexible=True)
        reader.tags(), reader.i32()
        error, message, _, epoch, interval = (reader.i16(), reader.compact_string(), reader.compact_string(),
                                              reader.i32(), reader.i32())
        if error == 0:
            self.epoch, self.interval = epoch, interval
        return error, message


@contextlib.contextmanager
def consumer_member(bootstrap, group, topic):
    """One that has joined, on a connection of its own; in the end it leaves."""
    host, port = bootstrap.rsplit(":", 1)
    with wire.Connection(host, int(port)) as connection:
        member = ConsumerMember(connection, group, topic).join()
        try:
            yield member
        finally:
            member.leave()


class ClassicMember:
    """A consumer of the classic protocol that joins alone, by range, and leaves no assignment to others."""

    def __init__(self, connection, group, topic, instance=None):
        self.connection = connection
        self.group = group
        self.topic = topic
        self.instance = instance
        self.member = ""
        self.generation = -1

    def join(self, seconds=30):
        """JoinGroup 5 and SyncGroup 3, until it is told what to read."""
        deadline = time.monotonic() + seconds
        while True:
            error = self._join()
            if error == 0:
                error = self._sync()
            if error == 0:
                return self
            again = error in (MEMBER_ID_REQUIRED, REBALANCE_IN_PROGRESS, *COORDINATOR_ERRORS)
            assert again and time.monotonic() < deadline, f"{self.member}: error {error}"
            if error != MEMBER_ID_REQUIRED:
                self.connection.find_coordinator(self.group)
                time.sleep(0.1)

    def _join(self):
        reads = struct.pack(">hi", 0, 1) + wire.string(self.topic) + struct.pack(">i", -1)
        body = wire.string(self.group) + struct.pack(">ii", SESSION_MS, REBALANCE_MS) + wire.string(self.member)
        body += nullable(self.instance) + wire.string("consumer") + struct.pack(">i", 1) + wire.string("range")
        reader = self.connection.ask(JOIN_GROUP, 5, body + struct.pack(">i", len(reads)) + reads)
        reader.i32()
        error, self.generation = reader.i16(), reader.i32()
        reader.string(), reader.string()
        self.member = reader.string()
        return error

    def _sync(self):
        nothing = struct.pack(">hii", 0, 0, -1)
        body = wire.string(self.group) + struct.pack(">i", self.generation) + wire.string(self.member)
        body += nullable(self.instance) + struct.pack(">i", 1) + wire.string(self.member)
        reader = self.connection.ask(SYNC_GROUP, 3, body + struct.pack(">i", len(nothing)) + nothing)
        reader.i32()
        return reader.i16()


def leave_group(connection, group, members):
    """LeaveGroup 3 of (member id, instance id) pairs. Returns (error, [error of each])."""
    body = wire.string(group) + struct.pack(">i", len(members))
    for member, instance in members:
        body += wire.string(member) + nullable(instance)
    reader = connection.ask(LEAVE_GROUP, 3, body)
    reader.i32()
    error = reader.i16()
    said = [(reader.string(), reader.string(), reader.i16()) for _ in range(reader.i32())]
    assert error or [one[:2] for one in said] == list(members), f"asked for {members}, answered {said}"
    return error, [one[2] for one in said]


def leave_group_alone(connection, group, member):
    """LeaveGroup 2, which knows one member and no instances. Returns the error."""
    reader = connection.ask(LEAVE_GROUP, 2, wire.string(group) + wire.string(member))
    reader.i32()
    return reader.i16()


def describe(connection, group):
    """ConsumerGroupDescribe 1. Returns (error, state, epoch, sorted member ids)."""
    body = b"\2" + wire.compact_string(group) + b"\0\0"
    reader = connection.ask(CONSUMER_GROUP_DESCRIBE, 1, body, flexible=True)
    reader.tags(), reader.i32(), reader.uvarint()
    error = reader.i16()
    reader.compact_string(), reader.compact_string()
    state, epoch = reader.compact_string(), reader.i32()
    reader.i32(), reader.compact_string()
    members = []
    for _ in range(reader.uvarint() - 1):
        members.append(reader.compact_string())
        reader.compact_string(), reader.compact_string(), reader.i32()
        reader.compact_string(), reader.compact_string()
        for _ in range(reader.uvarint() - 1):
            reader.compact_string()
        reader.compact_string()
        for _ in ("assigned", "target"):
            for _ in range(reader.uvarint() - 1):
                reader.take(16), reader.compact_string()
                reader.take(4 * (reader.uvarint() - 1)), reader.tags()
            reader.tags()
        reader.i8(), reader.tags()
    return error, state, epoch, sorted(members)
