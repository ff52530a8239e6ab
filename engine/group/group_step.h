// GroupStep: what one step of the group coordinator works with.
#pragma once

#include <set>
#include <string>
#include <utility>

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

  void reply(Ticket ticket, GroupAnswer answer) {
    out.replies.push_back({ticket, std::move(answer)});
  }
};

}  // namespace millrace::engine
