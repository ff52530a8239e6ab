// A Fetch answer as the pieces in which it is sent: our own bytes, and between them the records,
// which the sender takes from wherever they are (a buffer, a file) without their passing through
// here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "net/wire/fetch.h"
#include "net/wire/records_gap.h"

namespace millrace::wire {

// Invariant: gaps are in ascending order of position; the frame's length, which `bytes` starts
// with, counts the gaps as filled.
struct FetchResponseLayout {
  std::vector<std::byte> bytes;
  std::vector<RecordsGap> gaps;  // one per partition whose records are elsewhere and not empty
};

// The whole frame, length and header included. Records that are at hand are copied into `bytes`.
//
// Requires: FetchResponse::kVersions contains `version`; the frame is shorter than 2 GiB.
FetchResponseLayout encode_fetch_response(const FetchResponse& response, std::int16_t version,
                                          std::int32_t correlation_id);

}  // namespace millrace::wire
