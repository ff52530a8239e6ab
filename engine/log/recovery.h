// Recovery: from what a partition's directory holds to an open log.
//
// After a clean stop little is read: sizes, the last index entries and the headers behind them. After any other stop every
// batch from the recovery point's segment on is read and its checksum tested; the log ends before the first batch that is not
// whole, indexes, epochs and producers of that part are built anew. One line per log says where it ends, what was cut off, and whether
// checkpoints, producer snapshots or indexes tell of records that are not there any more.
// What cannot be read is never taken for empty: an I/O error is the caller's, and the files stay as they are.
#pragma once

#include "base/result.h"
#include "engine/log/log_directory.h"
#include "engine/log/log_state.h"
#include "engine/log/write_ahead_replay.h"
#include "io/task.h"

namespace millrace::log {

// Fills `log`, which is fresh, and appends what `tail`, the write-ahead logs of the last run (null: there is nothing in them), holds
// of this partition beyond its segments. Errors: io_error, corrupt, unsupported (message formats before v2).
io::Task<Result<void>> recover_log(Log::State& log, const FoundPartition& found,
                                   const WriteAheadTail* tail);

// Producers as of the log's end: the newest snapshot that is not behind it, and the batches from there on.
io::Task<Result<void>> reload_producers(Log::State& log);

}  // namespace millrace::log
