// GroupMachine: the groups whose records are in one partition of __consumer_offsets: their members and their offsets.
//
// Shard:      that partition's; owned by engine/drivers/coordinator_driver.
// Lifetime:   one term of leadership of the partition. When an append fails the driver drops the machine and makes a new one from
//             the log.
// Hard state: committed offsets, and generations with their assignments: apply() alone changes them, from the records as they
//             stand in the log. It runs ahead of what is committed: the driver applies a step's records at once and holds
//             replies until they are committed.
// Soft state: who is joining, who waits for an assignment, sessions. A restart forgets them; members then find out by the errors
//             they get, and join again.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "engine/group/classic_group.h"
#include "engine/group/classic_rebalance.h"
#include "engine/group/consumer_group.h"
#include "engine/group/consumer_rebalance.h"
#include "engine/group/group_input.h"
#include "engine/group/group_move.h"
#include "engine/group/group_offsets.h"
#include "engine/group/group_timers.h"

namespace millrace::engine {

class GroupMachine {
 public:
  // `use` is shared by the machines of a shard. `seed` for member ids.
  GroupMachine(GroupOptions options, GroupUse& use, std::uint64_t seed);
  ~GroupMachine();
  GroupMachine(const GroupMachine&) = delete;

  // What the log takes as one record's value from now on.
  void set_record_bytes_max(std::size_t bytes) { options_.record_bytes_max = bytes; }
  // Decides. Requires: every record of earlier steps has been applied; the first step is ActivateGroups.
  void step(const GroupInput& input, Instant now, GroupEffects& out);

  // Changes the hard state: a step's own records right after it, or the log's in a replay. `value`: none for a tombstone.
  // Errors: unsupported, malformed.
  Result<void> apply(ConstBytes key, std::optional<ConstBytes> value);

  // The records from which a replay would make this hard state, in order. Groups that are rebalancing are left out.
  std::vector<GroupRecord> hard_state() const;
  std::size_t group_count() const { return groups_.size(); }
  // The topics for which an offset is committed, and that are not there any more or were made anew since. `then`: of a time at which
  // all that is in the log was committed already.
  GoneTopics gone_topics(const MetadataImage& then, const MetadataImage& image) const;
  // Patterns to look up in the image; to be asked for after each step. Answered by a PatternsResolved, and asked once until then.
  std::optional<PatternQuestion> next_pattern_question();
  // What the last steps have to say to whoever runs the broker; to be asked for after each step.
  std::optional<GroupWarning> take_warning() { return std::exchange(warning_, std::nullopt); }
  // CHECKs what must always hold between two steps.
  void check_invariants() const;

 private:
  struct Group {
    Group(std::string id, GroupUse& use) : classic(std::move(id), use), offsets(use) {}
    ClassicGroup classic;
    GroupOffsets offsets;
    // There is a record of its metadata, which a tombstone has to follow.
    bool written = false;
    // Null when no record of the consumer protocol is there; then the group is of the classic one.
    std::unique_ptr<ConsumerGroup> consumer;

    bool useless() const {
      return !written && offsets.empty() && consumer == nullptr &&
             classic.state() == ClassicGroup::State::empty;
    }
  };
  struct Decide;

  Group* find(std::string_view group);
  Group& find_or_make(std::string_view group);
  void drop_if_useless(std::string_view group);
  void apply_commit(const OffsetCommitKey& key, const OffsetCommitValue& value);
  void apply_metadata(const GroupMetadataKey& key, const GroupMetadataValue& value);
  void apply_tombstone(const GroupKey& key);
  Result<void> apply_consumer(const ConsumerGroupKey& key, std::optional<ConstBytes> value);
  // The same group without anything of its classic members.
  void make_afresh(const std::string& id);
  // The classic group moves to the consumer protocol with what is asked. Where it does not, the question has been answered.
  bool move_up(Group& group, const ConsumerHeartbeat& question, GroupStep& step);
  // The classic group of that name, which nobody was in, is over if somebody is in the one that this step has made of it.
  void end_empty_classic(Group& group, GroupStep& step);
  // The group moves to the classic protocol where the step has found that it is time.
  void move_down_if_due(Group& group, GroupStep& step);
  // Whether it has: the last member of the consumer protocol, a static one, comes back with the classic one by this.
  bool move_down_with(Group& group, const JoinGroup& question, GroupStep& step);
  void move_down(Group& group, ClassicMove move, GroupStep& step);
  void run_timers(GroupStep& step);
  bool is_live(const GroupTimer& timer);
  void expire_offsets(GroupStep& step);
  void expire_offsets_of(const std::string& id, const Group& group, GroupStep& step);
  void expire_offsets_of_consumers(const std::string& id, const Group& group, GroupStep& step);

  GroupOptions options_;
  GroupUse& use_;
  Prng prng_;
  bool active_ = false;
  std::map<std::string, std::unique_ptr<Group>, std::less<>> groups_;
  std::set<std::string, std::less<>> groups_with_patterns_;
  GroupTimers timers_;
  std::size_t timers_after_cleaning_ = 0;
  std::size_t timer_bytes_after_cleaning_ = 0;
  std::optional<GroupWarning> warning_;
  Deadline retention_;
};

}  // namespace millrace::engine
