"""Configurations of groups: kafka-configs sets, shows, refuses and deletes them, and a member that lives follows."""

import re

from rig import group_member, kafka_jars

DEFAULTS = {"consumer.heartbeat.interval.ms": "5000", "consumer.session.timeout.ms": "45000",
            "share.auto.offset.reset": "latest", "share.heartbeat.interval.ms": "5000",
            "share.isolation.level": "read_uncommitted", "share.record.lock.duration.ms": "30000",
            "share.session.timeout.ms": "45000", "streams.heartbeat.interval.ms": "5000",
            "streams.initial.rebalance.delay.ms": "3000", "streams.num.standby.replicas": "0",
            "streams.session.timeout.ms": "45000"}


class GroupConfigs:
    """Topics and groups start with `prefix`. `broker`: one that may be restarted, or None."""

    def __init__(self, bootstrap, prefix, report, broker):
        self.bootstrap = bootstrap
        self.report = report
        self.broker = broker
        self.topic = f"{prefix}-topic"
        self.group = f"{prefix}-group"

    def run(self):
        run = self.report.run
        run("groupconfig/defaults_of_a_group_that_is_not_there", self.defaults)
        run("groupconfig/alter_and_describe", self.alter)
        run("groupconfig/groups_with_configurations_are_listed", self.listed)
        run("groupconfig/what_cannot_be_set", self.refused)
        run("groupconfig/a_member_follows_with_its_next_heartbeat", self.follow)
        if self.broker:
            run("groupconfig/kept_over_a_restart", self.restart)
        run("groupconfig/delete_is_the_default_again", self.delete)

    def tool(self, tool, *arguments):
        done = kafka_jars.run_tool(tool, ["--bootstrap-server", self.bootstrap, *arguments])
        assert done.returncode == 0, (done.stdout + done.stderr)[-400:]
        return done.stdout

    def configs(self, *arguments):
        return self.tool("kafka-configs", *arguments, "--entity-type", "groups", "--entity-name", self.group)

    def described(self, *arguments):
        """{name: (value, what the synonyms say)}"""
        out = self.configs("--describe", *arguments)
        found = re.findall(r"^  (\S+?)=(\S+) sensitive=false synonyms=\{(.*)\}", out, re.M)
        return {name: (value, synonyms) for name, value, synonyms in found}

    def member(self):
        return group_member.consumer_member(self.bootstrap, self.group, self.topic)

    @staticmethod
    def interval(member):
        """The milliseconds to its next heartbeat that a member is told."""
        error, message = member.beat()
        assert error == 0, f"{error}: {message}"
        return member.interval

    def defaults(self):
        wanted = {name: (value, f"DEFAULT_CONFIG:{name}={value}") for name, value in DEFAULTS.items()}
        assert self.described("--all") == wanted, self.described("--all")
        assert self.described() == {}, self.described()

    def alter(self):
        self.configs("--alter", "--add-config", "consumer.session.timeout.ms=50000,consumer.heartbeat.interval.ms=6000")
        wanted = {name: (value, f"DYNAMIC_GROUP_CONFIG:{name}={value}") for name, value in
                  (("consumer.session.timeout.ms", "50000"), ("consumer.heartbeat.interval.ms", "6000"))}
        assert self.described() == wanted, self.described()
        rest = {name: value for name, (value, _) in self.described("--all").items() if name not in wanted}
        assert rest == {name: value for name, value in DEFAULTS.items() if name not in wanted}, rest

    def listed(self):
        out = self.tool("kafka-configs", "--describe", "--entity-type", "groups")
        assert self.group in out and "consumer.session.timeout.ms=50000" in out, out

    def refused(self):
        for change, wanted in (
                ("consumer.session.timeout.ms=44999",
                 "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms"),
                ("consumer.session.timeout.ms=60001",
                 "consumer.session.timeout.ms must be less than or equal to group.consumer.max.session.timeout.ms"),
                ("consumer.heartbeat.interval.ms=15001",
                 "consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms"),
                ("consumer.heartbeat.interval.ms=x", "Not a number of type INT"),
                ("no.such=1", "Unknown group config name: no.such")):
            done = kafka_jars.run_tool("kafka-configs", [
                "--bootstrap-server", self.bootstrap, "--alter", "--entity-type", "groups", "--entity-name", self.group,
                "--add-config", change])
            said = done.stdout + done.stderr
            assert done.returncode != 0 and "InvalidConfigurationException" in said and wanted in said, said[-400:]
        assert self.described()["consumer.session.timeout.ms"][0] == "50000"

    def follow(self):
        self.tool("kafka-topics", "--create", "--topic", self.topic, "--partitions", "1")
        with self.member() as member:
            assert self.interval(member) == 6000
            self.configs("--alter", "--add-config", "consumer.heartbeat.interval.ms=7000")
            assert self.interval(member) == 7000

    def restart(self):
        self.broker.restart()
        assert self.described()["consumer.heartbeat.interval.ms"][0] == "7000", self.described()

    def delete(self):
        self.configs("--alter", "--delete-config", "consumer.heartbeat.interval.ms,consumer.session.timeout.ms")
        assert self.described() == {}, self.described()
        with self.member() as member:
            assert self.interval(member) == 5000
