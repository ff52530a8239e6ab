// Result<T>: a value, or an Error that says what went wrong. For what can happen in a correct program: bad bytes,
// a full disk, a fenced epoch. What cannot happen is a CHECK (base/check.h).
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace millrace {

// Millrace's own errors. engine/api/error_map turns them into Kafka's codes; nothing else does.
enum class Errc : std::uint8_t {
  truncated,              // bytes end before what they announce
  malformed,              // bytes that no sender of the protocol or format would write
  too_large,              // over a named limit
  unsupported,            // understood, but not served: version, feature, message format
  unsupported_codec,      // a compression codec that is not served here
  corrupt,                // a checksum or an invariant of stored bytes does not hold
  out_of_range,           // an offset outside of the log
  invalid_argument,       // a request that cannot be granted as asked
  invalid_timestamp,      // outside of the bounds the topic sets
  not_found,
  already_exists,
  not_leader,
  fenced_epoch,           // the sender's epoch is older than ours
  unknown_epoch,          // the sender's epoch is newer than ours
  unknown_producer,
  out_of_order_sequence,
  duplicate_sequence,     // older than the window in which duplicates are remembered
  invalid_producer_epoch,
  disk_full,
  io_error,
  offline,                // the partition or directory is out of service after an error
  timed_out,
  canceled,
  closed,                 // the peer went away, or we are stopping
  refused,                // a bound was hit: memory, connections
  would_block,
};

std::string_view to_string(Errc code);

struct Error {
  Errc code{};
  std::string message;

  bool operator==(Errc other) const { return code == other; }
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Errc code, std::string message = {}) {
  return std::unexpected<Error>(Error{code, std::move(message)});
}
inline std::unexpected<Error> fail(Error error) {
  return std::unexpected<Error>(std::move(error));
}
// The Error for an errno value of a system call, negative or positive.
Error error_from_errno(int error_number, std::string_view what);

}  // namespace millrace

#define MILLRACE_JOIN_INNER(a, b) a##b
#define MILLRACE_JOIN(a, b) MILLRACE_JOIN_INNER(a, b)

// TRY(name, expression): binds the value of a Result to `name`, or returns its error from this function.
#define TRY(name, ...)                                                        \
  auto MILLRACE_JOIN(name, _result) = (__VA_ARGS__);                          \
  if (!MILLRACE_JOIN(name, _result)) [[unlikely]]                             \
    return ::millrace::fail(std::move(MILLRACE_JOIN(name, _result)).error()); \
  auto&& name = *MILLRACE_JOIN(name, _result)

// TRY_DONE(expression): the same for a Result<void>.
#define TRY_DONE(...)                                                                  \
  do {                                                                                 \
    if (auto try_done_result = (__VA_ARGS__); !try_done_result) [[unlikely]]           \
      return ::millrace::fail(std::move(try_done_result).error());                     \
  } while (false)

// The same two inside a coroutine. The expression may contain co_await.
#define CO_TRY(name, ...)                                                        \
  auto MILLRACE_JOIN(name, _result) = (__VA_ARGS__);                             \
  if (!MILLRACE_JOIN(name, _result)) [[unlikely]]                                \
    co_return ::millrace::fail(std::move(MILLRACE_JOIN(name, _result)).error()); \
  auto&& name = *MILLRACE_JOIN(name, _result)

#define CO_TRY_DONE(...)                                                               \
  do {                                                                                 \
    if (auto try_done_result = (__VA_ARGS__); !try_done_result) [[unlikely]]           \
      co_return ::millrace::fail(std::move(try_done_result).error());                  \
  } while (false)
