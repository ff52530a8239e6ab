#include "base/logging.h"

#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

namespace millrace::logging {
namespace {

constexpr std::size_t kQueueLines = 8192;

struct State {
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::logger> logger;
  std::atomic<Level> least{Level::info};
};

// The one object of the process that every shard writes to; spdlog's queue is what makes that safe.
State& state() {
  static State the_state;
  return the_state;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warn: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

void configure(spdlog::logger& logger) {
  logger.set_level(spdlog::level::debug);
  logger.set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
  logger.flush_on(spdlog::level::warn);
}

}  // namespace

void start(Level least, const std::string& path) {
  State& s = state();
  s.least = least;
  s.pool = std::make_shared<spdlog::details::thread_pool>(kQueueLines, 1);
  spdlog::sink_ptr sink;
  if (path.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
  }
  s.logger = std::make_shared<spdlog::async_logger>("millrace", sink, s.pool,
                                                    spdlog::async_overflow_policy::overrun_oldest);
  configure(*s.logger);
}

void stop() {
  State& s = state();
  if (s.logger) s.logger->flush();
  s.logger.reset();
  s.pool.reset();
}

bool enabled(Level level) { return level >= state().least.load(std::memory_order_relaxed); }

void write(Level level, std::string_view event, std::string_view fields) {
  State& s = state();
  if (s.logger) {
    s.logger->log(to_spdlog(level), "{}{}{}", event, fields.empty() ? "" : " ", fields);
    return;
  }
  fmt::print(stderr, "{} {}\n", event, fields);
}

std::uint64_t dropped() { return state().pool ? state().pool->overrun_counter() : 0; }

}  // namespace millrace::logging
