#include "engine/partition/fetch_session.h"

#include <algorithm>
#include <limits>

namespace millrace::engine {

void FetchSession::add_or_update(FetchPartition partition) {
  Key key{partition.topic, partition.topic_id, partition.partition};
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    partitions_.push_back(std::move(partition));
    by_key_.emplace(std::move(key), std::prev(partitions_.end()));
    return;
  }
  FetchPartition& known = *found->second;
  partition.told_high_watermark = known.told_high_watermark;
  partition.told_log_start_offset = known.told_log_start_offset;
  partition.told_error = known.told_error;
  known = std::move(partition);
}

void FetchSession::forget(const ForgottenPartition& partition) {
  const auto found = by_key_.find(Key{partition.topic, partition.topic_id, partition.partition});
  if (found == by_key_.end()) return;
  partitions_.erase(found->second);
  by_key_.erase(found);
}

FetchSessions::Opened FetchSessions::open(FetchSessionRequest request, Instant now) {
  Opened opened;
  const bool full = request.session_epoch == kSessionEpochFinal ||
                    request.session_epoch == kSessionEpochInitial;
  if (full) {
    if (request.session_id != 0) sessions_.erase(request.session_id);
    if (request.session_epoch == kSessionEpochInitial && !request.partitions.empty()) {
      opened.session = create(request.partitions.size(), request.uses_topic_ids, now);
    }
    for (auto& partition : request.partitions) {
      if (opened.session) opened.session->add_or_update(std::move(partition));
      else opened.without_session.push_back(std::move(partition));
    }
    if (opened.session) opened.session_id = opened.session->id();
    return opened;
  }
  const auto found = sessions_.find(request.session_id);
  if (found == sessions_.end()) {
    opened.error = FetchSessionError::id_not_found;
    return opened;
  }
  FetchSession& session = *found->second;
  if (session.next_epoch_ != request.session_epoch || session.busy()) {
    opened.error = FetchSessionError::invalid_epoch;
    return opened;
  }
  if (session.uses_topic_ids_ != request.uses_topic_ids) {
    opened.error = FetchSessionError::topic_id;
    return opened;
  }
  for (auto& partition : request.partitions) session.add_or_update(std::move(partition));
  for (const auto& partition : request.forgotten) session.forget(partition);
  session.next_epoch_ =
      session.next_epoch_ == std::numeric_limits<std::int32_t>::max() ? 1 : session.next_epoch_ + 1;
  session.last_used_ = now;
  opened.session = found->second;
  opened.session_id = session.id();
  opened.incremental = true;
  if (session.size() == 0) {
    // Everything was forgotten: the client keeps no session for nothing.
    sessions_.erase(found);
    opened.session_id = 0;
  }
  return opened;
}

std::shared_ptr<FetchSession> FetchSessions::create(std::size_t wanted_size, bool uses_topic_ids,
                                                    Instant now) {
  if (!make_room(wanted_size, now)) return nullptr;
  std::int32_t id = 0;
  while (id == 0 || sessions_.contains(id)) {
    id = static_cast<std::int32_t>(prng_.below(std::numeric_limits<std::int32_t>::max())) + 1;
    if (id < 0) id = 0;
  }
  auto session = std::make_shared<FetchSession>(id, uses_topic_ids, now);
  sessions_.emplace(id, session);
  return session;
}

bool FetchSessions::make_room(std::size_t wanted_size, Instant now) {
  if (sessions_.size() < limits_.sessions) return true;
  if (sessions_.empty()) return false;
  const auto oldest = std::ranges::min_element(
      sessions_, {}, [](const auto& entry) { return entry.second->last_used_; });
  if (now - oldest->second->last_used_ >= limits_.idle_before_eviction) {
    sessions_.erase(oldest);
    ++evictions_;
    return true;
  }
  const auto smallest = std::ranges::min_element(
      sessions_, {}, [](const auto& entry) { return entry.second->size(); });
  const bool old_enough = now - smallest->second->created_ >= limits_.idle_before_eviction;
  if (!old_enough || smallest->second->size() >= wanted_size) return false;
  sessions_.erase(smallest);
  ++evictions_;
  return true;
}

}  // namespace millrace::engine
