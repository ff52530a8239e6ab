#include "io/mailbox.h"

#include <bit>

#include "base/check.h"

namespace millrace::io {

void MessageList::push(Message& message) {
  message.next_ = nullptr;
  if (last_ == nullptr) first_ = &message;
  else last_->next_ = &message;
  last_ = &message;
}

void MessageList::pop() {
  first_ = first_->next_;
  if (first_ == nullptr) last_ = nullptr;
}

Ring::Ring(std::size_t capacity)
    : slots_(std::make_unique<Message*[]>(capacity)), mask_(capacity - 1) {
  CHECK(std::has_single_bit(capacity), "a ring's capacity is a power of two, not {}", capacity);
}

bool Ring::full() {
  const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  if (tail - head_seen_ <= mask_) return false;
  head_seen_ = head_.load(std::memory_order_acquire);
  return tail - head_seen_ > mask_;
}

bool Ring::push(Message& message) {
  if (full()) return false;
  const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  slots_[tail & mask_] = &message;
  // Sequentially consistent with the sleeper's flag, see Mailbox::prepare_sleep.
  tail_.store(tail + 1, std::memory_order_seq_cst);
  return true;
}

std::size_t Ring::drain() {
  std::uint64_t head = head_.load(std::memory_order_relaxed);
  const std::uint64_t end = tail_.load(std::memory_order_acquire);
  const std::size_t count = end - head;
  while (head != end) {
    Message* const message = slots_[head & mask_];
    // The slot is free before the message runs: what that sends may need it.
    head_.store(++head, std::memory_order_release);
    message->run();
  }
  return count;
}

bool Ring::want_room() {
  // The same handshake as in Mailbox::prepare_sleep: the wish, and then a look at the head; the other side moves the head and
  // then looks for a wish.
  room_wanted_.store(true, std::memory_order_seq_cst);
  head_seen_ = head_.load(std::memory_order_seq_cst);
  return tail_.load(std::memory_order_relaxed) - head_seen_ > mask_;
}

bool Ring::take_wish() {
  // Moves nothing, and puts what drain() has moved before the look.
  head_.exchange(head_.load(std::memory_order_relaxed), std::memory_order_seq_cst);
  return room_wanted_.load(std::memory_order_seq_cst) && room_wanted_.exchange(false, std::memory_order_acq_rel);
}

bool Ring::empty() const {
  return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_seq_cst);
}

std::size_t Mailbox::drain() {
  if (targets_waiting_ > 0) flush();
  std::size_t count = 0;
  for (std::uint32_t from = 0; from < all_->shards_; ++from) {
    if (from == shard_.value()) continue;
    Ring& ring = all_->ring(ShardId{from}, shard_);
    const std::size_t drained = ring.drain();
    if (drained > 0 && ring.take_wish()) all_->wake_if_asleep(*all_->mailboxes_[from]);
    count += drained;
  }
  return count;
}

void Mailbox::flush() {
  for (std::uint32_t to = 0; to < all_->shards_; ++to) {
    MessageList& list = waiting_[to];
    if (list.empty()) continue;
    Ring& ring = all_->ring(shard_, ShardId{to});
    bool sent = false;
    while (!list.empty()) {
      if (ring.full()) break;
      // Taken off first: once it is in the ring it is no longer ours to look at.
      Message& message = list.front();
      list.pop();
      ring.push(message);
      sent = true;
    }
    if (list.empty()) --targets_waiting_;
    if (sent) all_->wake_if_asleep(*all_->mailboxes_[to]);
  }
}

bool Mailbox::prepare_sleep() {
  // Dekker's handshake: we raise the flag and then look at the rings; a sender fills a ring and then looks at the flag. All
  // four are sequentially consistent, so at least one of us sees the other. A receiver that makes room does as a sender.
  asleep_.store(true, std::memory_order_seq_cst);
  if (nothing_to_do()) return true;
  asleep_.store(false, std::memory_order_relaxed);
  return false;
}

bool Mailbox::nothing_to_do() {
  for (std::uint32_t other = 0; other < all_->shards_; ++other) {
    const ShardId peer{other};
    if (peer == shard_) continue;
    if (!all_->ring(peer, shard_).empty()) return false;
    if (!waiting_[other].empty() && !all_->ring(shard_, peer).want_room()) return false;
  }
  return true;
}

void Mailbox::finish_sleep() { asleep_.store(false, std::memory_order_relaxed); }

Mailboxes::Mailboxes(std::uint32_t shards, std::size_t ring_capacity) : shards_(shards) {
  CHECK(shards > 0);
  for (std::uint32_t to = 0; to < shards; ++to) {
    for (std::uint32_t from = 0; from < shards; ++from) {
      rings_.push_back(from == to ? nullptr : std::make_unique<Ring>(ring_capacity));
    }
    mailboxes_.push_back(std::make_unique<Mailbox>());
    mailboxes_.back()->all_ = this;
    mailboxes_.back()->shard_ = ShardId{to};
    mailboxes_.back()->waiting_.resize(shards);
  }
}

Ring& Mailboxes::ring(ShardId from, ShardId to) {
  return *rings_[std::size_t{to.value()} * shards_ + from.value()];
}

void Mailboxes::set_proactor(ShardId shard, Proactor* proactor) {
  of(shard).proactor_.store(proactor, std::memory_order_release);
}

void Mailboxes::send(Message& message, ShardId from, ShardId to) {
  CHECK(from != to, "a shard needs no mailbox to itself");
  CHECK(to.value() < shards_, "shard {} of {}", to.value(), shards_);
  Mailbox& sender = of(from);
  MessageList& waiting = sender.waiting_[to.value()];
  if (!waiting.empty() || !ring(from, to).push(message)) {
    if (waiting.empty()) ++sender.targets_waiting_;
    waiting.push(message);
    return;
  }
  wake_if_asleep(of(to));
}

void Mailboxes::wake_if_asleep(Mailbox& target) {
  if (!target.asleep_.load(std::memory_order_seq_cst)) return;
  // One of several senders does it.
  if (!target.asleep_.exchange(false, std::memory_order_acq_rel)) return;
  if (Proactor* const proactor = target.proactor_.load(std::memory_order_acquire)) proactor->wake();
}

}  // namespace millrace::io
