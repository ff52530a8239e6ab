"""Figures of the cleaner: how fast it is, what it holds, and what a producer notices of it and of a cold reader."""

import glob
import json
import os
import re
import subprocess
import threading
import time

from measure import load
from rig import wire

OVERRIDES = {"log.cleaner.backoff.ms": "100"}
KEYS = 100_000
VALUE_BYTES = 1000
SEGMENT_BYTES = 64 << 20
# What the reader asks for: below what it could read, since it has its turn on the same cores as the paced producer.
READ_BYTES_PER_SECOND = 50_000_000
COMPACT = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.001"}


class Cleaning:
    """Drives one broker, as load.Load does."""

    def __init__(self, broker, sizes, programs):
        self.load = load.Load(broker, sizes, programs)
        self.broker = broker
        self.sizes = sizes
        self.programs = programs

    def measure(self, group):
        return getattr(self, group)()

    def fill(self, topic, megabytes, keyed=True):
        """A topic of so much, with every key in it several times; it is not compacted yet."""
        self.load.create(topic, 1, {"segment.bytes": str(SEGMENT_BYTES)})
        command = ["kcat", "-b", self.broker.bootstrap, "-P", "-t", topic, "-p", "0", "-X", "linger.ms=5",
                   "-X", "queue.buffering.max.messages=100000", *(["-K", "|"] if keyed else [])]
        with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as kcat:
            value = "v" * VALUE_BYTES
            for i in range(megabytes * 1000):
                kcat.stdin.write(f"key-{i * 7919 % KEYS}|{value}\n")
        if kcat.returncode != 0:
            raise RuntimeError(f"kcat ended with {kcat.returncode}")
        for path in self.segments(topic):
            with open(path, "rb") as segment:
                os.fsync(segment.fileno())

    def segments(self, topic):
        return sorted(glob.glob(os.path.join(self.broker.data_dir, f"{topic}-0", "*.log")))

    def compact(self, topics):
        """Lets the cleaner at them."""
        with wire.Connection("127.0.0.1", self.broker.port, timeout=60) as connection:
            for topic in topics:
                error = connection.set_topic_configs(topic, COMPACT)
                if error != 0:
                    raise RuntimeError(f"IncrementalAlterConfigs answered error {error}")

    def cleaned_end(self, topic):
        """The offset up to which the topic is clean, as far as the system has said; 0 before that."""
        if self.broker.system == "millrace":
            ends = re.findall(rf"log.cleaned partition={topic}-0 .*?cleaned_end=(\d+)", self.broker.log_text())
            return int(ends[-1]) if ends else 0
        try:
            with open(os.path.join(self.broker.data_dir, "cleaner-offset-checkpoint"), encoding="ascii") as text:
                found = re.search(rf"^{topic} 0 (\d+)$", text.read(), re.M)
        except FileNotFoundError:
            return 0
        return int(found.group(1)) if found else 0

    def cleaner(self):
        """From the moment that the topic is to be compacted until it is, and the most memory meanwhile."""
        topic = "cleaner"
        self.fill(topic, self.sizes.dirty_megabytes)
        active = self.segments(topic)[-1]
        dirty = sum(os.path.getsize(path) for path in self.segments(topic)[:-1])
        wanted = int(os.path.basename(active).split(".")[0])
        before = self.broker.rss_bytes()
        watch = Watch(self.broker)
        watch.start()
        try:
            self.compact([topic])
            begin = time.monotonic()
            deadline = time.monotonic() + self.sizes.client_timeout
            while self.cleaned_end(topic) < wanted:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"cleaned up to {self.cleaned_end(topic)} of {wanted}")
                time.sleep(0.01)
            seconds = time.monotonic() - begin
        finally:
            watch.ending = True
            watch.join()
        return {"cleaner_mb": dirty / 1e6 / seconds, "cleaner_rss": watch.most / 1e6,
                "cleaner_growth": max(watch.most - before, 0) / 1e6}

    def busy(self):
        """A producer at an even pace: alone, beside a reader of what the page cache holds, beside one of what no cache holds, and
        beside that one and the cleaner. The second tells what a reader costs that shares the cores, and nothing else."""
        self.load.create("paced", 8)
        self.fill("cold", self.sizes.cold_megabytes, keyed=False)
        dirty = [f"dirty-{number}" for number in range(4)]
        for topic in dirty:
            self.fill(topic, self.sizes.dirty_megabytes)
        alone = self.paced_p99(warm_up=1)
        hot = self.beside_reader(cold=False)
        cold = self.beside_reader(cold=True)
        beside = self.beside_reader(cold=True, dirty=dirty)
        last = self.segments(dirty[-1])[-1]
        if self.cleaned_end(dirty[-1]) >= int(os.path.basename(last).split(".")[0]):
            print("    the cleaner ended before the producer did", flush=True)
        return {"produce_alone_p99": alone, "produce_hot_reader_p99": hot, "produce_cold_reader_p99": cold,
                "produce_busy_p99": beside, "produce_busy_over_alone": beside / alone}

    def beside_reader(self, cold, dirty=()):
        """The producer's p99 while a reader reads and the cleaner has the topics `dirty` to clean."""
        command = [os.path.join(self.programs, "bench_read"), "--port", str(self.broker.port), "--topic", "cold",
                   "--bytes-per-second", str(READ_BYTES_PER_SECOND)]
        if cold:
            command += ["--drop", os.path.join(self.broker.data_dir, "cold-0")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
            try:
                if dirty:
                    self.compact(dirty)
                p99 = self.paced_p99(warm_up=0 if dirty else 1)  # every moment counts while the cleaner works
            finally:
                answer, _ = reader.communicate(timeout=60)  # it ends with its input
        if reader.returncode != 0 or json.loads(answer)["bytes_read"] == 0:
            raise RuntimeError(f"the reader ended with {reader.returncode}: {answer}")
        return p99

    def paced_p99(self, warm_up):
        """1,000 requests of 4 KiB a second, acks=all; each is timed from when it was due."""
        answer = load.json_line([
            os.path.join(self.programs, "bench_durable"), "--port", str(self.broker.port), "--topic", "paced",
            "--partitions", "8", "--batch-bytes", "4096", "--every-us", "8000", "--warm-up",
            str(warm_up), "--seconds", str(self.sizes.busy_seconds)], self.sizes.client_timeout)
        return answer["p99_us"]


class Watch(threading.Thread):
    """The most memory that the broker has while this runs."""

    def __init__(self, broker):
        super().__init__()
        self.broker = broker
        self.most = 0
        self.ending = False

    def run(self):
        while not self.ending:
            self.most = max(self.most, self.broker.rss_bytes())
            time.sleep(0.005)
