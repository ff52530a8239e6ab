// GroupTruth: what clients were told of a node's consumer groups, and whether what they are told next agrees with it.
//
// A value, part of the Oracle: copied at the instant of a crash.
//
// Several clients may commit for one partition at the same time, and some never learn what became of it. So each commit is kept
// with the time it was begun and the time its answer came, and stands as long as no later one is known to have replaced it.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::sim {

using PartitionName = std::pair<std::string, std::int32_t>;

// A client that takes part in a group. What it holds outlives a crash of the node, as a process elsewhere does.
struct MemberTruth {
  std::string group;
  std::optional<std::string> instance_id;
  std::string member_id;
  std::int32_t generation = -1;
  bool assigned = false;
  std::vector<PartitionName> partitions;

  // Of one generation: a static member stays who it is under a new id.
  const std::string& owner() const { return instance_id ? *instance_id : member_id; }
  void forget() {
    member_id.clear();
    generation = -1;
    lose();
  }
  void lose() {
    assigned = false;
    partitions.clear();
  }
};

// What is assigned to one member; a leader gives every member of a generation the same mark.
struct Assignment {
  std::string mark;
  std::vector<PartitionName> partitions;

  std::string to_text() const;
  static std::optional<Assignment> from_text(std::string_view text);
};

class GroupTruth {
 public:
  static constexpr std::int64_t kNothing = -1;  // OffsetFetch's answer for what was never committed

  // ---- Committed offsets. A deletion is a commit of nothing.
  // Gives the number by which the other calls know it. `expires`: it is to be kept for a moment only, and goes without a word.
  std::uint64_t begin_commit(const PartitionName& partition, std::int64_t offset, std::string metadata, bool expires = false);
  // `generation`: of the member that committed; none: a commit that is not a member's.
  void commit_done(const PartitionName& partition, std::uint64_t number, std::optional<std::int32_t> generation);
  void commit_refused(const PartitionName& partition, std::uint64_t number);
  // The topic is being deleted: when it has gone nobody knows.
  void topic_goes(const std::string& topic);
  // It was to be deleted and is there.
  void topic_stays(const std::string& topic) { going_.erase(topic); }
  // Another topic has its name: what was committed for the first is no longer there, unless a disk that was full kept it from
  // being dropped before a crash.
  void topic_is_new(const std::string& topic, bool disk_was_full);
  void topic_is_gone(const std::string& topic);

  std::uint64_t now() const { return clock_; }
  // An answer to a question that was asked at `asked`. Each gives what is wrong, or nothing.
  std::string read(const PartitionName& partition, std::uint64_t asked, std::int64_t offset,
                   std::string_view metadata) const;
  // The first answer after a start, while no client is at work: it is the truth from now on. `any`: what the disk promises for
  // this group allows anything that was ever sent.
  std::string read_after_start(const PartitionName& partition, std::int64_t offset, std::string_view metadata, bool any);
  std::set<PartitionName> partitions() const;
  bool surely_has_offsets() const;

  // ---- Generations
  std::string joined(std::int32_t generation);
  std::string assigned(std::int32_t generation, const std::string& owner, const Assignment& assignment);
  // Whether a member of that generation is surely not in the group any more.
  bool is_stale(std::int32_t generation) const { return generation < generation_ && !may_begin_anew_; }
  // It may be as if it had never been: it was deleted, or the disk may have lost it.
  std::string describe_generations() const;
  void may_begin_anew() { may_begin_anew_ = true; }

  // ---- Epochs of the consumer protocol, each of one member. Who joins has the newest.
  std::int32_t epoch_least() const { return may_begin_anew_ ? 0 : epoch_; }
  // `least`: what was to be expected when it asked.
  std::string joined_in_epoch(std::int32_t epoch, std::int32_t least);
  void told_epoch(std::int32_t epoch);

 private:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
  struct Commit {
    std::int64_t offset = kNothing;
    std::string metadata;
    std::uint64_t begun = 0;
    std::uint64_t done = kNever;
    std::uint64_t replaced = kNever;
    bool expires = false;
  };
  struct Commits {
    std::vector<Commit> all{Commit{.metadata = {}, .done = 0}};
    std::map<std::pair<std::int64_t, std::string>, bool> sent;  // and whether it expires
    std::uint64_t since = 0;  // when the topic got its name
  };
  struct Generation {
    std::string mark;
    std::map<std::string, std::vector<PartitionName>> owners;
  };

  static std::string describe(const Commits& commits);

  std::uint64_t clock_ = 0;
  std::map<PartitionName, Commits> offsets_;
  std::set<std::string> going_;  // topics that are being deleted: what is committed for them meanwhile may go with them
  std::int32_t generation_ = 0;  // the newest one that a member was given partitions in
  std::int32_t epoch_ = 0;       // the newest that a member of the consumer protocol was told
  bool may_begin_anew_ = true;
  std::map<std::int32_t, Generation> generations_;
};

}  // namespace millrace::sim
