"""LeaveGroup as tools send it, to take away members of either protocol that have died: by member id, by instance id, one and all."""

from rig import group_member, kafka_jars, wire

UNKNOWN_MEMBER, FENCED_INSTANCE, INVALID_GROUP, NOT_A_CONSUMER_GROUP = 25, 82, 24, 69
TIMEOUT = 70  # of one answer: a JoinGroup waits for the others of its group


class GroupLeave:
    """Topics and groups start with `prefix`."""

    def __init__(self, bootstrap, prefix, report):
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.report = report
        self.topic = f"{prefix}-topic"
        self.connection = None
        self.group = None

    def run(self):
        if not self.report.wanted("groupleave/"):
            return
        with self.connect() as self.connection:
            self.connection.create_topics(4, {self.topic: 4})
            self.connection.await_served(self.topic, 0)
            for check in (self.by_member_id, self.who_is_not_there, self.alone, self.static_members, self.static_member_away,
                          self.mixed_group, self.last_of_the_consumer_protocol, self.all_of_a_mixed_group):
                self.group = f"{self.prefix}-{check.__name__}"
                self.report.run(f"groupleave/{check.__name__}", check)

    def connect(self):
        host, port = self.bootstrap.rsplit(":", 1)
        return wire.Connection(host, int(port), timeout=TIMEOUT)

    def consumer(self, member, instance=None):
        return group_member.ConsumerMember(self.connection, self.group, self.topic, member, instance).join()

    def classic(self, connection, instance=None):
        return group_member.ClassicMember(connection, self.group, self.topic, instance).join().member

    def leave(self, *members):
        """The error of each (member id, instance id)."""
        error, errors = group_member.leave_group(self.connection, self.group, list(members))
        assert error == 0, error
        return errors

    def left(self, state, epoch, *members):
        found = group_member.describe(self.connection, self.group)
        assert found == (0, state, epoch, sorted(members)), found

    def by_member_id(self):
        """All that one request names go at once."""
        gone, stays = self.consumer("a"), self.consumer("b")
        self.consumer("c")
        assert self.leave(("nobody", None), ("a", None), ("a", None), ("c", None)) == [UNKNOWN_MEMBER, 0, 0, 0]
        self.left("Assigning", 4, "b")
        assert gone.beat()[0] == UNKNOWN_MEMBER
        assert stays.beat()[0] == 0 and stays.epoch == 4, stays.epoch
        assert self.leave(("b", None), ("a", None)) == [0, UNKNOWN_MEMBER]
        self.left("Empty", 5)
        assert self.leave(("b", None), ("", "b")) == [UNKNOWN_MEMBER, UNKNOWN_MEMBER]

    def who_is_not_there(self):
        self.consumer("a")
        assert self.leave() == []
        assert self.leave(("", None), ("a", ""), ("a", "nobody"), ("", "nobody")) == [UNKNOWN_MEMBER] * 4
        self.left("Stable", 1, "a")
        unknown = group_member.leave_group(self.connection, f"{self.group}-unknown", [("a", None)])
        assert unknown == (0, [UNKNOWN_MEMBER]), unknown
        assert group_member.leave_group(self.connection, "", [("a", None)])[0] == INVALID_GROUP

    def alone(self):
        """Older versions name one member."""
        self.consumer("a")
        assert group_member.leave_group_alone(self.connection, self.group, "nobody") == UNKNOWN_MEMBER
        assert group_member.leave_group_alone(self.connection, self.group, "a") == 0
        self.left("Empty", 2)

    def static_members(self):
        for number in range(4):
            self.consumer(f"m{number}", f"i{number}")
        assert self.leave(("other", "i0")) == [FENCED_INSTANCE]
        self.left("Reconciling", 4, "m0", "m1", "m2", "m3")
        assert self.leave(("", "i0"), ("m1", "i1"), ("m2", None)) == [0, 0, 0]
        self.left("Assigning", 5, "m3")

    def static_member_away(self):
        """Two have left for a moment: they are still the group's, and can be taken away under either name."""
        for number in range(2):
            error, message = self.consumer(f"m{number}", f"i{number}").leave(group_member.LEAVES_FOR_A_MOMENT)
            assert error == 0, f"{error} {message}"
        assert self.leave(("", "i0"), ("m1", None)) == [0, 0]
        self.left("Empty", 3)

    def mixed_group(self):
        with self.connect() as other:
            old = self.classic(other)
            self.consumer("a"), self.consumer("b", "ib")
            assert self.leave(("a", None)) == [0]
            self.left("Assigning", 4, "b", old)
            assert self.leave((old, None)) == [0]
            self.left("Assigning", 5, "b")
            assert self.leave(("", "ib")) == [0]
            self.left("Empty", 6)

    def last_of_the_consumer_protocol(self):
        """Who stays speaks the classic protocol, and so does the group again."""
        with self.connect() as other:
            self.classic(other)
            self.consumer("a"), self.consumer("b", "ib")
            assert self.leave(("a", None), ("", "ib")) == [0, 0]
            assert group_member.describe(self.connection, self.group)[0] == NOT_A_CONSUMER_GROUP
            done = kafka_jars.run_tool("kafka-consumer-groups", ["--bootstrap-server", self.bootstrap, "--describe", "--group",
                                                                 self.group, "--state"])
            assert done.stdout.split()[-2:] == ["PreparingRebalance", "1"], done.stdout + done.stderr[-300:]

    def all_of_a_mixed_group(self):
        with self.connect() as other:
            self.classic(other, "old")
            self.consumer("a"), self.consumer("b", "ib")
            assert self.leave(("a", None), ("", "ib"), ("", "old")) == [0, 0, 0]
            self.left("Empty", 4)
