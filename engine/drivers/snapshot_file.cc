#include "engine/drivers/snapshot_file.h"

#include <fmt/core.h>

#include <charconv>

#include "engine/log/format/batch_builder.h"
#include "engine/log/format/record.h"

namespace millrace::engine {
namespace {

// Kafka's bound on a batch of the metadata log is 8 MiB; below it, so that a record always fits.
constexpr std::size_t kBatchBytes = std::size_t{4} << 20;

// Writes batches one after the other; offsets run on.
class SnapshotWriter {
 public:
  SnapshotWriter(LeaderEpoch epoch, WallTime now) : epoch_(epoch), now_(now) {}

  void control(log::ControlType type, ConstBytes value) {
    if (!open_ || !control_) begin(true);
    log::append_control(builder_, now_.ms, type, value);
  }
  void data(ConstBytes value) {
    if (!open_ || control_ || builder_.size() > kBatchBytes) begin(false);
    builder_.append(now_.ms, std::nullopt, value);
  }
  void end_batch() {
    if (!open_) return;
    next_offset_ = next_offset_ + builder_.record_count();
    const Bytes batch = builder_.finish();
    bytes_.insert(bytes_.end(), batch.begin(), batch.end());
    open_ = false;
  }
  std::vector<std::byte> take() {
    end_batch();
    return std::move(bytes_);
  }

 private:
  void begin(bool control) {
    end_batch();
    builder_.begin({.base_offset = next_offset_, .leader_epoch = epoch_, .control = control});
    open_ = true;
    control_ = control;
  }

  LeaderEpoch epoch_;
  WallTime now_;
  log::BatchBuilder builder_;
  std::vector<std::byte> bytes_;
  Offset next_offset_{0};
  bool open_ = false;
  bool control_ = false;
};

// What control records say; where in the snapshot they may stand.
class SnapshotReader {
 public:
  Result<void> take(const log::RecordBatch& batch) {
    if (footer_) return fail(Errc::corrupt, "snapshot: something stands behind the footer");
    if (!batch.is_control()) {
      if (!header_) return fail(Errc::corrupt, "snapshot: records stand before the header");
      TRY(records, decode_metadata_batch(batch));
      contents_.records.insert(contents_.records.end(), records.begin(), records.end());
      return {};
    }
    for (log::RecordWalk walk(batch, batch.payload()); !walk.at_end();) {
      TRY(record, walk.next());
      TRY_DONE(take_control(record));
    }
    return {};
  }
  Result<SnapshotContents> finish() {
    if (!header_ || !footer_)
      return fail(Errc::corrupt, "snapshot: it was never finished: no header or no footer");
    return std::move(contents_);
  }

 private:
  Result<void> take_control(const log::Record& record) {
    TRY(type, log::control_type(record));
    const ConstBytes value = record.value.value_or(ConstBytes{});
    switch (type) {
      case log::ControlType::snapshot_header: {
        TRY(header, log::decode_snapshot_header(value));
        contents_.last_contained_log_timestamp = header.last_contained_log_timestamp;
        header_ = true;
        return {};
      }
      case log::ControlType::snapshot_footer:
        TRY_DONE(log::decode_snapshot_footer(value));
        footer_ = true;
        return {};
      case log::ControlType::kraft_version:
        TRY_DONE(log::decode_kraft_version(value));
        return {};
      case log::ControlType::voters: {
        TRY(voters, log::decode_voters(value));
        contents_.voters = voters;
        return {};
      }
      default:
        break;
    }
    return fail(Errc::corrupt, "snapshot: a control record that belongs into a log");
  }

  SnapshotContents contents_;
  bool header_ = false;
  bool footer_ = false;
};

}  // namespace

std::string snapshot_file_name(const SnapshotName& name) {
  return fmt::format("{:020}-{:010}.checkpoint", name.end_offset.value(), name.epoch.value());
}

std::optional<SnapshotName> parse_snapshot_file_name(std::string_view file_name) {
  constexpr std::string_view kSuffix = ".checkpoint";
  if (file_name.size() != 20 + 1 + 10 + kSuffix.size() || !file_name.ends_with(kSuffix) ||
      file_name[20] != '-') {
    return std::nullopt;
  }
  const auto number = [](std::string_view digits, auto& value) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc{} && end == digits.data() + digits.size() && digits.front() != '-';
  };
  std::int64_t end_offset = 0;
  std::int32_t epoch = 0;
  if (!number(file_name.substr(0, 20), end_offset) || !number(file_name.substr(21, 10), epoch)) {
    return std::nullopt;
  }
  return SnapshotName{Offset(end_offset), LeaderEpoch(epoch)};
}

std::vector<std::byte> encode_snapshot(const SnapshotContents& contents, LeaderEpoch epoch,
                                       WallTime now) {
  SnapshotWriter writer(epoch, now);
  writer.control(log::ControlType::snapshot_header,
                 log::encode(log::SnapshotHeader{contents.last_contained_log_timestamp}));
  if (contents.voters) {
    writer.control(log::ControlType::kraft_version, log::encode(log::KRaftVersion{1}));
    writer.control(log::ControlType::voters, log::encode(*contents.voters));
  }
  writer.end_batch();
  std::vector<std::byte> value;
  for (const VersionedRecord& record : contents.records) {
    value.clear();
    encode_record(record, value);
    writer.data(value);
  }
  writer.end_batch();
  writer.control(log::ControlType::snapshot_footer, log::encode(log::SnapshotFooter{}));
  return writer.take();
}

Result<SnapshotContents> decode_snapshot(ConstBytes bytes) {
  SnapshotReader reader;
  for (log::BatchWalk walk(bytes); !walk.at_end();) {
    TRY(batch, walk.next());
    TRY_DONE(batch.verify());
    TRY_DONE(reader.take(batch));
  }
  return reader.finish();
}

Result<std::vector<VersionedRecord>> decode_metadata_batch(const log::RecordBatch& batch) {
  if (batch.codec() != log::Codec::none) {
    return fail(Errc::unsupported,
                "metadata log: a compressed batch, which Kafka does not write either");
  }
  std::vector<VersionedRecord> records;
  for (log::RecordWalk walk(batch, batch.payload()); !walk.at_end();) {
    TRY(record, walk.next());
    if (!record.value) return fail(Errc::corrupt, "metadata log: a record without a value");
    TRY(decoded, decode_record(*record.value));
    records.push_back(std::move(decoded));
  }
  return records;
}

}  // namespace millrace::engine
