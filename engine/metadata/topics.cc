#include "engine/metadata/topics.h"

#include "base/check.h"

namespace millrace::engine {

void Topics::set(TopicImage topic) {
  if (const TopicImage* former = by_name_.find(topic.name)) {
    CHECK(former->id == topic.id, "topic {} has id {} and {}", topic.name, former->id.to_string(),
          topic.id.to_string());
    partition_count_ -= former->partitions.size();
  }
  partition_count_ += topic.partitions.size();
  auto shared = std::make_shared<const TopicImage>(std::move(topic));
  by_name_.set(shared->name, shared);
  by_id_.set(shared->id, shared);
}

void Topics::erase(const TopicId& id) {
  const std::shared_ptr<const TopicImage> topic = by_id_.share(id);
  if (topic == nullptr) return;
  partition_count_ -= topic->partitions.size();
  by_name_.erase(topic->name);
  by_id_.erase(id);
}

}  // namespace millrace::engine
