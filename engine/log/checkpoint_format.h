// The text of Kafka's checkpoint files in the root of a log directory:
// recovery-point-offset-checkpoint, log-start-offset-checkpoint, replication-offset-checkpoint,
// cleaner-offset-checkpoint.
//   0
//   <number of entries>
//   <topic> <partition> <offset>
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace millrace::log {

struct CheckpointEntry {
  std::string topic;
  PartitionIndex partition;
  Offset offset;
  auto operator<=>(const CheckpointEntry&) const = default;
};

std::string encode_checkpoint(std::span<const CheckpointEntry> entries);
// Errors: malformed, unsupported (another version). An empty text has no entries: Kafka makes its
// checkpoint files empty at its first start.
Result<std::vector<CheckpointEntry>> decode_checkpoint(std::string_view text);

}  // namespace millrace::log
