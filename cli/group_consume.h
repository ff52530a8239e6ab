// `millrace consume --group`: one member of a consumer group, which shares the topic's partitions with
// the others and goes on where the group stopped.
//
// What was printed is committed, and nothing else: at the pauses between records, when a partition
// is given to another member, and at the end. A record may be printed twice after a crash, none is
// skipped.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "cli/consume.h"

namespace millrace::cli {

// Requires: options.group. Leaves the group before it returns. With exit_at_end it returns once all
// partitions it has been given are read to their end.
//
// Errors: invalid_argument, where the options ask for what the group decides: partitions and
// offsets other than the beginning or the end, which hold for partitions without committed offset.
Result<std::int64_t> consume_in_group(const ConsumeOptions& options, const RecordSink& sink);

}  // namespace millrace::cli
