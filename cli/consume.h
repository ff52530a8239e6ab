// `millrace consume`: records of a topic, by partition, offset, time or from the tail. Without a
// group nothing is committed, and nobody else's reading is disturbed; with one see group_consume.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "cli/connection_options.h"
#include "cli/offset_range.h"
#include "cli/record_format.h"

namespace millrace::cli {

struct ConsumeOptions {
  ConnectionOptions connection;
  std::string topic;
  std::string group;                     // empty: without one
  std::vector<std::int32_t> partitions;  // empty: all
  OffsetRange range;
  std::int64_t count_max = -1;  // -1: no limit
  bool exit_at_end = false;
  bool read_uncommitted = false;
  std::vector<std::string> properties;
};

// Gets records one by one, and a call with nullptr when there is nothing more for now. Returns
// false to stop.
using RecordSink = std::function<bool(const ConsumedRecord*)>;

// Returns when the range, the count or, with exit_at_end, the log ends, or on an interrupt. The
// number of records.
Result<std::int64_t> consume_all(const ConsumeOptions& options, const RecordSink& sink);

extern const Command kConsumeCommand;

}  // namespace millrace::cli
