// The image as records make it: each rule of replay, and that a snapshot's records make it again.
#include "engine/metadata/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/prng.h"

namespace millrace::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const TopicId kFoo = Uuid::from_halves(1, 1);
const TopicId kBar = Uuid::from_halves(1, 2);

RegisterBrokerRecord registration(std::int32_t id, std::int64_t epoch) {
  return {.broker_id = id,
          .incarnation_id = Uuid::from_halves(9, static_cast<std::uint64_t>(epoch)),
          .broker_epoch = epoch,
          .end_points = {{"PLAINTEXT", "localhost", 9092, 0}},
          .features = {{"metadata.version", 7, 25}},
          .rack = "r1",
          .log_dirs = {Uuid::from_halves(5, static_cast<std::uint64_t>(id))}};
}
PartitionRecord partition(TopicId topic, std::int32_t index) {
  return {.partition_id = index,
          .topic_id = topic,
          .replicas = {1, 2},
          .isr = {1, 2},
          .leader = 1,
          .leader_epoch = 0,
          .partition_epoch = 0,
          .directories = {Uuid::from_halves(5, 1), Uuid::from_halves(5, 2)}};
}

class Image : public ::testing::Test {
 protected:
  void apply(const MetadataRecord& record) {
    const auto done = builder_.apply(record);
    ASSERT_TRUE(done) << done.error().message;
  }
  void expect_refused(const MetadataRecord& record, const char* why) {
    const auto done = builder_.apply(record);
    ASSERT_FALSE(done) << record_name(record);
    EXPECT_EQ(done.error().code, Errc::corrupt);
    EXPECT_THAT(done.error().message, HasSubstr(why));
  }
  void create_foo(std::int32_t partitions = 1) {
    apply(FeatureLevelRecord{"metadata.version", 25});
    apply(TopicRecord{"foo", kFoo});
    for (std::int32_t i = 0; i < partitions; ++i) apply(partition(kFoo, i));
  }
  ImageBuilder::Published publish() { return builder_.publish({Offset(next_++), LeaderEpoch(1)}); }

  ImageBuilder builder_;
  std::int64_t next_ = 0;
};

TEST_F(Image, a_topic_is_found_by_name_and_by_id_with_its_partitions) {
  create_foo(2);
  const auto [image, delta] = publish();
  ASSERT_NE(image->topics.find("foo"), nullptr);
  EXPECT_EQ(image->topics.find("foo")->id, kFoo);
  EXPECT_EQ(image->topics.find(kFoo)->name, "foo");
  EXPECT_EQ(image->topics.partition_count(), 2u);
  const PartitionImage* one = image->topics.find(TopicPartition{kFoo, PartitionIndex(1)});
  ASSERT_NE(one, nullptr);
  EXPECT_EQ(one->leader, BrokerId(1));
  EXPECT_EQ(one->directory_of(BrokerId(2)), Uuid::from_halves(5, 2));
  ASSERT_TRUE(delta.topics.contains(kFoo));
  EXPECT_TRUE(delta.topics.at(kFoo).created);
  EXPECT_THAT(delta.topics.at(kFoo).changed, ElementsAre(PartitionIndex(0), PartitionIndex(1)));
}

TEST_F(Image, a_published_image_does_not_change_with_what_comes_later) {
  create_foo();
  const SharedImage before = publish().image;
  apply(PartitionChangeRecord{.partition_id = 0, .topic_id = kFoo, .isr = {{1}}});
  apply(TopicRecord{"bar", kBar});
  const auto [after, delta] = publish();
  EXPECT_EQ(before->topics.size(), 1u);
  EXPECT_EQ(before->topics.find("foo")->partition(PartitionIndex(0))->isr.size(), 2u);
  EXPECT_EQ(after->topics.size(), 2u);
  EXPECT_THAT(after->topics.find("foo")->partition(PartitionIndex(0))->isr,
              ElementsAre(BrokerId(1)));
  EXPECT_FALSE(delta.topics.at(kFoo).created);
}

TEST_F(Image, every_change_raises_the_partition_epoch_and_only_a_named_leader_the_leader_epoch) {
  create_foo();
  apply(PartitionChangeRecord{.partition_id = 0, .topic_id = kFoo, .isr = {{1}}});
  const auto* now = builder_.uncommitted().topics.find(TopicPartition{kFoo, PartitionIndex(0)});
  EXPECT_EQ(now->partition_epoch, PartitionEpoch(1));
  EXPECT_EQ(now->leader_epoch, LeaderEpoch(0));
  // The same leader, named again.
  apply(PartitionChangeRecord{.partition_id = 0, .topic_id = kFoo, .leader = 1});
  now = builder_.uncommitted().topics.find(TopicPartition{kFoo, PartitionIndex(0)});
  EXPECT_EQ(now->partition_epoch, PartitionEpoch(2));
  EXPECT_EQ(now->leader_epoch, LeaderEpoch(1));
  apply(PartitionChangeRecord{.partition_id = 0, .topic_id = kFoo, .leader = -1});
  now = builder_.uncommitted().topics.find(TopicPartition{kFoo, PartitionIndex(0)});
  EXPECT_EQ(now->leader, kNoBroker);
  EXPECT_EQ(now->leader_epoch, LeaderEpoch(2));
}

TEST_F(Image, directories_must_match_the_replicas) {
  create_foo();
  expect_refused(PartitionChangeRecord{.partition_id = 0, .topic_id = kFoo, .replicas = {{1}}},
                 "directories");
}

TEST_F(Image, removing_a_topic_removes_its_configuration) {
  create_foo();
  apply(ConfigRecord{2, "foo", "retention.ms", "1"});
  EXPECT_EQ(builder_.uncommitted().config(ConfigResource::topic("foo")).at("retention.ms"), "1");
  publish();
  apply(RemoveTopicRecord{kFoo});
  const auto [image, delta] = publish();
  EXPECT_EQ(image->topics.size(), 0u);
  EXPECT_EQ(image->topics.partition_count(), 0u);
  EXPECT_TRUE(image->config(ConfigResource::topic("foo")).empty());
  EXPECT_TRUE(delta.topics.at(kFoo).removed);
  EXPECT_EQ(delta.topics.at(kFoo).name, "foo");
  EXPECT_TRUE(delta.configs.contains(ConfigResource::topic("foo")));
}

TEST_F(Image, a_topic_made_and_removed_between_two_images_is_in_no_delta) {
  create_foo();
  apply(RemoveTopicRecord{kFoo});
  EXPECT_TRUE(publish().delta.topics.empty());
}

TEST_F(Image, a_null_configuration_value_removes_the_key) {
  apply(ConfigRecord{4, "", "a", "1"});
  apply(ConfigRecord{4, "", "b", "2"});
  apply(ConfigRecord{4, "", "a", std::nullopt});
  EXPECT_EQ(builder_.uncommitted().config(ConfigResource::cluster_default()),
            (ConfigValues{{"b", "2"}}));
  apply(ConfigRecord{4, "", "b", std::nullopt});
  EXPECT_TRUE(builder_.uncommitted().configs.empty());
}

TEST_F(Image, a_registration_replaces_the_former_one) {
  apply(registration(1, 5));
  apply(BrokerRegistrationChangeRecord{.broker_id = 1, .broker_epoch = 5, .fenced = -1});
  EXPECT_TRUE(builder_.uncommitted().brokers.find(BrokerId(1))->active());
  apply(registration(1, 9));
  const BrokerImage* broker = builder_.uncommitted().brokers.find(BrokerId(1));
  EXPECT_TRUE(broker->fenced);
  EXPECT_EQ(broker->epoch, BrokerEpoch(9));
  EXPECT_EQ(broker->endpoint("PLAINTEXT")->port, 9092);
  EXPECT_EQ(broker->endpoint("SSL"), nullptr);
}

TEST_F(Image, records_that_contradict_the_image_are_refused) {
  create_foo();
  apply(registration(1, 5));
  expect_refused(TopicRecord{"foo", kBar}, "second topic");
  expect_refused(TopicRecord{"bar", kFoo}, "id");
  expect_refused(partition(kBar, 0), "not known");
  expect_refused(PartitionChangeRecord{.partition_id = 7, .topic_id = kFoo}, "not known");
  expect_refused(RemoveTopicRecord{kBar}, "not known");
  expect_refused(registration(1, 4), "epoch 4 after 5");
  expect_refused(UnregisterBrokerRecord{1, 4}, "epoch 4, it has 5");
  expect_refused(UnregisterBrokerRecord{2, 5}, "not registered");
  expect_refused(BrokerRegistrationChangeRecord{.broker_id = 1, .broker_epoch = 6, .fenced = 1},
                 "epoch 6");
  expect_refused(EndTransactionRecord{}, "did not begin");
  expect_refused(AbortTransactionRecord{}, "did not begin");
  expect_refused(RemoveUserScramCredentialRecord{"u", 1}, "not known");
  expect_refused(RemoveAccessControlEntryRecord{kFoo}, "not known");
  apply(ProducerIdsRecord{1, 5, 2000});
  expect_refused(ProducerIdsRecord{1, 5, 1000}, "go back");
}

TEST_F(Image, a_metadata_version_we_do_not_work_at_is_unsupported) {
  const auto done = builder_.apply(FeatureLevelRecord{"metadata.version", 30});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::unsupported);
}

TEST_F(Image, a_transaction_is_seen_whole_or_not_at_all) {
  apply(FeatureLevelRecord{"metadata.version", 25});
  apply(BeginTransactionRecord{"x"});
  apply(TopicRecord{"foo", kFoo});
  const auto [during, nothing] = publish();
  EXPECT_EQ(during->topics.size(), 0u);
  EXPECT_TRUE(nothing.features);
  EXPECT_TRUE(nothing.topics.empty());
  EXPECT_EQ(builder_.uncommitted().topics.size(), 1u);
  apply(partition(kFoo, 0));
  apply(EndTransactionRecord{});
  const auto [after, delta] = publish();
  EXPECT_EQ(after->topics.size(), 1u);
  EXPECT_TRUE(delta.topics.at(kFoo).created);
  EXPECT_FALSE(delta.features) << "was in the delta before";
}

TEST_F(Image, an_aborted_transaction_leaves_nothing) {
  create_foo();
  publish();
  const MetadataImage before = builder_.uncommitted();
  apply(BeginTransactionRecord{});
  apply(RemoveTopicRecord{kFoo});
  apply(TopicRecord{"foo", kBar});
  apply(AbortTransactionRecord{"why"});
  EXPECT_TRUE(builder_.uncommitted().same_contents(before));
  EXPECT_TRUE(publish().delta.empty());
  apply(BeginTransactionRecord{});
  expect_refused(BeginTransactionRecord{}, "inside another");
}

TEST_F(Image, clearing_eligible_leaders_keeps_partition_epochs) {
  apply(FeatureLevelRecord{"metadata.version", 25});
  apply(TopicRecord{"foo", kFoo});
  PartitionRecord record = partition(kFoo, 0);
  record.eligible_leader_replicas = {{2}};
  apply(record);
  apply(ClearElrRecord{""});
  const auto* now = builder_.uncommitted().topics.find(TopicPartition{kFoo, PartitionIndex(0)});
  EXPECT_TRUE(now->eligible_leader_replicas.empty());
  EXPECT_EQ(now->partition_epoch, PartitionEpoch(0));
}

// ---- Properties over random histories

class RandomHistory {
 public:
  explicit RandomHistory(std::uint64_t seed) : prng_(seed) {}

  MetadataRecord next(const MetadataImage& image) {
    switch (prng_.below(9)) {
      case 0:
        return topic_record();
      case 1:
        return registration(static_cast<std::int32_t>(prng_.below(4)), ++epoch_);
      case 2:
        return ConfigRecord{prng_.chance(2) ? std::int8_t{2} : std::int8_t{4},
                            "n" + std::to_string(prng_.below(4)),
                            "k" + std::to_string(prng_.below(3)),
                            prng_.chance(3) ? std::nullopt : std::optional<std::string>("v")};
      case 3:
        return ProducerIdsRecord{1, 1, producer_ids_ += 1000};
      case 4:
        return UserScramCredentialRecord{.name = "u" + std::to_string(prng_.below(3)),
                                         .mechanism = 1,
                                         .salt = {1, 2},
                                         .iterations = static_cast<std::int32_t>(prng_.below(9))};
      case 5:
        return ClientQuotaRecord{
            {{"user", "u" + std::to_string(prng_.below(3))}, {"client-id", std::nullopt}},
            "producer_byte_rate",
            prng_.fraction(),
            prng_.chance(4)};
      case 6:
        return AccessControlEntryRecord{.id = Uuid::from_random(prng_.next(), prng_.next()),
                                        .principal = "User:a"};
      default:
        return of_topic(image);
    }
  }
  Prng& prng() { return prng_; }

 private:
  MetadataRecord topic_record() {
    const auto id = Uuid::from_random(prng_.next(), prng_.next());
    return TopicRecord{"t" + id.to_string().substr(0, 4), id};
  }
  MetadataRecord of_topic(const MetadataImage& image) {
    const TopicImage* chosen = nullptr;
    image.topics.for_each([&](const TopicImage& topic) {
      if (chosen == nullptr || prng_.chance(3)) chosen = &topic;
    });
    if (chosen == nullptr) return NoOpRecord{};
    if (prng_.chance(10)) return RemoveTopicRecord{chosen->id};
    const auto index = static_cast<std::int32_t>(prng_.below(chosen->partitions.size() + 1));
    if (chosen->partition(PartitionIndex(index)) == nullptr) return partition(chosen->id, index);
    PartitionChangeRecord change{.partition_id = index, .topic_id = chosen->id};
    if (prng_.chance(2)) change.isr = {{2}};
    if (prng_.chance(2)) change.leader = 2;
    if (prng_.chance(4)) change.leader_recovery_state = 1;
    if (prng_.chance(4)) change.eligible_leader_replicas = {{1}};
    return change;
  }

  Prng prng_;
  std::int64_t epoch_ = 0;
  std::int64_t producer_ids_ = 0;
};

TEST(ImageProperties, the_records_of_an_image_make_it_again) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    RandomHistory history(seed);
    ImageBuilder builder;
    ASSERT_TRUE(builder.apply(FeatureLevelRecord{"metadata.version", 25}));
    for (int step = 0; step < 200; ++step) (void)builder.apply(history.next(builder.uncommitted()));
    ImageBuilder again;
    for (const VersionedRecord& record : to_records(builder.uncommitted())) {
      // Through the bytes, as a snapshot does.
      const auto decoded = decode_record(encode_record(record));
      ASSERT_TRUE(decoded) << decoded.error().message;
      const auto done = again.apply(decoded->record);
      ASSERT_TRUE(done) << done.error().message;
    }
    EXPECT_TRUE(again.uncommitted().same_contents(builder.uncommitted())) << "seed " << seed;
  }
}

TEST(ImageProperties, the_delta_of_records_is_the_difference_of_the_images) {
  for (std::uint64_t seed = 100; seed < 120; ++seed) {
    RandomHistory history(seed);
    ImageBuilder builder;
    ASSERT_TRUE(builder.apply(FeatureLevelRecord{"metadata.version", 25}));
    SharedImage before = builder.publish({}).image;
    for (int round = 0; round < 50; ++round) {
      for (auto left = history.prng().below(6); left > 0; --left) {
        (void)builder.apply(history.next(builder.uncommitted()));
      }
      const auto [after, told] = builder.publish({Offset(round), LeaderEpoch(1)});
      const MetadataDelta found = difference(*before, *after);
      // A record may say again what was so already, so what is told may be more than what differs,
      // never less.
      for (const auto& [id, topic] : found.topics) {
        ASSERT_TRUE(told.topics.contains(id)) << "seed " << seed;
        EXPECT_EQ(told.topics.at(id).created, topic.created);
        EXPECT_EQ(told.topics.at(id).removed, topic.removed);
        EXPECT_THAT(told.topics.at(id).changed, ::testing::IsSupersetOf(topic.changed));
      }
      EXPECT_THAT(told.configs, ::testing::IsSupersetOf(found.configs));
      EXPECT_THAT(told.brokers, ::testing::IsSupersetOf(found.brokers));
      EXPECT_GE(told.quotas, found.quotas);
      EXPECT_GE(told.producer_ids, found.producer_ids);
      before = after;
    }
  }
}

TEST(Features, metadata_versions_are_known_by_name_release_and_level) {
  EXPECT_EQ(parse_metadata_version("4.0-IV3"), 25);
  EXPECT_EQ(parse_metadata_version("4.0"), 25);
  EXPECT_EQ(parse_metadata_version("4.2"), 29);
  EXPECT_EQ(parse_metadata_version("3.9"), 21);
  EXPECT_EQ(parse_metadata_version("21"), 21);
  EXPECT_EQ(parse_metadata_version("6"), std::nullopt);
  EXPECT_EQ(parse_metadata_version("4.3"), std::nullopt);
  EXPECT_EQ(parse_metadata_version("2x"), std::nullopt);
  EXPECT_TRUE(downgrade_loses_metadata(25, 22));
  EXPECT_FALSE(downgrade_loses_metadata(25, 23));
}

}  // namespace
}  // namespace millrace::engine
