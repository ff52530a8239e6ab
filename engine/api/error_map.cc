#include "engine/api/error_map.h"

namespace millrace::engine {

wire::ErrorCode to_error_code(Errc code) {
  using wire::ErrorCode;
  switch (code) {
    case Errc::truncated:
    case Errc::malformed:
    case Errc::corrupt: return ErrorCode::corrupt_message;
    case Errc::too_large: return ErrorCode::message_too_large;
    case Errc::unsupported: return ErrorCode::unsupported_for_message_format;
    case Errc::out_of_range: return ErrorCode::offset_out_of_range;
    case Errc::unsupported_codec: return ErrorCode::unsupported_compression_type;
    case Errc::invalid_argument: return ErrorCode::invalid_record;
    case Errc::invalid_timestamp: return ErrorCode::invalid_timestamp;
    case Errc::not_found: return ErrorCode::unknown_topic_or_partition;
    case Errc::already_exists: return ErrorCode::topic_already_exists;
    case Errc::not_leader: return ErrorCode::not_leader_or_follower;
    case Errc::fenced_epoch: return ErrorCode::fenced_leader_epoch;
    case Errc::unknown_epoch: return ErrorCode::unknown_leader_epoch;
    case Errc::unknown_producer: return ErrorCode::unknown_producer_id;
    case Errc::out_of_order_sequence: return ErrorCode::out_of_order_sequence_number;
    case Errc::duplicate_sequence: return ErrorCode::duplicate_sequence_number;
    case Errc::invalid_producer_epoch: return ErrorCode::invalid_producer_epoch;
    case Errc::disk_full:
    case Errc::io_error:
    case Errc::offline: return ErrorCode::kafka_storage_error;
    case Errc::timed_out: return ErrorCode::request_timed_out;
    case Errc::canceled:
    case Errc::closed: return ErrorCode::not_leader_or_follower;
    case Errc::refused:
    case Errc::would_block: return ErrorCode::unknown_server_error;
  }
  return ErrorCode::unknown_server_error;
}

}  // namespace millrace::engine
