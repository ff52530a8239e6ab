// KeyHash: 128 bits that stand for a record's key while a log is compacted, by SipHash-2-4 under a secret of the pass.
//
// A key is dropped on the word of its hash alone, so two keys of one log must not share what is kept of it. The offset map
// keeps 96 bits. Eight million keys in a map (128 MiB) and a billion records looked up in it meet by chance once in 2^43
// passes; the keys of a map among themselves once in 2^51. Chance is all that is left: under a secret drawn for the pass
// nobody prepares two keys that meet, as anybody can for the MD5 that Apache Kafka uses here. Who could would win nothing:
// whoever may write a topic's keys may delete them.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace millrace::log {

struct HashSecret {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};

struct KeyHash {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const KeyHash&) const = default;
};

KeyHash hash_key(ConstBytes key, const HashSecret& secret);

}  // namespace millrace::log
