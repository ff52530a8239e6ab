// Where a sender inserts records into an encoded Fetch answer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace::wire {

struct RecordsGap {
  std::size_t position = 0;             // the records go before this byte of the encoded bytes
  std::uint32_t partition_ordinal = 0;  // of the partitions of the answer, counted over all topics
  std::size_t size = 0;                 // FetchResponse::Partition::records.size_elsewhere

  friend bool operator==(const RecordsGap&, const RecordsGap&) = default;
};

}  // namespace millrace::wire
