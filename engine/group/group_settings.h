// What was set for one group by name (the group resource of IncrementalAlterConfigs).
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "base/time.h"
#include "engine/metadata/group_config.h"
#include "engine/metadata/image.h"

namespace millrace::engine {

// A time that was set for the group, within the broker's bounds as they are now; `otherwise` where none was.
inline Duration group_duration(const MetadataImage* image, std::string_view group, std::string_view key,
                               Duration otherwise, Duration least, Duration most) {
  if (image == nullptr) return otherwise;
  const auto ms = group_number(image->config(ConfigResource::group(group)), key);
  return ms ? std::clamp(from_ms(*ms), least, std::max(least, most)) : otherwise;
}

}  // namespace millrace::engine
