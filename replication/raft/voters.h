// VoterSet: who decides. With kraft.version 0 it comes from the configuration and does not change
// while the process runs; directory ids are then zero, which stands for any.
//
// Shard:      a value.
// Invariant:  ids are unique and sorted.
#pragma once

#include <span>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/uuid.h"

namespace millrace::raft {

// A replica: the node, and the disk it keeps the log on.
struct ReplicaKey {
  BrokerId id = kNoBroker;
  Uuid directory_id;

  auto operator<=>(const ReplicaKey&) const = default;
  // Whether both may be the same replica: a zero directory id is unknown and fits all.
  bool matches(const ReplicaKey& other) const {
    if (id != other.id) return false;
    return directory_id.is_zero() || other.directory_id.is_zero() ||
           directory_id == other.directory_id;
  }
};

class VoterSet {
 public:
  VoterSet() = default;
  // Errors: invalid_argument (none, or an id twice).
  static Result<VoterSet> make(std::vector<ReplicaKey> voters);

  std::size_t size() const { return voters_.size(); }
  std::span<const ReplicaKey> voters() const { return voters_; }
  bool contains(const ReplicaKey& replica) const;
  bool contains(BrokerId id) const { return contains(ReplicaKey{id, {}}); }
  bool is_only(const ReplicaKey& replica) const { return size() == 1 && contains(replica); }
  // How many make a majority.
  std::size_t majority() const { return voters_.size() / 2 + 1; }

 private:
  std::vector<ReplicaKey> voters_;
};

}  // namespace millrace::raft
