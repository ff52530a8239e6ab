"""Figures of consumer groups: commits of offsets, and the time from a member's join to its first record."""

import os
import statistics
import time

from measure import load
from rig import wire

CONSUMER_GROUP_HEARTBEAT = 68
JOIN_PARTITIONS = 100
# Members that join within it form one generation at once; without it, the time is the broker's own.
OVERRIDES = {"group.initial.rebalance.delay.ms": "0"}


class Groups:
    """Drives one broker, as load.Load does."""

    def __init__(self, broker, sizes, programs):
        self.load = load.Load(broker, sizes, programs)
        self.broker = broker
        self.sizes = sizes
        self.programs = programs

    def measure(self, group):
        return getattr(self, group)()

    def run(self, program, *arguments):
        return load.json_line([os.path.join(self.programs, program), "--port", str(self.broker.port), *arguments],
                              self.sizes.client_timeout)

    def commits(self):
        self.load.create("commits", 1)
        values = {}
        for groups, name in ((1, "commits_1_group"), (200, "commits_200_groups")):
            before = self.broker.cpu_seconds()
            answer = self.run("bench_commits", "--topic", "commits", "--groups", str(groups), "--warm-up", "3",
                              "--seconds", str(self.sizes.commit_seconds))
            spent = self.broker.cpu_seconds() - before
            values[name] = answer["commits_per_second"]
            values[f"{name}_p99"] = answer["p99_us"]
            values[f"{name}_cpu"] = 1e6 * spent / (answer["commits_per_second"] * (self.sizes.commit_seconds + 3))
        return values

    def join(self):
        self.load.create("join", JOIN_PARTITIONS)
        with wire.Connection("127.0.0.1", self.broker.port, timeout=60) as connection:
            for partition in range(JOIN_PARTITIONS):
                connection.produce("join", partition, wire.batch([b"first"]))
            advertised = connection.api_versions(0)[1]
        values = {}
        for protocol in ("classic", "consumer"):
            if protocol == "consumer" and CONSUMER_GROUP_HEARTBEAT not in advertised:
                print("    left out: the consumer protocol, which the broker does not advertise", flush=True)
                continue
            for members in (1, 100):
                values[f"join_{protocol}_{members}"] = self.join_time(protocol, members)
        return values

    def join_time(self, protocol, members):
        """Milliseconds until the last of the members has a record, the median of groups after the first few."""
        times = []
        for number in range(self.sizes.join_rounds + 3):
            answer = self.run("bench_join", "--topic", "join", "--members", str(members), "--protocol", protocol,
                              "--group", f"join-{protocol}-{members}-{number}")
            times.append(answer["longest_us"] / 1e3)
            time.sleep(0.05)
        return statistics.median(times[3:])
