// SubscriberTruth and Ownership: what members of a group of the consumer protocol were told, and whether two of them may have
// taken a partition for theirs at the same time.
//
// Values, part of the Oracle: copied at the instant of a crash.
//
// A member owns a partition from the answer that gives it until the heartbeat in which it no longer says that it has it. When
// another is given it before that, the coordinator must have thrown the first one out: nothing that it asks from then on may be
// answered as if it were still a member.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace millrace::sim {

using OwnedPartition = std::pair<TopicId, std::int32_t>;
using OwnedPartitions = std::set<OwnedPartition>;

// What it holds outlives a crash of the node, as a process elsewhere does.
struct SubscriberTruth {
  std::string group;
  std::string name;
  std::optional<std::string> instance_id;
  std::string member_id;   // another one whenever it begins anew
  std::int32_t epoch = 0;  // 0: it has to join
  std::vector<std::string> topics;
  std::string pattern;
  bool knows_patterns = false;  // it has had one: older versions cannot say that it has none
  OwnedPartitions assigned;
  OwnedPartitions giving_back;  // it was told to, and works on them still
  OwnedPartitions reported;
  bool moves = false;      // its group does: whenever it begins anew it may speak the other protocol
  bool classic = false;    // the one that it speaks; its epoch is its generation then
  bool must_join = false;  // it was told so, and has what it has until it asks to
  bool says_all = true;  // it has something new to say, or does not know what has reached the coordinator

  bool is_known = false;  // what it reads, to the coordinator, unless the disk has lost that

  // Until when it is surely a member.
  int unanswered = 0;              // requests that may have been taken since
  std::uint64_t confirmed_in = 0;  // the last start of the node that took it for a member
  Instant confirmed_at{};          // when it asked for that
  Duration rebalance_timeout{};
  OwnedPartitions to_give_back;
  Instant give_back_by{};

  OwnedPartitions owned() const;
  // It joins again under its id, having lost everything.
  void lose();
  void begin_anew() {
    lose();
    member_id.clear();
  }
  bool reads(const std::string& topic) const;
  // The coordinator has taken it for a member when it asked at `asked`, saying that it had `had`; it is assigned what `assigned`
  // says.
  void confirmed(std::uint64_t start, Instant asked, const OwnedPartitions& had);
  // No reason to throw it out was there before `now`, unless the node was started meanwhile or has lost something.
  bool must_be_member(Instant now, Duration session) const;
};

// Of one group.
class Ownership {
 public:
  // The time of a question.
  std::uint64_t ask() { return ++clock_; }
  // `member` has left, or joins with nothing.
  void release(const std::string& member);
  // It says that it has no more than `kept`.
  void gives_back(const std::string& member, const OwnedPartitions& kept);
  // It was given these, in the answer to what it asked at `asked`.
  void given(const std::string& member, std::uint64_t asked, const OwnedPartitions& partitions);
  // It was taken for a member when it asked at `asked`: why that cannot be, or nothing.
  std::string confirmed(const std::string& member, std::uint64_t asked);
  // Whether it must have been thrown out before `asked`: why, or nothing.
  std::string thrown_out_before(const std::string& member, std::uint64_t asked) const;
  // The disk may have lost what was told.
  void forget();

 private:
  struct Claim {
    std::string member;
    std::uint64_t since = 0;
  };
  struct End {
    std::uint64_t at = 0;
    std::string why;
  };
  // `member` has the partition still at `asked`: so nobody else has whose claim is older than that.
  void end_others(const OwnedPartition& partition, std::vector<Claim>& claims, const std::string& member,
                  std::uint64_t asked);

  std::uint64_t clock_ = 0;
  // Where there are several, their answers were under way at the same time, and all but one of them have been thrown out.
  std::map<OwnedPartition, std::vector<Claim>> claims_;
  std::map<std::string, End> thrown_out_;
};

}  // namespace millrace::sim
