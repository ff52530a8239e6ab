#include "engine/group/embedded_protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/group/record_codec.h"

namespace millrace::engine {
namespace {

template <class T>
Result<T> read_embedded(ConstBytes bytes) {
  wire::Reader reader(bytes);
  const auto version = reader.integer<std::int16_t>();
  if (!reader.ok() || version < 0) return fail(Errc::malformed, fmt::format("{} has no version", T::kName));
  wire::Decoder decoder(reader, std::min(version, T::kVersions.max), false);
  T value;
  decoder.structure(value);
  if (reader.ok()) return value;
  return fail(Errc::malformed, fmt::format("{}: {}", T::kName, reader.error()));
}

}  // namespace

Result<EmbeddedSubscription> read_embedded_subscription(ConstBytes bytes) {
  return read_embedded<EmbeddedSubscription>(bytes);
}

Result<EmbeddedAssignment> read_embedded_assignment(ConstBytes bytes) {
  return read_embedded<EmbeddedAssignment>(bytes);
}

Blob embedded_assignment(const ConsumerAssignment& assignment, const MetadataImage* image, ConstBytes subscription) {
  EmbeddedAssignment said;
  for (const auto& [id, partitions] : assignment) {
    const TopicImage* topic = image == nullptr ? nullptr : image->topics.find(id);
    if (topic != nullptr) said.topics.push_back({topic->name, partitions});
  }
  wire::Reader reader(subscription);
  const auto spoken = reader.integer<std::int16_t>();
  const std::int16_t version =
      reader.ok() ? std::clamp(spoken, EmbeddedAssignment::kVersions.min, EmbeddedAssignment::kVersions.max) : std::int16_t{0};
  return encode_record_value(said, version);
}

ConsumerAssignment existing_partitions(const std::vector<EmbeddedTopic>& topics, const MetadataImage* image) {
  std::vector<ConsumerTopicPartitions> known;
  for (const EmbeddedTopic& each : topics) {
    const TopicImage* topic = image == nullptr ? nullptr : image->topics.find(each.topic);
    if (topic == nullptr) continue;
    auto& added = known.emplace_back(ConsumerTopicPartitions{topic->id, each.partitions});
    const auto count = static_cast<std::int32_t>(topic->partitions.size());
    std::erase_if(added.partitions, [&](std::int32_t partition) { return partition < 0 || partition >= count; });
  }
  return to_assignment(known);
}

}  // namespace millrace::engine
