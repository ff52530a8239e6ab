#include "engine/partition/fetch_session.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

namespace millrace::engine {
namespace {

// Beside the entry itself: the links of the list, and the node of the map.
constexpr std::size_t kLinkBytes = 2 * sizeof(void*);
constexpr std::size_t kTreeLinkBytes = 4 * sizeof(void*);

}  // namespace

std::size_t FetchSession::bytes_of(const FetchPartition& partition) {
  const bool inline_text = partition.topic.capacity() <= std::string().capacity();
  return sizeof(FetchPartition) + kLinkBytes + sizeof(Key) + sizeof(void*) + kTreeLinkBytes +
         (inline_text ? 0 : partition.topic.size() + 1);
}

void FetchSession::add_or_update(FetchPartition partition) {
  const auto found = by_key_.find(Key{partition.topic, partition.topic_id, partition.partition});
  if (found == by_key_.end()) {
    FetchPartition& added = partitions_.emplace_back(std::move(partition));
    by_key_.emplace(Key{added.topic, added.topic_id, added.partition}, std::prev(partitions_.end()));
    bytes_ += bytes_of(added);
    return;
  }
  // All but the name, which the key points at, and what was told.
  FetchPartition& known = *found->second;
  known.current_leader_epoch = partition.current_leader_epoch;
  known.fetch_offset = partition.fetch_offset;
  known.last_fetched_epoch = partition.last_fetched_epoch;
  known.log_start_offset = partition.log_start_offset;
  known.partition_max_bytes = partition.partition_max_bytes;
}

void FetchSession::forget(const ForgottenPartition& partition) {
  const auto found = by_key_.find(Key{partition.topic, partition.topic_id, partition.partition});
  if (found == by_key_.end()) return;
  const auto entry = found->second;
  bytes_ -= bytes_of(*entry);
  by_key_.erase(found);
  partitions_.erase(entry);
}

FetchSessions::Opened FetchSessions::open_full(FetchSessionRequest request, Instant now) {
  if (const auto old = sessions_.find(request.session_id); old != sessions_.end()) drop(old);
  Opened opened;
  const bool wanted = request.session_epoch == kSessionEpochInitial && !request.partitions.empty();
  opened.session = std::make_shared<FetchSession>(
      FetchSession::Options{.id = wanted ? draw_id() : 0,
                            .uses_topic_ids = request.uses_topic_ids,
                            .privileged = request.privileged},
      now);
  for (auto& partition : request.partitions) opened.session->add_or_update(std::move(partition));
  if (!wanted || !make_room(*opened.session, now)) return opened;
  opened.session_id = opened.session->id();
  bytes_ += opened.session->bytes();
  sessions_.emplace(opened.session_id, opened.session);
  return opened;
}

FetchSessions::Opened FetchSessions::open(FetchSessionRequest request, Instant now) {
  if (request.session_epoch == kSessionEpochFinal || request.session_epoch == kSessionEpochInitial) {
    return open_full(std::move(request), now);
  }
  Opened opened;
  const auto found = sessions_.find(request.session_id);
  if (found == sessions_.end()) {
    opened.error = FetchSessionError::id_not_found;
    return opened;
  }
  const std::shared_ptr<FetchSession> session = found->second;
  if (session->next_epoch_ != request.session_epoch || session->busy()) {
    opened.error = FetchSessionError::invalid_epoch;
    return opened;
  }
  if (session->uses_topic_ids_ != request.uses_topic_ids) {
    opened.error = FetchSessionError::topic_id;
    return opened;
  }
  // Taken out meanwhile, so that it does not make room for itself.
  bytes_ -= session->bytes();
  auto held = sessions_.extract(found);
  for (auto& partition : request.partitions) session->add_or_update(std::move(partition));
  for (const auto& partition : request.forgotten) session->forget(partition);
  session->next_epoch_ =
      session->next_epoch_ == std::numeric_limits<std::int32_t>::max() ? 1 : session->next_epoch_ + 1;
  session->last_used_ = now;
  // Everything was forgotten: the client keeps no session for nothing.
  const bool ends = session->size() == 0;
  if (!ends && !make_room(*session, now)) {
    ++evictions_;
    opened.error = FetchSessionError::id_not_found;
    return opened;
  }
  if (!ends) {
    bytes_ += session->bytes();
    sessions_.insert(std::move(held));
  }
  opened.session = session;
  opened.session_id = ends ? 0 : session->id();
  opened.incremental = true;
  return opened;
}

std::int32_t FetchSessions::draw_id() {
  while (true) {
    const auto below = static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max());
    const auto id = static_cast<std::int32_t>(prng_.below(below) + 1);
    if (!sessions_.contains(id)) return id;
  }
}

void FetchSessions::drop(Sessions::iterator session) {
  bytes_ -= session->second->bytes();
  sessions_.erase(session);
}

// Evicts until there is room for a session, or says that there is none. What was evicted on the way to "none" was idle or worth
// less than the one that asked, so it is no loss.
bool FetchSessions::make_room(const FetchSession& session, Instant now) {
  if (limits_.sessions == 0 || session.bytes() > limits_.bytes) return false;
  while (sessions_.size() >= limits_.sessions || bytes_ + session.bytes() > limits_.bytes) {
    const auto evicted = find_evictable(session, now);
    if (evicted == sessions_.end()) return false;
    drop(evicted);
    ++evictions_;
  }
  return true;
}

// Kafka's rule: the least recently used, once it is idle for long enough. Else the one worth least: not a follower's, and the
// smallest; it must be worth less than what is to come in its place. A young one stays, except that a follower takes a
// consumer's.
FetchSessions::Sessions::iterator FetchSessions::find_evictable(const FetchSession& wanted, Instant now) {
  const auto oldest = std::ranges::min_element(
      sessions_, {}, [](const auto& entry) { return std::pair(entry.second->last_used_, entry.first); });
  if (oldest == sessions_.end()) return oldest;
  if (now - oldest->second->last_used_ >= limits_.idle_before_eviction) return oldest;
  const auto worth = [](const FetchSession& session) {
    return std::pair(session.privileged_, session.size());
  };
  auto least = sessions_.end();
  for (auto it = sessions_.begin(); it != sessions_.end(); ++it) {
    const FetchSession& held = *it->second;
    const bool old_enough = now - held.created_ >= limits_.idle_before_eviction;
    if (!old_enough && !(wanted.privileged_ && !held.privileged_)) continue;
    if (worth(held) >= worth(wanted)) continue;
    const bool less = least == sessions_.end() ||
                      std::pair(worth(held), it->first) < std::pair(worth(*least->second), least->first);
    if (less) least = it;
  }
  return least;
}

}  // namespace millrace::engine
