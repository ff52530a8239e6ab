// DescribeCluster: cluster id, controller and brokers (or controllers).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct DescribeClusterResponse;

struct DescribeClusterRequest {
  static constexpr std::string_view kName = "DescribeClusterRequest";
  static constexpr ApiKey kKey = ApiKey::describe_cluster;
  static constexpr VersionRange kVersions{0, 2};
  static constexpr std::int16_t kFlexibleSince = 0;
  using Response = DescribeClusterResponse;

  bool include_cluster_authorized_operations = false;
  std::int8_t endpoint_type = 1;
  bool include_fenced_brokers = false;

  friend bool operator==(const DescribeClusterRequest&, const DescribeClusterRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("include_cluster_authorized_operations", m.include_cluster_authorized_operations,
            since(0));
    v.field("endpoint_type", m.endpoint_type, since(1));
    v.field("include_fenced_brokers", m.include_fenced_brokers, since(2));
  }
};

struct DescribeClusterResponse {
  static constexpr std::string_view kName = "DescribeClusterResponse";
  static constexpr ApiKey kKey = ApiKey::describe_cluster;
  static constexpr VersionRange kVersions{0, 2};
  static constexpr std::int16_t kFlexibleSince = 0;

  struct Broker {
    std::int32_t broker_id = 0;
    std::string_view host;
    std::int32_t port = 0;
    std::optional<std::string_view> rack;
    bool is_fenced = false;

    friend bool operator==(const Broker&, const Broker&) = default;
    static void describe(auto& v, auto& m) {
      v.field("broker_id", m.broker_id, since(0));
      v.field("host", m.host, since(0));
      v.field("port", m.port, since(0));
      v.field("rack", m.rack, since(0).nullable(0));
      v.field("is_fenced", m.is_fenced, since(2));
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code{};
  std::optional<std::string_view> error_message;
  std::int8_t endpoint_type = 1;
  std::string_view cluster_id;
  std::int32_t controller_id = -1;
  std::vector<Broker> brokers;
  std::int32_t cluster_authorized_operations = -2147483648;

  friend bool operator==(const DescribeClusterResponse&, const DescribeClusterResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(0));
    v.field("error_code", m.error_code, since(0));
    v.field("error_message", m.error_message, since(0).nullable(0));
    v.field("endpoint_type", m.endpoint_type, since(1));
    v.field("cluster_id", m.cluster_id, since(0));
    v.field("controller_id", m.controller_id, since(0));
    v.field("brokers", m.brokers, since(0));
    v.field("cluster_authorized_operations", m.cluster_authorized_operations, since(0));
  }
};

}  // namespace millrace::wire
