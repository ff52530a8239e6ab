// What many members leave behind may be more than the log takes as one: a crash then leaves the first batches of it and not the rest.
// Whatever is left of it, whoever is left of the group comes to have all partitions.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "engine/group/group_machine.h"

namespace millrace::engine {
namespace {

constexpr int kMembers = 6;
constexpr std::int32_t kPartitions = 12;
const TopicId kTopic = Uuid::from_halves(1, 1);

// A group whose members are told apart by numbers.
class Town {
 public:
  explicit Town(std::size_t record_bytes_max) {
    options_.consumer.join_pause = {};
    options_.record_bytes_max = record_bytes_max;
    TopicImage topic{.name = "t", .id = kTopic, .partitions = {}};
    for (std::int32_t i = 0; i < kPartitions; ++i) topic.partitions.set(PartitionIndex{i}, PartitionImage{});
    image_.topics.set(std::move(topic));
    members_.resize(kMembers);
    begin();
  }

  void beat(int number) {
    Member& member = members_[static_cast<std::size_t>(number)];
    const std::string id = "member" + std::to_string(number);
    wire::ConsumerGroupHeartbeatRequest request;
    request.group_id = "g";
    request.member_id = id;
    request.member_epoch = member.epoch;
    request.rebalance_timeout_ms = 60'000;
    request.subscribed_topic_names.emplace(1, "t");
    request.topic_partitions.emplace();
    for (const auto& [topic, partitions] : member.owned) request.topic_partitions->push_back({topic, partitions});
    step(ConsumerHeartbeat{.ticket = Ticket(1), .request = &request, .version = 1, .client_id = "c", .client_host = "/h"});
    ASSERT_EQ(answer_.error, wire::ErrorCode::none) << answer_.message;
    member.epoch = answer_.member_epoch;
    if (answer_.assignment) member.owned = *answer_.assignment;
  }
  void advance(Duration by) {
    now_ += by;
    wall_.ms += to_ms(by);
    while (wake_at_ && *wake_at_ <= now_) step(GroupTick{});
  }
  std::size_t owned_by(int number) const { return partition_count(members_[static_cast<std::size_t>(number)].owned); }

  // Behind which records of the last step that wrote any the log may end after a crash.
  std::vector<std::size_t> cuts() const {
    std::vector<std::size_t> cuts;
    for (std::size_t at = 0; at <= last_.records.size(); ++at) {
      const bool is_inside = std::ranges::any_of(last_.units, [&](const auto& unit) { return unit.begin < at && at < unit.end; });
      const bool is_end = at == 0 || at == last_.records.size();
      if (is_end || (!last_.atomic && !is_inside)) cuts.push_back(at);
    }
    return cuts;
  }
  // Starts again with what such a crash leaves.
  void restart_behind(std::size_t cut) {
    log_.resize(log_.size() - last_.records.size() + cut);
    begin();
  }

 private:
  struct Member {
    std::int32_t epoch = 0;
    ConsumerAssignment owned;
  };

  void begin() {
    machine_ = std::make_unique<GroupMachine>(options_, use_, 7);
    for (const GroupRecord& record : log_) apply(record);
    step(ActivateGroups{});
  }
  void apply(const GroupRecord& record) {
    std::optional<ConstBytes> value;
    if (record.value) value = *record.value;
    ASSERT_TRUE(machine_->apply(record.key, value));
  }
  void step(GroupEvent event) {
    GroupEffects out;
    machine_->step({std::move(event), wall_, &image_}, now_, out);
    for (const GroupRecord& record : out.records) {
      apply(record);
      log_.push_back(record);
    }
    for (auto& reply : out.replies) answer_ = std::get<ConsumerHeartbeatResult>(std::move(reply.answer));
    wake_at_ = out.wake_at;
    machine_->check_invariants();
    if (!out.records.empty()) last_ = std::move(out);
  }

  GroupOptions options_;
  GroupUse use_;
  MetadataImage image_;
  std::unique_ptr<GroupMachine> machine_;
  std::vector<GroupRecord> log_;
  GroupEffects last_;
  ConsumerHeartbeatResult answer_{.message = {}, .member_id = {}, .assignment = {}};
  std::vector<Member> members_;
  Instant now_{std::chrono::hours(1)};
  WallTime wall_{1'000'000};
  std::optional<Instant> wake_at_;
};

// All but the first have fallen silent, and have just been removed.
std::unique_ptr<Town> with_the_first_alone(std::size_t record_bytes_max) {
  auto town = std::make_unique<Town>(record_bytes_max);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < kMembers; ++i) town->beat(i);
  }
  for (int i = 0; i < kMembers; ++i) EXPECT_EQ(town->owned_by(i), 2u);
  town->advance(std::chrono::seconds(30));
  town->beat(0);
  town->advance(std::chrono::seconds(20));
  return town;
}

class ConsumerCut : public ::testing::TestWithParam<std::size_t> {};

TEST_P(ConsumerCut, what_silent_members_had_is_given_to_who_is_left_wherever_a_crash_cuts_their_removal) {
  const std::vector<std::size_t> cuts = with_the_first_alone(GetParam())->cuts();
  for (const std::size_t cut : cuts) {
    const auto town = with_the_first_alone(GetParam());
    town->restart_behind(cut);
    for (int i = 0; i < 30; ++i) {
      town->advance(std::chrono::seconds(5));
      town->beat(0);
    }
    EXPECT_EQ(town->owned_by(0), static_cast<std::size_t>(kPartitions)) << "cut behind record " << cut << " of the removal";
  }
}

// As one batch, and as several.
INSTANTIATE_TEST_SUITE_P(RecordBytes, ConsumerCut, ::testing::Values(std::size_t{1} << 20, std::size_t{700}));

}  // namespace
}  // namespace millrace::engine
