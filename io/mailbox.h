// Mailboxes: one single-producer, single-consumer ring of pointers for each ordered pair of shards. The one place with atomics.
//
// A ring is bounded. What does not fit waits in a list of the sender's, linked through the messages themselves, and follows in
// order: nothing is dropped and nothing is allocated. Since a message's sender waits for its return, that list is no longer
// than the number of waiting coroutines: the full ring holds them back. A sender with such a list may sleep: it is woken when the
// receiver has made room.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "io/reactor.h"

namespace millrace::io {

// A message owns what it carries, or lives in the frame of a coroutine that waits for its return. run() is called once per
// trip, on the receiving shard; the message may be gone when it returns.
class Message {
 public:
  virtual ~Message() = default;
  virtual void run() = 0;

 private:
  friend class MessageList;
  Message* next_ = nullptr;
};

// First in, first out, linked through the messages.
class MessageList {
 public:
  bool empty() const { return first_ == nullptr; }
  void push(Message& message);
  Message& front() { return *first_; }
  void pop();

 private:
  Message* first_ = nullptr;
  Message* last_ = nullptr;
};

// Shard:     push(), full() and want_room() on the producer's, drain(), empty() and take_wish() on the consumer's.
// Invariant: head <= tail <= head + capacity, as counters that never go back.
class Ring {
 public:
  // `capacity` is a power of two.
  explicit Ring(std::size_t capacity);

  // False when full.
  bool push(Message& message);
  bool full();
  // Asks to be told of the next room; false when there is some already.
  bool want_room();
  // Runs what has arrived, at most what was there at the start; returns how many.
  std::size_t drain();
  bool empty() const;
  // Whether the producer asked for room since the last call; after a drain().
  bool take_wish();

 private:
  static constexpr std::size_t kLine = 64;

  std::unique_ptr<Message*[]> slots_;
  std::size_t mask_;
  alignas(kLine) std::atomic<std::uint64_t> tail_{0};  // the producer's line
  std::uint64_t head_seen_ = 0;
  std::atomic<bool> room_wanted_{false};  // set by the producer, taken by the consumer
  alignas(kLine) std::atomic<std::uint64_t> head_{0};  // the consumer's line
};

class Mailboxes;

// What a shard's reactor polls: the rings towards it. It also flushes what did not fit into rings from it.
class Mailbox final : public Inbox {
 public:
  std::size_t drain() override;
  bool prepare_sleep() override;
  void finish_sleep() override;

 private:
  friend class Mailboxes;
  void flush();
  // Neither has a message arrived nor is there room for one that waits.
  bool nothing_to_do();

  Mailboxes* all_ = nullptr;
  ShardId shard_{};
  std::vector<MessageList> waiting_;  // by target: what did not fit
  std::size_t targets_waiting_ = 0;
  alignas(64) std::atomic<bool> asleep_{false};
  std::atomic<Proactor*> proactor_{nullptr};
};

// All mailboxes of a process.
class Mailboxes {
 public:
  explicit Mailboxes(std::uint32_t shards, std::size_t ring_capacity = 256);
  Mailboxes(const Mailboxes&) = delete;

  Mailbox& of(ShardId shard) { return *mailboxes_[shard.value()]; }
  // Whom to wake when a message arrives for a shard that sleeps. Set before its first turn, reset after its last.
  void set_proactor(ShardId shard, Proactor* proactor);
  // Called on shard `from`.
  void send(Message& message, ShardId from, ShardId to);

 private:
  friend class Mailbox;
  Ring& ring(ShardId from, ShardId to);
  void wake_if_asleep(Mailbox& target);

  std::uint32_t shards_;
  std::vector<std::unique_ptr<Ring>> rings_;  // [to][from]; null where to == from
  std::vector<std::unique_ptr<Mailbox>> mailboxes_;
};

}  // namespace millrace::io
