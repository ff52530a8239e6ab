#!/usr/bin/env python3
"""Damages segments under the broker: the read that meets the damage gets CORRUPT_MESSAGE, nothing else stops.

Once while the broker runs, once while it is stopped after a clean stop. The bytes overwritten are
batch headers in an older segment, which no recovery looks at.
"""

import glob
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from rig import running, wire  # noqa: E402

CORRUPT_MESSAGE = 2
BATCHES = 120
BATCH_BYTES = 32 * 1024
SEGMENT_BYTES = 1 << 20
TOPICS = ("running", "stopped", "sound")


def fill(connection, topic):
    connection.create_topics(4, {topic: (1, {"segment.bytes": str(SEGMENT_BYTES)})})
    connection.await_served(topic, 0)
    for number in range(BATCHES):
        data = wire.batch([], payload=wire.record(0, b"%d" % number + bytes(BATCH_BYTES)), count=1)
        error, base = connection.produce(topic, 0, data, acks=-1)
        assert (error, base) == (0, number), (error, base)


def damage(broker, topic):
    """Overwrites the middle of the first segment; returns the first offset that is damaged."""
    segment = sorted(glob.glob(os.path.join(broker.data_dir, f"{topic}-0", "*.log")))[0]
    with open(segment, "r+b") as file:
        data = file.read()
        positions, at = [], 0
        for base, _, part in wire.batches(data):
            positions.append((base, at))
            at += len(part)
        base, at = positions[len(positions) // 2]
        file.seek(at)
        file.write(b"\xa5" * (BATCH_BYTES * 2))
    return base


def reads(connection, topic, first_bad):
    """Offsets before the damage are read, the damaged ones answer CORRUPT_MESSAGE, later ones are read."""
    error, _, _, data = connection.fetch(topic, 0, 0, max_bytes=BATCH_BYTES * 3)
    assert error == 0 and next(wire.batches(data))[0] == 0, f"before the damage: error {error}"
    error, _, _, data = connection.fetch(topic, 0, first_bad)
    assert error == CORRUPT_MESSAGE, f"at the damage: error {error}, {len(data)} bytes"
    error, _, _, data = connection.fetch(topic, 0, BATCHES - 1)
    assert error == 0 and next(wire.batches(data))[0] == BATCHES - 1, f"the last record: error {error}"


def serves(connection, topic):
    error, base = connection.produce(topic, 0, wire.batch([b"more"]), acks=-1)
    assert error == 0, f"produce: error {error}"
    error, _, _, data = connection.fetch(topic, 0, base)
    assert error == 0 and b"more" in data, f"fetch: error {error}"


def names_partition(broker, topic):
    assert broker.logged(rf"(corrupt|damage|crc).*{topic}-0|{topic}-0.*(corrupt|damage|crc)"), broker.log_tail()


def body(run):
    report = run.report
    with run.open({"millrace.durability": "replicated"}) as broker:
        broker.start()
        with wire.Connection("127.0.0.1", broker.port) as connection:
            for topic in TOPICS:
                fill(connection, topic)
            bad = damage(broker, "running")
            report.run("running/only_the_damaged_read_fails", reads, connection, "running", bad)
            report.run("running/partition_is_named_in_the_log", names_partition, broker, "running")
            report.run("running/other_partitions_go_on", serves, connection, "sound")
        broker.stop()
        bad = damage(broker, "stopped")
        broker.start()
        with wire.Connection("127.0.0.1", broker.port) as connection:
            for topic in TOPICS:
                connection.await_served(topic, 0)
            report.run("stopped/only_the_damaged_read_fails", reads, connection, "stopped", bad)
            report.run("stopped/partition_is_named_in_the_log", names_partition, broker, "stopped")
            report.run("stopped/other_partitions_go_on", serves, connection, "sound")
        report.expect("broker_lives", broker.alive(), broker.log_tail())


if __name__ == "__main__":
    running.main(running.parser(__doc__.split("\n", maxsplit=1)[0]).parse_args(), body)
