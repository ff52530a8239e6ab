"""Figures taken under load: produce, fetch, latency and durable produce, against one running broker."""

import glob
import json
import os
import re
import resource
import subprocess

from rig import kafka_jars, wire

GB = 1e9
MIB = 1 << 20
PARTITIONS = 6
# What kafka-run-class.sh gives a tool.
CLIENT_JVM = ["-Xmx512m", *kafka_jars.BROKER_JVM]
DURABLE = {
    "kafka": {"flush.messages": "1"},
    "millrace": {"millrace.durability": "fsync"},
}


class Sizes:
    """How much each measurement sends, full or quick."""

    def __init__(self, quick):
        self.produce_1k_records = 200_000 if quick else 2_000_000
        self.produce_100_records = 500_000 if quick else 5_000_000
        self.warm_up_share = 0.15
        self.latency_seconds = 5 if quick else 20
        self.durable_seconds = 4 if quick else 10
        self.commit_seconds = 3 if quick else 8
        self.join_rounds = 3 if quick else 11
        self.dirty_megabytes = 200 if quick else 400
        self.cold_megabytes = 100 if quick else 300
        self.busy_seconds = 1 if quick else 2  # about as long as the fastest cleaner has work
        self.client_timeout = 120 if quick else 400


class Load:
    """Drives one broker. Lifetime: one start of the broker; topics carry fresh names."""

    def __init__(self, broker, sizes, programs):
        self.broker = broker
        self.sizes = sizes
        self.programs = programs  # folder of bench_latency and bench_durable

    def create(self, topic, partitions, configs=None):
        with wire.Connection("127.0.0.1", self.broker.port, timeout=60) as connection:
            answer = connection.create_topics(4, {topic: (partitions, configs or {})})
            if answer[topic][0] != 0:
                raise RuntimeError(f"cannot create {topic}: {answer[topic]}")
            for partition in range(partitions):
                connection.await_served(topic, partition, 60)

    def measure(self, group):
        """The values of one group of figures, by figure name."""
        return getattr(self, group)()

    def perf_produce(self, topic, records, size, properties):
        """Runs kafka-producer-perf-test; returns (CPU seconds of broker and client, records/s)."""
        before, client_before = self.broker.cpu_seconds(), children_cpu_seconds()
        command = kafka_jars.command_for("kafka-producer-perf-test", [
            "--bootstrap-server", self.broker.bootstrap, "--topic", topic, "--num-records",
            str(records), "--record-size", str(size), "--throughput", "-1", "--command-property",
            *properties], jvm=CLIENT_JVM)
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              timeout=self.sizes.client_timeout)
        spent = self.broker.cpu_seconds() - before
        found = re.findall(rf"^{records} records sent, ([\d.]+) records/sec", done.stdout, re.M)
        if done.returncode != 0 or not found:
            raise RuntimeError("kafka-producer-perf-test: " + (done.stdout + done.stderr)[-600:])
        return spent, children_cpu_seconds() - client_before, float(found[-1])

    def produce(self, name, records, size, properties):
        """Warms broker and topic up, then measures. Returns (broker's and client's CPU s/GB,
        records/s)."""
        self.create(name, PARTITIONS)
        self.perf_produce(name, int(records * self.sizes.warm_up_share), size, properties)
        spent, client, rate = self.perf_produce(name, records, size, properties)
        gigabytes = records * size / GB
        return spent / gigabytes, client / gigabytes, rate

    def produce_1k(self):
        cpu, client, rate = self.produce("produce-1k", self.sizes.produce_1k_records, 1024, ["acks=1"])
        return {"produce_1k_cpu": cpu, "produce_1k_mb": rate * 1024 / 1e6,
                "produce_1k_client_cpu": client}

    def produce_100(self):
        cpu, client, rate = self.produce("produce-100", self.sizes.produce_100_records, 100,
                                 ["acks=all", "enable.idempotence=true"])
        return {"produce_100_cpu": cpu, "produce_100_records": rate,
                "produce_100_client_cpu": client}

    def fetch(self):
        """Reads a topic of 1 KiB records twice: once from the page cache, once from the disk."""
        topic, records = "fetch", self.sizes.produce_1k_records
        self.create(topic, PARTITIONS)
        self.perf_produce(topic, records, 1024, ["acks=1"])
        self.group_read(topic, records)  # warms up
        hot_cpu, hot_rate = self.group_read(topic, records)
        dropped = drop_page_cache(self.broker.data_dir, topic)
        if dropped < records * 1024 * 0.9:
            raise RuntimeError(f"only {dropped} bytes of {topic} are in its segments")
        cold_cpu, cold_rate = self.group_read(topic, records)
        return {"fetch_hot_cpu": hot_cpu, "fetch_hot_mb": hot_rate, "fetch_cold_cpu": cold_cpu,
                "fetch_cold_mb": cold_rate}

    def group_read(self, topic, records):
        """Runs kafka-consumer-perf-test over the whole topic, in a group of its own; returns (CPU s/GB, MB/s
        without the time the group took to form)."""
        before = self.broker.cpu_seconds()
        command = kafka_jars.command_for("kafka-consumer-perf-test", [
            "--bootstrap-server", self.broker.bootstrap, "--topic", topic, "--num-records", str(records),
            "--timeout", "30000", "--hide-header"], jvm=CLIENT_JVM)
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              timeout=self.sizes.client_timeout)
        spent = self.broker.cpu_seconds() - before
        lines = [line.split(", ") for line in done.stdout.splitlines() if line.count(", ") == 9]
        if done.returncode != 0 or not lines or int(lines[-1][4]) < records:
            raise RuntimeError("kafka-consumer-perf-test: " + (done.stdout + done.stderr)[-600:])
        return spent / (float(lines[-1][2]) * MIB / GB), float(lines[-1][8]) * MIB / 1e6

    def latency(self):
        self.create("latency", 1)
        answer = json_line([os.path.join(self.programs, "bench_latency"), "--bootstrap",
                            self.broker.bootstrap, "--topic", "latency", "--seconds",
                            str(self.sizes.latency_seconds)], self.sizes.client_timeout)
        return {"latency_p50": answer["p50_us"], "latency_p99": answer["p99_us"],
                "latency_p999": answer["p999_us"]}

    def durable(self):
        self.create("durable", 64, DURABLE[self.broker.system])
        answer = json_line([os.path.join(self.programs, "bench_durable"), "--port",
                            str(self.broker.port), "--topic", "durable", "--partitions", "64",
                            "--seconds", str(self.sizes.durable_seconds)], self.sizes.client_timeout)
        return {"durable_batches": answer["batches_per_second"], "durable_p50": answer["p50_us"],
                "durable_p99": answer["p99_us"]}


def children_cpu_seconds():
    """User and system time of all client processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def json_line(command, timeout):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{os.path.basename(command[0])}: {(done.stdout + done.stderr)[-600:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def drop_page_cache(data_dir, topic):
    """Writes the topic's segments out and drops their pages, and theirs alone. Returns their bytes."""
    total = 0
    for path in glob.glob(os.path.join(data_dir, f"{topic}-*", "*.log")):
        with open(path, "rb") as segment:
            os.fsync(segment.fileno())
            os.posix_fadvise(segment.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            total += os.fstat(segment.fileno()).st_size
    return total
