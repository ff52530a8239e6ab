#!/usr/bin/env python3
"""Fills the broker's disk: produce is refused with KAFKA_STORAGE_ERROR, reads and deletes go on, and
produce works again once there is room. Nothing acknowledged is lost, also over a restart."""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from rig import disks, running, wire  # noqa: E402

KAFKA_STORAGE_ERROR = 56
BATCH_BYTES = 64 * 1024
LIMIT_BATCHES = 20_000
RECOVERY_S = 10


def make_batch(number):
    value = b"%d " % number + bytes(BATCH_BYTES)
    return wire.batch([], payload=wire.record(0, value), count=1)


def fill_until_refused(broker, topic):
    """Produces until an error; returns (acknowledged base offsets, the error)."""
    acknowledged = []
    data = make_batch(0)
    with wire.Connection("127.0.0.1", broker.port, timeout=30) as connection:
        for _ in range(LIMIT_BATCHES):
            error, base = connection.produce(topic, 0, data, acks=-1)
            if error:
                return acknowledged, error
            acknowledged.append(base)
    raise AssertionError("the disk never became full")


def read_all(broker, topic, wanted):
    """All offsets of a partition, in order."""
    with wire.Connection("127.0.0.1", broker.port, timeout=30) as connection:
        found, offset = [], 0
        while True:
            error, high, _, data = connection.fetch(topic, 0, offset, max_wait_ms=10)
            assert error == 0, f"fetch at {offset}: error {error}"
            for base, last, _ in wire.batches(data):
                found.append(base)
                offset = last + 1
            if offset >= high:
                break
    missing = set(wanted) - set(found)
    assert not missing, f"{len(missing)} acknowledged records are missing, first {min(missing)}"
    assert found == sorted(set(found)), "offsets are not in order or not unique"
    return f"{len(found)} records"


def works_again(broker, topic, acknowledged):
    deadline = time.monotonic() + RECOVERY_S
    with wire.Connection("127.0.0.1", broker.port, timeout=30) as connection:
        while True:
            error, base = connection.produce(topic, 0, wire.batch([b"room again"]), acks=-1)
            if error == 0:
                acknowledged.append(base)
                return
            assert time.monotonic() < deadline, f"still error {error} after {RECOVERY_S} s"
            time.sleep(0.1)


def delete_topic(broker, disk, topic, bytes_wanted):
    free = disk.free_bytes()
    with wire.Connection("127.0.0.1", broker.port, timeout=30) as connection:
        assert connection.delete_topics([topic])[topic] == 0
    deadline = time.monotonic() + 70
    while disk.free_bytes() < free + bytes_wanted:
        assert time.monotonic() < deadline, f"{disk.free_bytes() - free} bytes came back, not {bytes_wanted}"
        time.sleep(0.2)


def one_round(run, durability):
    report = run.report
    folder = os.path.join(run.scratch, durability)
    os.makedirs(folder)
    with disks.SmallDisk(folder, run.options.mebibytes) as disk:
        broker = run.open({"log.dirs": os.path.join(disk.path, "data"), "log.segment.bytes": "4194304",
                           "millrace.durability": durability, "log.segment.delete.delay.ms": "1000"},
                          folder=os.path.join(folder, "broker"))
        with broker:
            broker.start()
            with wire.Connection("127.0.0.1", broker.port, timeout=30) as connection:
                connection.create_topics(4, {"kept": 1, "spare": 1})
                connection.await_served("kept", 0)
                connection.await_served("spare", 0)
                for _ in range(200):
                    assert connection.produce("spare", 0, make_batch(0), acks=-1)[0] == 0
            acknowledged, error = fill_until_refused(broker, "kept")
            report.equal(f"{durability}/full_disk_is_storage_error", error, KAFKA_STORAGE_ERROR)
            report.expect(f"{durability}/broker_lives_on", broker.alive(), broker.log_tail())
            report.run(f"{durability}/reads_go_on", read_all, broker, "kept", acknowledged)
            report.run(f"{durability}/deletes_go_on", delete_topic, broker, disk, "spare", 8 << 20)
            report.run(f"{durability}/produce_works_again", works_again, broker, "kept", acknowledged)
            more, error = fill_until_refused(broker, "kept")
            report.equal(f"{durability}/full_again", error, KAFKA_STORAGE_ERROR)
            acknowledged += more
            broker.kill()
            broker.start()
            report.run(f"{durability}/all_there_after_kill_on_full_disk", read_all, broker, "kept", acknowledged)
            code = broker.stop()
            report.expect(f"{durability}/stops_cleanly", code == 0, f"exit code {code}")
            broker.start()
            report.run(f"{durability}/all_there_after_stop", read_all, broker, "kept", acknowledged)


def body(run):
    why = disks.missing()
    if why:
        run.report.failed("disk_full", why)
        return
    for durability in ("fsync", "replicated"):
        try:
            one_round(run, durability)
        except Exception as error:  # the other durability has a disk of its own
            run.report.failed(f"{durability}/ends", f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    parser = running.parser(__doc__.split(":", maxsplit=1)[0])
    parser.add_argument("--mebibytes", type=int, default=160, help="size of the disk")
    running.main(parser.parse_args(), body)
