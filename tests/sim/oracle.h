// Oracle: what clients of a node were told, what they ever sent, and whether what they read agrees with it.
//
// A value, so that it can be copied at the instant of a crash: the copy is what the next node must keep.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "tests/sim/group_truth.h"
#include "tests/sim/subscriber_truth.h"

namespace millrace::sim {

struct PartitionTruth {
  std::map<std::int64_t, std::string> kept;  // acknowledged or read, by offset: they must stay
  std::set<std::string> sent;
  std::int64_t deleted_below = 0;  // deletion up to here was asked for
  // It went offline after an error of the disk: what a failed sync has lost may be found now and go later. Nothing is promised
  // any more, except that no record is made up.
  bool in_doubt = false;
  // A power cut has taken what was not flushed: producers' sequences may have gaps.
  bool has_lost = false;

  std::int64_t end = 0;  // no high watermark may be below it

  // Of a topic whose records have keys: by key, the last record that was acknowledged or read.
  struct Latest {
    std::int64_t offset = -1;
    bool deletes = false;
  };
  std::map<std::string, Latest> latest;
  std::multiset<std::string> deletions_under_way;  // keys; also those whose answer was lost
};

struct TopicTruth {
  // While a request is under way, and when its answer was lost, nobody knows.
  enum class State : std::uint8_t { creating, exists, deleting, deleted };
  State state = State::creating;
  TopicId id;
  bool fsync = true;
  bool expires = false;  // retention may take its oldest records at any time
  bool retains_little = false;  // what retention there is takes records soon
  bool keyed = false;     // its records have keys
  bool compacts = false;  // the cleaner may take what a later record of the same key replaces
  // Only its maker uses it: it is deleted and its name given to another at once, and nobody else's request may come in between.
  bool reserved = false;
  std::deque<PartitionTruth> partitions;  // those that are known stay where they are when others are added
  std::size_t may_have = 0;               // so many were asked for, and nobody knows yet; 0: all is known
  bool may_be_gone() const { return state != State::exists; }
};

// A batch that was sent and not answered.
struct SentBatch {
  std::string topic;
  std::int32_t partition = 0;
  std::int32_t base_sequence = -1;
  std::int64_t timestamp = 0;
  std::vector<std::string> values;
};

struct ProducerTruth {
  bool idempotent = false;
  std::int64_t id = -1;
  std::int16_t epoch = -1;
  std::map<std::pair<std::string, std::int32_t>, std::int32_t> next_sequence;
  std::vector<SentBatch> outstanding;
  void forget() {
    id = -1;
    next_sequence.clear();
    outstanding.clear();
  }
};

// What one record says: its value, which names its key where it has one, or that its key is deleted.
inline std::string deletion_of(std::string_view key) { return std::string(key) + "!"; }
inline bool is_deletion(std::string_view text) { return text.ends_with('!'); }
std::string key_of(std::string_view text);

struct Oracle {
  std::map<std::string, TopicTruth> topics;  // a name that is used again has a truth of its own
  std::vector<ProducerTruth> producers;
  std::map<std::string, GroupTruth> groups;
  std::vector<MemberTruth> members;
  std::vector<SubscriberTruth> subscribers;  // of the consumer protocol
  std::map<std::string, Ownership> ownerships;  // of their groups
  bool has_offsets_topic = false;            // __consumer_offsets
  std::set<std::int32_t> offsets_in_doubt;  // its partitions that went offline after an error of the disk

  // Each gives what is wrong, or nothing.
  std::string acknowledged(const SentBatch& batch, std::int64_t base_offset);
  std::string read(const std::string& topic, std::int32_t partition, std::int64_t offset, const std::string& value);

  struct Found {
    std::int64_t start = 0;
    std::int64_t high_watermark = 0;
    std::vector<std::pair<std::int64_t, std::string>> records;
  };
  // Everything that a start has left of a partition. `unsynced_lost`: the power was cut since it was last compared.
  std::string compare(const std::string& topic, std::int32_t partition, const Found& found, bool unsynced_lost,
                      std::uint64_t& lost);

 private:
  std::string compare_compacted(const TopicTruth& topic, PartitionTruth& truth, const std::string& name,
                                const Found& found, bool may_lose_end);
  std::string compare_keys(const TopicTruth& topic, PartitionTruth& truth, const std::string& name, const Found& found);
};

}  // namespace millrace::sim
