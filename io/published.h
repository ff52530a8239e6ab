// Published<T>: an immutable snapshot that every shard sees, replaced by message.
//
// Readers pay nothing: each shard has a slot of its own with a pointer to the same snapshot. A new one reaches the shards one
// after the other, so two shards may for a moment see different ones; one shard never sees them go back.
//
// Shard:     made by main() before the shards run, or on one of them before others use it. get() on every shard; publish() on
//            one, the owner.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"
#include "io/shard.h"
#include "io/wait.h"

namespace millrace::io {

template <class T>
class Published {
 public:
  Published(Shards& shards, std::shared_ptr<const T> initial) : shards_(shards) {
    for (std::uint32_t i = 0; i < shards.count(); ++i) {
      slots_.push_back(std::make_unique<Slot>());
      slots_.back()->snapshot = initial;
    }
  }
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  // This shard's snapshot; valid until the next await. Who needs it longer takes snapshot().
  const T& get() const { return *mine().snapshot; }
  std::shared_ptr<const T> snapshot() const { return mine().snapshot; }
  // Counts the snapshots this shard has seen.
  std::uint64_t version() const { return mine().version; }
  // Notified on this shard after it has been given a new snapshot.
  Event& changed() { return mine().changed; }

  // Gives `next` to every shard; completes when all have it. Several may be under way: the latest wins everywhere.
  Task<void> publish(std::shared_ptr<const T> next) {
    const std::uint64_t version = ++last_version_;
    for (std::uint32_t i = 0; i < shards_.count(); ++i) {
      co_await shards_.call(ShardId{i}, [this, &next, version] { return accept(next, version); });
    }
  }

 private:
  // On a line of its own, since each is written by its shard.
  struct alignas(64) Slot {
    std::shared_ptr<const T> snapshot;
    std::uint64_t version = 0;
    Event changed;
  };

  Slot& mine() const { return *slots_[Reactor::current().shard().value()]; }
  Task<void> accept(const std::shared_ptr<const T>& next, std::uint64_t version) {
    Slot& slot = mine();
    if (version <= slot.version) co_return;
    slot.snapshot = next;
    slot.version = version;
    slot.changed.notify_all();
  }

  Shards& shards_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::uint64_t last_version_ = 0;
};

}  // namespace millrace::io
