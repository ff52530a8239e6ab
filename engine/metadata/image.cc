#include "engine/metadata/image.h"

#include <utility>
#include <variant>

namespace millrace::engine {
namespace {

// `later` happened after `earlier`.
void append_topics(std::map<TopicId, TopicDelta>& earlier,
                   const std::map<TopicId, TopicDelta>& later) {
  for (const auto& [id, topic] : later) {
    const auto [at, added] = earlier.try_emplace(id, topic);
    if (added) continue;
    if (topic.removed && at->second.created) {
      earlier.erase(at);  // nobody was told that it ever was
      continue;
    }
    at->second.removed = topic.removed;
    if (topic.removed) at->second.changed.clear();
    at->second.changed.insert(topic.changed.begin(), topic.changed.end());
  }
}

void append(MetadataDelta& earlier, const MetadataDelta& later) {
  append_topics(earlier.topics, later.topics);
  earlier.configs.insert(later.configs.begin(), later.configs.end());
  earlier.brokers.insert(later.brokers.begin(), later.brokers.end());
  earlier.controllers.insert(later.controllers.begin(), later.controllers.end());
  earlier.features |= later.features;
  earlier.producer_ids |= later.producer_ids;
  earlier.access_control |= later.access_control;
  earlier.scram_credentials |= later.scram_credentials;
  earlier.quotas |= later.quotas;
  earlier.delegation_tokens |= later.delegation_tokens;
}

}  // namespace

bool MetadataImage::same_contents(const MetadataImage& other) const {
  MetadataImage left = *this;
  left.position = other.position;
  left.cluster_id = other.cluster_id;
  left.controller_id = other.controller_id;
  return left == other;
}

const ConfigValues& MetadataImage::config(const ConfigResource& resource) const {
  static const ConfigValues kNone;
  const ConfigValues* values = configs.find(resource);
  return values == nullptr ? kNone : *values;
}

ImageBuilder::ImageBuilder(SharedImage base) : current_{*base, {}} {}

void ImageBuilder::set_identity(std::string cluster_id, BrokerId controller_id) {
  if (visible_) {
    visible_->image.cluster_id = cluster_id;
    visible_->image.controller_id = controller_id;
  }
  current_.image.cluster_id = std::move(cluster_id);
  current_.image.controller_id = controller_id;
}

ImageBuilder::Published ImageBuilder::publish(ImagePosition position) {
  State& visible = visible_ ? *visible_ : current_;
  visible.image.position = position;
  return {std::make_shared<const MetadataImage>(visible.image), std::exchange(visible.delta, {})};
}

Result<void> ImageBuilder::apply(const MetadataRecord& record) {
  return std::visit([this](const auto& body) { return on(body); }, record);
}

Result<void> ImageBuilder::on(const BeginTransactionRecord&) {
  if (visible_) return fail(Errc::corrupt, "metadata log: a transaction begins inside another");
  visible_ = current_;
  current_.delta = {};
  return {};
}

Result<void> ImageBuilder::on(const EndTransactionRecord&) {
  if (!visible_)
    return fail(Errc::corrupt, "metadata log: the end of a transaction that did not begin");
  append(visible_->delta, current_.delta);
  current_.delta = std::move(visible_->delta);
  current_.image.position = visible_->image.position;
  visible_.reset();
  return {};
}

Result<void> ImageBuilder::on(const AbortTransactionRecord&) {
  if (!visible_)
    return fail(Errc::corrupt, "metadata log: a transaction is aborted that did not begin");
  current_ = std::move(*visible_);
  visible_.reset();
  return {};
}

namespace {

// Calls changed(key) for each key whose value is not the same on both sides.
template <class Key, class Value, class Changed>
void compare(const PersistentMap<Key, Value>& before, const PersistentMap<Key, Value>& after,
             const Changed& changed) {
  if (before.shares_all_with(after)) return;
  before.for_each([&](const Key& key, const Value& value) {
    const Value* now = after.find(key);
    if (now == nullptr || !(*now == value)) changed(key);
  });
  after.for_each([&](const Key& key, const Value&) {
    if (before.find(key) == nullptr) changed(key);
  });
}

void compare_topic(const TopicImage* before, const TopicImage& after, MetadataDelta& delta) {
  if (before != nullptr && before->partitions == after.partitions) return;
  TopicDelta& topic = delta.topics[after.id];
  topic.name = after.name;
  topic.created = before == nullptr;
  compare(before == nullptr ? Partitions() : before->partitions, after.partitions,
          [&](PartitionIndex index) { topic.changed.insert(index); });
}

}  // namespace

MetadataDelta difference(const MetadataImage& before, const MetadataImage& after) {
  MetadataDelta delta;
  if (!before.topics.shares_all_with(after.topics)) {
    before.topics.for_each([&](const TopicImage& topic) {
      if (after.topics.find(topic.id) == nullptr) {
        delta.topics[topic.id] = {.name = topic.name, .removed = true};
      }
    });
    after.topics.for_each([&](const TopicImage& topic) {
      compare_topic(before.topics.find(topic.id), topic, delta);
    });
  }
  compare(before.configs, after.configs,
          [&](const ConfigResource& resource) { delta.configs.insert(resource); });
  compare(before.brokers, after.brokers, [&](BrokerId id) { delta.brokers.insert(id); });
  compare(before.controllers, after.controllers,
          [&](BrokerId id) { delta.controllers.insert(id); });
  delta.features = !(before.features == after.features);
  delta.producer_ids = before.next_producer_id != after.next_producer_id ||
                       before.producer_ids_broker != after.producer_ids_broker ||
                       before.producer_ids_broker_epoch != after.producer_ids_broker_epoch;
  delta.access_control = !(before.access_control == after.access_control);
  delta.scram_credentials = !(before.scram_credentials == after.scram_credentials);
  delta.quotas = !(before.quotas == after.quotas);
  delta.delegation_tokens = !(before.delegation_tokens == after.delegation_tokens);
  return delta;
}

}  // namespace millrace::engine
