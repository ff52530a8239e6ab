// The files of one partition's directory, and what a crash may have left among them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "io/proactor.h"
#include "io/task.h"

namespace millrace::log {

inline constexpr std::string_view kEpochFile = "leader-epoch-checkpoint";
inline constexpr std::string_view kPartitionMetadataFile = "partition.metadata";

struct PartitionFiles {
  // Base offsets of the data files, growing.
  std::vector<Offset> segments;
  // Base offsets of those that have an index of aborted transactions.
  std::vector<Offset> transaction_indexes;
  // Offsets of the producer snapshots.
  std::vector<Offset> snapshots;
  bool has_metadata = false;
  bool has_epochs = false;
  // Filled by recovery: leader-epoch-checkpoint is missing or cannot be understood.
  bool epochs_damaged = false;
};

// Whether a power cut may still bring back the segments that were dropped: whoever drops some syncs the directory, but may have
// been killed before.
enum class Drops { synced, in_doubt };

// Lists the directory and finishes what was begun in it, by Kafka's rules: "*.deleted" and "*.cleaned" go, "*.swap" take the
// place of the segments they were made from unless a ".cleaned" shows that their making was not finished, and indexes
// without a data file go. Drops in doubt are durable before their traces go.
io::Task<Result<PartitionFiles>> list_partition(io::Proactor& proactor, std::string directory, Drops drops);

// The text of partition.metadata, and the topic id in one. Errors: malformed, unsupported (another version).
std::string encode_partition_metadata(TopicId topic_id);
Result<TopicId> decode_partition_metadata(std::string_view text);
// Writes the file, which is durable only once it and the directory were synced: until then a power cut may leave zeros
// in the place of any part of it, or its beginning alone. Of such a text is_torn_partition_metadata() holds.
Result<void> write_partition_metadata(io::Proactor& proactor, const std::string& directory, TopicId topic_id);
bool is_torn_partition_metadata(std::string_view text);

}  // namespace millrace::log
