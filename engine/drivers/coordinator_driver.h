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
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
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
// What the cluster looks like now.
using ImageSource = std::function<SharedImage()>;

class CoordinatorDriver;
// How a question whose asker has gone is given up. Used on the coordinator's shard; lives in the frame of who asks.
class GroupWait {
 public:
  // Whoever waits is told COORDINATOR_NOT_AVAILABLE; what it has asked for stays as it is.
  void give_up();

 private:
  friend class CoordinatorDriver;
  CoordinatorDriver* driver_ = nullptr;  // null when nobody waits
  Ticket ticket_;
  bool given_up_ = false;
};

class CoordinatorDriver {
 public:
  // `use` outlives it.
  CoordinatorDriver(std::shared_ptr<Partition> partition, GroupOptions options, GroupUse& use,
                    ImageSource image, std::uint64_t seed);
  ~CoordinatorDriver();
  CoordinatorDriver(const CoordinatorDriver&) = delete;

  PartitionIndex partition() const { return partition_->id().partition; }
  const TopicPartition& id() const { return partition_->id(); }
  bool is_over(const Partition& partition) const { return partition_.get() == &partition; }

  // Begins to load; until that is done questions are answered with COORDINATOR_LOAD_IN_PROGRESS.
  void start();
  // Asks the machine. What the event points to must live until the answer.
  io::Task<GroupOutcome> ask(GroupEvent event, GroupWait* wait = nullptr);
  // These topics have gone, and with them what was committed for them; while it loads that is kept for later.
  void drop_topics(const GoneTopics& topics);
  // Completes when no crash brings back what was committed for topics that have gone. What the log does not take now is dropped
  // later: nobody waits for that.
  io::Task<void> topics_dropped();
  // The image has changed in these topics.
  void topics_changed(const std::vector<std::string>& names, bool any_came_or_went);
  // Whoever waits is answered now, and so is whoever comes.
  void end_waits();
  io::Task<void> stop();

 private:
  friend class GroupWait;
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
  void drop_kept_topics();
  void put_off_drops();
  void decide(GroupEvent event);
  void warn(const GroupWarning& warning);
  void look_up_patterns();
  io::Task<void> look_up(PatternQuestion question, std::uint64_t term);
  bool append(const GroupEffects& effects);
  io::Task<void> write(std::vector<std::byte> batch, std::uint64_t term);
  void drop_machine(const Error& error);
  void deliver();
  void answer(Ticket ticket, GroupOutcome outcome);
  void refuse_all(wire::ErrorCode error);
  void on_timer();

  std::shared_ptr<Partition> partition_;
  const GroupOptions options_;
  GroupUse& use_;
  const ImageSource image_;
  Prng prng_;
  std::unique_ptr<GroupMachine> machine_;  // null while it loads
  std::uint64_t term_ = 0;                 // counts machines
  bool loading_ = false;
  std::optional<Instant> retry_load_at_;  // a load has failed: not before then
  GoneTopics dropped_;                    // until the machine is told
  GoneTopics dropping_;                   // it has been told, and its records are not stable yet
  Offset dropping_end_{0};
  std::optional<Instant> retry_drop_at_;  // an append has failed: not before then
  std::uint64_t drops_put_off_ = 0;
  std::map<std::string_view, Instant> warned_at_;  // by event
  io::Event drops_;  // there is news of them
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
