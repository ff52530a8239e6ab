// CoordinatorDriver: the groups of one partition of __consumer_offsets, as a machine over that partition.
//
//   question → machine.step → records appended → applied at once → stable as the topic's durability has it → answer
//
// So what a client was told survives what the topic's durability promises to survive, and nobody is told of what may be lost.
//
// Shard:      the partition's; handlers of other shards come over with io::Shards::call.
// Lifetime:   start(), then stop(), which must have completed before destruction. Handlers hold it by shared_ptr.
// Failure:    when an append fails, the machine, which is ahead of the log now, is dropped, whoever waits is told to ask again,
//             and a new one is made from the log.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/prng.h"
#include "engine/group/group_machine.h"
#include "engine/partition/partition.h"
#include "io/gate.h"
#include "io/reactor.h"
#include "io/task.h"
#include "io/wait.h"

namespace millrace::engine {

// An answer, or why this coordinator has none: COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR.
using GroupOutcome = std::expected<GroupAnswer, wire::ErrorCode>;

class CoordinatorDriver {
 public:
  // `use` outlives it.
  CoordinatorDriver(std::shared_ptr<Partition> partition, GroupOptions options, GroupUse& use,
                    std::uint64_t seed);
  ~CoordinatorDriver();
  CoordinatorDriver(const CoordinatorDriver&) = delete;

  PartitionIndex partition() const { return partition_->id().partition; }
  const TopicPartition& id() const { return partition_->id(); }
  bool is_over(const Partition& partition) const { return partition_.get() == &partition; }

  // Begins to load; until that is done questions are answered with COORDINATOR_LOAD_IN_PROGRESS.
  void start();
  // Asks the machine. What the event points to must live until the answer.
  io::Task<GroupOutcome> ask(GroupEvent event);
  // Whoever waits is answered now, and so is whoever comes.
  void end_waits();
  io::Task<void> stop();

 private:
  struct Waiting {
    std::optional<GroupOutcome> outcome;
    io::Event done;
  };
  struct PendingReply {
    Offset seen_end;
    GroupReply reply;
  };

  void begin_load();
  io::Task<void> load();
  void decide(GroupEvent event);
  bool append(const std::vector<GroupRecord>& records, bool atomic);
  io::Task<void> write(std::vector<std::byte> batch, std::uint64_t term);
  void drop_machine(const Error& error);
  void deliver();
  void answer(Ticket ticket, GroupOutcome outcome);
  void refuse_all(wire::ErrorCode error);
  void on_timer();

  std::shared_ptr<Partition> partition_;
  const GroupOptions options_;
  GroupUse& use_;
  Prng prng_;
  std::unique_ptr<GroupMachine> machine_;  // null while it loads
  std::uint64_t term_ = 0;                 // counts machines
  bool loading_ = false;
  bool ending_ = false;
  std::uint64_t writing_ = 0;
  io::Event written_;
  std::uint64_t last_ticket_ = 0;
  std::unordered_map<std::uint64_t, Waiting*> waiting_;
  std::deque<PendingReply> pending_;
  GroupEffects effects_;
  io::Timer timer_;
  io::Gate gate_;
};

}  // namespace millrace::engine
