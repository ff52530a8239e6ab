#!/usr/bin/env python3
"""Fills the broker's disk: produce is refused with KAFKA_STORAGE_ERROR, reads and deletes go on, and
produce works again once there is room. Nothing acknowledged is lost, also over a restart."""

import os
import sys
import time

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
import partitions  # noqa: E402
from rig import disks, running, wire  # noqa: E402

KAFKA_STORAGE_ERROR = 56
LIMIT_BATCHES = 20_000
RECOVERY_S = 10


def fill_until_refused(broker, topic):
    """Produces until an error; returns (acknowledged base offsets, the error)."""
    acknowledged = []
    data = partitions.make_batch()
    with wire.Connection("127.0.0.1", broker.port, timeout=30) as connection:
        for _ in range(LIMIT_BATCHES):
            error, base = connection.produce(topic, 0, data, acks=-1)
            if error:
                return acknowledged, error
            acknowledged.append(base)
    raise AssertionError("the disk never became full")


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
            partitions.produce(broker, "spare", 200)
            acknowledged, error = fill_until_refused(broker, "kept")
            report.equal(f"{durability}/full_disk_is_storage_error", error, KAFKA_STORAGE_ERROR)
            report.expect(f"{durability}/broker_lives_on", broker.alive(), broker.log_tail())
            report.run(f"{durability}/reads_go_on", partitions.read_all, broker, "kept", acknowledged)
            report.run(f"{durability}/deletes_go_on", delete_topic, broker, disk, "spare", 8 << 20)
            report.run(f"{durability}/produce_works_again", works_again, broker, "kept", acknowledged)
            more, error = fill_until_refused(broker, "kept")
            report.equal(f"{durability}/full_again", error, KAFKA_STORAGE_ERROR)
            acknowledged += more
            broker.kill()
            broker.start()
            report.run(f"{durability}/all_there_after_kill_on_full_disk", partitions.read_all, broker, "kept", acknowledged)
            code = broker.stop()
            report.expect(f"{durability}/stops_cleanly", code == 0, f"exit code {code}")
            broker.start()
            report.run(f"{durability}/all_there_after_stop", partitions.read_all, broker, "kept", acknowledged)


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
