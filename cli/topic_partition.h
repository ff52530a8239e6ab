// One partition by the name of its topic, as the command line and its answers speak of it.
#pragma once

#include <fmt/core.h>

#include <compare>
#include <cstdint>
#include <string>

namespace millrace::cli {

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;

  auto operator<=>(const TopicPartition&) const = default;
};

inline std::string to_text(const TopicPartition& partition) {
  return fmt::format("{}-{}", partition.topic, partition.partition);
}

}  // namespace millrace::cli
