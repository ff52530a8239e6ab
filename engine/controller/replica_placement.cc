#include "engine/controller/replica_placement.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

namespace millrace::engine {
namespace {

// The brokers of one rack. Each partition takes them in turn: unfenced ones first.
class Rack {
 public:
  void add(const PlacementBroker& broker) {
    (broker.fenced ? fenced_ : unfenced_).push_back(broker.id);
  }
  void start_at(Prng& prng) {
    if (!unfenced_.empty()) unfenced_turn_ = prng.below(unfenced_.size());
    if (!fenced_.empty()) fenced_turn_ = prng.below(fenced_.size());
  }

  bool has_unfenced() const { return !unfenced_.empty(); }
  void begin_partition() { taken_ = 0; }
  bool exhausted() const { return taken_ == unfenced_.size() + fenced_.size(); }
  BrokerId take() {
    const std::size_t nth = taken_++;
    if (nth < unfenced_.size()) return unfenced_[(unfenced_turn_ + nth) % unfenced_.size()];
    return fenced_[(fenced_turn_ + nth - unfenced_.size()) % fenced_.size()];
  }
  // The next partition starts behind what this one took.
  void end_partition() {
    unfenced_turn_ += std::min(taken_, unfenced_.size());
    if (taken_ > unfenced_.size()) fenced_turn_ += taken_ - unfenced_.size();
  }

 private:
  std::vector<BrokerId> unfenced_;
  std::vector<BrokerId> fenced_;
  std::size_t unfenced_turn_ = 0;
  std::size_t fenced_turn_ = 0;
  std::size_t taken_ = 0;
};

std::vector<Rack> to_racks(std::span<const PlacementBroker> brokers) {
  std::vector<PlacementBroker> sorted(brokers.begin(), brokers.end());
  std::ranges::sort(sorted, {}, &PlacementBroker::id);
  std::map<std::string, Rack> by_name;
  for (const PlacementBroker& broker : sorted) by_name[broker.rack].add(broker);
  std::vector<Rack> racks;
  for (auto& [name, rack] : by_name) racks.push_back(std::move(rack));
  return racks;
}

std::vector<BrokerId> place_one(std::vector<Rack>& racks, std::size_t first_rack,
                                std::size_t replicas) {
  for (Rack& rack : racks) rack.begin_partition();
  std::size_t at = first_rack;
  while (!racks[at % racks.size()].has_unfenced()) ++at;
  std::vector<BrokerId> placed;
  for (; placed.size() < replicas; ++at) {
    Rack& rack = racks[at % racks.size()];
    if (!rack.exhausted()) placed.push_back(rack.take());
  }
  for (Rack& rack : racks) rack.end_partition();
  return placed;
}

}  // namespace

Result<std::vector<std::vector<BrokerId>>> place_replicas(const PlacementRequest& request,
                                                          std::span<const PlacementBroker> brokers,
                                                          Prng& prng) {
  if (request.replication_factor < 1) {
    return fail(
        Errc::invalid_argument,
        fmt::format("Invalid replication factor {}: the replication factor must be positive.",
                    request.replication_factor));
  }
  if (std::ranges::all_of(brokers, &PlacementBroker::fenced)) {
    return fail(Errc::invalid_argument, "All brokers are currently fenced.");
  }
  const auto replicas = static_cast<std::size_t>(request.replication_factor);
  if (replicas > brokers.size()) {
    return fail(
        Errc::invalid_argument,
        fmt::format(
            "The target replication factor of {} cannot be reached because only {} broker(s) are "
            "registered.",
            replicas, brokers.size()));
  }
  std::vector<Rack> racks = to_racks(brokers);
  for (Rack& rack : racks) rack.start_at(prng);
  std::size_t first_rack = prng.below(racks.size());
  std::vector<std::vector<BrokerId>> placed;
  for (std::int32_t i = 0; i < request.partitions; ++i)
    placed.push_back(place_one(racks, first_rack++, replicas));
  return placed;
}

}  // namespace millrace::engine
