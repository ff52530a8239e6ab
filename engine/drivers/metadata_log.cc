#include "engine/drivers/metadata_log.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/logging.h"
#include "engine/metadata/topic_name.h"
#include "engine/storage_format.h"
#include "io/file.h"
#include "io/reactor.h"

namespace millrace::engine {
namespace {

constexpr std::string_view kPartFile = ".part";
constexpr std::string_view kDeletedFile = ".deleted";

bool is_leftover(std::string_view name) {
  return name.find(".checkpoint") != std::string_view::npos &&
         (name.ends_with(kPartFile) || name.ends_with(kDeletedFile) || name.ends_with(".tmp"));
}

log::LogOptions log_options(std::int64_t segment_bytes) {
  log::LogOptions options;
  options.segment_bytes = segment_bytes;
  options.segment_ms = log::LogOptions::kNever;
  // Only a snapshot lets records go.
  options.deletes = false;
  options.accept.max_message_bytes = std::size_t{16} << 20;
  options.durability = log::Durability::fsync;
  return options;
}

}  // namespace

MetadataLog::MetadataLog(io::Proactor& proactor, Options options, std::string directory)
    : proactor_(proactor), options_(std::move(options)), directory_(std::move(directory)) {}

io::Task<Result<std::unique_ptr<MetadataLog>>> MetadataLog::open(io::Proactor& proactor,
                                                                 Options options) {
  std::string directory = fmt::format("{}/{}", options.parent_directory, kMetadataLogDirectory);
  auto opened = std::unique_ptr<MetadataLog>(
      new MetadataLog(proactor, std::move(options), std::move(directory)));
  CO_TRY_DONE(opened->prepare_directory());
  CO_TRY_DONE(opened->find_snapshots());
  auto done = co_await opened->open_log();
  if (!done) {
    (void)co_await opened->close();
    co_return fail(std::move(done).error());
  }
  co_return std::move(opened);
}

Result<void> MetadataLog::prepare_directory() {
  const auto made = proactor_.make_directory(directory_);
  if (!made && made.error() != Errc::already_exists) return made;
  TRY_DONE(proactor_.sync_directory(options_.parent_directory));
  const std::string metadata = directory_ + "/partition.metadata";
  const auto present = io::read_small_file(proactor_, metadata);
  if (present) return {};
  if (present.error() != Errc::not_found) return fail(present.error());
  return io::replace_small_file(
      proactor_, metadata,
      as_bytes(fmt::format("version: 0\ntopic_id: {}", kMetadataTopicId.to_string())));
}

Result<void> MetadataLog::find_snapshots() {
  TRY(entries, proactor_.list(directory_));
  for (const io::DirectoryEntry& entry : entries) {
    if (is_leftover(entry.name))
      TRY_DONE(proactor_.remove(fmt::format("{}/{}", directory_, entry.name)));
    if (const auto name = parse_snapshot_file_name(entry.name)) {
      snapshots_.push_back({.epoch = name->epoch, .end_offset = name->end_offset});
    }
  }
  std::ranges::sort(snapshots_, {}, &raft::SnapshotId::end_offset);
  return {};
}

io::Task<Result<void>> MetadataLog::open_log() {
  shard_ = std::make_unique<log::LogShard>(proactor_, log::LogShardOptions{});
  CO_TRY(opened, co_await shard_->open({.directory = directory_,
                                        .topic = std::string(kMetadataTopicName),
                                        .partition = PartitionIndex(0),
                                        .topic_id = kMetadataTopicId},
                                       log_options(options_.segment_bytes), nullptr));
  log_ = std::move(opened);
  CO_TRY_DONE(co_await shard_->start());
  const auto latest = latest_snapshot();
  if (latest && log_->end_offset() < latest->end_offset) {
    // The snapshot was fetched or handed over; what the log still has is older than it.
    LOG(warn, "metadata.log_behind_snapshot", "end_offset={} snapshot={}",
        log_->end_offset().value(), latest->end_offset.value());
    CO_TRY_DONE(co_await log_->truncate_fully_to(latest->end_offset));
  }
  if (!snapshots_.empty() && log_->log_start_offset() < snapshots_.front().end_offset) {
    CO_TRY_DONE(log_->delete_records(snapshots_.front().end_offset));
  }
  replica_ = std::make_unique<PartitionReplicaLog>(*log_, proactor_);
  note_snapshots();
  co_return Result<void>();
}

io::Task<Result<void>> MetadataLog::close() {
  Result<void> closed;
  if (replica_ != nullptr) co_await replica_->stop();
  if (log_ != nullptr) closed = co_await log_->close();
  if (shard_ != nullptr) co_await shard_->stop();
  replica_.reset();
  log_.reset();
  shard_.reset();
  co_return closed;
}

std::optional<raft::SnapshotId> MetadataLog::latest_snapshot() const {
  if (snapshots_.empty()) return std::nullopt;
  return snapshots_.back();
}

void MetadataLog::note_snapshots() {
  if (!snapshots_.empty()) replica_->set_snapshots(snapshots_.front(), snapshots_.back());
}

// ---- Snapshots

std::string MetadataLog::snapshot_path(const raft::SnapshotId& id) const {
  return fmt::format("{}/{}", directory_,
                     snapshot_file_name({.end_offset = id.end_offset, .epoch = id.epoch}));
}

Result<SnapshotContents> MetadataLog::read_snapshot(const raft::SnapshotId& id) {
  const std::string path = snapshot_path(id);
  const auto bytes = io::read_small_file(proactor_, path, std::size_t{1} << 30);
  if (!bytes) return fail(bytes.error().code, fmt::format("{}: {}", path, bytes.error().message));
  auto contents = decode_snapshot(as_bytes(*bytes));
  if (!contents)
    return fail(contents.error().code, fmt::format("{}: {}", path, contents.error().message));
  return contents;
}

io::Task<Result<void>> MetadataLog::write_part(std::string path, ConstBytes bytes) {
  CO_TRY(file, io::OpenFile::open(proactor_, path, {.write = true, .create = true, .truncate = true}));
  CO_TRY_DONE(co_await io::write_all(proactor_, file->handle(), 0, bytes));
  co_return co_await io::sync(proactor_, file->handle());
}

io::Task<Result<void>> MetadataLog::write_snapshot(raft::SnapshotId id,
                                                   std::vector<std::byte> bytes) {
  const auto latest = latest_snapshot();
  if (latest && latest->end_offset >= id.end_offset) co_return Result<void>();
  const std::string path = snapshot_path(id);
  const std::string part = path + std::string(kPartFile);
  auto written = co_await write_part(part, bytes);
  if (written) written = proactor_.rename(part, path);
  if (!written) {
    // On a disk that is full it would take what others need, until the next start.
    (void)co_await io::remove_file(proactor_, part);
    co_return written;
  }
  CO_TRY_DONE(co_await io::sync_directory(proactor_, directory_));
  snapshots_.push_back(id);
  note_snapshots();
  co_return co_await drop_before(id);
}

// Only after the snapshot is durable. The log's start moves before the older snapshots go, so that
// at every moment a snapshot stands at or before the start.
io::Task<Result<void>> MetadataLog::drop_before(raft::SnapshotId id) {
  const WallTime now = proactor_.wall_now();
  CO_TRY_DONE(log_->roll(now));
  CO_TRY_DONE(log_->delete_records(id.end_offset));
  CO_TRY_DONE(log_->apply_retention(now, id.end_offset));
  while (snapshots_.front() != id) {
    CO_TRY_DONE(co_await io::remove_file(proactor_, snapshot_path(snapshots_.front())));
    snapshots_.erase(snapshots_.begin());
  }
  note_snapshots();
  co_return Result<void>{};
}

}  // namespace millrace::engine
