// GroupTimers: when the coordinator wants to look at something again, without a word to the reactor.
//
// Shard:      its machine's; a value.
// Use:        a Deadline is moved as often as one likes; only when it comes closer does the queue hear of it. An entry that
//             comes up early is looked at and put back, so a heartbeat costs nothing here.
#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"

namespace millrace::engine {

enum class GroupTimerKind : std::uint8_t {
  session,
  pending_member,
  join,
  sync,
  retention,
  revocation,      // of a member of the consumer protocol
  classic_rejoin,  // of a classic member of a group of the consumer protocol
  joining,         // of those who join a group of the consumer protocol that nobody was in
};

struct GroupTimer {
  Instant at;
  GroupTimerKind kind{};
  std::string group;
  std::string member;
};

// When something is due, and what the queue knows of it.
struct Deadline {
  std::optional<Instant> at;
  std::optional<Instant> queued;

  void clear() { at.reset(); }
};

class GroupTimers {
 public:
  void set(Deadline& deadline, Instant at, GroupTimerKind kind, std::string_view group,
           std::string_view member) {
    deadline.at = at;
    if (deadline.queued && *deadline.queued <= at) return;
    deadline.queued = at;
    push({at, kind, std::string(group), std::string(member)});
  }
  std::optional<Instant> next() const {
    if (queue_.empty()) return std::nullopt;
    return queue_.top().at;
  }
  // The next entry that has come up, if there is one.
  std::optional<GroupTimer> pop(Instant now) {
    if (queue_.empty() || queue_.top().at > now) return std::nullopt;
    GroupTimer timer = queue_.top();
    bytes_ -= bytes_of(timer);
    queue_.pop();
    return timer;
  }
  // Whether `deadline`, to which the entry `timer` belongs, is due; if it has moved on, the queue learns when. Where it is due
  // it is cleared.
  bool is_due(Deadline& deadline, const GroupTimer& timer, Instant now) {
    if (deadline.queued != timer.at) return false;  // a nearer entry has taken this one's place
    deadline.queued.reset();
    if (!deadline.at) return false;
    if (*deadline.at <= now) {
      deadline.at.reset();
      return true;
    }
    set(deadline, *deadline.at, timer.kind, timer.group, timer.member);
    return false;
  }

  std::size_t size() const { return queue_.size(); }
  std::size_t bytes() const { return bytes_; }
  // Drops the entries for which `is_live` is false: of members that have gone, or that a nearer entry stands for.
  template <class IsLive>
  void drop_dead(IsLive&& is_live) {
    std::vector<GroupTimer> kept;
    for (; !queue_.empty(); queue_.pop()) {
      if (is_live(queue_.top())) kept.push_back(queue_.top());
    }
    bytes_ = 0;
    for (GroupTimer& timer : kept) push(std::move(timer));
  }

 private:
  static std::size_t bytes_of(const GroupTimer& timer) {
    return sizeof(timer) + timer.group.size() + timer.member.size();
  }
  void push(GroupTimer timer) {
    bytes_ += bytes_of(timer);
    queue_.push(std::move(timer));
  }

  struct Later {
    bool operator()(const GroupTimer& a, const GroupTimer& b) const {
      if (a.at != b.at) return a.at > b.at;
      if (a.kind != b.kind) return a.kind > b.kind;
      if (a.group != b.group) return a.group > b.group;
      return a.member > b.member;
    }
  };
  std::priority_queue<GroupTimer, std::vector<GroupTimer>, Later> queue_;
  std::size_t bytes_ = 0;
};

}  // namespace millrace::engine
