#include "engine/log/format/index_entry.h"

#include <fmt/core.h>

#include <limits>

namespace millrace::log {

OffsetIndexEntry OffsetIndexEntry::load(const std::byte* from) {
  return {load_big_endian<std::int32_t>(from), load_big_endian<std::int32_t>(from + 4)};
}

void OffsetIndexEntry::store(std::byte* to) const {
  store_big_endian<std::int32_t>(to, relative_offset);
  store_big_endian<std::int32_t>(to + 4, position);
}

TimeIndexEntry TimeIndexEntry::load(const std::byte* from) {
  return {load_big_endian<std::int64_t>(from), load_big_endian<std::int32_t>(from + 8)};
}

void TimeIndexEntry::store(std::byte* to) const {
  store_big_endian<std::int64_t>(to, timestamp);
  store_big_endian<std::int32_t>(to + 8, relative_offset);
}

Result<AbortedTransaction> AbortedTransaction::load(ConstBytes from) {
  if (from.size() < kBytes) return fail(Errc::truncated, "aborted transaction entry");
  const auto version = load_big_endian<std::int16_t>(from.data());
  if (version != 0) {
    return fail(Errc::unsupported, fmt::format("aborted transaction entry version {}", version));
  }
  return AbortedTransaction{ProducerId(load_big_endian<std::int64_t>(from.data() + 2)),
                            Offset(load_big_endian<std::int64_t>(from.data() + 10)),
                            Offset(load_big_endian<std::int64_t>(from.data() + 18)),
                            Offset(load_big_endian<std::int64_t>(from.data() + 26))};
}

void AbortedTransaction::store(std::byte* to) const {
  store_big_endian<std::int16_t>(to, 0);
  store_big_endian<std::int64_t>(to + 2, producer_id.value());
  store_big_endian<std::int64_t>(to + 10, first_offset.value());
  store_big_endian<std::int64_t>(to + 18, last_offset.value());
  store_big_endian<std::int64_t>(to + 26, last_stable_offset.value());
}

std::optional<std::int32_t> relative_offset(Offset base, Offset offset) {
  const std::int64_t relative = offset - base;
  if (relative < 0 || relative > std::numeric_limits<std::int32_t>::max()) return std::nullopt;
  return static_cast<std::int32_t>(relative);
}

}  // namespace millrace::log
