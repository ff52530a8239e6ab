#include "tests/sim/oracle.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::sim {

std::string Oracle::acknowledged(const SentBatch& batch, std::int64_t base_offset) {
  std::int64_t offset = base_offset;
  for (const auto& value : batch.values) {
    auto wrong = read(batch.topic, batch.partition, offset++, value);
    if (!wrong.empty()) return "acknowledged: " + wrong;
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
  std::map<std::int64_t, std::string> there;
  std::set<std::string> seen;
  std::int64_t next = found.start;
  for (const auto& [offset, value] : found.records) {
    if (offset != next) return fmt::format("{} has a gap: {} follows {}", name, offset, next - 1);
    ++next;
    if (!truth.sent.contains(value)) return fmt::format("{} has at {} what nobody sent", name, offset);
    if (!seen.insert(value).second) return fmt::format("{} has at {} a value for the second time", name, offset);
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
  truth.end = found.high_watermark;
  // What comes in the place of records that were lost was not deleted.
  truth.deleted_below = std::min(truth.deleted_below, truth.end);
  return {};
}

}  // namespace millrace::sim
