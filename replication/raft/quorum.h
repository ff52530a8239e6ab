// What a majority has, and what it has decided.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/ids.h"
#include "replication/raft/voters.h"

namespace millrace::raft {

// The largest offset that a majority has reached, given how far each voter is. Reorders `ends`.
// Requires: not empty.
Offset majority_offset(std::span<Offset> ends);

enum class Ballot : std::uint8_t { open, granted, rejected };

// Counts the answers of one election.
//
// Invariant:  a voter answers once; a later answer does not change the first.
class Election {
 public:
  explicit Election(const VoterSet& voters);

  // Answers of those who are not voters do not count.
  void record(BrokerId voter, bool granted);
  Ballot of(BrokerId voter) const;
  // Granted once a majority has, rejected once a majority no longer can.
  Ballot outcome() const;
  std::vector<BrokerId> granting() const;

 private:
  struct Answer {
    BrokerId voter;
    Ballot ballot = Ballot::open;
  };
  std::vector<Answer> answers_;
};

}  // namespace millrace::raft
