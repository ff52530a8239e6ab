#include "tests/sim/group_truth.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace millrace::sim {

// ---- Assignments: mark;topic partition;topic partition...

std::string Assignment::to_text() const {
  std::string text = mark;
  for (const auto& [topic, partition] : partitions) text += fmt::format(";{} {}", topic, partition);
  return text;
}

std::optional<Assignment> Assignment::from_text(std::string_view text) {
  Assignment assignment;
  bool first = true;
  while (first || !text.empty()) {
    const std::string_view part = text.substr(0, text.find(';'));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    if (std::exchange(first, false)) {
      if (part.empty()) return std::nullopt;
      assignment.mark = part;
      continue;
    }
    const auto space = part.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    std::int32_t partition = 0;
    std::from_chars(part.data() + space + 1, part.data() + part.size(), partition);
    assignment.partitions.emplace_back(part.substr(0, space), partition);
  }
  return assignment;
}

// ---- Committed offsets

std::uint64_t GroupTruth::begin_commit(const PartitionName& partition, std::int64_t offset, std::string metadata,
                                       bool expires) {
  Commits& commits = offsets_[partition];
  commits.sent.emplace(std::pair(offset, metadata), expires);
  if (offset == kNothing) may_begin_anew_ = true;
  commits.all.push_back({.offset = offset, .metadata = std::move(metadata), .begun = ++clock_, .expires = expires});
  return clock_;
}

void GroupTruth::commit_done(const PartitionName& partition, std::uint64_t number,
                             std::optional<std::int32_t> generation) {
  const std::uint64_t now = ++clock_;
  for (Commit& commit : offsets_[partition].all) {
    if (commit.begun == number) commit.done = now;
    else if (commit.done < number) commit.replaced = std::min(commit.replaced, now);
  }
  // Who may commit in a generation says that the group has it, and from now on it has something to keep.
  if (generation && (*generation == generation_ || *generation == epoch_)) may_begin_anew_ = !surely_has_offsets();
}

void GroupTruth::commit_refused(const PartitionName& partition, std::uint64_t number) {
  std::erase_if(offsets_[partition].all, [&](const Commit& commit) { return commit.begun == number; });
}

void GroupTruth::topic_goes(const std::string& topic) {
  going_.insert(topic);
  for (auto& [partition, commits] : offsets_) {
    if (partition.first != topic) continue;
    may_begin_anew_ = true;
    commits.all.push_back({.metadata = {}, .begun = ++clock_});
  }
}

void GroupTruth::topic_is_new(const std::string& topic, bool disk_was_full) {
  going_.erase(topic);
  for (auto& [partition, commits] : offsets_) {
    if (partition.first != topic) continue;
    if (disk_was_full) {
      // Also of what was committed after topic_goes(): it may have been dropped or not.
      commits.all.push_back({.metadata = {}, .begun = ++clock_});
      continue;
    }
    // One that is still under way may be meant for either.
    std::erase_if(commits.all, [](const Commit& commit) { return commit.done != kNever; });
    commits.since = ++clock_;
    commits.all.push_back({.metadata = {}, .begun = clock_, .done = clock_});
  }
}

void GroupTruth::topic_is_gone(const std::string& topic) {
  going_.erase(topic);
  if (std::erase_if(offsets_, [&](const auto& entry) { return entry.first.first == topic; }) > 0) may_begin_anew_ = true;
}

std::string GroupTruth::describe(const Commits& commits) {
  std::string text;
  for (const Commit& commit : commits.all) {
    if (commit.replaced != kNever) continue;
    text += fmt::format(" {} \"{}\"{}", commit.offset, commit.metadata, commit.done == kNever ? " (not answered)" : "");
  }
  return text;
}

std::string GroupTruth::read(const PartitionName& partition, std::uint64_t asked, std::int64_t offset,
                             std::string_view metadata) const {
  const auto known = offsets_.find(partition);
  const Commits commits = known == offsets_.end() ? Commits() : known->second;
  const bool stood = std::ranges::any_of(commits.all, [&](const Commit& commit) {
    const bool is_it = commit.offset == offset && commit.metadata == metadata;
    const bool is_over = commit.expires && offset == kNothing && metadata.empty();
    return (is_it || is_over) && commit.replaced > asked;
  });
  // What was asked while the topic still was another may be answered of that one.
  if (stood || asked < commits.since) return {};
  return fmt::format("{}-{} is committed at {} \"{}\", known was{}", partition.first, partition.second, offset, metadata,
                     describe(commits));
}

std::string GroupTruth::read_after_start(const PartitionName& partition, std::int64_t offset,
                                         std::string_view metadata, bool any) {
  Commits& commits = offsets_[partition];
  const auto known = commits.sent.find({offset, std::string(metadata)});
  const bool sent = offset == kNothing || known != commits.sent.end();
  std::string wrong = any && sent ? std::string() : read(partition, clock_, offset, metadata);
  const bool expires = known != commits.sent.end() && known->second;
  ++clock_;
  commits.all = {{.offset = offset, .metadata = std::string(metadata), .begun = clock_, .done = clock_, .expires = expires}};
  return wrong;
}

std::set<PartitionName> GroupTruth::partitions() const {
  std::set<PartitionName> names;
  for (const auto& [partition, commits] : offsets_) names.insert(partition);
  return names;
}

bool GroupTruth::surely_has_offsets() const {
  return std::ranges::any_of(offsets_, [&](const auto& entry) {
    return !going_.contains(entry.first.first) && std::ranges::all_of(entry.second.all, [](const Commit& commit) {
      return commit.replaced != kNever || (commit.offset != kNothing && !commit.expires);
    });
  });
}

// ---- Generations

std::string GroupTruth::joined(std::int32_t generation) {
  if (generation >= generation_) return {};
  if (!may_begin_anew_) return fmt::format("generation {} after {}", generation, generation_);
  generation_ = 0;
  generations_.clear();
  return {};
}

std::string GroupTruth::describe_generations() const {
  std::string text = fmt::format("{}{}", generation_, may_begin_anew_ ? " (may begin anew)" : "");
  for (const auto& [number, generation] : generations_) {
    text += fmt::format("; {} ({}):", number, generation.mark);
    for (const auto& [owner, partitions] : generation.owners) text += fmt::format(" {}", owner);
  }
  return text;
}

std::string GroupTruth::assigned(std::int32_t generation, const std::string& owner, const Assignment& assignment) {
  if (auto wrong = joined(generation); !wrong.empty()) return wrong;
  const auto known = generations_.find(generation);
  const bool another = known != generations_.end() && known->second.mark != assignment.mark;
  if (another && !may_begin_anew_) {
    return fmt::format("generation {} has the assignments {} and {}", generation, known->second.mark, assignment.mark);
  }
  if (another) generations_.clear();
  generation_ = generation;
  may_begin_anew_ = !surely_has_offsets();
  Generation& here = generations_[generation];
  here.mark = assignment.mark;
  for (const auto& [other, partitions] : here.owners) {
    if (other == owner) continue;
    for (const auto& partition : assignment.partitions) {
      if (std::ranges::find(partitions, partition) == partitions.end()) continue;
      return fmt::format("generation {}: {}-{} is owned by {} and {}", generation, partition.first, partition.second,
                         other, owner);
    }
  }
  here.owners[owner] = assignment.partitions;
  return {};
}

// ---- Epochs

std::string GroupTruth::joined_in_epoch(std::int32_t epoch, std::int32_t least) {
  if (epoch < least && !may_begin_anew_) return fmt::format("a member joins in epoch {}, known was {}", epoch, least);
  if (may_begin_anew_) epoch_ = std::min(epoch_, epoch);
  told_epoch(epoch);
  return {};
}

void GroupTruth::told_epoch(std::int32_t epoch) {
  if (epoch < epoch_) return;
  epoch_ = epoch;
  may_begin_anew_ = !surely_has_offsets();
}

}  // namespace millrace::sim
