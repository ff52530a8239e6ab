// LOG(level, event, key=value...) over spdlog, asynchronous: a full queue drops the oldest and counts, it never blocks.
//
//   LOG(info, "listener.open", "address={} shard={}", address, shard);
//
// `event` is a stable dotted name to search for; the rest is a fmt format string of key={} pairs.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::logging {

enum class Level : std::uint8_t { debug, info, warn, error };

// Starts the writer thread. Lines go to stderr, or to `path` when it is not empty. Until it is called lines are written
// synchronously to stderr. Not thread-safe; called once by main().
void start(Level least, const std::string& path);
// Writes what is queued and ends the writer thread.
void stop();
bool enabled(Level level);
void write(Level level, std::string_view event, std::string_view fields);
// Lines lost because the queue was full.
std::uint64_t dropped();

}  // namespace millrace::logging

#define LOG(level, event, ...)                                                      \
  do {                                                                              \
    if (::millrace::logging::enabled(::millrace::logging::Level::level))            \
      ::millrace::logging::write(::millrace::logging::Level::level, event,          \
                                 ::millrace::logging::detail_fields(__VA_ARGS__));  \
  } while (false)

namespace millrace::logging {
inline std::string detail_fields() { return {}; }
template <class... Args>
std::string detail_fields(fmt::format_string<Args...> format, Args&&... args) {
  return fmt::format(format, std::forward<Args>(args)...);
}
}  // namespace millrace::logging
