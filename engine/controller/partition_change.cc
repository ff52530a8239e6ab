#include "engine/controller/partition_change.h"

#include <algorithm>
#include <utility>

namespace millrace::engine {
namespace {

using BrokerIds = std::vector<BrokerId>;

bool contains(const BrokerIds& ids, BrokerId id) {
  return std::ranges::find(ids, id) != ids.end();
}

BrokerIds without(BrokerIds ids, const BrokerIds& removed) {
  std::erase_if(ids, [&](BrokerId id) { return contains(removed, id); });
  return ids;
}

void add_missing(BrokerIds& ids, const BrokerIds& more) {
  for (const BrokerId id : more) {
    if (!contains(ids, id)) ids.push_back(id);
  }
}

struct Elected {
  BrokerId leader = kNoBroker;
  bool unclean = false;
};

// What the partition is to become; filled step by step.
class Change {
 public:
  explicit Change(const PartitionChangeRequest& request)
      : request_(request),
        current_(request.current),
        isr_(request.isr.value_or(current_.isr)),
        replicas_(request.replicas.value_or(current_.replicas)),
        removing_(request.removing_replicas.value_or(current_.removing_replicas)),
        adding_(request.adding_replicas.value_or(current_.adding_replicas)),
        elr_(current_.eligible_leader_replicas),
        last_known_(current_.last_known_elr) {}

  std::optional<VersionedRecord> record() {
    finish_reassignment();
    if (request_.eligible_leader_replicas) update_eligible_leaders();
    const Elected elected = elect();
    accept(elected);
    PartitionChangeRecord record{.partition_id = request_.index.value(),
                                 .topic_id = request_.topic_id};
    write_leader(elected.leader, record);
    write_rest(record);
    const PartitionChangeRecord nothing{.partition_id = record.partition_id,
                                        .topic_id = record.topic_id};
    if (record == nothing) return std::nullopt;
    return VersionedRecord{std::move(record),
                           partition_change_record_version(request_.metadata_version)};
  }

 private:
  // Every replica that is to stay is in sync: those that are to go, go.
  void finish_reassignment() {
    if (removing_.empty() && adding_.empty()) return;
    const BrokerIds final_replicas = without(replicas_, removing_);
    const BrokerIds final_isr = without(isr_, removing_);
    if (final_replicas.empty() || final_isr.empty()) return;
    for (const BrokerId id : final_replicas) {
      if (!contains(final_isr, id)) return;
    }
    replicas_ = final_replicas;
    isr_ = final_isr;
    removing_.clear();
    adding_.clear();
  }

  void update_eligible_leaders() {
    // A partition cannot have more in sync than it has replicas.
    const auto wanted = std::min(static_cast<std::size_t>(std::max(request_.min_insync_replicas, 0)), replicas_.size());
    if (isr_.size() >= wanted) {
      elr_.clear();
      last_known_.clear();
      return;
    }
    BrokerIds candidates = current_.isr;
    add_missing(candidates, current_.eligible_leader_replicas);
    candidates = without(std::move(candidates), isr_);
    elr_ = without(candidates, request_.uncleanly_stopped);
    add_missing(candidates, current_.last_known_elr);
    last_known_ = without(without(std::move(candidates), isr_), elr_);
  }

  bool may_lead(BrokerId id) const {
    const bool complete =
        contains(isr_, id) || (request_.eligible_leader_replicas && contains(elr_, id));
    return complete && request_.live(id);
  }

  // The only one that was known to be complete before all were lost.
  BrokerId last_known_leader() const {
    if (!request_.eligible_leader_replicas || !isr_.empty() || !elr_.empty()) return kNoBroker;
    if (last_known_.size() != 1 || !request_.live(last_known_.front())) return kNoBroker;
    return last_known_.front();
  }

  Elected elect() const {
    if (request_.election == Election::preferred && !replicas_.empty() &&
        may_lead(replicas_.front())) {
      return {replicas_.front()};
    }
    if (contains(replicas_, current_.leader) && may_lead(current_.leader)) return {current_.leader};
    for (const BrokerId id : replicas_) {
      if (may_lead(id)) return {id};
    }
    if (request_.election == Election::unclean) {
      for (const BrokerId id : replicas_) {
        if (request_.live(id)) return {id, true};
      }
    }
    if (const BrokerId id = last_known_leader(); id != kNoBroker) return {id, true};
    return {};
  }

  // A leader that was not in the ISR is the whole ISR.
  void accept(const Elected& elected) {
    if (elected.leader == kNoBroker) return;
    if (elected.unclean) {
      isr_ = {elected.leader};
      recovering_ = true;
    } else if (!contains(isr_, elected.leader)) {
      isr_ = {elected.leader};
    }
    elr_ = without(std::move(elr_), {elected.leader});
    last_known_ = without(std::move(last_known_), {elected.leader});
  }

  void write_leader(BrokerId leader, PartitionChangeRecord& record) const {
    const bool lost_replica = !without(current_.replicas, replicas_).empty();
    const bool isr_shrank = !without(current_.isr, isr_).empty();
    const bool bump =
        lost_replica || (isr_shrank && bumps_leader_epoch_on_shrink(request_.metadata_version));
    // Named although it stays: so that its epoch grows and what others remember of it is void.
    if (leader != current_.leader || bump) record.leader = leader.value();
  }

  void write_rest(PartitionChangeRecord& record) {
    const bool isr_may_be_written = !isr_.empty() || request_.eligible_leader_replicas;
    if (isr_ != current_.isr && isr_may_be_written) record.isr = to_raw_ids(isr_);
    if (recovering_ && current_.recovery != LeaderRecoveryState::recovering) {
      record.leader_recovery_state = static_cast<std::int8_t>(LeaderRecoveryState::recovering);
    }
    if (removing_ != current_.removing_replicas) record.removing_replicas = to_raw_ids(removing_);
    if (adding_ != current_.adding_replicas) record.adding_replicas = to_raw_ids(adding_);
    if (request_.eligible_leader_replicas) {
      if (elr_ != current_.eligible_leader_replicas)
        record.eligible_leader_replicas = to_raw_ids(elr_);
      if (last_known_ != current_.last_known_elr) record.last_known_elr = to_raw_ids(last_known_);
    }
    const bool other_replicas = replicas_ != current_.replicas;
    if (other_replicas) record.replicas = to_raw_ids(replicas_);
    if (!has_directories(request_.metadata_version)) return;
    if (other_replicas || is_elsewhere()) record.directories = directories();
  }

  bool is_elsewhere() const {
    const auto& placed = request_.placed;
    return placed && contains(replicas_, placed->broker) && current_.directory_of(placed->broker) != placed->directory;
  }

  // Always as many as there are replicas.
  std::vector<Uuid> directories() const {
    std::vector<Uuid> found;
    for (const BrokerId id : replicas_) {
      if (request_.placed && request_.placed->broker == id) found.push_back(request_.placed->directory);
      else if (current_.has_replica(id)) found.push_back(current_.directory_of(id));
      else found.push_back(request_.directory_for(id));
    }
    return found;
  }

  const PartitionChangeRequest& request_;
  const PartitionImage& current_;
  BrokerIds isr_;
  BrokerIds replicas_;
  BrokerIds removing_;
  BrokerIds adding_;
  BrokerIds elr_;
  BrokerIds last_known_;
  bool recovering_ = false;
};

}  // namespace

std::optional<VersionedRecord> change_partition(const PartitionChangeRequest& request) {
  return Change(request).record();
}

}  // namespace millrace::engine
