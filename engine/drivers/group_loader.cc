#include "engine/drivers/group_loader.h"

#include <fmt/format.h>

#include <utility>

#include "engine/log/format/control_record.h"
#include "io/reactor.h"

namespace millrace::engine {
namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 20;
// No batch of a coordinator opens to more; a larger one is damage.
constexpr std::uint64_t kOpenedBytesMax = std::uint64_t{256} << 20;

std::vector<std::byte> to_vector(ConstBytes bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace

io::Task<Result<void>> GroupLoader::load(Offset end) {
  Offset next = log_.log_start_offset();
  while (next < end) {
    CO_TRY(bytes, co_await log_.read_bytes(
                      next, {.end = end, .bytes_max = kReadBytes, .at_least_one_batch = true}));
    if (bytes.empty()) break;  // what stood at the end was cleaned away
    for (log::BatchWalk walk{ConstBytes(bytes)}; !walk.at_end();) {
      CO_TRY(batch, walk.next());
      CO_TRY_DONE(take(batch));
      next = batch.end_offset();
    }
    co_await io::yield();
  }
  co_return Result<void>{};
}

Result<void> GroupLoader::take(const log::RecordBatch& batch) {
  TRY_DONE(batch.verify());
  TRY(payload, log::open_payload(batch, codecs_, kOpenedBytesMax, opened_));
  for (log::RecordWalk walk(batch, payload); !walk.at_end();) {
    TRY(record, walk.next());
    if (auto taken = take(batch, record); !taken) {
      Error error = std::move(taken).error();
      error.message = fmt::format("offset {}: {}", record.offset.value(), error.message);
      return fail(std::move(error));
    }
  }
  return {};
}

Result<void> GroupLoader::take(const log::RecordBatch& batch, const log::Record& record) {
  if (batch.is_control()) return end_transaction(batch, record);
  if (!record.key) return {};
  ++records_;
  if (!batch.is_transactional()) return machine_.apply(*record.key, record.value);
  GroupRecord pending{to_vector(*record.key), std::nullopt};
  if (record.value) pending.value = to_vector(*record.value);
  transactions_[batch.producer_id()].push_back(std::move(pending));
  return {};
}

Result<void> GroupLoader::end_transaction(const log::RecordBatch& batch,
                                          const log::Record& marker) {
  const auto pending = transactions_.extract(batch.producer_id());
  if (pending.empty() || !marker.key || marker.key->size() < log::kControlKeyBytes) return {};
  const auto type = load_big_endian<std::int16_t>(marker.key->data() + 2);
  if (type != static_cast<std::int16_t>(log::ControlType::commit)) return {};
  for (const GroupRecord& record : pending.mapped()) {
    std::optional<ConstBytes> value;
    if (record.value) value = *record.value;
    TRY_DONE(machine_.apply(record.key, value));
  }
  return {};
}

}  // namespace millrace::engine
