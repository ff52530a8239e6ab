#include "engine/log/format/record.h"

#include <fmt/core.h>

#include "base/check.h"
#include "engine/log/format/varint.h"

namespace millrace::log {

namespace {

// Reads from one span that holds everything.
class SpanCursor {
 public:
  explicit SpanCursor(ConstBytes bytes)
      : begin_(bytes.data()), at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool byte(std::uint8_t& value) {
    if (at_ == end_) return false;
    value = static_cast<std::uint8_t>(*at_++);
    return true;
  }
  bool skip(std::uint64_t bytes) {
    if (bytes > static_cast<std::uint64_t>(end_ - at_)) return false;
    at_ += bytes;
    return true;
  }
  std::uint64_t position() const { return static_cast<std::uint64_t>(at_ - begin_); }
  bool at_end() { return at_ == end_; }
  ConstBytes taken_since(std::uint64_t position) const { return {begin_ + position, at_}; }
  std::optional<Error> error() const { return std::nullopt; }

 private:
  const std::byte* begin_;
  const std::byte* at_;
  const std::byte* end_;
};

// Reads from pieces as they come out of a decompressor.
class PieceCursor {
 public:
  explicit PieceCursor(PayloadReader& reader) : reader_(reader) {}

  bool byte(std::uint8_t& value) {
    if (at_ == piece_.size() && !refill()) return false;
    value = static_cast<std::uint8_t>(piece_[at_++]);
    return true;
  }
  bool skip(std::uint64_t bytes) {
    while (bytes > piece_.size() - at_) {
      bytes -= piece_.size() - at_;
      if (!refill()) return false;
    }
    at_ += static_cast<std::size_t>(bytes);
    return true;
  }
  std::uint64_t position() const { return before_ + at_; }
  bool at_end() { return at_ == piece_.size() && !refill(); }
  // What the reader failed with; a payload that just ends early is the caller's to name.
  std::optional<Error> error() const { return error_; }

 private:
  bool refill() {
    if (error_) return false;
    before_ += piece_.size();
    at_ = 0;
    piece_ = {};
    auto next = reader_.next();
    if (!next) {
      error_ = std::move(next).error();
      return false;
    }
    piece_ = *next;
    return !piece_.empty();
  }

  PayloadReader& reader_;
  ConstBytes piece_;
  std::size_t at_ = 0;
  std::uint64_t before_ = 0;
  std::optional<Error> error_;
};

template <class Cursor>
bool read_varint(Cursor& cursor, std::int32_t& value) {
  // Most are one byte.
  std::uint8_t first = 0;
  if (!cursor.byte(first)) return false;
  if (first < 0x80) [[likely]] {
    value = unzigzag(std::uint32_t{first});
    return true;
  }
  std::uint32_t raw = first & 0x7f;
  for (int shift = 7; shift < 35; shift += 7) {
    std::uint8_t byte = 0;
    if (!cursor.byte(byte)) return false;
    raw |= static_cast<std::uint32_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      value = unzigzag(raw);
      return true;
    }
  }
  return false;
}

template <class Cursor>
bool read_varint(Cursor& cursor, std::int64_t& value) {
  std::uint8_t first = 0;
  if (!cursor.byte(first)) return false;
  if (first < 0x80) [[likely]] {
    value = unzigzag(std::uint64_t{first});
    return true;
  }
  std::uint64_t raw = first & 0x7f;
  for (int shift = 7; shift < 70; shift += 7) {
    std::uint8_t byte = 0;
    if (!cursor.byte(byte)) return false;
    raw |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      value = unzigzag(raw);
      return true;
    }
  }
  return false;
}

// Skips a sized field; a negative size stands for "none". False when the bytes are not there.
template <class Cursor>
bool skip_field(Cursor& cursor, bool& present) {
  std::int32_t size = 0;
  if (!read_varint(cursor, size)) return false;
  present = size >= 0;
  return size <= 0 || cursor.skip(static_cast<std::uint64_t>(size));
}

// Java's addition: wraps instead of being undefined.
std::int64_t add_wrapping(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

std::unexpected<Error> malformed_record(std::int32_t index, const char* what) {
  return fail(Errc::malformed, fmt::format("record {} of the batch: {}", index, what));
}

// Where a record's parts are, relative to the cursor's position.
struct RecordShape {
  std::int64_t timestamp_delta = 0;
  std::int32_t offset_delta = 0;
  bool has_key = false;
  bool has_value = false;
  std::int32_t header_count = 0;
  std::uint64_t key_at = 0, key_end = 0, value_at = 0, value_end = 0;
  std::uint64_t headers_at = 0, end = 0;
};

// Moves behind one record. Null when it is well formed, otherwise what is wrong.
template <class Cursor>
const char* read_shape(Cursor& cursor, RecordShape& shape) {
  std::int32_t size = 0;
  if (!read_varint(cursor, size)) return "no size";
  if (size < 0) return "negative size";
  const std::uint64_t end = cursor.position() + static_cast<std::uint64_t>(size);
  std::uint8_t attributes = 0;
  if (!cursor.byte(attributes)) return "ends before its attributes";
  if (!read_varint(cursor, shape.timestamp_delta)) return "bad timestamp delta";
  if (!read_varint(cursor, shape.offset_delta)) return "bad offset delta";
  std::int32_t field_size = 0;
  if (!read_varint(cursor, field_size)) return "bad key size";
  shape.has_key = field_size >= 0;
  shape.key_at = cursor.position();
  if (field_size > 0 && !cursor.skip(static_cast<std::uint64_t>(field_size))) return "short key";
  shape.key_end = cursor.position();
  if (!read_varint(cursor, field_size)) return "bad value size";
  shape.has_value = field_size >= 0;
  shape.value_at = cursor.position();
  if (field_size > 0 && !cursor.skip(static_cast<std::uint64_t>(field_size))) return "short value";
  shape.value_end = cursor.position();
  if (!read_varint(cursor, shape.header_count)) return "bad header count";
  if (shape.header_count < 0) return "negative header count";
  shape.headers_at = cursor.position();
  for (std::int32_t i = 0; i < shape.header_count; ++i) {
    // Each header takes two bytes or more, so this ends within the record's own size.
    if (cursor.position() >= end) return "more headers announced than there are";
    bool present = false;
    if (!skip_field(cursor, present)) return "bad header key";
    if (!present) return "header without key";
    if (!skip_field(cursor, present)) return "bad header value";
  }
  shape.end = cursor.position();
  return shape.end == end ? nullptr : "size does not match its content";
}

template <class Cursor>
Result<RecordScan> scan(const RecordBatch& batch, Cursor& cursor, RecordVisitor* visitor) {
  RecordScan scan;
  const std::int32_t count = batch.record_count();
  if (count < 0) return fail(Errc::malformed, fmt::format("record count {}", count));
  const std::int64_t base_timestamp = batch.base_timestamp();
  const bool append_time = batch.timestamp_type() == TimestampType::log_append_time;
  const std::int64_t batch_timestamp = batch.max_timestamp();
  RecordShape shape;
  for (std::int32_t index = 0; index < count; ++index) {
    if (const char* wrong = read_shape(cursor, shape)) {
      if (auto error = cursor.error()) return fail(*std::move(error));
      return malformed_record(index, wrong);
    }
    const std::int64_t timestamp =
        append_time ? batch_timestamp : add_wrapping(base_timestamp, shape.timestamp_delta);
    if (timestamp > scan.max_timestamp) {
      scan.max_timestamp = timestamp;
      scan.offset_delta_of_max_timestamp = index;
    }
    if (timestamp == kNoTimestamp) {
      scan.any_without_timestamp = true;
    } else if (timestamp < scan.min_timestamp) {
      scan.min_timestamp = timestamp;
    }
    scan.any_without_key |= !shape.has_key;
    if (shape.offset_delta != index) scan.deltas_consecutive = false;
    if (visitor != nullptr) visitor->visit(index, timestamp, shape.has_key);
  }
  if (!cursor.at_end()) {
    return fail(Errc::malformed, fmt::format("bytes are left behind the {} records", count));
  }
  if (auto error = cursor.error()) return fail(*std::move(error));
  return scan;
}

}  // namespace

RecordHeader HeaderWalk::next() {
  CHECK(!at_end());
  --left_;
  SpanCursor cursor(bytes_);
  std::int32_t size = 0;
  CHECK(read_varint(cursor, size));
  CHECK(size >= 0, "{}", size);
  const std::uint64_t key_at = cursor.position();
  CHECK(cursor.skip(static_cast<std::uint64_t>(size)));
  RecordHeader header{.key = as_text(cursor.taken_since(key_at)), .value = {}};
  CHECK(read_varint(cursor, size));
  if (size >= 0) {
    const std::uint64_t value_at = cursor.position();
    CHECK(cursor.skip(static_cast<std::uint64_t>(size)));
    header.value = cursor.taken_since(value_at);
  }
  bytes_ = bytes_.subspan(static_cast<std::size_t>(cursor.position()));
  return header;
}

RecordWalk::RecordWalk(const RecordBatch& batch, ConstBytes payload)
    : payload_(payload),
      left_(batch.record_count() < 0 ? 0 : batch.record_count()),
      base_offset_(batch.base_offset()),
      base_timestamp_(batch.base_timestamp()) {
  if (batch.timestamp_type() == TimestampType::log_append_time) {
    append_time_ = batch.max_timestamp();
  }
}

Result<Record> RecordWalk::next() {
  CHECK(!at_end());
  const ConstBytes rest = payload_.subspan(position_);
  SpanCursor cursor(rest);
  RecordShape shape;
  if (const char* wrong = read_shape(cursor, shape)) return malformed_record(left_, wrong);
  --left_;
  position_ += static_cast<std::size_t>(shape.end);
  if (left_ == 0 && position_ != payload_.size()) {
    return fail(Errc::malformed, "bytes are left behind the last record");
  }
  const auto part = [&](std::uint64_t at, std::uint64_t end) {
    return rest.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(end - at));
  };
  Record record;
  record.offset_delta = shape.offset_delta;
  record.offset = Offset(add_wrapping(base_offset_.value(), shape.offset_delta));
  record.timestamp =
      append_time_ ? *append_time_ : add_wrapping(base_timestamp_, shape.timestamp_delta);
  if (shape.has_key) record.key = part(shape.key_at, shape.key_end);
  if (shape.has_value) record.value = part(shape.value_at, shape.value_end);
  record.header_count = shape.header_count;
  record.headers = part(shape.headers_at, shape.end);
  record.bytes = part(0, shape.end);
  return record;
}

Result<ConstBytes> open_payload(const RecordBatch& batch, Codecs& codecs,
                                std::uint64_t output_bytes_max, std::vector<std::byte>& storage) {
  const auto codec = batch.codec();
  if (!codec) {
    return fail(Errc::unsupported_codec, fmt::format("attributes {:#x}", batch.attributes()));
  }
  if (*codec == Codec::none) return batch.payload();
  TRY(reader, codecs.open(*codec, batch.payload(), output_bytes_max));
  storage.clear();
  while (true) {
    TRY(piece, reader->next());
    if (piece.empty()) return ConstBytes(storage);
    storage.insert(storage.end(), piece.begin(), piece.end());
  }
}

Result<RecordScan> scan_records(const RecordBatch& batch, ConstBytes payload,
                                RecordVisitor* visitor) {
  SpanCursor cursor(payload);
  return scan(batch, cursor, visitor);
}

Result<RecordScan> scan_records(const RecordBatch& batch, PayloadReader& reader,
                                RecordVisitor* visitor) {
  PieceCursor cursor(reader);
  return scan(batch, cursor, visitor);
}

}  // namespace millrace::log
