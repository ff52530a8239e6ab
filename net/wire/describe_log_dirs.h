// DescribeLogDirs: per log directory its partitions with their sizes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct DescribeLogDirsResponse;

struct DescribeLogDirsRequest {
  static constexpr std::string_view kName = "DescribeLogDirsRequest";
  static constexpr ApiKey kKey = ApiKey::describe_log_dirs;
  static constexpr VersionRange kVersions{1, 4};
  static constexpr std::int16_t kFlexibleSince = 2;
  using Response = DescribeLogDirsResponse;

  struct Topic {
    std::string_view topic;
    std::vector<std::int32_t> partitions;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("topic", m.topic, since(0));
      v.field("partitions", m.partitions, since(0));
    }
  };

  std::optional<std::vector<Topic>> topics{std::in_place};

  friend bool operator==(const DescribeLogDirsRequest&, const DescribeLogDirsRequest&) = default;
  static void describe(auto& v, auto& m) { v.field("topics", m.topics, since(0).nullable(0)); }
};

struct DescribeLogDirsResponse {
  static constexpr std::string_view kName = "DescribeLogDirsResponse";
  static constexpr ApiKey kKey = ApiKey::describe_log_dirs;
  static constexpr VersionRange kVersions{1, 4};
  static constexpr std::int16_t kFlexibleSince = 2;

  struct Partition {
    std::int32_t partition_index = 0;
    std::int64_t partition_size = 0;
    std::int64_t offset_lag = 0;
    bool is_future_key = false;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, since(0));
      v.field("partition_size", m.partition_size, since(0));
      v.field("offset_lag", m.offset_lag, since(0));
      v.field("is_future_key", m.is_future_key, since(0));
    }
  };

  struct Topic {
    std::string_view name;
    std::vector<Partition> partitions;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(0));
      v.field("partitions", m.partitions, since(0));
    }
  };

  struct LogDir {
    ErrorCode error_code{};
    std::string_view log_dir;
    std::vector<Topic> topics;
    std::int64_t total_bytes = -1;
    std::int64_t usable_bytes = -1;

    friend bool operator==(const LogDir&, const LogDir&) = default;
    static void describe(auto& v, auto& m) {
      v.field("error_code", m.error_code, since(0));
      v.field("log_dir", m.log_dir, since(0));
      v.field("topics", m.topics, since(0));
      v.field("total_bytes", m.total_bytes, since(4).ignorable());
      v.field("usable_bytes", m.usable_bytes, since(4).ignorable());
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code{};
  std::vector<LogDir> results;

  friend bool operator==(const DescribeLogDirsResponse&, const DescribeLogDirsResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(0));
    v.field("error_code", m.error_code, since(3).ignorable());
    v.field("results", m.results, since(0));
  }
};

}  // namespace millrace::wire
