#!/usr/bin/env python3
"""client.py BOOTSTRAP PREFIX PROTOCOLS: consumer groups as a program on confluent-kafka (librdkafka for Python) uses them.

PROTOCOLS is `classic` or `classic,consumer`. Prints a line per check, `ok NAME` or `FAILED NAME: why`.
"""

import sys
import time

from confluent_kafka import (Consumer, ConsumerGroupState, ConsumerGroupTopicPartitions, KafkaException, Producer,
                             TopicPartition)
from confluent_kafka.admin import AdminClient, NewTopic

RECORDS = 40
PARTITIONS = 4
TIMEOUT_S = 25


class Member:
    """A consumer and what it was told and read."""

    def __init__(self, bootstrap, group, topic, settings):
        self.records = []
        self.owned = set()
        self.revocations = []
        base = {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False,
                "auto.offset.reset": "earliest", "fetch.wait.max.ms": 50, "log_level": 0}
        if settings.get("group.protocol") != "consumer":
            base.update({"session.timeout.ms": 6000, "heartbeat.interval.ms": 300})
        self.consumer = Consumer({**base, **settings})
        self.incremental = (settings.get("group.protocol") == "consumer" or
                            settings.get("partition.assignment.strategy") == "cooperative-sticky")
        self.consumer.subscribe([topic], on_assign=self.on_assign, on_revoke=self.on_revoke)

    def on_assign(self, _, partitions):
        given = {part.partition for part in partitions}
        self.owned = self.owned | given if self.incremental else given

    def on_revoke(self, _, partitions):
        taken = {part.partition for part in partitions}
        self.revocations.append(taken)
        self.owned -= taken

    def poll(self):
        for message in self.consumer.consume(50, 0.05):
            if not message.error():
                self.records.append((message.partition(), message.offset()))

    def close(self):
        self.consumer.close()


def poll_until(what, done, *members):
    deadline = time.monotonic() + TIMEOUT_S
    while not done():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited too long: {what}")
        for member in members:
            member.poll()


def same(got, wanted, what):
    assert got == wanted, f"{what}: got {got!r}, wanted {wanted!r}"


class Checks:
    def __init__(self, bootstrap, prefix):
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self.failed = False

    def check(self, name, function, *arguments):
        try:
            function(*arguments)
            print(f"ok {name}", flush=True)
        except Exception as error:  # the other checks are still worth having
            self.failed = True
            print(f"FAILED {name}: {type(error).__name__} {error}".replace("\n", " "), flush=True)

    def filled(self, name):
        topic = f"{self.prefix}-{name}"
        self.admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(TIMEOUT_S)
        self.fill(topic)
        return topic

    def fill(self, topic):
        producer = Producer({"bootstrap.servers": self.bootstrap, "acks": "all", "log_level": 0})
        for i in range(RECORDS):
            producer.produce(topic, f"v{i}", partition=i % PARTITIONS)
        same(producer.flush(TIMEOUT_S), 0, "records that were not delivered")

    def member(self, group, topic, settings):
        return Member(self.bootstrap, group, topic, settings)

    def goes_on(self, label, settings):
        topic, group = self.filled(f"{label}-on"), f"{self.prefix}-{label}-on-group"
        for life in range(2):
            member = self.member(group, topic, settings)
            poll_until("all records", lambda m=member: len(m.records) >= RECORDS, member)
            wanted = sorted((part, life * 10 + i) for part in range(PARTITIONS) for i in range(10))
            same(sorted(member.records), wanted, f"records of life {life}")
            member.consumer.commit(asynchronous=False)
            member.close()
            self.fill(topic)

    def share(self, label, settings, given_up):
        topic, group = self.filled(f"{label}-share"), f"{self.prefix}-{label}-share-group"
        first = self.member(group, topic, settings)
        poll_until("the first has all", lambda: len(first.owned) == PARTITIONS, first)
        second = self.member(group, topic, settings)
        poll_until("both have two", lambda: len(first.owned) == len(second.owned) == 2, first, second)
        same(first.owned | second.owned, set(range(PARTITIONS)), "partitions of both")
        same(sum(len(taken) for taken in first.revocations), given_up, "partitions that the first gave up")
        second.close()
        poll_until("the first has all again", lambda: len(first.owned) == PARTITIONS, first)
        first.close()

    def static(self, label, settings):
        topic, group = self.filled(f"{label}-static"), f"{self.prefix}-{label}-static-group"
        stays = self.member(group, topic, {**settings, "group.instance.id": "one"})
        leaves = self.member(group, topic, {**settings, "group.instance.id": "two"})
        poll_until("both have two", lambda: len(stays.owned) == len(leaves.owned) == 2, stays, leaves)
        before, told = set(leaves.owned), len(stays.revocations)
        leaves.close()
        back = self.member(group, topic, {**settings, "group.instance.id": "two"})
        poll_until("it is back", lambda: len(back.owned) == 2, stays, back)
        same(back.owned, before, "partitions of the member that came back")
        same(len(stays.revocations), told, "revocations of the one that stayed")
        back.close()
        stays.close()

    def admin_of_groups(self, label, settings):
        topic, group = self.filled(f"{label}-admin"), f"{self.prefix}-{label}-admin-group"
        member = self.member(group, topic, settings)
        poll_until("assigned", lambda: len(member.owned) == PARTITIONS, member)
        listed = self.admin.list_consumer_groups(states={ConsumerGroupState.STABLE}).result(TIMEOUT_S)
        assert group in [one.group_id for one in listed.valid], "not listed"
        described = self.admin.describe_consumer_groups([group])[group].result(TIMEOUT_S)
        same(described.state, ConsumerGroupState.STABLE, "state")
        same([len(one.assignment.topic_partitions) for one in described.members], [PARTITIONS], "assignment")
        member.close()

    def admin_of_offsets(self):
        topic, group = self.filled("offsets"), f"{self.prefix}-offsets-group"
        wanted = [TopicPartition(topic, 0, 3), TopicPartition(topic, 2, 7)]
        request = ConsumerGroupTopicPartitions(group, wanted)
        self.admin.alter_consumer_group_offsets([request])[group].result(TIMEOUT_S)
        found = self.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(TIMEOUT_S)
        same(sorted((part.partition, part.offset) for part in found.topic_partitions), [(0, 3), (2, 7)], "offsets")
        self.admin.delete_consumer_groups([group])[group].result(TIMEOUT_S)
        try:
            self.admin.delete_consumer_groups([group])[group].result(TIMEOUT_S)
        except KafkaException as error:
            same(error.args[0].name(), "GROUP_ID_NOT_FOUND", "error")
            return
        raise AssertionError("an unknown group was deleted")

    def run(self, protocols):
        ways = [("range", {"partition.assignment.strategy": "range"}, PARTITIONS),
                ("cooperative", {"partition.assignment.strategy": "cooperative-sticky"}, 2)]
        if "consumer" in protocols:
            ways.append(("consumer", {"group.protocol": "consumer"}, 2))
        else:
            print("left out: group.protocol=consumer, the broker does not advertise ConsumerGroupHeartbeat")
        for label, settings, given_up in ways:
            self.check(f"{label}_goes_on_where_it_stopped", self.goes_on, label, settings)
            self.check(f"{label}_members_share_and_take_over", self.share, label, settings, given_up)
            self.check(f"{label}_static_member_returns", self.static, label, settings)
            self.check(f"{label}_group_is_listed_and_described", self.admin_of_groups, label, settings)
        self.check("offsets_are_altered_listed_and_deleted", self.admin_of_offsets)


def main():
    checks = Checks(sys.argv[1], sys.argv[2])
    checks.run(sys.argv[3].split(","))
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
