#include "engine/log/partition_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/logging.h"
#include "engine/log/segment.h"
#include "io/file.h"

namespace millrace::log {
namespace {

constexpr std::string_view kSuffixes[] = {kLogSuffix, kIndexSuffix, kTimeIndexSuffix,
                                          kTransactionIndexSuffix};

std::optional<Offset> swap_base(std::string_view name, std::string_view ending) {
  if (!name.ends_with(ending)) return std::nullopt;
  name.remove_suffix(ending.size());
  for (const auto suffix : kSuffixes) {
    if (const auto base = parse_segment_name(name, suffix)) return base;
  }
  return std::nullopt;
}

Result<void> remove_if_there(io::Proactor& proactor, const std::string& path) {
  auto removed = proactor.remove(path);
  if (!removed && removed.error() != Errc::not_found) return removed;
  return {};
}

// The offset behind the last batch of a data file.
Result<Offset> end_of(io::Proactor& proactor, const std::string& path, Offset base) {
  TRY(handle, proactor.open(path, {}));
  const ScopedFile file(proactor, handle);
  TRY(size, proactor.size(file.handle()));
  Offset end = base;
  HeaderScan headers(proactor, file.handle(), base, 0, size);
  while (!headers.at_end()) {
    TRY(found, headers.next());
    end = found.batch.last_offset + 1;
  }
  return end;
}

// Puts a finished rewrite in the place of the segments it was made from.
Result<void> complete_swap(io::Proactor& proactor, const std::string& directory, Offset base,
                           const std::vector<std::string>& names) {
  const std::string swapped = segment_path(directory, base, kLogSuffix) + std::string(kSwapSuffix);
  TRY(end, end_of(proactor, swapped, base));
  for (const auto& name : names) {
    const auto old = parse_segment_name(name, kLogSuffix);
    if (!old || *old < base || *old >= end) continue;
    for (const auto suffix : kSuffixes) TRY_DONE(remove_if_there(proactor, segment_path(directory, *old, suffix)));
  }
  LOG(info, "log.swap_completed", "segment={}", swapped);
  // Two segments that overlap must not be found together.
  TRY_DONE(proactor.sync_directory(directory));
  // The data file last: until it is in place the swap is found again.
  for (const auto suffix : {kIndexSuffix, kTimeIndexSuffix, kTransactionIndexSuffix, kLogSuffix}) {
    const std::string to = segment_path(directory, base, suffix);
    auto renamed = proactor.rename(to + std::string(kSwapSuffix), to);
    if (!renamed && renamed.error() != Errc::not_found) return renamed;
  }
  return proactor.sync_directory(directory);
}

Result<bool> finish_rewrites(io::Proactor& proactor, const std::string& directory,
                             const std::vector<std::string>& names) {
  std::set<Offset> swaps;
  std::optional<Offset> first_cleaned;
  bool changed = false;
  for (const auto& name : names) {
    if (const auto base = swap_base(name, kCleanedSuffix)) {
      first_cleaned = std::min(first_cleaned.value_or(*base), *base);
      TRY_DONE(remove_if_there(proactor, directory + "/" + name));
      changed = true;
    } else if (name.ends_with(kDeletedSuffix)) {
      TRY_DONE(remove_if_there(proactor, directory + "/" + name));
      changed = true;
    }
  }
  for (const auto& name : names) {
    const auto base = swap_base(name, kSwapSuffix);
    if (!base) continue;
    changed = true;
    // Several are made from one segment; a ".cleaned" beside them shows that not all of them are there yet.
    const bool unfinished = first_cleaned && *base >= *first_cleaned;
    if (unfinished) TRY_DONE(remove_if_there(proactor, directory + "/" + name));
    else if (name.ends_with(std::string(kLogSuffix) + std::string(kSwapSuffix))) swaps.insert(*base);
  }
  for (const Offset base : swaps) TRY_DONE(complete_swap(proactor, directory, base, names));
  return changed;
}

Result<std::vector<std::string>> file_names(io::Proactor& proactor, const std::string& directory) {
  TRY(entries, proactor.list(directory));
  std::vector<std::string> names;
  names.reserve(entries.size());
  for (auto& entry : entries) {
    if (!entry.is_directory) names.push_back(std::move(entry.name));
  }
  return names;
}

// Whether segments were dropped for which there may have been no sync. A partition is made with a data file: where there is none
// every one was dropped, and their ".deleted" may have gone since.
bool shows_drops(const std::vector<std::string>& names) {
  const auto has = [&](std::string_view suffix) {
    return std::ranges::any_of(names, [&](const std::string& name) { return name.ends_with(suffix); });
  };
  return has(kDeletedSuffix) || !has(kLogSuffix);
}

}  // namespace

io::Task<Result<PartitionFiles>> list_partition(io::Proactor& proactor, std::string directory, Drops drops) {
  CO_TRY(names, file_names(proactor, directory));
  if (drops == Drops::in_doubt && shows_drops(names)) CO_TRY_DONE(co_await io::sync_directory(proactor, directory));
  CO_TRY(changed, finish_rewrites(proactor, directory, names));
  if (changed) {
    CO_TRY(again, file_names(proactor, directory));
    names = std::move(again);
  }
  PartitionFiles files;
  for (const auto& name : names) {
    if (const auto base = parse_segment_name(name, kLogSuffix)) files.segments.push_back(*base);
    else if (const auto snapshot = parse_segment_name(name, kSnapshotSuffix)) files.snapshots.push_back(*snapshot);
    else if (name == kPartitionMetadataFile) files.has_metadata = true;
    else if (name == kEpochFile) files.has_epochs = true;
  }
  std::ranges::sort(files.segments);
  for (const auto& name : names) {
    for (const auto suffix : {kIndexSuffix, kTimeIndexSuffix, kTransactionIndexSuffix}) {
      const auto base = parse_segment_name(name, suffix);
      if (base && !std::ranges::binary_search(files.segments, *base)) {
        CO_TRY_DONE(remove_if_there(proactor, directory + "/" + name));
      } else if (base && suffix == kTransactionIndexSuffix) {
        files.transaction_indexes.push_back(*base);
      }
    }
  }
  co_return files;
}

std::string encode_partition_metadata(TopicId topic_id) {
  return fmt::format("version: 0\ntopic_id: {}", topic_id.to_string());
}

Result<void> write_partition_metadata(io::Proactor& proactor, const std::string& directory, TopicId topic_id) {
  TRY(handle, proactor.open(fmt::format("{}/{}", directory, kPartitionMetadataFile),
                            {.write = true, .create = true, .truncate = true}));
  const ScopedFile file(proactor, handle);
  std::string text = encode_partition_metadata(topic_id);
  const ::iovec slice{text.data(), text.size()};
  return proactor.write_inline(file.handle(), 0, {&slice, 1});
}

bool is_torn_partition_metadata(std::string_view text) {
  const std::string whole = encode_partition_metadata(kZeroUuid);
  const std::size_t id_from = whole.rfind(' ') + 1;
  if (text.size() >= whole.size() && !text.contains('\0')) return false;
  // What is there is where it belongs.
  for (std::size_t i = 0; i < std::min(text.size(), id_from); ++i) {
    if (text[i] != '\0' && text[i] != whole[i]) return false;
  }
  return true;
}

Result<TopicId> decode_partition_metadata(std::string_view text) {
  constexpr std::string_view kVersion = "version: 0\n";
  constexpr std::string_view kTopicId = "topic_id: ";
  if (!text.starts_with("version: ")) return fail(Errc::malformed, "partition.metadata without a version");
  if (!text.starts_with(kVersion)) return fail(Errc::unsupported, "partition.metadata of another version");
  text.remove_prefix(kVersion.size());
  if (!text.starts_with(kTopicId)) return fail(Errc::malformed, "partition.metadata without a topic id");
  text.remove_prefix(kTopicId.size());
  while (text.ends_with('\n') || text.ends_with('\r') || text.ends_with(' ')) text.remove_suffix(1);
  const auto topic_id = Uuid::parse(text);
  if (!topic_id) return fail(Errc::malformed, "partition.metadata with a topic id that is none");
  return *topic_id;
}

}  // namespace millrace::log
