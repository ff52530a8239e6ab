#include "replication/raft/quorum.h"

#include <algorithm>
#include <functional>

#include "base/check.h"

namespace millrace::raft {

Offset majority_offset(std::span<Offset> ends) {
  CHECK(!ends.empty());
  const auto middle = ends.begin() + static_cast<std::ptrdiff_t>(ends.size() / 2);
  std::nth_element(ends.begin(), middle, ends.end(), std::greater<>());
  return *middle;
}

Election::Election(const VoterSet& voters) {
  for (const auto& voter : voters.voters()) answers_.push_back({voter.id});
}

void Election::record(BrokerId voter, bool granted) {
  for (auto& answer : answers_) {
    if (answer.voter != voter || answer.ballot != Ballot::open) continue;
    answer.ballot = granted ? Ballot::granted : Ballot::rejected;
  }
}

Ballot Election::of(BrokerId voter) const {
  for (const auto& answer : answers_) {
    if (answer.voter == voter) return answer.ballot;
  }
  return Ballot::rejected;
}

Ballot Election::outcome() const {
  const std::size_t majority = answers_.size() / 2 + 1;
  const auto with = [&](Ballot ballot) {
    return static_cast<std::size_t>(std::ranges::count(answers_, ballot, &Answer::ballot));
  };
  if (with(Ballot::granted) >= majority) return Ballot::granted;
  if (with(Ballot::rejected) > answers_.size() - majority) return Ballot::rejected;
  return Ballot::open;
}

std::vector<BrokerId> Election::granting() const {
  std::vector<BrokerId> granting;
  for (const auto& answer : answers_) {
    if (answer.ballot == Ballot::granted) granting.push_back(answer.voter);
  }
  return granting;
}

}  // namespace millrace::raft
