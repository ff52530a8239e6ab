#include "tests/sim/subscriber_truth.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace millrace::sim {
namespace {

bool any_in(const OwnedPartitions& these, const OwnedPartitions& those) {
  return std::ranges::any_of(these, [&](const OwnedPartition& partition) { return those.contains(partition); });
}

}  // namespace

// ---- A member

OwnedPartitions SubscriberTruth::owned() const {
  OwnedPartitions all = assigned;
  all.insert(giving_back.begin(), giving_back.end());
  return all;
}

void SubscriberTruth::lose() {
  epoch = 0;
  assigned.clear();
  giving_back.clear();
  reported.clear();
  to_give_back.clear();
  must_join = false;
  is_known = false;
  says_all = true;
}

// Every topic of the simulation has a name that the only pattern in use stands for.
bool SubscriberTruth::reads(const std::string& topic) const {
  return !pattern.empty() || std::ranges::find(topics, topic) != topics.end();
}

void SubscriberTruth::confirmed(std::uint64_t start, Instant asked, const OwnedPartitions& had) {
  OwnedPartitions more;
  std::ranges::set_difference(had, assigned, std::inserter(more, more.end()));
  // What it is to give back after it has given back everything has its own time. What was told it in an answer that it did not
  // get may be due at once, and so is it when the coordinator may have forgotten how much time it wants.
  const bool may_be_due = unanswered > 1 || !is_known;
  if (!any_in(to_give_back, more)) give_back_by = may_be_due ? asked : asked + rebalance_timeout;
  to_give_back = std::move(more);
  unanswered = 0;
  confirmed_in = start;
  confirmed_at = asked;
}

bool SubscriberTruth::must_be_member(Instant now, Duration session) const {
  const bool overdue = !to_give_back.empty() && now >= give_back_by;
  return unanswered == 0 && !overdue && now < confirmed_at + session;
}

// ---- All members

void Ownership::release(const std::string& member) {
  gives_back(member, {});
  thrown_out_.erase(member);
}

void Ownership::gives_back(const std::string& member, const OwnedPartitions& kept) {
  for (auto& [partition, claims] : claims_) {
    if (!kept.contains(partition)) std::erase_if(claims, [&](const Claim& claim) { return claim.member == member; });
  }
  std::erase_if(claims_, [](const auto& entry) { return entry.second.empty(); });
}

void Ownership::end_others(const OwnedPartition& partition, std::vector<Claim>& claims, const std::string& member,
                           std::uint64_t asked) {
  std::erase_if(claims, [&](const Claim& claim) {
    if (claim.member == member || claim.since > asked) return false;
    thrown_out_.try_emplace(claim.member,
                            End{clock_, fmt::format("{}, which it had, was given to {}", partition.second, member)});
    return true;
  });
}

void Ownership::given(const std::string& member, std::uint64_t asked, const OwnedPartitions& partitions) {
  const std::uint64_t now = ++clock_;
  for (const OwnedPartition& partition : partitions) {
    std::vector<Claim>& claims = claims_[partition];
    end_others(partition, claims, member, asked);
    const bool has_it = std::ranges::any_of(claims, [&](const Claim& claim) { return claim.member == member; });
    if (!has_it) claims.push_back({member, now});
  }
}

std::string Ownership::confirmed(const std::string& member, std::uint64_t asked) {
  std::string wrong = thrown_out_before(member, asked);
  if (!wrong.empty()) return wrong;
  for (auto& [partition, claims] : claims_) {
    const bool had_it = claims.size() > 1 && std::ranges::any_of(claims, [&](const Claim& claim) {
      return claim.member == member && claim.since < asked;
    });
    if (had_it) end_others(partition, claims, member, asked);
  }
  return {};
}

std::string Ownership::thrown_out_before(const std::string& member, std::uint64_t asked) const {
  const auto found = thrown_out_.find(member);
  return found == thrown_out_.end() || found->second.at > asked ? std::string() : found->second.why;
}

void Ownership::forget() {
  claims_.clear();
  thrown_out_.clear();
}

}  // namespace millrace::sim
