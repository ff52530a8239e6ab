#include "tests/sim/world.h"

#include <algorithm>

#include "base/check.h"

namespace millrace::sim {
namespace {

// 2025-01-01 00:00 UTC.
constexpr std::int64_t kWallStartMs = 1'735'689'600'000;
constexpr Duration kClockStart = std::chrono::seconds(1000);
// A coroutine that only yields until some time has passed would never let it pass.
constexpr int kRoundsPerInstant = 10'000;
constexpr Duration kLivelockStep = std::chrono::microseconds(1);

std::uint64_t mix(std::uint64_t seed, std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char letter : name) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3ULL;
  return Prng(seed ^ Prng(hash).next()).next();
}

}  // namespace

World::World(std::uint64_t seed)
    : seed_(seed), order_(mix(seed, "world.order")), now_(Instant(kClockStart)) {}

Prng World::stream(std::string_view name) const { return Prng(mix(seed_, name)); }

WallTime World::wall_now() const {
  return WallTime{kWallStartMs + to_ms(now_.time_since_epoch() - kClockStart + wall_offset_)};
}

World::Event World::insert(Instant when, std::uint64_t tie, std::function<void()> function) {
  const Event event(std::max(when, now_), tie, ++sequence_);
  events_.emplace(event, std::move(function));
  return event;
}

World::Event World::at(Instant when, std::function<void()> function) {
  return insert(when, order_.next() | 1, std::move(function));
}

World::Event World::at_in_order(Instant when, std::function<void()> function) {
  return insert(when, 0, std::move(function));
}

std::optional<Instant> World::next_event() const {
  if (events_.empty()) return std::nullopt;
  return std::get<0>(events_.begin()->first);
}

void World::remove(io::Reactor& reactor) { std::erase(reactors_, &reactor); }

std::optional<Instant> World::next_deadline() const {
  std::optional<Instant> next = next_event();
  for (const io::Reactor* const reactor : reactors_) {
    const auto due = reactor->next_deadline();
    if (due && (!next || *due < *next)) next = due;
  }
  return next;
}

bool World::turn_all() {
  std::vector<io::Reactor*> order = reactors_;
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[order_.below(i)]);
  bool worked = false;
  for (io::Reactor* const reactor : order) {
    // One that was removed by another's turn is no longer there.
    if (std::ranges::find(reactors_, reactor) == reactors_.end()) continue;
    worked |= reactor->turn(false);
  }
  return worked;
}

void World::advance(Instant latest) {
  const auto event = next_event();
  const Instant next = event ? std::min(*event, latest) : latest;
  now_ = std::max(now_, next);
  while (!events_.empty() && std::get<0>(events_.begin()->first) <= now_) {
    auto node = events_.extract(events_.begin());
    node.mapped()();
  }
}

bool World::step() {
  for (int rounds = 0; turn_all(); ++rounds) {
    if (rounds < kRoundsPerInstant) continue;
    advance(now_ + kLivelockStep);
    return true;
  }
  const auto next = next_deadline();
  if (!next) return false;
  advance(*next);
  return true;
}

bool World::run_until(const std::function<bool()>& done, Duration limit) {
  const Instant latest = now_ + limit;
  while (!done()) {
    if (now_ > latest || !step()) return done();
  }
  return true;
}

}  // namespace millrace::sim
