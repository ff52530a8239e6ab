// ConsumerWorld: a group coordinator, the cluster's topics and a clock, driven by the commands of a transcript.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/group/group_machine.h"
#include "engine/metadata/image.h"
#include "tests/support/transcript.h"

namespace millrace::engine {

class ConsumerWorld {
 public:
  ConsumerWorld();

  std::string handle(const tests::TranscriptCommand& command);

 private:
  using Command = tests::TranscriptCommand;

  void reset();
  std::string step(GroupEvent event);
  void apply(GroupMachine& machine, const GroupRecord& record);
  void expect_replay_gives_the_same();
  Ticket ticket(const Command& command);

  std::string set_options(const Command& command);
  std::string set_topics(const Command& command);
  std::string configure(const Command& command);
  std::string beat(const Command& command);
  std::string look_up(const Command& command);
  std::string commit(const Command& command);
  std::string fetch(const Command& command);
  std::string delete_offsets(const Command& command);
  std::string describe(const Command& command);
  std::string list(const Command& command);
  std::string remove(const Command& command);
  std::string advance(const Command& command);
  std::string restart(const Command& command);
  std::string join(const Command& command);
  std::string sync(const Command& command);
  std::string heartbeat(const Command& command);
  std::string leave(const Command& command);

  std::string print(const GroupAnswer& answer);
  std::string printed(const GroupRecord& record);
  std::string printed(const ConsumerAssignment& assignment) const;
  std::string name_of(const TopicId& id) const;
  ConsumerAssignment parsed(const std::vector<std::string>& partitions) const;
  std::string with_short_ids(std::string text);
  std::string long_id(const std::string& text) const;

  GroupOptions options_;
  GroupUse use_;
  std::uint64_t seed_ = 0;
  std::unique_ptr<GroupMachine> machine_;
  MetadataImage image_;
  std::map<std::string, TopicId> ids_;
  std::vector<GroupRecord> log_;
  std::map<std::uint64_t, std::string> asked_;  // who waits, by ticket
  std::uint64_t last_ticket_ = 0;
  std::map<std::string, std::size_t> short_ids_;
  Instant now_{std::chrono::hours(1)};
  WallTime wall_{1'000'000};
  std::optional<Instant> wake_at_;
};

}  // namespace millrace::engine
