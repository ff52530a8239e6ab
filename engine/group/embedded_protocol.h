// What a consumer says of itself within JoinGroup, and what it is told to read within SyncGroup: the consumer's own format, which
// the classic protocol carries without reading it.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/group/consumer_records.h"
#include "engine/group/group_input.h"
#include "engine/metadata/image.h"
#include "net/wire/describe.h"

namespace millrace::engine {

struct EmbeddedTopic {
  std::string_view topic;
  std::vector<std::int32_t> partitions;

  static void describe(auto& v, auto& m) {
    v.field("topic", m.topic, wire::since(0));
    v.field("partitions", m.partitions, wire::since(0));
  }
};

struct EmbeddedSubscription {
  static constexpr std::string_view kName = "ConsumerProtocolSubscription";
  static constexpr wire::VersionRange kVersions{0, 3};
  static constexpr std::int16_t kFlexibleSince = std::numeric_limits<std::int16_t>::max();

  std::vector<std::string_view> topics;
  std::optional<wire::WireBytes> user_data;
  std::vector<EmbeddedTopic> owned;
  std::int32_t generation = -1;
  std::optional<std::string_view> rack_id;

  static void describe(auto& v, auto& m) {
    v.field("topics", m.topics, wire::since(0));
    v.field("user_data", m.user_data, wire::since(0).nullable(0));
    v.field("owned_partitions", m.owned, wire::since(1));
    v.field("generation_id", m.generation, wire::since(2));
    v.field("rack_id", m.rack_id, wire::since(3).nullable(3));
  }
};

struct EmbeddedAssignment {
  static constexpr std::string_view kName = "ConsumerProtocolAssignment";
  static constexpr wire::VersionRange kVersions{0, 3};
  static constexpr std::int16_t kFlexibleSince = std::numeric_limits<std::int16_t>::max();

  std::vector<EmbeddedTopic> topics;
  std::optional<wire::WireBytes> user_data;

  static void describe(auto& v, auto& m) {
    v.field("assigned_partitions", m.topics, wire::since(0));
    v.field("user_data", m.user_data, wire::since(0).nullable(0));
  }
};

// A later version is read as the latest known one; what it adds stands behind. Errors: malformed. What is returned points into
// the bytes.
Result<EmbeddedSubscription> read_embedded_subscription(ConstBytes bytes);
Result<EmbeddedAssignment> read_embedded_assignment(ConstBytes bytes);

// In the version in which the member whose subscription this is speaks. Topics that have gone are left out.
Blob embedded_assignment(const ConsumerAssignment& assignment, const MetadataImage* image, ConstBytes subscription);

// Those of the partitions that are there.
ConsumerAssignment existing_partitions(const std::vector<EmbeddedTopic>& topics, const MetadataImage* image);

}  // namespace millrace::engine
