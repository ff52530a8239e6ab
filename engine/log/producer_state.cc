#include "engine/log/producer_state.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/crc32c.h"
#include "engine/log/format/record.h"

namespace millrace::log {

namespace {

constexpr std::int16_t kSnapshotVersion = 1;
constexpr std::size_t kSnapshotCrcAt = 2;
constexpr std::size_t kSnapshotCoveredAt = 6;
constexpr std::size_t kSnapshotHeaderBytes = 10;
constexpr std::size_t kSnapshotEntryBytes = 46;

bool follows(std::int32_t last, std::int32_t next) {
  return last == kNoSequence ? next == 0 : next == advance_sequence(last, 1);
}

// `sequence` moved back by `by`, wrapping from 0 to the largest int32.
std::int32_t retreat_sequence(std::int32_t sequence, std::int32_t by) {
  const std::int64_t moved = std::int64_t{sequence} - by;
  return static_cast<std::int32_t>(moved < 0 ? moved + (std::int64_t{1} << 31) : moved);
}

}  // namespace

std::int32_t ProducerBatch::first_sequence() const {
  return last_sequence < 0 ? kNoSequence : retreat_sequence(last_sequence, offset_delta);
}

std::int32_t ProducerEntry::last_sequence() const {
  return batch_count_ == 0 ? kNoSequence : batches_[batch_count_ - 1].last_sequence;
}

Offset ProducerEntry::last_offset() const {
  return batch_count_ == 0 ? kNoOffset : batches_[batch_count_ - 1].last_offset;
}

std::optional<ProducerBatch> ProducerEntry::find_duplicate(const RecordBatch& batch) const {
  if (batch.producer_epoch() != producer_epoch) return std::nullopt;
  for (const auto& kept : batches()) {
    if (kept.first_sequence() == batch.base_sequence() &&
        kept.last_sequence == batch.last_sequence()) {
      return kept;
    }
  }
  return std::nullopt;
}

void ProducerEntry::set_epoch(std::int16_t epoch) {
  if (epoch == producer_epoch) return;
  producer_epoch = epoch;
  batch_count_ = 0;
}

void ProducerEntry::add_batch(const ProducerBatch& batch) {
  if (batch_count_ == kBatchesKept) {
    std::move(batches_.begin() + 1, batches_.end(), batches_.begin());
    --batch_count_;
  }
  batches_[batch_count_++] = batch;
}

bool ProducerEntry::operator==(const ProducerEntry& other) const {
  return producer_epoch == other.producer_epoch && coordinator_epoch == other.coordinator_epoch &&
         last_timestamp == other.last_timestamp && transaction_start == other.transaction_start &&
         std::ranges::equal(batches(), other.batches());
}

const ProducerEntry* ProducerState::find(ProducerId producer_id) const {
  const auto found = producers_.find(producer_id);
  return found == producers_.end() ? nullptr : &found->second;
}

Result<std::optional<ProducerBatch>> ProducerState::check(const RecordBatch& batch,
                                                          Source source) const {
  CHECK(batch.has_producer_id());
  CHECK(!batch.is_control());
  const ProducerEntry* const entry = find(batch.producer_id());
  if (source == Source::client && entry != nullptr) {
    if (auto duplicate = entry->find_duplicate(batch)) return duplicate;
  }
  TRY_DONE(check_epoch(entry, batch));
  if (source == Source::client) TRY_DONE(check_sequence(entry, batch));
  if (entry != nullptr && entry->transaction_start && !batch.is_transactional()) {
    return fail(Errc::invalid_argument,
                fmt::format("producer {} writes outside of its open transaction",
                            batch.producer_id().value()));
  }
  return std::nullopt;
}

Result<void> ProducerState::check_epoch(const ProducerEntry* entry,
                                        const RecordBatch& batch) const {
  if (entry == nullptr || batch.producer_epoch() >= entry->producer_epoch) return {};
  return fail(
      Errc::invalid_producer_epoch,
      fmt::format("producer {} has epoch {}, a later one has written with {}",
                  batch.producer_id().value(), batch.producer_epoch(), entry->producer_epoch));
}

Result<void> ProducerState::check_sequence(const ProducerEntry* entry,
                                           const RecordBatch& batch) const {
  // Nothing is known of the producer any more, or never was: whatever it sends is where it starts.
  if (entry == nullptr || entry->producer_epoch == kNoProducerEpoch) return {};
  const std::int32_t first = batch.base_sequence();
  if (batch.producer_epoch() != entry->producer_epoch) {
    if (first == 0) return {};
    return fail(Errc::out_of_order_sequence,
                fmt::format("producer {} starts epoch {} with sequence {} instead of 0",
                            batch.producer_id().value(), batch.producer_epoch(), first));
  }
  if (follows(entry->last_sequence(), first)) return {};
  return fail(Errc::out_of_order_sequence,
              fmt::format("producer {} sends sequence {}, the last was {}",
                          batch.producer_id().value(), first, entry->last_sequence()));
}

Result<void> ProducerState::check_marker(ProducerId producer_id, std::int16_t producer_epoch,
                                         std::int32_t coordinator_epoch,
                                         std::int16_t transaction_version) const {
  const ProducerEntry* const entry = find(producer_id);
  if (entry == nullptr) return {};
  const bool strict = transaction_version >= 2;
  // The same marker again, after its transaction has ended, does no harm and must be answered.
  const bool repeated =
      strict && producer_epoch == entry->producer_epoch && !entry->transaction_start;
  const bool stale =
      strict ? producer_epoch <= entry->producer_epoch : producer_epoch < entry->producer_epoch;
  if (stale && !repeated) {
    return fail(Errc::invalid_producer_epoch,
                fmt::format("marker of producer {} has epoch {}, the last seen is {}",
                            producer_id.value(), producer_epoch, entry->producer_epoch));
  }
  if (entry->coordinator_epoch > coordinator_epoch) {
    return fail(Errc::fenced_epoch, fmt::format("marker of coordinator epoch {}, the current is {}",
                                                coordinator_epoch, entry->coordinator_epoch));
  }
  return {};
}

Result<std::optional<CompletedTransaction>> ProducerState::apply(const RecordBatch& batch) {
  std::optional<CompletedTransaction> completed;
  if (batch.has_producer_id()) {
    if (batch.is_control()) {
      TRY(ended, apply_marker(batch));
      completed = ended;
    } else {
      apply_data(batch);
    }
  }
  end_offset_ = batch.end_offset();
  return completed;
}

void ProducerState::apply_data(const RecordBatch& batch) {
  ProducerEntry& entry = producers_[batch.producer_id()];
  entry.set_epoch(batch.producer_epoch());
  entry.add_batch({batch.last_sequence(), batch.last_offset_delta(), batch.last_offset(),
                   batch.max_timestamp()});
  entry.last_timestamp = batch.max_timestamp();
  if (batch.is_transactional() && !entry.transaction_start) {
    entry.transaction_start = batch.base_offset();
    open_.emplace(batch.base_offset(), OpenTransaction{batch.producer_id()});
  }
}

Result<std::optional<CompletedTransaction>> ProducerState::apply_marker(const RecordBatch& batch) {
  // The cleaner leaves an empty batch where a whole transaction went.
  if (batch.record_count() <= 0) return std::nullopt;
  RecordWalk walk(batch, batch.payload());
  TRY(record, walk.next());
  TRY(type, control_type(record));
  TRY(marker, decode_end_transaction(type, record.value.value_or(ConstBytes())));

  ProducerEntry& entry = producers_[batch.producer_id()];
  std::optional<CompletedTransaction> completed;
  if (entry.transaction_start) {
    const Offset first = *entry.transaction_start;
    completed = CompletedTransaction{batch.producer_id(), first, batch.base_offset(),
                                     marker.type == ControlType::abort};
    open_.erase(first);
    ended_[first] = OpenTransaction{batch.producer_id(), batch.base_offset()};
  }
  entry.set_epoch(batch.producer_epoch());
  entry.coordinator_epoch = marker.coordinator_epoch;
  entry.last_timestamp = record.timestamp;
  entry.transaction_start.reset();
  return completed;
}

AbortedTransaction ProducerState::aborted_entry(const CompletedTransaction& completed) const {
  const Offset stable = open_.empty() ? completed.last_offset + 1 : open_.begin()->first;
  return {completed.producer_id, completed.first_offset, completed.last_offset, stable};
}

std::optional<Offset> ProducerState::first_unstable_offset() const {
  std::optional<Offset> first;
  if (!open_.empty()) first = open_.begin()->first;
  if (!ended_.empty() && (!first || ended_.begin()->first < *first)) first = ended_.begin()->first;
  return first;
}

Offset ProducerState::last_stable_offset(Offset high_watermark) const {
  const auto first = first_unstable_offset();
  return first ? std::min(*first, high_watermark) : high_watermark;
}

void ProducerState::on_high_watermark(Offset high_watermark) {
  std::erase_if(ended_,
                [&](const auto& ended) { return ended.second.last_offset < high_watermark; });
}

void ProducerState::on_log_start(Offset log_start_offset) {
  on_high_watermark(log_start_offset);
  if (end_offset_ < log_start_offset) end_offset_ = log_start_offset;
}

std::size_t ProducerState::expire(WallTime now, std::int64_t expiration_ms) {
  return std::erase_if(producers_, [&](const auto& producer) {
    const ProducerEntry& entry = producer.second;
    return !entry.transaction_start && now.ms - entry.last_timestamp >= expiration_ms;
  });
}

void ProducerState::restore(ProducerId producer_id, std::optional<ProducerEntry> entry,
                            Offset end_offset) {
  end_offset_ = end_offset;
  const auto of_producer = [&](const auto& transaction) {
    return transaction.second.producer_id == producer_id;
  };
  std::erase_if(open_, of_producer);
  // A marker at or behind the old end was never written.
  std::erase_if(ended_, [&](const auto& transaction) {
    return of_producer(transaction) && transaction.second.last_offset >= end_offset;
  });
  if (!entry) {
    producers_.erase(producer_id);
    return;
  }
  if (entry->transaction_start) {
    open_.emplace(*entry->transaction_start, OpenTransaction{producer_id});
  }
  producers_[producer_id] = *entry;
}

void ProducerState::clear(Offset end_offset) {
  producers_.clear();
  open_.clear();
  ended_.clear();
  end_offset_ = end_offset;
}

std::vector<std::byte> ProducerState::encode_snapshot() const {
  std::vector<std::byte> out(kSnapshotHeaderBytes + producers_.size() * kSnapshotEntryBytes);
  // By producer id, so that equal states give equal files.
  std::vector<ProducerId> ids;
  ids.reserve(producers_.size());
  for (const auto& producer : producers_) ids.push_back(producer.first);
  std::ranges::sort(ids);
  store_big_endian(out.data(), kSnapshotVersion);
  store_big_endian(out.data() + 6, static_cast<std::int32_t>(producers_.size()));
  std::byte* at = out.data() + kSnapshotHeaderBytes;
  for (const ProducerId id : ids) {
    const ProducerEntry& entry = producers_.at(id);
    const ProducerBatch last = entry.has_batches() ? entry.batches().back() : ProducerBatch{};
    store_big_endian(at, id.value());
    store_big_endian(at + 8, entry.producer_epoch);
    store_big_endian(at + 10, last.last_sequence);
    store_big_endian(at + 14, last.last_offset.value());
    store_big_endian(at + 22, last.offset_delta);
    store_big_endian(at + 26, entry.last_timestamp);
    store_big_endian(at + 34, entry.coordinator_epoch);
    store_big_endian(at + 38, entry.transaction_start.value_or(kNoOffset).value());
    at += kSnapshotEntryBytes;
  }
  store_big_endian(out.data() + kSnapshotCrcAt,
                   crc32c(ConstBytes(out).subspan(kSnapshotCoveredAt)));
  return out;
}

Result<void> ProducerState::load_snapshot(ConstBytes bytes, Offset end_offset, WallTime now,
                                          std::int64_t expiration_ms) {
  clear(end_offset);
  if (bytes.size() < kSnapshotHeaderBytes) return fail(Errc::corrupt, "producer snapshot is short");
  const auto version = load_big_endian<std::int16_t>(bytes.data());
  if (version != kSnapshotVersion) {
    return fail(Errc::unsupported, fmt::format("producer snapshot version {}", version));
  }
  if (load_big_endian<std::uint32_t>(bytes.data() + kSnapshotCrcAt) !=
      crc32c(bytes.subspan(kSnapshotCoveredAt))) {
    return fail(Errc::corrupt, "producer snapshot CRC");
  }
  const auto count = load_big_endian<std::int32_t>(bytes.data() + 6);
  const std::size_t room = (bytes.size() - kSnapshotHeaderBytes) / kSnapshotEntryBytes;
  if (count < 0 || static_cast<std::size_t>(count) != room ||
      bytes.size() != kSnapshotHeaderBytes + room * kSnapshotEntryBytes) {
    return fail(Errc::corrupt,
                fmt::format("producer snapshot of {} entries in {} bytes", count, bytes.size()));
  }
  const std::byte* at = bytes.data() + kSnapshotHeaderBytes;
  for (std::size_t i = 0; i < room; ++i, at += kSnapshotEntryBytes) {
    const ProducerId id(load_big_endian<std::int64_t>(at));
    ProducerEntry entry;
    entry.producer_epoch = load_big_endian<std::int16_t>(at + 8);
    const ProducerBatch last{
        load_big_endian<std::int32_t>(at + 10), load_big_endian<std::int32_t>(at + 22),
        Offset(load_big_endian<std::int64_t>(at + 14)), load_big_endian<std::int64_t>(at + 26)};
    entry.last_timestamp = last.timestamp;
    entry.coordinator_epoch = load_big_endian<std::int32_t>(at + 34);
    const Offset transaction_start(load_big_endian<std::int64_t>(at + 38));
    if (last.last_offset >= Offset(0)) entry.add_batch(last);
    if (transaction_start >= Offset(0)) {
      entry.transaction_start = transaction_start;
      open_.emplace(transaction_start, OpenTransaction{id});
    } else if (now.ms - entry.last_timestamp >= expiration_ms) {
      continue;
    }
    producers_[id] = entry;
  }
  return {};
}

void ProducerState::check_invariants() const {
  std::size_t inside = 0;
  for (const auto& [id, entry] : producers_) {
    for (std::size_t i = 1; i < entry.batches().size(); ++i) {
      CHECK(entry.batches()[i - 1].last_offset < entry.batches()[i].first_offset());
    }
    if (!entry.transaction_start) continue;
    ++inside;
    const auto open = open_.find(*entry.transaction_start);
    CHECK(open != open_.end(), "producer {}", id.value());
    CHECK(open->second.producer_id == id, "producer {}", id.value());
  }
  CHECK(inside == open_.size(), "{} of {}", inside, open_.size());
}

}  // namespace millrace::log
