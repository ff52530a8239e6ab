#!/usr/bin/env python3
"""One member of a consumer group that writes down what it does; group_pipeline.py starts, freezes and kills it.

  group_member.py --bootstrap A --topic T --group G --history F [--instance I] [--assignor A] [--protocol P]

A line of the history, written before the next step is taken:
  processed TIME PARTITION OFFSET NUMBER    the record was read, and what it says its number is
  committing TIME ID PARTITION OFFSET       a commit is about to be sent
  committed TIME ID PARTITION OFFSET        the coordinator acknowledged that commit
  assigned TIME PARTITION                   the member is given the partition
TIME is of the clock that all processes of a machine share. Runs until SIGTERM.
"""

import argparse
import os
import random
import signal
import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

BATCH = 100
WORK_SECONDS = 0.15


class History:
    """Appends whole lines at once, so that a killed member leaves at most its last one cut short."""

    def __init__(self, path):
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def add(self, lines):
        if lines:
            os.write(self.file, "".join(f"{line}\n" for line in lines).encode())


def settings(options):
    found = {
        "bootstrap.servers": options.bootstrap, "group.id": options.group,
        "enable.auto.commit": False, "auto.offset.reset": "earliest", "check.crcs": True,
        "fetch.wait.max.ms": 50, "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 100,
        "retry.backoff.ms": 50, "socket.timeout.ms": 10_000, "log_level": 0,
    }
    if options.instance:
        found["group.instance.id"] = options.instance
    if options.protocol == "consumer":
        found["group.protocol"] = "consumer"
    else:
        found.update({"session.timeout.ms": options.session_ms, "heartbeat.interval.ms": 300,
                      "partition.assignment.strategy": options.assignor})
    return found


def commit(consumer, history, number, next_offsets):
    """Commits and waits; whatever the coordinator does not acknowledge is left to the next one."""
    def lines(word):
        now = time.monotonic_ns()
        return [f"{word} {now} {number} {partition} {offset}" for (_, partition), offset in next_offsets.items()]

    offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in next_offsets.items()]
    history.add(lines("committing"))
    try:
        answers = consumer.commit(offsets=offsets, asynchronous=False)
    except KafkaException:
        return
    if all(answer.error is None for answer in answers):
        history.add(lines("committed"))


def work(consumer, history, running):
    number = 0
    while running:
        messages = consumer.consume(BATCH, 0.2)
        processed, next_offsets = [], {}
        for message in messages:
            if message.error():
                if message.error().code() == KafkaError._FATAL:
                    sys.exit(f"fatal: {message.error()}")
                continue
            words = message.value().split(b" ", 2)
            if int(words[0]) != message.partition():
                sys.exit(f"a record of partition {words[0]} in partition {message.partition()}")
            processed.append(f"processed {time.monotonic_ns()} {message.partition()} {message.offset()} {int(words[1])}")
            next_offsets[message.topic(), message.partition()] = message.offset() + 1
        history.add(processed)
        if next_offsets:
            time.sleep(random.uniform(0, WORK_SECONDS))  # so that kills come between work and its commit
            number += 1
            commit(consumer, history, f"{os.getpid()}.{number}", next_offsets)


def main():
    parser = argparse.ArgumentParser()
    for name in ("bootstrap", "topic", "group", "history"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--instance")
    parser.add_argument("--assignor", default="range")
    parser.add_argument("--protocol", default="classic")
    parser.add_argument("--session-ms", type=int, default=1500)
    options = parser.parse_args()
    running = [True]
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    history = History(options.history)
    consumer = Consumer(settings(options))
    consumer.subscribe([options.topic], on_assign=lambda _, parts: history.add(
        [f"assigned {time.monotonic_ns()} {part.partition}" for part in parts]))
    try:
        work(consumer, history, running)
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
