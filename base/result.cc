#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace millrace {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::truncated: return "truncated";
    case Errc::malformed: return "malformed";
    case Errc::too_large: return "too_large";
    case Errc::unsupported: return "unsupported";
    case Errc::unsupported_codec: return "unsupported_codec";
    case Errc::corrupt: return "corrupt";
    case Errc::out_of_range: return "out_of_range";
    case Errc::invalid_argument: return "invalid_argument";
    case Errc::invalid_timestamp: return "invalid_timestamp";
    case Errc::not_found: return "not_found";
    case Errc::already_exists: return "already_exists";
    case Errc::not_leader: return "not_leader";
    case Errc::fenced_epoch: return "fenced_epoch";
    case Errc::unknown_epoch: return "unknown_epoch";
    case Errc::unknown_producer: return "unknown_producer";
    case Errc::out_of_order_sequence: return "out_of_order_sequence";
    case Errc::duplicate_sequence: return "duplicate_sequence";
    case Errc::invalid_producer_epoch: return "invalid_producer_epoch";
    case Errc::disk_full: return "disk_full";
    case Errc::io_error: return "io_error";
    case Errc::offline: return "offline";
    case Errc::timed_out: return "timed_out";
    case Errc::canceled: return "canceled";
    case Errc::closed: return "closed";
    case Errc::refused: return "refused";
    case Errc::would_block: return "would_block";
  }
  return "unknown";
}

Error error_from_errno(int error_number, std::string_view what) {
  const int number = error_number < 0 ? -error_number : error_number;
  Errc code = Errc::io_error;
  switch (number) {
    case ENOSPC:
    case EDQUOT: code = Errc::disk_full; break;
    case ENOENT: code = Errc::not_found; break;
    case EEXIST: code = Errc::already_exists; break;
    case EAGAIN: code = Errc::would_block; break;
    case ETIMEDOUT: code = Errc::timed_out; break;
    case ECANCELED: code = Errc::canceled; break;
    case ECONNRESET:
    case EPIPE:
    case ENOTCONN:
    case ECONNABORTED: code = Errc::closed; break;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ECONNREFUSED: code = Errc::refused; break;
    default: break;
  }
  return Error{code, std::string(what) + ": " + std::strerror(number)};
}

}  // namespace millrace
