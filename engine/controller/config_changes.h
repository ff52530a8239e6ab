// Changes of what is configured for topics, brokers, all brokers and groups.
#pragma once

#include <vector>

#include "engine/controller/controller_input.h"
#include "engine/metadata/image.h"

namespace millrace::engine {

class ConfigChanges {
 public:
  ConfigChanges(const MetadataImage& image, const ControllerOptions& options)
      : image_(image), options_(options) {}

  Reply<wire::IncrementalAlterConfigsResponse> alter(
      const wire::IncrementalAlterConfigsRequest& request,
      std::vector<VersionedRecord>& records) const;
  Reply<wire::AlterConfigsResponse> replace(const wire::AlterConfigsRequest& request,
                                            std::vector<VersionedRecord>& records) const;

 private:
  const MetadataImage& image_;
  const ControllerOptions& options_;
};

}  // namespace millrace::engine
