// GroupStep: what one step of the group coordinator works with.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "engine/group/group_input.h"
#include "engine/group/group_timers.h"

namespace millrace::engine {

struct GroupStep {
  const GroupOptions& options;
  GroupUse& use;
  GroupTimers& timers;
  Prng& prng;
  Instant now;
  WallTime wall_now;
  GroupEffects& out;
  const MetadataImage* image = nullptr;
  // Groups with patterns to look up.
  std::set<std::string, std::less<>>* groups_with_patterns = nullptr;
  // Members that go, and with them the last that speaks the consumer protocol: the machine makes a classic group of who stays.
  std::optional<std::vector<std::string>> classic_without = {};

  void reply(Ticket ticket, GroupAnswer answer) {
    out.replies.push_back({ticket, std::move(answer)});
  }
};

}  // namespace millrace::engine
