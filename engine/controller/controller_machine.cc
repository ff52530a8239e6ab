#include "engine/controller/controller_machine.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "engine/controller/bootstrap.h"
#include "engine/controller/config_changes.h"
#include "engine/controller/feature_changes.h"
#include "engine/controller/id_blocks.h"
#include "engine/controller/topic_changes.h"
#include "engine/metadata/topic_name.h"

namespace millrace::engine {

// One step: what is decided for each kind of input.
struct ControllerMachine::Decide {
  ControllerMachine& machine;
  Offset next_offset;
  Instant now;
  ControllerEffects& out;

  const MetadataImage& image() const { return machine.image(); }
  TopicChanges topics() const { return {image(), machine.options_, machine.prng_}; }

  void operator()(const Activate&) const { machine.activate(now, out); }
  void operator()(const Tick&) const {
    // Fencing one at a time may take many records, and is over when it is over: not one atomic
    // step.
    out.atomic = false;
    if (machine.registry_.fence_stale(image(), now, out.records)) out.wake_at = now;
  }
  void operator()(const RegisterBroker& question) const {
    out.atomic = false;
    out.replies.emplace_back(
        machine.registry_.register_broker(image(), question, next_offset, now, out.records));
  }
  void operator()(const BrokerHeartbeat& question) const {
    out.atomic = false;
    out.replies.emplace_back(
        machine.registry_.heartbeat(image(), question, next_offset, now, out.records));
  }
  void operator()(const UnregisterBroker& question) const {
    out.atomic = false;
    out.replies.emplace_back(machine.registry_.unregister(image(), question, out.records));
  }
  void operator()(const AllocateProducerIds& question) const {
    out.replies.emplace_back(allocate_producer_ids(image(), question, out.records));
  }
  void operator()(const AssignDirectories& question) const {
    out.atomic = false;
    out.replies.emplace_back(machine.registry_.assign_directories(image(), question, out.records));
  }
  void operator()(const wire::CreateTopicsRequest* request) const {
    const auto find = [this](std::string_view name) { return machine.find_collision(name); };
    out.replies.emplace_back(topics().create(*request, find, out.records));
  }
  void operator()(const wire::DeleteTopicsRequest* request) const {
    out.replies.emplace_back(topics().remove(*request, out.records));
  }
  void operator()(const wire::CreatePartitionsRequest* request) const {
    out.replies.emplace_back(topics().create_partitions(*request, out.records));
  }
  void operator()(const wire::IncrementalAlterConfigsRequest* request) const {
    out.replies.emplace_back(ConfigChanges(image(), machine.options_).alter(*request, out.records));
  }
  void operator()(const wire::AlterConfigsRequest* request) const {
    out.replies.emplace_back(
        ConfigChanges(image(), machine.options_).replace(*request, out.records));
  }
  void operator()(const wire::UpdateFeaturesRequest* request) const {
    out.replies.emplace_back(update_features(image(), machine.options_, *request, out.records));
  }
};

ControllerMachine::ControllerMachine(ControllerOptions options, ImageBuilder state,
                                     std::uint64_t seed)
    : options_(std::move(options)), builder_(std::move(state)), registry_(options_), prng_(seed) {
  rebuild_collisions();
}

void ControllerMachine::step(const ControllerInput& input, Instant now, ControllerEffects& out) {
  out.clear();
  CHECK(active_ || std::holds_alternative<Activate>(input.event),
        "a step of a controller that is not active");
  std::visit(Decide{*this, input.next_offset, now, out}, input.event);
  if (const auto expiry = registry_.next_expiry(image()); expiry && !out.wake_at)
    out.wake_at = expiry;
}

void ControllerMachine::activate(Instant now, ControllerEffects& out) {
  CHECK(!active_, "activated twice");
  active_ = true;
  registry_.start_sessions(image(), now);
  if (builder_.in_transaction()) {
    out.records.push_back({AbortTransactionRecord{"Controller failover"}, 0});
    return;
  }
  if (!image().features.empty()) return;
  const auto min_insync = options_.static_broker_config.find("min.insync.replicas");
  out.records = activation_records(options_.bootstrap_records,
                                   min_insync == options_.static_broker_config.end() ? "1" : min_insync->second);
}

Result<void> ControllerMachine::apply(const MetadataRecord& record, Offset offset) {
  std::string removed;
  if (const auto* removal = std::get_if<RemoveTopicRecord>(&record)) {
    if (const TopicImage* topic = image().topics.find(removal->topic_id)) removed = topic->name;
  }
  TRY_DONE(builder_.apply(record));
  if (!removed.empty()) note_name(removed, false);
  if (const auto* topic = std::get_if<TopicRecord>(&record)) note_name(topic->name, true);
  if (const auto* broker = std::get_if<RegisterBrokerRecord>(&record)) {
    registry_.on_registration(BrokerId(broker->broker_id), offset);
  }
  if (const auto* broker = std::get_if<UnregisterBrokerRecord>(&record)) {
    registry_.on_removal(BrokerId(broker->broker_id));
  }
  if (std::holds_alternative<AbortTransactionRecord>(record)) rebuild_collisions();
  return {};
}

void ControllerMachine::rebuild_collisions() {
  colliding_names_.clear();
  image().topics.for_each([&](const TopicImage& topic) { note_name(topic.name, true); });
}

void ControllerMachine::note_name(const std::string& name, bool exists) {
  if (!has_colliding_characters(name)) return;
  auto& names = colliding_names_[without_collisions(name)];
  if (exists)
    names.insert(name);
  else
    names.erase(name);
  if (names.empty()) colliding_names_.erase(without_collisions(name));
}

std::string ControllerMachine::find_collision(std::string_view name) const {
  if (!has_colliding_characters(name)) return {};
  const auto found = colliding_names_.find(without_collisions(name));
  return found == colliding_names_.end() ? std::string() : *found->second.begin();
}

void ControllerMachine::check_invariants() const {
  std::map<Uuid, BrokerId> directories;
  image().brokers.for_each([&](BrokerId id, const BrokerImage& broker) {
    for (const Uuid& directory : broker.directories) {
      const auto [at, added] = directories.emplace(directory, id);
      CHECK(added, "directory {} belongs to brokers {} and {}", directory.to_string(),
            at->second.value(), id.value());
    }
  });
  image().topics.for_each([&](const TopicImage& topic) {
    CHECK(!topic.id.is_zero(), "topic {} has no id", topic.name);
    std::int32_t expected = 0;
    topic.partitions.for_each([&](PartitionIndex index, const PartitionImage& partition) {
      CHECK(index.value() == expected++, "partitions of {} are not numbered from 0", topic.name);
      CHECK(!partition.replicas.empty(), "{}-{} has no replicas", topic.name, index.value());
      CHECK(partition.directories.empty() ||
            partition.directories.size() == partition.replicas.size());
      const bool eligible_are_known =
          !partition.eligible_leader_replicas.empty() || !partition.last_known_elr.empty();
      CHECK(!partition.isr.empty() || (eligible_are_known && partition.leader == kNoBroker),
            "{}-{} has an empty ISR", topic.name, index.value());
      for (const BrokerId id : partition.isr)
        CHECK(partition.has_replica(id), "{} in ISR only", id.value());
      if (partition.leader == kNoBroker) return;
      CHECK(partition.in_isr(partition.leader), "{}-{} is led by {}, which is not in its ISR",
            topic.name, index.value(), partition.leader.value());
      const BrokerImage* leader = image().brokers.find(partition.leader);
      CHECK(leader != nullptr, "{}-{} is led by unknown broker {}", topic.name, index.value(),
            partition.leader.value());
      CHECK(!leader->fenced, "{}-{} is led by fenced broker {}", topic.name, index.value(),
            partition.leader.value());
    });
  });
}

}  // namespace millrace::engine
