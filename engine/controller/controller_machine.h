// ControllerMachine decides every change to the cluster's metadata: topics, brokers,
// configurations, ids.
//
// Shard:      0, owned by engine/drivers/controller_driver.
// Lifetime:   one term of leadership. When an append fails the driver drops the machine and makes a
//             new one from the log.
// Hard state: the image, changed by apply() alone. It runs ahead of what is committed: the driver
//             applies a step's records at once, so that the next step sees them, and holds the
//             step's reply until they are committed.
// Soft state: when brokers were last heard of.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/prng.h"
#include "engine/controller/broker_registry.h"
#include "engine/controller/controller_input.h"
#include "engine/metadata/image.h"

namespace millrace::engine {

class ControllerMachine {
 public:
  // `state`: what the log says up to where this machine takes over, with the cluster's id. `seed`
  // for topic ids and placement.
  ControllerMachine(ControllerOptions options, ImageBuilder state, std::uint64_t seed);
  ControllerMachine(const ControllerMachine&) = delete;

  // Decides. Records to append and the reply, if the input has one, go to `out`.
  //
  // Requires:  every record of earlier steps has been applied.
  void step(const ControllerInput& input, Instant now, ControllerEffects& out);

  // Changes the hard state: the step's own records right after it, or the log's in a replay.
  // Errors: see ImageBuilder.
  Result<void> apply(const MetadataRecord& record, Offset offset);

  const MetadataImage& image() const { return builder_.uncommitted(); }
  // CHECKs what must always hold between two steps.
  void check_invariants() const;

 private:
  struct Decide;
  void activate(Instant now, ControllerEffects& out);
  void rebuild_collisions();
  void note_name(const std::string& name, bool exists);
  std::string find_collision(std::string_view name) const;

  const ControllerOptions options_;
  ImageBuilder builder_;
  BrokerRegistry registry_;
  Prng prng_;
  bool active_ = false;
  // Topics by the form of their name in which colliding names are equal; only those that could
  // collide.
  std::map<std::string, std::set<std::string>> colliding_names_;
};

}  // namespace millrace::engine
