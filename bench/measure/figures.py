"""The figures of bench/compare: what each is called, its unit, and what Millrace is to reach.

`reach` is a bound on Millrace divided by Apache Kafka: `<=` or `>=` and a number; None where the figure
is only shown. With the word `alone` behind it, it is a bound on Millrace's own figure.
"""

from typing import NamedTuple, Optional


class Figure(NamedTuple):
    name: str
    group: str
    unit: str
    reach: Optional[str]
    about: str


FIGURES = (
    Figure("produce_1k_cpu", "produce_1k", "CPU s/GB", "<= 0.20",
           "broker CPU per GB produced: 1 KiB records, acks=1"),
    Figure("produce_1k_mb", "produce_1k", "MB/s", ">= 1.5", "peak produce rate, 1 KiB records, acks=1"),
    Figure("produce_1k_client_cpu", "produce_1k", "CPU s/GB", None,
           "what the client itself spent: where it is far above the broker, it limits the rate"),
    Figure("produce_100_cpu", "produce_100", "CPU s/GB", "<= 0.25",
           "broker CPU per GB produced: 100 B records, acks=all, idempotent"),
    Figure("produce_100_records", "produce_100", "records/s", ">= 1.5",
           "peak produce rate, 100 B records, acks=all, idempotent"),
    Figure("produce_100_client_cpu", "produce_100", "CPU s/GB", None, "what the client itself spent"),
    Figure("fetch_hot_cpu", "fetch", "CPU s/GB", "<= 0.40", "broker CPU per GB fetched, page cache warm"),
    Figure("fetch_hot_mb", "fetch", "MB/s", None, "fetch rate of a group of one, page cache warm"),
    Figure("fetch_cold_cpu", "fetch", "CPU s/GB", "<= 0.40", "broker CPU per GB fetched, page cache dropped"),
    Figure("fetch_cold_mb", "fetch", "MB/s", None, "fetch rate, page cache dropped"),
    Figure("latency_p50", "latency", "us", None, "end to end, 10,000 records/s of 100 B, open loop"),
    Figure("latency_p99", "latency", "us", "<= 0.25", "the same, 99th percentile"),
    Figure("latency_p999", "latency", "us", None, "the same, 99.9th percentile"),
    Figure("durable_batches", "durable", "batches/s", ">= 8",
           "acks=all on disk before the answer, 64 partitions, 16 KiB batches"),
    Figure("durable_p50", "durable", "us", None, "the same: request to answer, median"),
    Figure("durable_p99", "durable", "us", "<= 0.2", "the same: request to answer, 99th percentile"),
    Figure("commits_1_group", "commits", "commits/s", ">= 3", "offset commits of one group, 32 connections"),
    Figure("commits_1_group_p99", "commits", "us", None, "the same: request to answer, 99th percentile"),
    Figure("commits_1_group_cpu", "commits", "us", None, "the same: broker CPU per commit"),
    Figure("commits_200_groups", "commits", "commits/s", ">= 3", "offset commits of 200 groups in turn"),
    Figure("commits_200_groups_p99", "commits", "us", None, "the same: request to answer, 99th percentile"),
    Figure("commits_200_groups_cpu", "commits", "us", None, "the same: broker CPU per commit"),
    Figure("join_classic_1", "join", "ms", "<= 0.5", "join to first record, classic, no initial delay, heartbeats of 20 ms"),
    Figure("join_classic_100", "join", "ms", "<= 0.5", "the same until the last of 100 members that join at once"),
    Figure("join_consumer_1", "join", "ms", "<= 0.5", "join to first record, consumer protocol"),
    Figure("join_consumer_100", "join", "ms", "<= 0.5", "the same until the last of 100 members that join at once"),
    Figure("cleaner_mb", "cleaner", "MB/s", ">= 2", "dirty bytes the cleaner gets through"),
    Figure("cleaner_rss", "cleaner", "MB", "<= 0.5", "most resident memory of the broker while it cleans"),
    Figure("cleaner_growth", "cleaner", "MB", None, "by how much that is more than just before"),
    Figure("produce_alone_p99", "busy", "us", None, "1,000 requests/s of 4 KiB, acks=all, open loop"),
    Figure("produce_hot_reader_p99", "busy", "us", None, "the same beside a reader, 50 MB/s, page cache warm: the cores' share"),
    Figure("produce_cold_reader_p99", "busy", "us", None, "the same, page cache dropped"),
    Figure("produce_busy_p99", "busy", "us", None, "the same while the cleaner and the cold reader run"),
    Figure("produce_busy_over_alone", "busy", "times", "<= 1.5 alone", "the last over the first"),
    Figure("start_empty", "size", "s", "<= 0.10", "start to first answered Metadata, no topics"),
    Figure("idle_rss", "size", "MB", "<= 0.10", "resident memory, no topics, idle"),
    Figure("idle_cpu", "size", "% of a core", None, "CPU while idle, no topics"),
    Figure("start_many", "size", "s", "<= 0.10", "start to first answered Metadata, 10,000 partitions"),
    Figure("serving_many", "size", "s", None, "start until all 10,000 partitions answer ListOffsets"),
    Figure("many_rss", "size", "MB", "<= 0.10", "resident memory, 10,000 partitions, idle"),
)

GROUPS = tuple(dict.fromkeys(figure.group for figure in FIGURES))


def reached(figure, ratio, millrace):
    """True or False against the figure's bound, None where it has none."""
    if figure.reach is None:
        return None
    comparison, bound, *alone = figure.reach.split()
    value = millrace if alone else ratio
    if value is None:
        return None
    return value <= float(bound) if comparison == "<=" else value >= float(bound)
