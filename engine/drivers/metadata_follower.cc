#include "engine/drivers/metadata_follower.h"

#include <fmt/core.h>

#include <utility>

#include "base/check.h"
#include "base/logging.h"
#include "engine/log/format/record.h"

namespace millrace::engine {
namespace {

constexpr std::size_t kReadBytes = std::size_t{4} << 20;

}  // namespace

MetadataFollower::MetadataFollower(MetadataLog& log, std::string cluster_id)
    : log_(log), cluster_id_(std::move(cluster_id)) {
  builder_.set_identity(cluster_id_, kNoBroker);
}

Result<void> MetadataFollower::load_snapshot() {
  const auto latest = log_.latest_snapshot();
  if (!latest) return {};
  TRY(contents, log_.read_snapshot(*latest));
  for (const VersionedRecord& record : contents.records) TRY_DONE(builder_.apply(record.record));
  voters_ = contents.voters;
  last_timestamp_ = contents.last_contained_log_timestamp;
  // The snapshot before the first record contains none.
  if (latest->end_offset > Offset(0)) position_ = {latest->end_offset - 1, latest->epoch};
  LOG(info, "metadata.snapshot_loaded", "end_offset={} records={}", latest->end_offset.value(),
      contents.records.size());
  return {};
}

io::Task<Result<void>> MetadataFollower::catch_up(Offset high_watermark) {
  while (next_offset() < high_watermark) {
    CO_TRY(bytes, co_await log_.read(next_offset(), kReadBytes));
    if (bytes.empty()) {
      co_return fail(Errc::corrupt,
                     fmt::format("metadata log: nothing at offset {}, which is committed",
                                 next_offset().value()));
    }
    for (log::BatchWalk walk(bytes); !walk.at_end();) {
      CO_TRY(batch, walk.next());
      if (batch.end_offset() > high_watermark) co_return Result<void>();
      CO_TRY_DONE(batch.verify());
      CO_TRY_DONE(apply_batch(batch));
    }
  }
  co_return Result<void>();
}

Result<void> MetadataFollower::apply_batch(const log::RecordBatch& batch) {
  for (log::RecordWalk walk(batch, batch.payload()); !walk.at_end();) {
    TRY(record, walk.next());
    if (record.offset < next_offset()) continue;
    const ConstBytes value = record.value.value_or(ConstBytes{});
    if (batch.is_control()) {
      const auto type = log::control_type(record);
      if (type && *type == log::ControlType::voters) {
        TRY(voters, log::decode_voters(value));
        voters_ = voters;
      }
    } else {
      TRY(decoded, decode_record(value));
      const auto applied = builder_.apply(decoded.record);
      if (!applied) {
        return fail(applied.error().code, fmt::format("{}, at offset {}", applied.error().message,
                                                      record.offset.value()));
      }
    }
    position_ = {record.offset, batch.leader_epoch()};
  }
  position_.offset = batch.last_offset();
  last_timestamp_ = batch.max_timestamp();
  bytes_since_snapshot_ += batch.size();
  return {};
}

Result<void> MetadataFollower::apply(const Written& written) {
  CHECK(written.first_offset == next_offset(), "records at {}, the next is {}",
        written.first_offset.value(), next_offset().value());
  for (const VersionedRecord& record : written.records) {
    TRY_DONE(builder_.apply(record.record));
    position_ = {position_.offset + 1, written.epoch};
  }
  last_timestamp_ = written.timestamp;
  bytes_since_snapshot_ += written.bytes;
  return {};
}

MetadataFollower::Snapshot MetadataFollower::make_snapshot(WallTime now) {
  CHECK(!builder_.in_transaction());
  const SnapshotContents contents{
      .last_contained_log_timestamp = std::max(last_timestamp_, std::int64_t{0}),
      .voters = voters_,
      .records = to_records(builder_.uncommitted())};
  bytes_since_snapshot_ = 0;
  return {.id = {.epoch = position_.epoch, .end_offset = next_offset()},
          .bytes = encode_snapshot(contents, position_.epoch, now)};
}

}  // namespace millrace::engine
