#!/usr/bin/env python3
"""More shards than the machine has cores: each starts, what was acknowledged outlives a kill, and memory that cannot hold a
request for each of them is refused by a sentence."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from rig import running, wire  # noqa: E402

TOPIC = "spread"
PARTITIONS = 6


def values(connection):
    read = []
    for partition in range(PARTITIONS):
        error, _, _, data = connection.fetch(TOPIC, partition, 0)
        assert error == 0, f"partition {partition}: error {error}"
        read.append(data)
    return read


def lives(run, shards):
    overrides = {"millrace.shards": str(shards)}
    with run.open(overrides, folder=os.path.join(run.scratch, f"shards-{shards}")) as broker:
        broker.start()
        for life in range(2):
            with wire.Connection("127.0.0.1", broker.port, timeout=20) as connection:
                if life == 0:
                    connection.create_topics(4, {TOPIC: PARTITIONS})
                for partition in range(PARTITIONS):
                    connection.await_served(TOPIC, partition)
                    error, _ = connection.produce(TOPIC, partition, wire.batch([f"{life}/{partition}".encode()]))
                    assert error == 0, f"produce to partition {partition}: error {error}"
            broker.kill()
            broker.start()
        with wire.Connection("127.0.0.1", broker.port, timeout=20) as connection:
            for partition in range(PARTITIONS):
                connection.await_served(TOPIC, partition)
            for partition, data in enumerate(values(connection)):
                for life in range(2):
                    assert f"{life}/{partition}".encode() in data, f"life {life} of partition {partition} is lost"
        code = broker.stop()
        assert code == 0, f"exit code {code}: {broker.log_tail()}"


def large_request(run):
    """More than 256 MiB as the largest request: there is memory for it."""
    with run.open({"socket.request.max.bytes": "300000000"}, folder=os.path.join(run.scratch, "large")) as broker:
        broker.start()
        code = broker.stop()
        assert code == 0, f"exit code {code}: {broker.log_tail()}"


def too_little_memory(run):
    overrides = ("--override", "millrace.memory.bytes=1000000", "--override", f"log.dirs={run.scratch}/never")
    empty = os.path.join(run.scratch, "empty.properties")
    with open(empty, "w", encoding="utf-8"):
        pass
    said = []
    for words in (("serve", empty), ("config", "check", empty)):
        done = subprocess.run([run.options.binary, *words, *overrides], capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == 1, f"{words}: exit code {done.returncode}: {done.stderr}"
        assert "millrace.memory.bytes=1000000" in done.stderr, done.stderr
        assert "socket.request.max.bytes=104857600" in done.stderr, done.stderr
        said.append(done.stderr)
    assert said[0] == said[1], said
    assert not os.path.exists(f"{run.scratch}/never")


def body(run):
    for shards in (1, 3, 4, 7):
        run.report.run(f"many_shards/{shards}", lives, run, shards)
    run.report.run("many_shards/large_request", large_request, run)
    run.report.run("many_shards/too_little_memory", too_little_memory, run)


if __name__ == "__main__":
    running.main(running.parser(__doc__.split(":", maxsplit=1)[0]).parse_args(), body)
