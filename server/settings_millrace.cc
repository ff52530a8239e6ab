// Millrace's own settings. One row a setting, in the order of their names.
#include "server/settings_table.h"

namespace millrace::server {
namespace {

constexpr Setting kSettings[] = {
    integer("millrace.disk.reserve.percent", "5",
            "Part of each log directory's file system, but at most 1 GiB, that produce leaves free: "
            "below it produce gets KAFKA_STORAGE_ERROR, while the metadata log, deletions and "
            "checkpoints still have room. 0 keeps nothing free.")
        .within(between(0, 50)),
    string("millrace.durability", "fsync",
           "Default of topics: when a produce is acknowledged. `fsync`: once the batch is on disk. "
           "`replicated`: once "
           "every in-sync replica holds it in memory, which survives the death of the process but "
           "not of the machine.")
        .within(one_of("fsync,replicated"))
        .cluster_wide(),
    integer("millrace.group.join.pause.ms", "5",
            "Whoever joins a group of the consumer protocol that nobody is in is answered when nobody else has joined for this "
            "long, at the latest after four times as long, so that members who come together are assigned together. One that is "
            "alone waits a fifth of it. 0 answers at once.")
        .within(between(0, 5000)),
    long_integer("millrace.group.memory.bytes", "536870912",
                 "Memory of each shard for its groups: members with all they say and have, and committed offsets with "
                 "their metadata. What would be over it is refused.")
        .within(at_least(1024 * 1024)),
    string("millrace.io.backend", "auto",
           "How the kernel is asked for I/O. `auto`: io_uring where it works, else epoll; "
           "`millrace doctor` says which.")
        .within(one_of("auto,uring,epoll")),
    string("millrace.log.level", "info", "Least important lines that are logged.")
        .within(one_of("debug,info,warn,error")),
    string("millrace.log.path", kNull,
           "File for the broker's own log lines; standard error when it is not set."),
    long_integer("millrace.memory.bytes", "0",
                 "Memory for requests under way, over all shards; 0 stands for 256 MiB, or for one "
                 "request of socket.request.max.bytes per shard where that is more.")
        .within(at_least(0)),
    string(
        "millrace.poll", "never",
        "Whether a shard with nothing to do looks for work (lower latency, a busy core) or sleeps.")
        .within(one_of("adaptive,always,never")),
    integer("millrace.poll.us", "100",
            "How long an adaptive shard looks for work before it sleeps, in microseconds.")
        .within(between(0, 1000000)),
    integer("millrace.shards", "0",
            "Shards, each a thread with its own partitions; 0 for one per hardware thread it may run on, and on two of them for one "
            "alone if millrace.durability is replicated.")
        .within(between(0, 1024)),
    string(
        "millrace.tcp.congestion", "auto",
        "TCP congestion control of client connections: auto for cubic where it may be chosen, system for the machine's "
        "default, or a name."),
    long_integer(
        "millrace.wal.bytes", "536870912",
        "Size of each shard's write-ahead log, which makes waiting batches durable in one write.")
        .within(at_least(16 * 1024 * 1024)),
};

}  // namespace

std::span<const Setting> millrace_settings() {
  return kSettings;
}

}  // namespace millrace::server
