// Bytes that claim to be record batches: validated for append under several sets of rules, walked
// as a log would, their control records decoded. Whatever comes, nothing is read beyond the bytes,
// and what validation accepts a reader can read.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "engine/log/compression.h"
#include "engine/log/format/append_validation.h"
#include "engine/log/format/control_record.h"
#include "engine/log/format/record.h"
#include "engine/log/producer_state.h"

namespace millrace::log {
namespace {

constexpr std::uint64_t kOpenedMax = std::uint64_t{1} << 20;

void walk_records(const RecordBatch& batch, ConstBytes payload) {
  for (RecordWalk walk(batch, payload); !walk.at_end();) {
    const auto record = walk.next();
    if (!record) return;
    for (HeaderWalk headers(*record); !headers.at_end();) headers.next();
    if (!batch.is_control()) continue;
    const auto type = control_type(*record);
    if (!type || !record->value) continue;
    const ConstBytes value = *record->value;
    (void)decode_end_transaction(*type, value);
    (void)decode_leader_change(value);
    (void)decode_snapshot_header(value);
    (void)decode_snapshot_footer(value);
    (void)decode_kraft_version(value);
    (void)decode_voters(value);
  }
}

void read_as_log(ConstBytes bytes, Compression& compression) {
  ProducerState producers;
  for (BatchWalk walk(bytes); !walk.at_end();) {
    const auto batch = walk.next();
    if (!batch) return;
    std::vector<std::byte> storage;
    const auto payload = open_payload(*batch, compression, kOpenedMax, storage);
    if (payload) walk_records(*batch, *payload);
    if (batch->verify() && batch->codec() == Codec::none) (void)producers.apply(*batch);
  }
}

void append(std::vector<std::byte> bytes, const AppendRules& rules, AppendWorkspace& workspace) {
  const auto valid = validate_for_append(bytes, rules, WallTime{1'700'000'000'000}, workspace);
  if (!valid) return;
  // As the log does: what stands there before means nothing.
  set_base_offset(valid->bytes, Offset(100));
  const RecordBatch batch = valid->batch();
  CHECK(batch.verify().has_value());
  CHECK(batch.record_count() == valid->record_count);
  CHECK(batch.size() <= rules.max_message_bytes);
  std::vector<std::byte> storage;
  const auto payload =
      open_payload(batch, workspace.codecs, rules.decompressed_bytes_max(), storage);
  CHECK(payload.has_value());
  std::int32_t records = 0;
  for (RecordWalk walk(batch, *payload); !walk.at_end(); ++records) {
    const auto record = walk.next();
    CHECK(record.has_value());
    CHECK(record->offset_delta == records);
  }
  CHECK(records == valid->record_count);
}

}  // namespace
}  // namespace millrace::log

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using namespace millrace::log;
  const ConstBytes input(reinterpret_cast<const std::byte*>(data), size);
  Compression compression;
  read_as_log(input, compression);

  // As the bytes are, and once more with the checksum mended: a fuzzer does not guess those.
  std::vector<std::byte> mended(input.begin(), input.end());
  if (RecordBatch::parse(mended)) set_crc(mended);
  AppendWorkspace workspace(compression);
  AppendRules rules;
  rules.max_message_bytes = 64 * 1024;
  rules.timestamp_after_max_ms = std::numeric_limits<std::int64_t>::max();
  append({input.begin(), input.end()}, rules, workspace);
  append(mended, rules, workspace);
  rules.timestamp_type = TimestampType::log_append_time;
  rules.from_client = false;
  append(mended, rules, workspace);
  rules.compression = size % 2 == 0 ? Codec::zstd : Codec::none;
  append(mended, rules, workspace);
  return 0;
}
