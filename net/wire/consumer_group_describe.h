// ConsumerGroupDescribe: state and members of groups of the consumer protocol.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct ConsumerGroupDescribeResponse;

struct ConsumerGroupDescribeRequest {
  static constexpr std::string_view kName = "ConsumerGroupDescribeRequest";
  static constexpr ApiKey kKey = ApiKey::consumer_group_describe;
  static constexpr VersionRange kVersions{0, 1};
  static constexpr std::int16_t kFlexibleSince = 0;
  using Response = ConsumerGroupDescribeResponse;

  std::vector<std::string_view> group_ids;
  bool include_authorized_operations = false;

  friend bool operator==(const ConsumerGroupDescribeRequest&,
                         const ConsumerGroupDescribeRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("group_ids", m.group_ids, since(0));
    v.field("include_authorized_operations", m.include_authorized_operations, since(0));
  }
};

struct ConsumerGroupDescribeResponse {
  static constexpr std::string_view kName = "ConsumerGroupDescribeResponse";
  static constexpr ApiKey kKey = ApiKey::consumer_group_describe;
  static constexpr VersionRange kVersions{0, 1};
  static constexpr std::int16_t kFlexibleSince = 0;

  struct TopicPartitions {
    Uuid topic_id;
    std::string_view topic_name;
    std::vector<std::int32_t> partitions;

    friend bool operator==(const TopicPartitions&, const TopicPartitions&) = default;
    static void describe(auto& v, auto& m) {
      v.field("topic_id", m.topic_id, since(0));
      v.field("topic_name", m.topic_name, since(0));
      v.field("partitions", m.partitions, since(0));
    }
  };

  struct Assignment {
    std::vector<TopicPartitions> topic_partitions;

    friend bool operator==(const Assignment&, const Assignment&) = default;
    static void describe(auto& v, auto& m) {
      v.field("topic_partitions", m.topic_partitions, since(0));
    }
  };

  struct Member {
    std::string_view member_id;
    std::optional<std::string_view> instance_id;
    std::optional<std::string_view> rack_id;
    std::int32_t member_epoch = 0;
    std::string_view client_id;
    std::string_view client_host;
    std::vector<std::string_view> subscribed_topic_names;
    std::optional<std::string_view> subscribed_topic_regex;
    Assignment assignment;
    Assignment target_assignment;
    std::int8_t member_type = -1;

    friend bool operator==(const Member&, const Member&) = default;
    static void describe(auto& v, auto& m) {
      v.field("member_id", m.member_id, since(0));
      v.field("instance_id", m.instance_id, since(0).nullable(0));
      v.field("rack_id", m.rack_id, since(0).nullable(0));
      v.field("member_epoch", m.member_epoch, since(0));
      v.field("client_id", m.client_id, since(0));
      v.field("client_host", m.client_host, since(0));
      v.field("subscribed_topic_names", m.subscribed_topic_names, since(0));
      v.field("subscribed_topic_regex", m.subscribed_topic_regex, since(0).nullable(0));
      v.field("assignment", m.assignment, since(0));
      v.field("target_assignment", m.target_assignment, since(0));
      v.field("member_type", m.member_type, since(1).ignorable());
    }
  };

  struct Group {
    ErrorCode error_code{};
    std::optional<std::string_view> error_message;
    std::string_view group_id;
    std::string_view group_state;
    std::int32_t group_epoch = 0;
    std::int32_t assignment_epoch = 0;
    std::string_view assignor_name;
    std::vector<Member> members;
    std::int32_t authorized_operations = -2147483648;

    friend bool operator==(const Group&, const Group&) = default;
    static void describe(auto& v, auto& m) {
      v.field("error_code", m.error_code, since(0));
      v.field("error_message", m.error_message, since(0).nullable(0));
      v.field("group_id", m.group_id, since(0));
      v.field("group_state", m.group_state, since(0));
      v.field("group_epoch", m.group_epoch, since(0));
      v.field("assignment_epoch", m.assignment_epoch, since(0));
      v.field("assignor_name", m.assignor_name, since(0));
      v.field("members", m.members, since(0));
      v.field("authorized_operations", m.authorized_operations, since(0));
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Group> groups;

  friend bool operator==(const ConsumerGroupDescribeResponse&,
                         const ConsumerGroupDescribeResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(0));
    v.field("groups", m.groups, since(0));
  }
};

}  // namespace millrace::wire
