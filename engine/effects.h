// Effects: what a machine wants done after a step, as data. The driver does it.
#pragma once

#include <optional>
#include <vector>

#include "base/time.h"

namespace millrace::engine {

// One step's effects, in storage that is used again for the next step.
//
// Order:  the records are appended; once they are committed, replies are sent. A reply without
//         records waits for the commit of what it saw, which is everything appended before.
template <class Record, class Reply>
struct Effects {
  std::vector<Record> records;
  // Whether the records must become durable and visible as one. Where not, a driver may put them
  // into several batches.
  bool atomic = true;
  std::vector<Reply> replies;
  // When the machine wants a step although nothing happened.
  std::optional<Instant> wake_at;

  void clear() {
    records.clear();
    atomic = true;
    replies.clear();
    wake_at.reset();
  }
};

}  // namespace millrace::engine
