#include "engine/log/cleaned_segment.h"

#include <algorithm>
#include <limits>

namespace millrace::log {

Result<void> CleanedSegment::create() {
  offsets_.begin_anew();
  times_.begin_anew();
  TRY(file, io::OpenFile::open(proactor_, path(kLogSuffix, kCleanedSuffix),
                               {.write = true, .create = true, .truncate = true}));
  file_ = std::move(file);
  TRY(direct, io::OpenFile::open(proactor_, path(kLogSuffix, kCleanedSuffix), {.write = true, .direct = true}));
  direct_ = std::move(direct);
  return {};
}

Result<void> CleanedSegment::add(ConstBytes bytes) {
  TRY(batch, RecordBatch::parse(bytes));
  const auto relative = relative_offset(base_offset_, batch.last_offset());
  if (!relative || size() + bytes.size() > std::numeric_limits<std::int32_t>::max()) {
    return fail(Errc::too_large, "the records that are left do not fit into one segment");
  }
  if (batch.max_timestamp() > youngest_.timestamp) {
    youngest_ = {.timestamp = batch.max_timestamp(), .offset = batch.last_offset()};
  }
  if (bytes_since_entry_ > index_interval_bytes_) {
    offsets_.append({.relative_offset = *relative, .position = static_cast<std::int32_t>(size())});
    if (youngest_.timestamp >= 0) {
      times_.append({.timestamp = youngest_.timestamp,
                     .relative_offset = *relative_offset(base_offset_, youngest_.offset)});
    }
    bytes_since_entry_ = 0;
  }
  bytes_since_entry_ += static_cast<std::int64_t>(bytes.size());
  pending_.append(bytes);
  return {};
}

io::Task<Result<void>> CleanedSegment::write_blocks() {
  const std::size_t whole = blocks_below(pending_.size());
  if (whole == 0) co_return Result<void>{};
  for (std::size_t done = 0; done < whole; done += kDirectPiece) {
    const ConstBytes piece = pending_.bytes().subspan(done, std::min(kDirectPiece, whole - done));
    CO_TRY_DONE(co_await io::write_all(proactor_, direct_->handle(), written_ + done, piece));
  }
  // Of a file system without direct writes; elsewhere there is nothing to be written back.
  CO_TRY_DONE(co_await io::start_write_back(proactor_, direct_->handle(), written_, whole));
  written_ += whole;
  pending_.drop_front(whole);
  co_return Result<void>{};
}

io::Task<Result<void>> CleanedSegment::write() {
  CO_TRY_DONE(co_await write_blocks());
  if (offsets_.wants_write()) {
    CO_TRY_DONE(offsets_.write_out(proactor_, path(kIndexSuffix, kCleanedSuffix)));
    CO_TRY_DONE(times_.write_out(proactor_, path(kTimeIndexSuffix, kCleanedSuffix)));
  }
  co_return Result<void>{};
}

io::Task<Result<void>> CleanedSegment::finish() {
  CO_TRY_DONE(co_await write());
  CO_TRY_DONE(co_await io::write_all(proactor_, file_->handle(), written_, pending_.bytes()));
  written_ += pending_.size();
  pending_.clear();
  if (youngest_.timestamp >= 0) {
    times_.append({.timestamp = youngest_.timestamp,
                   .relative_offset = *relative_offset(base_offset_, youngest_.offset)});
  }
  CO_TRY_DONE(offsets_.write_out(proactor_, path(kIndexSuffix, kCleanedSuffix)));
  CO_TRY_DONE(times_.write_out(proactor_, path(kTimeIndexSuffix, kCleanedSuffix)));
  CO_TRY_DONE(co_await io::sync(proactor_, file_->handle()));
  CO_TRY_DONE(co_await sync_index(path(kIndexSuffix, kCleanedSuffix)));
  CO_TRY_DONE(co_await sync_index(path(kTimeIndexSuffix, kCleanedSuffix)));
  direct_.reset();
  file_.reset();
  co_return Result<void>{};
}

io::Task<Result<void>> CleanedSegment::sync_index(std::string path) {
  CO_TRY(file, io::OpenFile::open(proactor_, path, {.write = true}));
  co_return co_await io::sync(proactor_, file->handle());
}

Result<void> CleanedSegment::rename_all(std::string_view from, std::string_view to) {
  for (const auto suffix : {kIndexSuffix, kTimeIndexSuffix, kLogSuffix}) {
    TRY_DONE(proactor_.rename(path(suffix, from), path(suffix, to)));
  }
  return {};
}

io::Task<void> CleanedSegment::remove() {
  direct_.reset();
  file_.reset();
  for (const auto suffix : {kLogSuffix, kIndexSuffix, kTimeIndexSuffix}) {
    for (const auto ending : {kCleanedSuffix, kSwapSuffix}) (void)co_await io::remove_file(proactor_, path(suffix, ending));
  }
}

}  // namespace millrace::log
