#include "engine/log/log_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/logging.h"
#include "base/prng.h"
#include "engine/log/checkpoint_format.h"
#include "engine/log/partition_files.h"
#include "engine/log/segment.h"
#include "io/file.h"

namespace millrace::log {
namespace {

using OffsetByPartition = std::map<std::pair<std::string, std::int32_t>, Offset>;

constexpr std::string_view kDeleteEnding = "-delete";
constexpr std::string_view kFutureEnding = "-future";
constexpr std::string_view kStrayEnding = "-stray";
constexpr std::string_view kMetadataTopic = "__cluster_metadata";

Result<OffsetByPartition> read_checkpoint(io::Proactor& proactor, const std::string& directory,
                                          std::string_view name) {
  OffsetByPartition offsets;
  const std::string path = fmt::format("{}/{}", directory, name);
  auto text = io::read_small_file(proactor, path);
  if (!text && text.error() == Errc::not_found) return offsets;
  if (!text) return fail(std::move(text).error());
  auto entries = decode_checkpoint(*text);
  if (!entries) {
    return fail(Errc::corrupt, fmt::format("{}: {}; remove the file to have every log looked through",
                                           path, entries.error().message));
  }
  for (auto& entry : *entries) {
    offsets.emplace(std::pair(std::move(entry.topic), entry.partition.value()), entry.offset);
  }
  return offsets;
}

Offset find_or(const OffsetByPartition& offsets, const PartitionName& name, Offset otherwise) {
  const auto found = offsets.find({name.topic, name.partition.value()});
  return found == offsets.end() ? otherwise : found->second;
}

Result<TopicId> read_topic_id(io::Proactor& proactor, const std::string& directory) {
  auto text = io::read_small_file(proactor, fmt::format("{}/{}", directory, kPartitionMetadataFile));
  if (!text && text.error() == Errc::not_found) return kZeroUuid;
  if (!text) return fail(std::move(text).error());
  if (is_torn_partition_metadata(*text)) return kZeroUuid;
  auto topic_id = decode_partition_metadata(*text);
  if (!topic_id) return fail(Errc::corrupt, fmt::format("{}: {}", directory, topic_id.error().message));
  return topic_id;
}

// Whether the marker is there, and the broker epoch it names.
Result<std::optional<std::int64_t>> read_clean_stop(io::Proactor& proactor, const std::string& directory) {
  auto text = io::read_small_file(proactor, fmt::format("{}/{}", directory, kCleanStopFile));
  if (!text && text.error() == Errc::not_found) return std::optional<std::int64_t>();
  if (!text) return fail(std::move(text).error());
  std::int64_t epoch = -1;
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  if (json.is_object() && json.contains("brokerEpoch") && json["brokerEpoch"].is_number_integer()) {
    epoch = json["brokerEpoch"].get<std::int64_t>();
  }
  return std::optional(epoch);
}

}  // namespace

bool may_have_records(io::Proactor& proactor, const std::string& directory) {
  const auto entries = proactor.list(directory);
  if (!entries) return true;
  return std::ranges::any_of(*entries, [&](const io::DirectoryEntry& entry) {
    if (entry.is_directory || !entry.name.ends_with(kLogSuffix)) return false;
    const auto file = io::OpenFile::open(proactor, directory + "/" + entry.name, {});
    if (!file) return true;
    const auto size = proactor.size((*file)->handle());
    return !size || *size > 0;
  });
}

std::string partition_directory_name(std::string_view topic, PartitionIndex partition) {
  return fmt::format("{}-{}", topic, partition.value());
}

std::optional<PartitionName> parse_partition_directory(std::string_view name) {
  const auto dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0 || dash + 1 == name.size()) return std::nullopt;
  std::int32_t partition = 0;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + dash + 1, end, partition);
  if (error != std::errc() || stop != end || partition < 0) return std::nullopt;
  return PartitionName{.topic = std::string(name.substr(0, dash)), .partition = PartitionIndex(partition)};
}

Result<DirectoryScan> scan_log_directory(io::Proactor& proactor, const std::string& path) {
  DirectoryScan scan;
  TRY(entries, proactor.list(path));
  TRY(clean, read_clean_stop(proactor, path));
  scan.clean_stop = clean.has_value();
  scan.broker_epoch = clean.value_or(-1);
  TRY(recovery_points, read_checkpoint(proactor, path, kRecoveryPointFile));
  TRY(log_starts, read_checkpoint(proactor, path, kLogStartFile));
  TRY(high_watermarks, read_checkpoint(proactor, path, kHighWatermarkFile));
  auto cleaned_ends = read_checkpoint(proactor, path, kCleanerFile);
  if (!cleaned_ends && cleaned_ends.error() == Errc::corrupt) {
    // Nothing is lost with it: the logs are compacted from their start again.
    LOG(warn, "log.checkpoint_damaged", "reason=\"{}\"", cleaned_ends.error().message);
    cleaned_ends = OffsetByPartition();
  }
  if (!cleaned_ends) return fail(std::move(cleaned_ends).error());
  scan.unused = !scan.clean_stop;
  for (const auto& entry : entries) {
    if (entry.name == kRecoveryPointFile || entry.name.starts_with(kWriteAheadPrefix)) scan.unused = false;
    if (!entry.is_directory) continue;
    const std::string full = path + "/" + entry.name;
    if (entry.name.ends_with(kDeleteEnding)) {
      scan.deleted.push_back(full);
      continue;
    }
    if (entry.name.ends_with(kFutureEnding) || entry.name.ends_with(kStrayEnding)) {
      scan.ignored.push_back(full);
      continue;
    }
    auto name = parse_partition_directory(entry.name);
    if (!name || name->topic == kMetadataTopic) continue;
    scan.unused = false;
    TRY(topic_id, read_topic_id(proactor, full));
    scan.partitions.push_back({.directory = full,
                               .topic = name->topic,
                               .partition = name->partition,
                               .topic_id = topic_id,
                               .topic_id_missing = topic_id.is_zero(),
                               .clean_stop = scan.clean_stop,
                               .recovery_point = find_or(recovery_points, *name, Offset{0}),
                               .log_start_offset = find_or(log_starts, *name, Offset{0}),
                               .high_watermark = find_or(high_watermarks, *name, kNoOffset),
                               .cleaned_end = find_or(*cleaned_ends, *name, kNoOffset)});
  }
  return scan;
}

io::Task<Result<void>> write_checkpoints(io::Proactor& proactor, std::string path, std::vector<CheckpointRow> rows) {
  std::vector<CheckpointEntry> recovery_points;
  std::vector<CheckpointEntry> log_starts;
  std::vector<CheckpointEntry> high_watermarks;
  std::vector<CheckpointEntry> cleaned_ends;
  for (const auto& row : rows) {
    recovery_points.push_back({row.topic, row.partition, row.recovery_point});
    if (row.log_start_offset > row.first_segment_offset) {
      log_starts.push_back({row.topic, row.partition, row.log_start_offset});
    }
    if (row.high_watermark >= Offset{0}) {
      high_watermarks.push_back({row.topic, row.partition, row.high_watermark});
    }
    if (row.cleaned_end >= Offset{0}) cleaned_ends.push_back({row.topic, row.partition, row.cleaned_end});
  }
  const auto write = [&](std::string_view name, const std::vector<CheckpointEntry>& entries) {
    return io::replace_small_file_queued(proactor, fmt::format("{}/{}", path, name), encode_checkpoint(entries));
  };
  CO_TRY_DONE(co_await write(kRecoveryPointFile, recovery_points));
  CO_TRY_DONE(co_await write(kLogStartFile, log_starts));
  CO_TRY_DONE(co_await write(kCleanerFile, cleaned_ends));
  co_return co_await write(kHighWatermarkFile, high_watermarks);
}

Result<void> mark_clean_stop(io::Proactor& proactor, const std::string& path,
                             std::int64_t broker_epoch) {
  const std::string text = fmt::format("{{\"version\":0,\"brokerEpoch\":{}}}", broker_epoch);
  return io::replace_small_file(proactor, fmt::format("{}/{}", path, kCleanStopFile), as_bytes(text));
}

Result<void> clear_clean_stop(io::Proactor& proactor, const std::string& path) {
  auto removed = proactor.remove(fmt::format("{}/{}", path, kCleanStopFile));
  if (!removed && removed.error() != Errc::not_found) return removed;
  // Also when it is gone: a start that was interrupted may have removed it, and a power cut bring it back.
  return proactor.sync_directory(path);
}

Result<std::string> rename_to_deleted(io::Proactor& proactor, const std::string& directory) {
  const std::uint64_t unique =
      Prng(std::hash<std::string>{}(directory) ^ static_cast<std::uint64_t>(proactor.now().time_since_epoch().count()))
          .next();
  std::string gone = fmt::format("{}.{:016x}{:016x}{}", directory, unique, Prng(unique).next(), kDeleteEnding);
  TRY_DONE(proactor.rename(directory, gone));
  return gone;
}

io::Task<Result<void>> remove_tree(io::Proactor& proactor, std::string path) {
  auto entries = proactor.list(path);
  if (!entries && entries.error() == Errc::not_found) co_return Result<void>{};
  if (!entries) co_return fail(std::move(entries).error());
  for (const auto& entry : *entries) {
    if (entry.is_directory) co_return fail(Errc::invalid_argument, path + " holds a directory");
    CO_TRY_DONE(co_await io::remove_file(proactor, path + "/" + entry.name));
  }
  co_return proactor.remove_directory(path);
}

}  // namespace millrace::log
