// What was set for one group by name (the group resource of IncrementalAlterConfigs).
#pragma once

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/time.h"
#include "engine/metadata/image.h"

namespace millrace::engine {

inline constexpr std::string_view kGroupSessionTimeout = "consumer.session.timeout.ms";
inline constexpr std::string_view kGroupHeartbeatInterval = "consumer.heartbeat.interval.ms";

// A time that was set for the group, within the broker's bounds as they are now; `otherwise` where none was.
inline Duration group_duration(const MetadataImage* image, std::string_view group, std::string_view key,
                               Duration otherwise, Duration least, Duration most) {
  if (image == nullptr) return otherwise;
  const ConfigValues& values = image->config({ConfigResourceType::group, std::string(group)});
  const auto found = values.find(key);
  if (found == values.end()) return otherwise;
  std::int64_t ms = 0;
  const std::string& text = found->second;
  if (std::from_chars(text.data(), text.data() + text.size(), ms).ec != std::errc{}) return otherwise;
  return std::clamp(from_ms(ms), least, std::max(least, most));
}

}  // namespace millrace::engine
