// Incremental fetch sessions (KIP-227): the broker remembers which partitions a consumer fetches, so that neither side repeats
// what has not changed.
//
// Shard:     the connection's. A client that comes back on another shard is told FETCH_SESSION_ID_NOT_FOUND and starts anew.
// Pure:      time and random numbers come in as arguments.
// Bound:     FetchSessionLimits: so many sessions, so many bytes of what they remember. A new session displaces others by
//            Kafka's rule (see make_room) or is not made at all: the answer then carries session id 0, which every client
//            understands. One that grows beyond the bound is ended: its client is told FETCH_SESSION_ID_NOT_FOUND, as one
//            whose session was displaced, and begins anew.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/prng.h"
#include "base/time.h"

namespace millrace::engine {

inline constexpr std::int32_t kSessionEpochFinal = -1;    // no session wanted, or: close it
inline constexpr std::int32_t kSessionEpochInitial = 0;   // a full request, make a session

struct FetchSessionLimits {
  std::size_t sessions = 1000;              // max.incremental.fetch.session.cache.slots
  std::size_t bytes = std::size_t{32} << 20;  // of all sessions together, by FetchSession::bytes()
  Duration idle_before_eviction = std::chrono::minutes(2);
};

// What a consumer asks of one partition, and what it was last told.
struct FetchPartition {
  std::string topic;   // empty when the request named the topic by its id
  TopicId topic_id;    // zero when the request named it by name
  std::int32_t partition = 0;
  std::int32_t current_leader_epoch = -1;
  std::int64_t fetch_offset = 0;
  std::int32_t last_fetched_epoch = -1;
  std::int64_t log_start_offset = -1;
  std::int32_t partition_max_bytes = 0;
  std::int64_t told_high_watermark = -1;
  std::int64_t told_log_start_offset = -1;
  bool told_error = false;

  bool same_partition(const FetchPartition& other) const {
    return partition == other.partition && topic_id == other.topic_id && topic == other.topic;
  }
};

struct ForgottenPartition {
  std::string topic;
  TopicId topic_id;
  std::int32_t partition = 0;
};

class FetchSession {
 public:
  struct Options {
    std::int32_t id = 0;  // 0: for one request only
    bool uses_topic_ids = false;
    bool privileged = false;
  };
  FetchSession(Options options, Instant now)
      : id_(options.id),
        uses_topic_ids_(options.uses_topic_ids),
        privileged_(options.privileged),
        created_(now),
        last_used_(now) {}
  FetchSession(const FetchSession&) = delete;

  // What remembering one partition takes, of which a text too long to be held inline is the only part that varies.
  static std::size_t bytes_of(const FetchPartition& partition);

  std::int32_t id() const { return id_; }
  // One of its requests is being answered: its partitions must not change, a second request is refused.
  void set_busy(bool busy) { busy_ = busy; }
  bool busy() const { return busy_; }
  std::size_t size() const { return partitions_.size(); }
  std::size_t bytes() const { return bytes_; }
  // In the order in which they are to be read: a partition that had data goes behind those that had none.
  std::list<FetchPartition>& partitions() { return partitions_; }
  void add_or_update(FetchPartition partition);
  void forget(const ForgottenPartition& partition);
  // Moves a partition that was answered with records to the end.
  void move_to_back(std::list<FetchPartition>::iterator partition) {
    partitions_.splice(partitions_.end(), partitions_, partition);
  }

 private:
  friend class FetchSessions;
  // The name is that of the entry in partitions_.
  struct Key {
    std::string_view topic;
    TopicId topic_id;
    std::int32_t partition;
    auto operator<=>(const Key&) const = default;
  };

  std::int32_t id_;
  bool uses_topic_ids_;
  bool privileged_;
  bool busy_ = false;
  std::size_t bytes_ = 0;
  std::int32_t next_epoch_ = 1;
  Instant created_;
  Instant last_used_;
  std::list<FetchPartition> partitions_;
  std::map<Key, std::list<FetchPartition>::iterator> by_key_;
};

enum class FetchSessionError : std::uint8_t { none, id_not_found, invalid_epoch, topic_id };

struct FetchSessionRequest {
  std::int32_t session_id = 0;
  std::int32_t session_epoch = kSessionEpochFinal;
  bool uses_topic_ids = false;
  bool privileged = false;  // a follower's, which must not lose its session to a consumer's
  std::vector<FetchPartition> partitions;
  std::vector<ForgottenPartition> forgotten;
};

class FetchSessions {
 public:
  FetchSessions(FetchSessionLimits limits, Prng prng) : limits_(limits), prng_(prng) {}

  struct Opened {
    FetchSessionError error = FetchSessionError::none;
    // What answers: a session, old or just made, or one for this request only, which nobody remembers. Each partition is in
    // it once, however often the request named it. Null on error. Kept alive by the pointer even if it is displaced meanwhile.
    std::shared_ptr<FetchSession> session;
    // Answer only with partitions of which there is news.
    bool incremental = false;
    std::int32_t session_id = 0;  // to be put into the answer

    std::list<FetchPartition>& partitions() { return session->partitions(); }
  };
  // Decides what a request is about: KIP-227's table of (session id, session epoch).
  Opened open(FetchSessionRequest request, Instant now);

  std::size_t size() const { return sessions_.size(); }
  std::size_t bytes() const { return bytes_; }
  std::uint64_t evictions() const { return evictions_; }

 private:
  using Sessions = std::unordered_map<std::int32_t, std::shared_ptr<FetchSession>>;

  Opened open_full(FetchSessionRequest request, Instant now);
  void drop(Sessions::iterator session);
  bool make_room(const FetchSession& session, Instant now);
  Sessions::iterator find_evictable(const FetchSession& wanted, Instant now);
  std::int32_t draw_id();

  FetchSessionLimits limits_;
  Prng prng_;
  std::uint64_t evictions_ = 0;
  std::size_t bytes_ = 0;  // of sessions_
  Sessions sessions_;
};

}  // namespace millrace::engine
