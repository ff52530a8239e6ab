#include "net/wire/list_offsets.h"

#include "engine/api/decode.h"
#include "engine/api/error_map.h"
#include "engine/api/handlers.h"
#include "engine/api/partition_parts.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;
using wire::ListOffsetsRequest;
using wire::ListOffsetsResponse;
using Part = PartitionPart<ListOffsetsRequest::Partition, ListOffsetsResponse::Partition>;

// The timestamps that mean a place and not a time.
constexpr std::int64_t kLatest = -1;
constexpr std::int64_t kEarliest = -2;
constexpr std::int64_t kMaxTimestamp = -3;          // KIP-734
constexpr std::int64_t kEarliestLocal = -4;         // KIP-405: nothing of ours is elsewhere, so this is the earliest
constexpr std::int64_t kLatestTiered = -5;          // KIP-1005
constexpr std::int64_t kEarliestPendingUpload = -6; // KIP-1023

struct Asked {
  Isolation isolation = Isolation::read_uncommitted;
  std::int16_t version = 0;
};

bool is_served(std::int64_t timestamp, std::int16_t version) {
  if (timestamp == kMaxTimestamp) return version >= 7;
  if (timestamp == kEarliestLocal) return version >= 8;
  if (timestamp == kLatestTiered) return version >= 9;
  if (timestamp == kEarliestPendingUpload) return version >= 11;
  return timestamp >= kEarliest;
}

void say(ListOffsetsResponse::Partition& answer, const std::optional<log::FoundOffset>& found) {
  if (!found) return;
  answer.timestamp = found->timestamp;
  answer.offset = found->offset.value();
  answer.leader_epoch = found->leader_epoch.value();
}

io::Task<void> look_up(Partition& partition, Part& part, Asked asked) {
  ListOffsetsResponse::Partition& answer = *part.answer;
  const std::int64_t timestamp = part.wanted->timestamp;
  if (!is_served(timestamp, asked.version)) {
    answer.error_code = ErrorCode::unsupported_version;
    co_return;
  }
  if (const auto leads = partition.check_leader(LeaderEpoch{part.wanted->current_leader_epoch}); !leads) {
    answer.error_code = to_error_code(leads.error().code);
    co_return;
  }
  log::Log& log = *partition.log();
  const PartitionState state = partition.state();
  const Offset end = partition.read_end(asked.isolation);
  if (timestamp == kLatestTiered || timestamp == kEarliestPendingUpload) co_return;
  if (timestamp == kLatest) {
    answer.offset = end.value();
    answer.leader_epoch = state.leader_epoch.value();
    co_return;
  }
  if (timestamp == kEarliest || timestamp == kEarliestLocal) {
    answer.offset = state.log_start_offset.value();
    answer.leader_epoch = log.epoch_of(state.log_start_offset).value();
    co_return;
  }
  auto found = timestamp == kMaxTimestamp ? co_await log.find_max_timestamp()
                                          : co_await log.find_timestamp(timestamp, end);
  if (!found) {
    answer.error_code = to_error_code(found.error().code);
    co_return;
  }
  say(answer, *found);
}

}  // namespace

io::Task<net::Response> handle_list_offsets(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(wanted, ListOffsetsRequest);
  ListOffsetsResponse response;
  auto parts = plan_parts(*here.image(), wanted.topics, response.topics, Repeated::refused);
  const Asked asked{
      .isolation = wanted.isolation_level == 1 ? Isolation::read_committed : Isolation::read_uncommitted,
      .version = request.header.api_version};
  co_await on_partitions(broker, parts,
                         [asked](Partition& partition, Part& part) { return look_up(partition, part, asked); });
  co_return answer(request, response);
}

}  // namespace millrace::engine
