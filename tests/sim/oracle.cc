#include "tests/sim/oracle.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::sim {

std::string key_of(std::string_view text) { return std::string(text.substr(0, text.find_first_of("=!"))); }

std::string Oracle::acknowledged(const SentBatch& batch, std::int64_t base_offset) {
  std::int64_t offset = base_offset;
  for (const auto& value : batch.values) {
    auto wrong = read(batch.topic, batch.partition, offset++, value);
    if (!wrong.empty()) return "acknowledged: " + wrong;
    if (!topics[batch.topic].keyed || !is_deletion(value)) continue;
    auto& under_way = topics[batch.topic].partitions[static_cast<std::size_t>(batch.partition)].deletions_under_way;
    if (const auto sent = under_way.find(key_of(value)); sent != under_way.end()) under_way.erase(sent);
  }
  return {};
}

std::string Oracle::read(const std::string& topic, std::int32_t partition, std::int64_t offset,
                         const std::string& value) {
  PartitionTruth& truth = topics[topic].partitions[static_cast<std::size_t>(partition)];
  if (!truth.sent.contains(value)) {
    return fmt::format("{}-{} has at {} what nobody sent", topic, partition, offset);
  }
  truth.end = std::max(truth.end, offset + 1);
  if (topics[topic].keyed) {
    auto& latest = truth.latest[key_of(value)];
    if (offset >= latest.offset) latest = {offset, is_deletion(value)};
  }
  const auto [known, added] = truth.kept.emplace(offset, value);
  if (added || known->second == value || truth.in_doubt) return {};
  return fmt::format("{}-{} has at {} the value {:.30} and had {:.30}", topic, partition, offset, value,
                     known->second);
}

std::string Oracle::compare(const std::string& topic, std::int32_t partition, const Found& found,
                            bool unsynced_lost, std::uint64_t& lost) {
  const TopicTruth& of_topic = topics[topic];
  PartitionTruth& truth = topics[topic].partitions[static_cast<std::size_t>(partition)];
  const std::string name = fmt::format("{}-{} ({})", topic, partition, of_topic.fsync ? "fsync" : "replicated");
  if (found.start > truth.deleted_below && !of_topic.expires) {
    return fmt::format("{} begins at {}, asked for was {}", name, found.start, truth.deleted_below);
  }
  if (of_topic.compacts) {
    return compare_compacted(of_topic, truth, name, found, unsynced_lost && !of_topic.fsync);
  }
  std::map<std::int64_t, std::string> there;
  std::set<std::string> seen;
  std::int64_t next = found.start;
  for (const auto& [offset, value] : found.records) {
    if (offset != next) return fmt::format("{} has a gap: {} follows {}", name, offset, next - 1);
    ++next;
    if (!truth.sent.contains(value)) return fmt::format("{} has at {} what nobody sent", name, offset);
    const bool again = !(of_topic.keyed && is_deletion(value)) && !seen.insert(value).second;
    if (again) return fmt::format("{} has at {} a value for the second time", name, offset);
    there[offset] = value;
  }
  if (next != found.high_watermark) {
    return fmt::format("{}: its records end at {}, its high watermark is {}", name, next, found.high_watermark);
  }
  const bool may_lose_end = unsynced_lost && !of_topic.fsync;
  if (found.high_watermark < truth.end && !may_lose_end && !truth.in_doubt) {
    return fmt::format("{}: its high watermark went back from {} to {}", name, truth.end, found.high_watermark);
  }
  for (const auto& [offset, value] : truth.kept) {
    if (offset < truth.deleted_below || offset < found.start) continue;
    const auto here = there.find(offset);
    if (here != there.end() && here->second == value) continue;
    const bool beyond_end = here == there.end() && offset >= found.high_watermark;
    if (!truth.in_doubt && !(may_lose_end && beyond_end)) {
      return fmt::format("{} has {} the acknowledged record {}; it ends at {}", name,
                         beyond_end ? "lost" : "changed", offset, found.high_watermark);
    }
    ++lost;
  }
  // Also what was never acknowledged may have gone, and with it a sequence that a producer goes on from.
  if (may_lose_end) truth.has_lost = true;
  truth.kept = std::move(there);
  if (of_topic.keyed) {
    std::erase_if(truth.latest, [&](const auto& entry) { return entry.second.offset >= found.high_watermark; });
    for (const auto& [offset, value] : truth.kept) truth.latest[key_of(value)] = {offset, is_deletion(value)};
  }
  truth.end = found.high_watermark;
  // What comes in the place of records that were lost was not deleted.
  truth.deleted_below = std::min(truth.deleted_below, truth.end);
  return {};
}

// ---- Where the cleaner was at work

std::string Oracle::compare_keys(const TopicTruth& topic, PartitionTruth& truth, const std::string& name,
                                 const Found& found) {
  std::map<std::string, PartitionTruth::Latest> there;
  for (const auto& [offset, value] : found.records) there[key_of(value)] = {offset, is_deletion(value)};
  for (const auto& [key, wanted] : truth.latest) {
    // What has gone with the end of the log, and what it had replaced, nobody knows.
    const bool gone = wanted.offset >= found.high_watermark || (topic.expires && wanted.offset < found.start);
    if (gone || truth.in_doubt) continue;
    const auto here = there.find(key);
    if (here != there.end() && here->second.offset < wanted.offset) {
      return fmt::format("{}: the last record of {} is at {}, known was {}", name, key, here->second.offset, wanted.offset);
    }
    const bool may_be_absent = wanted.deletes || truth.deletions_under_way.contains(key);
    if (here == there.end() && !may_be_absent) {
      return fmt::format("{}: {} is gone, its last record was {}", name, key, wanted.offset);
    }
  }
  std::erase_if(truth.latest, [&](const auto& entry) { return entry.second.offset >= found.high_watermark; });
  for (const auto& [key, latest] : there) truth.latest[key] = latest;
  return {};
}

std::string Oracle::compare_compacted(const TopicTruth& topic, PartitionTruth& truth, const std::string& name,
                                      const Found& found, bool may_lose_end) {
  std::int64_t last = -1;
  for (const auto& [offset, value] : found.records) {
    if (offset <= last) return fmt::format("{} has {} after {}", name, offset, last);
    last = offset;
    if (!truth.sent.contains(value)) return fmt::format("{} has at {} what nobody sent", name, offset);
    const auto known = truth.kept.find(offset);
    if (known != truth.kept.end() && known->second != value && !truth.in_doubt && !may_lose_end) {
      return fmt::format("{} has at {} the value {:.30} and had {:.30}", name, offset, value, known->second);
    }
  }
  if (found.high_watermark < truth.end && !may_lose_end && !truth.in_doubt) {
    return fmt::format("{}: its high watermark went back from {} to {}", name, truth.end, found.high_watermark);
  }
  if (auto wrong = compare_keys(topic, truth, name, found); !wrong.empty()) return wrong;
  if (may_lose_end) truth.has_lost = true;
  truth.kept = {found.records.begin(), found.records.end()};
  truth.end = found.high_watermark;
  truth.deleted_below = std::min(truth.deleted_below, truth.end);
  return {};
}

}  // namespace millrace::sim
