// Formatting on the simulated disk, and what a start makes of what it finds.
#include "engine/storage_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/file.h"
#include "tests/sim/sim_proactor.h"

namespace millrace::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StorageFormat : public ::testing::Test {
 protected:
  FormatOptions options(std::vector<std::string> log_dirs = {"/data"}) {
    const std::string metadata = log_dirs.front();
    return {.log_dirs = std::move(log_dirs),
            .metadata_log_dir = metadata,
            .cluster_id = "MkU3OEVBNTcwNTJENDM2Qg",
            .node_id = BrokerId(1)};
  }
  Result<FormatReport> format(const FormatOptions& options) {
    return format_storage(proactor_, options, prng_, WallTime{1'700'000'000'000});
  }
  void write(const std::string& path, std::string_view text) {
    ASSERT_TRUE(io::replace_small_file(proactor_, path, as_bytes(text)));
  }

  sim::World world_{1};
  sim::SimDisk disk_{world_.stream("disk")};
  sim::SimProactor proactor_{world_, disk_, "shard"};
  Prng prng_{7};
};

TEST_F(StorageFormat, properties_that_kafka_wrote_are_read) {
  const auto kafka = parse_meta_properties(
      "#\n#Sun Nov 22 13:32:28 UTC "
      "2026\nnode.id=1\ndirectory.id=n4feQGJmOGrchAKvWQ2HJw\nversion=1\n"
      "cluster.id=MkU3OEVBNTcwNTJENDM2Qg\n");
  ASSERT_TRUE(kafka) << kafka.error().message;
  EXPECT_EQ(kafka->cluster_id, "MkU3OEVBNTcwNTJENDM2Qg");
  EXPECT_EQ(kafka->node_id, BrokerId(1));
  EXPECT_EQ(kafka->directory_id.to_string(), "n4feQGJmOGrchAKvWQ2HJw");
  EXPECT_EQ(*parse_meta_properties(encode_meta_properties(*kafka)), *kafka);
}

TEST_F(StorageFormat, properties_that_cannot_be_are_refused) {
  for (const char* text :
       {"", "version=1\nnode.id=1\n", "version=1\ncluster.id=x\n",
        "version=2\ncluster.id=x\nnode.id=1\n", "version=1\ncluster.id=x\nnode.id=one\n",
        "version=1\ncluster.id=x\nnode.id=-1\n",
        "version=1\ncluster.id=x\nnode.id=1\ndirectory.id=short\n"}) {
    EXPECT_EQ(parse_meta_properties(text).error().code, Errc::malformed) << text;
  }
  EXPECT_EQ(parse_meta_properties("version=0\nbroker.id=1\ncluster.id=x\n").error().code,
            Errc::unsupported);
}

TEST_F(StorageFormat, several_directories_get_ids_of_their_own_in_one_cluster) {
  const auto report = format(options({"/a/b", "/c"}));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(report->formatted, ElementsAre("/c", "/a/b"));
  const auto storage = read_storage(proactor_, {"/a/b", "/c"});
  ASSERT_TRUE(storage) << storage.error().message;
  EXPECT_EQ(storage->cluster_id, "MkU3OEVBNTcwNTJENDM2Qg");
  EXPECT_NE(storage->directories[0].properties->directory_id,
            storage->directories[1].properties->directory_id);
  const auto bootstrap = read_bootstrap_records(proactor_, "/a/b");
  ASSERT_TRUE(bootstrap);
  // As `kafka-storage format` of Apache Kafka 4.2 writes them, in its order.
  EXPECT_EQ(*bootstrap, (std::vector<VersionedRecord>{
                            {FeatureLevelRecord{"metadata.version", 29}, 0},
                            {FeatureLevelRecord{"eligible.leader.replicas.version", 1}, 0},
                            {FeatureLevelRecord{"group.version", 1}, 0},
                            {FeatureLevelRecord{"share.version", 1}, 0},
                            {FeatureLevelRecord{"streams.version", 1}, 0},
                            {FeatureLevelRecord{"transaction.version", 2}, 0}}));
  EXPECT_EQ(io::read_small_file(proactor_, "/c/bootstrap.checkpoint").error().code,
            Errc::not_found);
}

TEST_F(StorageFormat, features_follow_the_release_unless_they_are_chosen) {
  auto asked = options();
  asked.metadata_version = 25;
  asked.features = {{"transaction.version", 1}, {"group.version", 0}};
  ASSERT_TRUE(format(asked));
  const auto bootstrap = read_bootstrap_records(proactor_, "/data");
  ASSERT_TRUE(bootstrap);
  EXPECT_EQ(*bootstrap, (std::vector<VersionedRecord>{{FeatureLevelRecord{"metadata.version", 25}, 0},
                                                      {FeatureLevelRecord{"transaction.version", 1}, 0}}));
}

TEST_F(StorageFormat, a_feature_beyond_what_is_known_or_what_the_release_can_carry_is_refused) {
  const std::vector<std::pair<std::string, std::int16_t>> wrong = {
      {"group.version", 2}, {"transaction.version", -1}, {"shoe.size", 1}, {"metadata.version", 25}};
  for (const auto& feature : wrong) {
    auto asked = options();
    asked.features = {feature};
    EXPECT_EQ(format(asked).error().code, Errc::invalid_argument) << feature.first;
  }
  auto early = options();
  early.metadata_version = 22;
  early.features = {{"eligible.leader.replicas.version", 1}};
  EXPECT_EQ(format(early).error().code, Errc::invalid_argument);
}

TEST_F(StorageFormat, a_standalone_voter_names_itself_in_a_snapshot) {
  auto asked = options();
  asked.standalone = log::VotersRecord::Endpoint{"CONTROLLER", "localhost", 9093};
  ASSERT_TRUE(format(asked));
  EXPECT_TRUE(io::read_small_file(
      proactor_, "/data/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"));
  asked.metadata_version = 20;
  asked.log_dirs = {"/other"};
  asked.metadata_log_dir = "/other";
  EXPECT_EQ(format(asked).error().code, Errc::invalid_argument);
}

TEST_F(StorageFormat, formatting_twice_is_refused_unless_asked_for) {
  ASSERT_TRUE(format(options()));
  EXPECT_EQ(format(options()).error().code, Errc::already_exists);
  auto again = options({"/data", "/more"});
  again.ignore_formatted = true;
  const auto report = format(again);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(report->left_alone, ElementsAre("/data"));
  EXPECT_THAT(report->formatted, ElementsAre("/more"));
  again.cluster_id = "another";
  again.log_dirs = {"/data", "/third"};
  EXPECT_EQ(format(again).error().code, Errc::invalid_argument);
}

TEST_F(StorageFormat, what_is_no_cluster_id_is_refused) {
  for (const char* id : {"", "a b", "x/y", "caf\xc3\xa9"}) {
    auto asked = options();
    asked.cluster_id = id;
    EXPECT_EQ(format(asked).error().code, Errc::invalid_argument) << id;
  }
}

TEST_F(StorageFormat, directories_that_disagree_are_refused) {
  ASSERT_TRUE(format(options({"/a"})));
  auto other = options({"/b"});
  other.cluster_id = "another";
  ASSERT_TRUE(format(other));
  EXPECT_THAT(read_storage(proactor_, {"/a", "/b"}).error().message, HasSubstr("cluster another"));
  auto node = options({"/c"});
  node.node_id = BrokerId(2);
  ASSERT_TRUE(format(node));
  EXPECT_THAT(read_storage(proactor_, {"/a", "/c"}).error().message, HasSubstr("node 2"));
  ASSERT_TRUE(proactor_.make_directory("/copy"));
  write("/copy/meta.properties", *io::read_small_file(proactor_, "/a/meta.properties"));
  EXPECT_THAT(read_storage(proactor_, {"/a", "/copy"}).error().message,
              HasSubstr("copy of the other"));
}

TEST_F(StorageFormat, a_start_claims_empty_directories_and_refuses_another_nodes) {
  EXPECT_EQ(claim_directories(proactor_, {"/a"}, BrokerId(1), prng_).error().code, Errc::not_found);
  ASSERT_TRUE(format(options({"/a"})));
  EXPECT_THAT(claim_directories(proactor_, {"/a"}, BrokerId(2), prng_).error().message,
              HasSubstr("set node.id=1"));
  const auto claimed = claim_directories(proactor_, {"/a", "/new"}, BrokerId(1), prng_);
  ASSERT_TRUE(claimed) << claimed.error().message;
  const auto again = read_storage(proactor_, {"/a", "/new"});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->directories[1].properties, claimed->directories[1].properties);
}

TEST_F(StorageFormat, a_directory_without_an_id_is_given_one) {
  ASSERT_TRUE(proactor_.make_directory("/old"));
  write("/old/meta.properties", "version=1\ncluster.id=x\nnode.id=1\n");
  const auto claimed = claim_directories(proactor_, {"/old"}, BrokerId(1), prng_);
  ASSERT_TRUE(claimed);
  EXPECT_FALSE(claimed->directories[0].properties->directory_id.is_zero());
  EXPECT_EQ(read_storage(proactor_, {"/old"})->directories[0].properties,
            claimed->directories[0].properties);
}

// The power goes before any one change of the disk: afterwards the directory is formatted whole, or
// counts as empty and can be formatted.
TEST(StorageFormatCrash, a_power_cut_anywhere_leaves_it_formatted_whole_or_not_at_all) {
  for (std::uint64_t cut = 0;; ++cut) {
    sim::World world(cut);
    sim::SimDisk disk(world.stream("disk"));
    sim::SimProactor proactor(world, disk, "shard");
    Prng prng(3);
    Prng crash(cut);
    std::unique_ptr<sim::SimDisk> image;
    std::uint64_t change = 0;
    disk.set_observer([&] {
      if (change++ == cut) image = disk.power_cut(crash);
    });
    FormatOptions options{.log_dirs = {"/x/data"},
                          .metadata_log_dir = "/x/data",
                          .cluster_id = "abc",
                          .node_id = BrokerId(1)};
    options.standalone = log::VotersRecord::Endpoint{"CONTROLLER", "localhost", 9093};
    ASSERT_TRUE(format_storage(proactor, options, prng, WallTime{1}));
    if (image == nullptr) break;  // beyond the last change
    sim::SimProactor after(world, *image, "after");
    const auto storage = read_storage(after, options.log_dirs);
    ASSERT_TRUE(storage) << storage.error().message;
    if (storage->formatted()) {
      EXPECT_TRUE(io::read_small_file(after, "/x/data/bootstrap.checkpoint")) << "cut " << cut;
      const auto records = read_bootstrap_records(after, "/x/data");
      EXPECT_TRUE(records) << "cut " << cut;
    } else {
      EXPECT_TRUE(format_storage(after, options, prng, WallTime{2})) << "cut " << cut;
    }
  }
}

}  // namespace
}  // namespace millrace::engine
