#!/usr/bin/env python3
"""Makes the broker's disk answer EIO on flush and write. The broker lives, says
KAFKA_STORAGE_ERROR for what it cannot do, goes on with what it can, and has lost nothing acknowledged
when it is started again on the mended disk."""

import os
import sys
import time

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
import partitions  # noqa: E402
from rig import disks, running, wire  # noqa: E402

KAFKA_STORAGE_ERROR = 56
# With `replicated` a write lands in the page cache; its failure shows when the kernel writes it out.
NOTICED_S = {"fsync": 15, "replicated": 60}


def refused(broker, topic, seconds):
    """Produces until the error shows; returns (acknowledged base offsets, the error)."""
    acknowledged = []
    deadline = time.monotonic() + seconds
    data = partitions.make_batch()
    with wire.Connection("127.0.0.1", broker.port, timeout=40) as connection:
        while time.monotonic() < deadline:
            error, base = connection.produce(topic, 0, data, acks=-1)
            if error:
                return acknowledged, error
            acknowledged.append(base)
            time.sleep(0.05)
    return acknowledged, 0


def still_answers(broker):
    with wire.Connection("127.0.0.1", broker.port) as connection:
        assert connection.api_versions(3)[0] == 0
        topics = connection.metadata(8, ["hit", "quiet"])
        assert set(topics) == {"hit", "quiet"}, topics


def one_round(run, durability):
    report = run.report
    folder = os.path.join(run.scratch, durability)
    os.makedirs(folder)
    with disks.BreakableDisk(folder) as disk:
        broker = run.open({"log.dirs": os.path.join(disk.path, "data"), "log.segment.bytes": "4194304",
                           "millrace.durability": durability}, folder=os.path.join(folder, "broker"))
        with broker:
            broker.start()
            with wire.Connection("127.0.0.1", broker.port, timeout=30) as connection:
                connection.create_topics(4, {"hit": 1, "quiet": 1})
            acknowledged = {}
            for topic in ("hit", "quiet"):
                with wire.Connection("127.0.0.1", broker.port) as connection:
                    connection.await_served(topic, 0)
                acknowledged[topic] = partitions.produce(broker, topic, 50)
            os.sync()
            disk.command("fail_flushes 1")
            disk.command("fail_writes 1")
            doubtful, error = refused(broker, "hit", NOTICED_S[durability])
            if durability == "fsync":
                report.equal("fsync/failed_flush_is_storage_error", error, KAFKA_STORAGE_ERROR)
                report.equal("fsync/nothing_is_acknowledged_on_a_failing_disk", doubtful, [])
            report.expect(f"{durability}/broker_lives", broker.alive(), broker.log_tail())
            report.run(f"{durability}/still_answers", still_answers, broker)
            report.run(f"{durability}/reads_go_on", partitions.read_all, broker, "quiet",
                       acknowledged["quiet"])
            broker.kill()
            disk.command("fail_flushes 0")
            disk.command("fail_writes 0")
            disk.come_back()
            broker.start()
            for topic in ("hit", "quiet"):
                report.run(f"{durability}/{topic}_is_there_on_the_mended_disk", partitions.read_all, broker,
                           topic, acknowledged[topic])
            report.run(f"{durability}/produce_works_on_the_mended_disk", partitions.produce, broker, "hit", 5)


def directory_of(folders, topic):
    """Which of the log directories has the topic's one partition."""
    return next(index for index, folder in enumerate(folders) if os.path.isdir(os.path.join(folder, f"{topic}-0")))


def two_directories(run):
    """One log directory's disk fails; what lies in the other goes on, and nothing acknowledged is lost."""
    report = run.report
    folder = os.path.join(run.scratch, "two")
    sound = os.path.join(folder, "sound")  # with the metadata and the write-ahead logs
    os.makedirs(sound)
    with disks.BreakableDisk(folder) as disk:
        folders = [sound, os.path.join(disk.path, "data")]
        broker = run.open({"log.dirs": ",".join(folders), "millrace.durability": "fsync"},
                          folder=os.path.join(folder, "broker"))
        with broker:
            broker.start()
            topics = ("a", "b", "c", "d")
            acknowledged = {}
            for topic in topics:
                with wire.Connection("127.0.0.1", broker.port, timeout=30) as connection:
                    connection.create_topics(4, {topic: 1})
                    connection.await_served(topic, 0)
                acknowledged[topic] = partitions.produce(broker, topic, 50)
            places = {topic: directory_of(folders, topic) for topic in topics}
            report.equal("two/partitions_lie_in_both", set(places.values()), {0, 1})
            disk.command("fail_flushes 1")
            disk.command("fail_writes 1")
            hit = next(topic for topic in topics if places[topic] == 1)
            spared = next(topic for topic in topics if places[topic] == 0)
            more, _ = refused(broker, hit, 5)
            acknowledged[hit] = acknowledged[hit] + more
            report.run("two/the_other_directory_goes_on", produce_more, broker, spared, acknowledged)
            report.run("two/reads_go_on", partitions.read_all, broker, spared, acknowledged[spared])
            report.expect("two/broker_lives", broker.alive(), broker.log_tail())
            broker.kill()
            disk.command("fail_flushes 0")
            disk.command("fail_writes 0")
            disk.come_back()
            broker.start()
            for topic in topics:
                report.run(f"two/{topic}_is_there_on_the_mended_disk", partitions.read_all, broker, topic,
                           acknowledged[topic])


def produce_more(broker, topic, acknowledged):
    acknowledged[topic] = acknowledged[topic] + partitions.produce(broker, topic, 50)


def body(run):
    why = disks.missing()
    if why:
        run.report.failed("io_error", why)
        return
    for durability in ("fsync", "replicated"):
        try:
            one_round(run, durability)
        except Exception as error:  # the other durability has a disk of its own
            run.report.failed(f"{durability}/ends", f"{type(error).__name__}: {error}")
    try:
        two_directories(run)
    except Exception as error:  # the closing line is printed whatever happens
        run.report.failed("two/ends", f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    running.main(running.parser(__doc__.split(":", maxsplit=1)[0]).parse_args(), body)
