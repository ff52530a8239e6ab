#!/usr/bin/env python3
"""Cuts the power of the broker's disk under load, with a disk that forgets what was not flushed.

On topics with `fsync` durability nothing acknowledged may be lost. With `replicated` the end of a
partition may be, but never a record from its middle, and the broker says so when it starts again.
"""

import json
import os
import random
import re
import signal
import sys
import time

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
import loads  # noqa: E402
from rig import disks, running  # noqa: E402

LOADS = (("idempotent-fsync", "all", "fsync"), ("acks-1-fsync", "1", "fsync"),
         ("idempotent-replicated", "all", "replicated"))


def one_cut(run, number, kind):
    """One disk, one load, one cut, one recovery."""
    chance = random.Random(run.options.seed * 1000 + number)
    how = "tear" if number % 2 else "drop"
    name = f"cut_{number}_{kind}_{how}"
    folder = os.path.join(run.scratch, name)
    os.makedirs(folder)
    with disks.BreakableDisk(folder, kind) as disk:
        broker = run.open({"log.dirs": os.path.join(disk.path, "data"), "log.segment.bytes": "4194304"},
                          folder=os.path.join(folder, "broker"))
        sendings = [loads.Sending(broker, folder, *one, rate=800) for one in LOADS]
        with broker:
            broker.start()
            loads.create_topics(run, broker, sendings)
            for sending in sendings:
                sending.start()
            try:
                # The longer ones see the kernel write back and commit by itself, every five seconds.
                time.sleep(chance.uniform(1.0, 3.0) if number % 4 < 2 else chance.uniform(6.0, 9.0))
                cut(broker, disk, how, chance.randrange(1 << 30))
            finally:
                for sending in sendings:
                    sending.stop_at_once()
            log_before = len(broker.log_text())
            disk.come_back()
            broker.start(60)
            judge(run, name, sendings, lambda sending: named_by_log(broker, log_before, sending))
            counters = disk.counters()
            print(f"  {name}: {counters['lost']} blocks lost, {counters['torn']} torn, "
                  f"{counters['flushes']} flushes")


def cut(broker, disk, how, seed):
    """Freeze, cut, kill: a broker that still ran after the cut would acknowledge what is already lost."""
    os.kill(broker.pid, signal.SIGSTOP)
    time.sleep(0.1)  # what it had already answered reaches the load
    disks.write_out_unflushed(broker.data_dir)  # so that the disk has something to lose and to tear
    disk.lose_power(how, seed)
    broker.kill()


def named_by_log(broker, since, sending, seconds=10):
    """The partitions of which the log says where they end; waits, as the broker writes its log from a thread of its own."""
    deadline = time.monotonic() + seconds
    while True:
        named = {int(found) for found in re.findall(
            rf"log\.recovered\b.*\bpartition={sending.name}-(\d+) .*\bend_offset=\d+ .*\bbytes_cut=\d+",
            broker.log_text()[since:])}
        if len(named) == sending.partitions or time.monotonic() > deadline:
            return named
        time.sleep(0.05)


def judge(run, name, sendings, named_partitions):
    for sending in sendings:
        promised = sending.durability == "fsync" or run.options.system == "kafka"
        good, note = sending.verify(tail_may_be_lost=sending.durability == "replicated")
        run.report.expect(f"{name}/{sending.name}", good, note)
        if not good:
            continue
        counts = json.loads(note.split("}")[0] + "}")
        run.report.expect(f"{name}/{sending.name}_made_progress", counts["acknowledged"] > 100, note)
        print(f"  {name}/{sending.name}: {counts['acknowledged']} acknowledged, {counts['lost']} lost")
        if not promised and counts["lost"]:
            silent = set(range(sending.partitions)) - named_partitions(sending)
            run.report.expect(f"{name}/{sending.name}_loss_is_said", not silent,
                              f"{counts['lost']} records lost and the log does not say where partitions {silent} end")


def disk_keeps_its_promise(run, kind):
    """What was flushed survives a cut and what was not is gone: else no cut below shows anything."""
    folder = os.path.join(run.scratch, f"promise-{kind}")
    os.makedirs(folder)
    with disks.BreakableDisk(folder, kind) as disk:
        paths = [os.path.join(disk.path, name) for name in ("flushed", "not-flushed")]
        for path in paths:
            with open(path, "wb") as out:
                os.fsync(out.fileno())
        os.sync()
        for path in paths:
            with open(path, "r+b") as out:
                out.write(b"content" * 1000)
                out.flush()
                if path == paths[0]:
                    os.fsync(out.fileno())
        disk.lose_power("drop", 1)
        disk.come_back()
        found = [os.path.getsize(path) for path in paths]
        assert found == [7000, 0], f"bytes after the cut: {found}"


def body(run):
    why = disks.missing()
    if why:
        run.report.failed("power_cut", why)
        return
    for kind in run.options.file_systems.split(","):
        run.report.run(f"disk_keeps_its_promise_{kind}", disk_keeps_its_promise, run, kind)
    kinds = run.options.file_systems.split(",")
    for number in range(run.options.cuts):
        kind = kinds[number // 2 % len(kinds)]
        try:
            one_cut(run, number, kind)
        except Exception as error:  # the next cut has a fresh disk
            run.report.failed(f"cut_{number}_{kind}", f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    parser = running.parser(__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cuts", type=int, default=8)
    parser.add_argument("--file-systems", default="ext4", help="ext4, xfs or both, comma-separated")
    running.main(parser.parse_args(), body)
