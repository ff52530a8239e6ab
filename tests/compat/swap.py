#!/usr/bin/env python3
"""The data directories of a node, opened by Millrace and by Apache Kafka in turn, each going on where the other stopped.

  swap.py --binary build/release/millrace [--first millrace|kafka] [--directories 2]

After each change of system every topic is read back whole and more is produced to it. Each system makes a topic of several
partitions in its first turn, which are spread over all directories. A group goes on with the member that it had, and another with
what it had committed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from rig import brokers, group_member, kafka_jars, python_packages, report as reports, wire  # noqa: E402

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
LINES = 500
NODE_ID = "1"
TRANSACTIONS = "swap-transactions"
CONSUMERS, COMMITTED = "swap-consumers", "swap-committed"  # groups
PARTITIONS = 4


def kcat(broker, *arguments, text=""):
    done = subprocess.run(["kcat", "-b", broker.bootstrap, "-m", "15", *arguments], input=text, text=True,
                          capture_output=True, timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"kcat: {done.stderr.strip()[-300:]}")
    return done.stdout


def lines(codec, turn):
    return [f"{codec} turn {turn} line {i} {'s' * (i % 70)}" for i in range(LINES)]


def produce(broker, codec, turn):
    kcat(broker, "-P", "-t", f"swap-{codec}", "-p", "0", "-z", codec, "-X", "enable.idempotence=true",
         text="\n".join(lines(codec, turn)) + "\n")


def compare(broker, codec, turns):
    with wire.Connection("127.0.0.1", broker.port) as connection:
        connection.await_served(f"swap-{codec}", 0)
    got = kcat(broker, "-C", "-t", f"swap-{codec}", "-p", "0", "-o", "beginning", "-e", "-q", "-X",
               "check.crcs=true", "-f", "%o %s\\n").splitlines()
    wanted = [f"{i} {line}" for i, line in enumerate(
        line for turn in range(turns) for line in lines(codec, turn))]
    if got != wanted:
        place = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), "none")
        raise AssertionError(f"{len(got)} lines, wanted {len(wanted)}; first difference {place}")


def create(broker):
    with wire.Connection("127.0.0.1", broker.port) as connection:
        for topic in [f"swap-{codec}" for codec in CODECS] + [TRANSACTIONS]:
            answer = connection.create_topics(4, {topic: (1, {"retention.ms": "86400000"})})
            assert answer[topic][0] == 0, answer
            connection.await_served(topic, 0)


def spread_lines(system, turn, partition):
    return [f"{system} {partition} turn {turn} line {i}" for i in range(20)]


def spread(broker, systems, turn, directories):
    """The topics of several partitions, one made by each system so far: read whole, more produced to them."""
    if turn < len(systems):
        with wire.Connection("127.0.0.1", broker.port) as connection:
            name = f"spread-{broker.system}"
            answer = connection.create_topics(4, {name: (PARTITIONS, {})})
            assert answer[name][0] == 0, answer
    for made, system in enumerate(systems[:turn + 1]):
        for partition in range(PARTITIONS):
            with wire.Connection("127.0.0.1", broker.port) as connection:
                connection.await_served(f"spread-{system}", partition)
            place = ["-t", f"spread-{system}", "-p", str(partition)]
            kcat(broker, "-P", *place, text="\n".join(spread_lines(system, turn, partition)) + "\n")
            got = kcat(broker, "-C", *place, "-o", "beginning", "-e", "-q").splitlines()
            wanted = [line for t in range(made, turn + 1) for line in spread_lines(system, t, partition)]
            assert got == wanted, f"{system} {partition}: {len(got)} lines, wanted {len(wanted)}"
    # Who comes second may find the one directory fuller than the other.
    for directory in directories:
        there = [name for name in os.listdir(directory) if name.startswith(f"spread-{systems[0]}-")]
        assert there, f"nothing of spread-{systems[0]} in {directory}"


def transact(broker, turn, committed):
    """Transactions that end either way, in turn; what the committed ones hold is added to `committed`."""
    sys.path.insert(0, python_packages.confluent_kafka())
    from confluent_kafka import Producer  # where it is installed is known only now
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": "swap", "log_level": 0})
    producer.init_transactions(60)
    for i in range(4):
        for word, end in (("aborted", producer.abort_transaction), ("committed", producer.commit_transaction)):
            producer.begin_transaction()
            value = f"turn {turn} {word} {i}"
            producer.produce(TRANSACTIONS, value.encode(), partition=0)
            assert producer.flush(30) == 0, "not sent"
            end(30)
            if word == "committed":
                committed.append(value)


def read_committed(broker, committed):
    with wire.Connection("127.0.0.1", broker.port) as connection:
        connection.await_served(TRANSACTIONS, 0)
    read = ["-C", "-t", TRANSACTIONS, "-p", "0", "-o", "beginning", "-e", "-q", "-X"]
    got = kcat(broker, *read, "isolation.level=read_committed").splitlines()
    assert got == committed, f"got {got}, wanted {committed}"
    everything = kcat(broker, *read, "isolation.level=read_uncommitted").splitlines()
    assert len(everything) == 2 * len(committed), f"with aborted ones: {everything}"


def find_groups(broker, turn, member):
    """The member that the other system served is still one, and what was committed there is."""
    if turn == 0:
        return
    with wire.Connection("127.0.0.1", broker.port) as member.connection:
        error, message = member.beat()
        assert error == 0, f"heartbeat: error {error} {message}"
        found = group_member.describe(member.connection, CONSUMERS)
        assert (found[0], found[3]) == (0, [member.member]), found
        error, offsets = group_member.until_served(
            member.connection, COMMITTED, lambda: member.connection.fetch_offsets(COMMITTED, "swap-none", [0]))
        assert (error, offsets) == (0, {0: turn}), (error, offsets)


def leave_groups(broker, turn, member):
    """A member that has not left when the broker stops, and an offset; the last turn's member may have been silent for too long."""
    with wire.Connection("127.0.0.1", broker.port) as member.connection:
        member.connection.find_coordinator(CONSUMERS)
        member.join()
        error, = group_member.until_served(
            member.connection, COMMITTED, lambda: (member.connection.commit_offset(COMMITTED, "swap-none", 0, turn + 1),))
        assert error == 0, error


def config_is_kept(broker):
    out = kafka_jars.run_tool("kafka-topics", ["--bootstrap-server", broker.bootstrap, "--describe",
                                               "--topic", "swap-none"]).stdout
    assert "retention.ms=86400000" in out, out


def take_turn(report, broker, turn, committed, systems, member):
    name = f"turn_{turn}_{broker.system}"
    try:
        broker.start()
    except brokers.StartFailed as error:
        report.failed(f"{name}/starts", error)
        return False
    with broker:
        if turn == 0:
            create(broker)
        report.run(f"{name}/groups", find_groups, broker, turn, member)
        report.run(f"{name}/configs", config_is_kept, broker)
        for codec in CODECS:
            report.run(f"{name}/read_{codec}", compare, broker, codec, turn)
            report.run(f"{name}/produce_{codec}", produce, broker, codec, turn)
            report.run(f"{name}/read_more_{codec}", compare, broker, codec, turn + 1)
        report.run(f"{name}/spread", spread, broker, systems, turn, broker.data_dirs)
        report.run(f"{name}/read_committed", read_committed, broker, committed)
        if broker.system == "kafka":
            report.run(f"{name}/transactions", transact, broker, turn, committed)
            report.run(f"{name}/read_committed_more", read_committed, broker, committed)
        report.run(f"{name}/groups_more", leave_groups, broker, turn, member)
        code = broker.stop()
        report.expect(f"{name}/stops_cleanly", code in (0, 143), f"exit code {code}")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--binary", default=os.path.join(kafka_jars.ROOT, "build/release/millrace"))
    parser.add_argument("--first", choices=("millrace", "kafka"), default="millrace")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--directories", type=int, default=2, help="of log.dirs")
    parser.add_argument("--release", help="format with the features of that release of Kafka, not the newest")
    parser.add_argument("--override", action="append", default=[], metavar="KEY=VALUE", help="a setting for Millrace")
    parser.add_argument("--quorum", choices=("static", "standalone"), default="static",
                        help="controller.quorum.voters, or voters that the metadata names")
    reports.add_report_options(parser)
    options = parser.parse_args()
    report = reports.Report(options.only)
    scratch = tempfile.mkdtemp(prefix="millrace-swap-")
    systems = ["millrace", "kafka"] if options.first == "millrace" else ["kafka", "millrace"]
    directories = ",".join(os.path.join(scratch, f"data{i}") for i in range(options.directories))
    try:
        port = brokers.free_port()
        committed = []
        member = group_member.ConsumerMember(None, CONSUMERS, "swap-none")
        for turn in range(options.turns):
            system = systems[turn % 2]
            settings = {"log.dirs": directories, "node.id": NODE_ID}
            if system == "millrace":
                settings.update(pair.split("=", 1) for pair in options.override)
            broker = brokers.open_broker(system, os.path.join(scratch, system), options.binary, settings,
                                         port=port, static_quorum=options.quorum == "static",
                                         release=options.release)
            if not take_turn(report, broker, turn, committed, systems, member):
                break
    except Exception as error:  # the closing line is printed whatever happens
        report.failed("script/ends", f"{type(error).__name__}: {error}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(report.close(options.json, {"first": options.first}))


if __name__ == "__main__":
    main()
