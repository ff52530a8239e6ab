// What the group coordinator is asked, and what it answers.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "engine/effects.h"
#include "engine/group/consumer_records.h"
#include "engine/group/group_use.h"
#include "engine/group/records.h"
#include "engine/metadata/image.h"
#include "net/wire/consumer_group_heartbeat.h"
#include "net/wire/error_code.h"
#include "net/wire/heartbeat.h"
#include "net/wire/join_group.h"
#include "net/wire/sync_group.h"

namespace millrace::engine {

using Blob = std::vector<std::byte>;

// Whether a group with members goes over to the other protocol with the first, or the last, that speaks the consumer protocol.
enum class MigrationPolicy : std::uint8_t { disabled, upgrade, downgrade, bidirectional };

// Groups of the consumer protocol.
struct ConsumerGroupOptions {
  bool enabled = true;                                     // group.coordinator.rebalance.protocols
  std::vector<std::string> assignors{"uniform", "range"};  // group.consumer.assignors; the first where nobody asks for one
  Duration heartbeat_interval = std::chrono::seconds(5);   // group.consumer.heartbeat.interval.ms
  Duration heartbeat_interval_min = std::chrono::seconds(5);
  Duration heartbeat_interval_max = std::chrono::seconds(15);
  Duration session_timeout = std::chrono::seconds(45);  // group.consumer.session.timeout.ms
  Duration session_timeout_min = std::chrono::seconds(45);
  Duration session_timeout_max = std::chrono::seconds(60);
  std::size_t size_max = 2147483647;  // group.consumer.max.size
  MigrationPolicy migration = MigrationPolicy::bidirectional;  // group.consumer.migration.policy
  // A group that is larger is not assigned anew for each member that comes or goes, but after a pause for all of them together.
  std::size_t assign_at_once_max = 250;
  Duration assign_pause_per_member = std::chrono::microseconds(100);
  Duration assign_pause_max = std::chrono::seconds(1);
  // Whoever joins a group that nobody is in is answered when nobody else has joined for this long, or at the latest after a few
  // times as long; one that is alone waits a part of it. Zero: at once. millrace.group.join.pause.ms
  Duration join_pause = std::chrono::milliseconds(5);
  // Between two looks at the topics for the patterns of a group, and how long a look may be believed.
  Duration pattern_pause = std::chrono::seconds(10);
  Duration pattern_refresh = std::chrono::minutes(10);  // group.consumer.regex.refresh.interval.ms
  std::size_t pattern_bytes_max = 1024;
  std::size_t patterns_max = 1000;   // different ones in a group
  std::size_t topics_max = 100'000;  // that a member names
};

struct GroupOptions {
  ConsumerGroupOptions consumer;
  Duration initial_rebalance_delay = std::chrono::seconds(3);  // group.initial.rebalance.delay.ms
  Duration session_timeout_min = std::chrono::seconds(6);      // group.min.session.timeout.ms
  Duration session_timeout_max = std::chrono::minutes(30);     // group.max.session.timeout.ms
  std::size_t group_size_max = 2147483647;                     // group.max.size
  std::size_t offset_metadata_bytes_max = 4096;                // offset.metadata.max.bytes
  Duration offsets_retention = std::chrono::hours(24 * 7);     // offsets.retention.minutes
  Duration offsets_retention_check = std::chrono::minutes(10);
  // A member that has just joined does not know its id, so it cannot send heartbeats: this is how long it may wait.
  Duration new_member_join_timeout = std::chrono::minutes(5);
  // The largest key and value together of a record that the log takes.
  std::size_t record_bytes_max = std::size_t{1} << 20;
  std::size_t memory_bytes_max = std::size_t{512} << 20;  // millrace.group.memory.bytes, of each shard
};

// Names a question until it is answered; the driver numbers them.
struct TicketTag {
  static constexpr auto kind = StrongKind::id;
};
using Ticket = Strong<std::uint64_t, TicketTag>;

// ---- Questions. What they point to must live as long as the step; `kept` may own it.

// Everything in the log has been applied: sessions begin.
struct ActivateGroups {};
// Time has passed.
struct GroupTick {};
struct JoinGroup {
  Ticket ticket;
  const wire::JoinGroupRequest* request = nullptr;
  std::int16_t version = 0;
  std::string_view client_id;
  std::string_view client_host;
  std::shared_ptr<const void> kept = {};
};
struct SyncGroup {
  Ticket ticket;
  const wire::SyncGroupRequest* request = nullptr;
  std::int16_t version = 0;
  std::shared_ptr<const void> kept = {};
};
struct GroupHeartbeat {
  Ticket ticket;
  const wire::HeartbeatRequest* request = nullptr;
};
struct LeaveGroup {
  struct Member {
    std::string_view member_id;  // empty: whoever has the instance id
    std::optional<std::string_view> group_instance_id;
  };
  Ticket ticket;
  std::string_view group;
  std::vector<Member> members;
};
struct GroupPartition {
  std::string_view topic;
  std::int32_t partition = 0;
  TopicId topic_id = {};  // zero: of whichever topic has the name
};
struct CommitOffsets {
  struct Commit {
    GroupPartition at;
    Uuid topic_id;
    std::int64_t offset = 0;
    std::int32_t leader_epoch = -1;
    std::string_view metadata;
  };
  Ticket ticket;
  std::string_view group;
  std::string_view member_id;
  std::optional<std::string_view> group_instance_id;
  std::int16_t version = 0;
  std::int32_t generation = -1;
  std::int64_t retention_ms = -1;
  // Of the image in which the topics were looked up: one that a newer image does not have any more has gone meanwhile.
  Offset looked_up_at{std::numeric_limits<std::int64_t>::max()};
  std::vector<Commit> commits;
};
struct FetchOffsets {
  Ticket ticket;
  std::string_view group;
  // From version 9 on of OffsetFetch: who asks, and what it thinks of its epoch.
  std::optional<std::string_view> member_id = std::nullopt;
  std::int32_t member_epoch = -1;
  std::optional<std::vector<GroupPartition>> partitions;  // none: all there are
};
struct DeleteOffsets {
  Ticket ticket;
  std::string_view group;
  std::vector<GroupPartition> partitions;
};
struct DescribeGroup {
  Ticket ticket;
  std::string_view group;
};
struct ListGroups {
  Ticket ticket;
};
struct DeleteGroup {
  Ticket ticket;
  std::string_view group;
};
// Topics that have gone, by name, with the id of the topic that has the name now; zero where there is none. What was committed for
// others of that name says nothing of it.
using GoneTopics = std::map<std::string, TopicId, std::less<>>;
struct DropTopics {
  GoneTopics topics;
};
struct ConsumerHeartbeat {
  Ticket ticket;
  const wire::ConsumerGroupHeartbeatRequest* request = nullptr;
  std::int16_t version = 0;
  std::string_view client_id;
  std::string_view client_host;
};
struct DescribeConsumerGroup {
  Ticket ticket;
  std::string_view group;
};
// The image has changed in these topics; groups that read them find out with the next heartbeat of a member.
struct TopicsChanged {
  std::vector<std::string> topics;
  bool any_came_or_went = false;
};
// Which topics the patterns of a group stand for (PatternQuestion).
struct PatternsResolved {
  std::string group;
  std::map<std::string, std::vector<std::string>> topics;
  std::int64_t version = 0;  // of the image
};

using GroupEvent = std::variant<ActivateGroups, GroupTick, JoinGroup, SyncGroup, GroupHeartbeat,
                                LeaveGroup, CommitOffsets, FetchOffsets, DeleteOffsets,
                                DescribeGroup, ListGroups, DeleteGroup, DropTopics, ConsumerHeartbeat,
                                DescribeConsumerGroup, TopicsChanged, PatternsResolved>;

struct GroupInput {
  GroupEvent event;
  WallTime wall_now;
  // What the cluster looks like; null where no question needs it. Must live as long as the step.
  const MetadataImage* image = nullptr;
};

// What a machine cannot find out within a step: which of all topics match these patterns. Answered with PatternsResolved.
struct PatternQuestion {
  std::string group;
  std::vector<std::string> patterns;
};

// What whoever runs the broker should hear of; a driver logs it, though not as often as it comes.
struct GroupWarning {
  std::string_view event;  // a literal
  std::string group;
  std::string text;
};

// ---- Answers. They own all they hold.

struct JoinResult {
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    Blob metadata;
  };
  wire::ErrorCode error{};
  std::int32_t generation = -1;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::string leader;
  bool skip_assignment = false;
  std::string member_id;
  std::vector<Member> members;
};
struct SyncResult {
  wire::ErrorCode error{};
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  Blob assignment;
};
struct HeartbeatResult {
  wire::ErrorCode error{};
};
struct LeaveResult {
  wire::ErrorCode error{};
  std::vector<wire::ErrorCode> members;  // as they were asked for
};
struct CommitResult {
  std::vector<wire::ErrorCode> errors;  // as they were asked for
};
struct FetchOffsetsResult {
  struct Partition {
    std::string topic;
    std::int32_t partition = 0;
    std::int64_t offset = -1;
    std::int32_t leader_epoch = -1;
    std::string metadata;
  };
  wire::ErrorCode error{};
  std::vector<Partition> partitions;  // as they were asked for, or in order
};
struct DeleteOffsetsResult {
  wire::ErrorCode error{};  // of the whole request
  std::vector<wire::ErrorCode> errors;
};
struct GroupDescription {
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::string client_id;
    std::string client_host;
    Blob metadata;
    Blob assignment;
  };
  wire::ErrorCode error{};  // GROUP_ID_NOT_FOUND; older versions do not know it
  std::string message;      // with an error
  std::string state;
  std::string protocol_type;
  std::string protocol;
  std::vector<Member> members;
};
struct GroupList {
  struct Group {
    std::string group;
    std::string protocol_type;
    std::string state;
    std::string type;
  };
  wire::ErrorCode error{};
  std::vector<Group> groups;
};
struct DeleteGroupResult {
  wire::ErrorCode error{};
};

struct ConsumerHeartbeatResult {
  wire::ErrorCode error{};
  std::string message;
  std::string member_id;
  std::int32_t member_epoch = 0;
  Duration heartbeat_interval{};
  std::optional<ConsumerAssignment> assignment;  // none: as it was told before
};
struct ConsumerGroupDescription {
  struct Member {
    std::string member_id;
    std::optional<std::string> instance_id;
    std::optional<std::string> rack_id;
    std::int32_t epoch = 0;
    std::string client_id;
    std::string client_host;
    std::vector<std::string> topics;
    std::string pattern;
    ConsumerAssignment assigned;
    ConsumerAssignment target;
    bool is_classic = false;
  };
  wire::ErrorCode error{};
  std::string message;
  std::string state;
  std::int32_t epoch = 0;
  std::int32_t assignment_epoch = 0;
  std::string assignor;
  std::vector<Member> members;
};

using GroupAnswer = std::variant<JoinResult, SyncResult, HeartbeatResult, LeaveResult, CommitResult,
                                 FetchOffsetsResult, DeleteOffsetsResult, GroupDescription,
                                 GroupList, DeleteGroupResult, ConsumerHeartbeatResult,
                                 ConsumerGroupDescription>;

// Every question with a ticket gets exactly one answer: with the step it was asked in or, for JoinGroup, SyncGroup and a
// ConsumerHeartbeat that joins, with a later one.
struct GroupReply {
  Ticket ticket;
  GroupAnswer answer;
};

struct GroupEffects : Effects<GroupRecord, GroupReply> {
  // Records `begin` to `end`, which are one even where the rest is not.
  struct Unit {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  std::vector<Unit> units;  // in order

  void clear() {
    Effects::clear();
    units.clear();
  }
};

}  // namespace millrace::engine
