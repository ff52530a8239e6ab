#!/usr/bin/env python3
"""Kills the broker with SIGKILL again and again while its cleaner works on a topic that is written to all the time.

After every restart the topic is read whole: the last value of every key is the last acknowledged one, at its own
offset, or one that was sent after it; a key is missing only where its last record was a deletion. Two kills of three
come while the cleaner has unfinished files.
"""

import glob
import os
import random
import sys
import threading
import time

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
from rig import python_packages, running, wire  # noqa: E402

sys.path.insert(0, python_packages.confluent_kafka())
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition  # noqa: E402

TOPIC, KEYS, VALUE_BYTES = "compacted", 400, 1000
CONFIGS = {"cleanup.policy": "compact", "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.01",
           "delete.retention.ms": "100"}
SETTINGS = {"log.cleaner.backoff.ms": "20", "log.retention.check.interval.ms": "300"}
UNFINISHED = ("cleaned", "swap")


class Key:
    """What is known of one key: the last acknowledged record, and those sent after it."""

    def __init__(self):
        self.offset = -1
        self.number = None   # None: never, or deleted
        self.later = {}      # number: is it a deletion


class Writer(threading.Thread):
    """Writes keys in random order until told to end; `lock` guards what is known of the keys."""

    def __init__(self, bootstrap, seed):
        super().__init__()
        self.producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5,
                                  "message.timeout.ms": 600_000, "socket.timeout.ms": 10_000, "log_level": 0,
                                  "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 100,
                                  "queue.buffering.max.messages": 5000})
        self.chance = random.Random(seed)
        self.lock = threading.Lock()
        self.keys = [Key() for _ in range(KEYS)]
        self.acknowledged = 0
        self.failed = 0
        self.ending = False

    def run(self):
        number = 0
        while not self.ending:
            for _ in range(40):
                number += 1
                self.send(self.chance.randrange(KEYS), number, self.chance.random() < 0.1)
            self.producer.poll(0.004)
        self.producer.flush(30)

    def send(self, index, number, deletion):
        def delivered(error, message):
            with self.lock:
                if error:
                    self.failed += 1
                    return
                self.acknowledged += 1
                key = self.keys[index]
                key.offset, key.number = message.offset(), None if deletion else number
                key.later = {sent: gone for sent, gone in key.later.items() if sent > number}

        with self.lock:
            self.keys[index].later[number] = deletion
        value = None if deletion else f"{number} ".encode().ljust(VALUE_BYTES, b"v")
        while not self.ending:
            try:
                self.producer.produce(TOPIC, value, f"key-{index}", partition=0, on_delivery=delivered)
                return
            except BufferError:
                self.producer.poll(0.05)

    def known(self):
        """A copy of what was acknowledged by now."""
        with self.lock:
            return [(key.offset, key.number) for key in self.keys]


def read_all(broker):
    """({key index: (offset, number or None)}, records) of the whole topic."""
    with wire.Connection("127.0.0.1", broker.port) as connection:
        connection.await_served(TOPIC, 0)
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "unused", "enable.auto.commit": False,
                         "enable.partition.eof": True, "check.crcs": True, "log_level": 0, "fetch.wait.max.ms": 20})
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    found, records, last = {}, 0, -1
    deadline = time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            for message in consumer.consume(1000, 1.0):
                if message.error():
                    if message.error().code() == KafkaError._PARTITION_EOF:
                        return found, records
                    continue
                assert message.offset() > last, f"offset {message.offset()} after {last}"
                last = message.offset()
                records += 1
                value = message.value()
                found[int(message.key().decode().split("-")[1])] = (
                    message.offset(), None if value is None else int(value.split(b" ")[0]))
    finally:
        consumer.close()
    raise AssertionError("the topic was not read to its end in time")


def judge(known, found, writer):
    """`known` was copied before the read began, so what is found may be newer, but only by what was sent."""
    wrong = []
    for index, (offset, number) in enumerate(known):
        at, there = found.get(index, (-1, None))
        if at == offset and there == number:
            continue
        if index not in found and number is None:
            continue
        # Something newer: it must have a higher offset, and a value that is newer too.
        newer = at > offset and (there is None or number is None or there > number)
        with writer.lock:
            deleted_since = writer.keys[index].number is None or any(writer.keys[index].later.values())
        if newer or (index not in found and deleted_since):
            continue
        wrong.append(f"key-{index} is {(at, there)}, acknowledged was {(offset, number)}")
    assert not wrong, f"{len(wrong)} keys: {wrong[:3]}"


def unfinished(broker):
    return [path for word in UNFINISHED for path in glob.glob(os.path.join(broker.data_dir, f"{TOPIC}-0", f"*{word}*"))]


def kill_while_cleaning(broker, chance, number):
    """Kills; returns True where the cleaner's unfinished files were there afterwards."""
    time.sleep(chance.uniform(0.05, 0.6))
    if number % 3:
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline and not unfinished(broker):
            time.sleep(0.0005)
        time.sleep(chance.uniform(0, 0.01))
    broker.kill()
    return bool(unfinished(broker))


def body(run):
    chance = random.Random(run.options.seed)
    broker = run.open(SETTINGS)
    with broker:
        broker.start()
        with wire.Connection("127.0.0.1", broker.port) as connection:
            answer = connection.create_topics(4, {TOPIC: (1, run.topic_configs("replicated", **CONFIGS))})
            assert answer[TOPIC][0] == 0, answer
            connection.await_served(TOPIC, 0)
        writer = Writer(broker.bootstrap, run.options.seed)
        writer.start()
        amid, most = 0, 0
        try:
            time.sleep(1)
            for number in range(run.options.kills):
                amid += kill_while_cleaning(broker, chance, number)
                broker.start()
                known = writer.known()
                found, records = read_all(broker)
                most = max(most, records)
                judge(known, found, writer)
            run.report.ok("every_key_is_there_after_every_kill", f"{run.options.kills} kills")
        finally:
            writer.ending = True
            writer.join(60)
        run.report.expect("kills_came_amid_cleaning", amid * 4 > run.options.kills, f"{amid} of {run.options.kills}")
        run.report.expect("records_were_acknowledged", writer.acknowledged > 100 * run.options.kills and
                          not writer.failed, f"{writer.acknowledged}, failed {writer.failed}")
        run.report.expect("the_log_stayed_small", most < writer.acknowledged / 2,
                          f"up to {most} records of {writer.acknowledged}")
        print(f"  {writer.acknowledged} records acknowledged, at most {most} read, {amid} kills amid cleaning")
        run.report.run("after_the_last_write", lambda: judge(writer.known(), read_all(broker)[0], writer))
        code = broker.stop()
        run.report.expect("stops_cleanly", code in (0, 143), f"exit code {code}")
        broker.start()
        run.report.run("after_a_clean_restart", lambda: judge(writer.known(), read_all(broker)[0], writer))


if __name__ == "__main__":
    parser = running.parser(__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=40)
    running.main(parser.parse_args(), body)
