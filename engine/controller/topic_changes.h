// Making topics, deleting them, and giving them more partitions.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "engine/controller/controller_input.h"
#include "engine/metadata/image.h"

namespace millrace::engine {

// The name of an existing topic that `name` collides with; empty when there is none.
using FindCollision = std::function<std::string(std::string_view name)>;

class TopicChanges {
 public:
  // `prng` draws topic ids and where placement starts.
  TopicChanges(const MetadataImage& image, const ControllerOptions& options, Prng& prng)
      : image_(image), options_(options), prng_(prng) {}

  Reply<wire::CreateTopicsResponse> create(const wire::CreateTopicsRequest& request,
                                           const FindCollision& find_collision,
                                           std::vector<VersionedRecord>& records);
  Reply<wire::DeleteTopicsResponse> remove(const wire::DeleteTopicsRequest& request,
                                           std::vector<VersionedRecord>& records);
  Reply<wire::CreatePartitionsResponse> create_partitions(
      const wire::CreatePartitionsRequest& request, std::vector<VersionedRecord>& records);

 private:
  const MetadataImage& image_;
  const ControllerOptions& options_;
  Prng& prng_;
};

}  // namespace millrace::engine
