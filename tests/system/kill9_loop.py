#!/usr/bin/env python3
"""Kills the broker with SIGKILL again and again under load; nothing acknowledged may be lost or doubled.

Four loads run at once: idempotent with acks=all and plain with acks=1, each on a topic with `fsync` and
one with `replicated` durability. Every fifth kill comes while the broker is still starting.
"""

import json
import os
import random
import sys
import time

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
import loads  # noqa: E402
from rig import brokers, running  # noqa: E402


def kill_once(broker, chance, number):
    """One kill and restart; returns the seconds that the restart took."""
    time.sleep(chance.uniform(0.1, 0.9))
    broker.kill()
    if number % 5 == 4:
        try:
            broker.start(timeout=chance.uniform(0.005, 0.1))  # killed by StartFailed's time limit
            broker.kill()
        except brokers.StartFailed:
            broker.kill()
    broker.start(60)
    return broker.start_seconds


def body(run):
    chance = random.Random(run.options.seed)
    broker = run.open({"log.segment.bytes": "4194304"})
    sendings = [loads.Sending(broker, run.scratch, *one) for one in loads.LOADS]
    starts = []
    with broker:
        broker.start()
        loads.create_topics(run, broker, sendings)
        try:
            for sending in sendings:
                sending.start()
            time.sleep(1)
            for number in range(run.options.kills):
                starts.append(kill_once(broker, chance, number))
                if not all(sending.process.poll() is None for sending in sendings):
                    raise RuntimeError("a load program ended by itself")
            time.sleep(1)
            acknowledged = {sending.name: sending.stop()["acknowledged"] for sending in sendings}
        finally:
            for sending in sendings:
                sending.kill()
        run.report.expect("kills", len(starts) == run.options.kills, f"{len(starts)} kills")
        starts.sort()
        print(f"restart to first answer: median {starts[len(starts) // 2]:.3f} s, longest {starts[-1]:.3f} s")
        verify(run, sendings, acknowledged, "")
        code = broker.stop()
        run.report.expect("stops_cleanly", code in (0, 143), f"exit code {code}")
        broker.start()
        verify(run, sendings, acknowledged, "_after_clean_restart")


def verify(run, sendings, acknowledged, suffix):
    for sending in sendings:
        good, note = sending.verify()
        run.report.expect(f"{sending.name}{suffix}", good, note)
        if good:
            counts = json.loads(note.split("}")[0] + "}")
            run.report.expect(f"{sending.name}{suffix}_made_progress",
                              acknowledged[sending.name] > 20 * run.options.kills and
                              counts["acknowledged"] == acknowledged[sending.name],
                              f"acknowledged {acknowledged[sending.name]}, history {counts}")
            print(f"  {sending.name}: {note}")


if __name__ == "__main__":
    parser = running.parser(__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=50)
    running.main(parser.parse_args(), body)
