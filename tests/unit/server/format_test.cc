#include "server/format.h"

#include <gtest/gtest.h>

#include "io/file.h"
#include "tests/sim/sim_proactor.h"

namespace millrace::server {
namespace {

Settings settings(std::vector<SettingEntry> entries) {
  entries.push_back({"log.dirs", "/data", "test"});
  auto made = Settings::make(entries);
  CHECK(made.has_value(), "{}", made.error().message);
  return std::move(*made);
}

class Format : public ::testing::Test {
 protected:
  bool has_voters_snapshot() {
    return io::read_small_file(
               proactor_, "/data/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint")
        .has_value();
  }
  sim::World world_{1};
  sim::SimDisk disk_{world_.stream("disk")};
  sim::SimProactor proactor_{world_, disk_, "shard"};
  Prng prng_{1};
};

TEST_F(Format, an_empty_directory_is_formatted_once) {
  const Settings plain = settings({});
  const auto first = format_if_empty(proactor_, plain, prng_);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_TRUE(*first);
  const auto again = format_if_empty(proactor_, plain, prng_);
  ASSERT_TRUE(again);
  EXPECT_FALSE(*again);
  EXPECT_TRUE(engine::claim_directories(proactor_, {"/data"}, plain.node_id(), prng_));
}

TEST_F(Format, a_directory_that_holds_anything_is_left_alone) {
  ASSERT_TRUE(proactor_.make_directory("/data"));
  ASSERT_TRUE(proactor_.make_directory("/data/lost+found"));
  ASSERT_TRUE(io::replace_small_file(proactor_, "/data/holiday.jpg", as_bytes("x")));
  const auto done = format_if_empty(proactor_, settings({}), prng_);
  ASSERT_TRUE(done);
  EXPECT_FALSE(*done);
  EXPECT_FALSE(io::read_small_file(proactor_, "/data/meta.properties"));
}

TEST_F(Format, a_fresh_file_system_counts_as_empty) {
  ASSERT_TRUE(proactor_.make_directory("/data"));
  ASSERT_TRUE(proactor_.make_directory("/data/lost+found"));
  const auto done = format_if_empty(proactor_, settings({}), prng_);
  ASSERT_TRUE(done);
  EXPECT_TRUE(*done);
}

TEST_F(Format, a_controller_with_an_address_becomes_the_first_voter) {
  const Settings combined =
      settings({{"process.roles", "broker,controller", "test"},
                {"listeners", "PLAINTEXT://:9092,CONTROLLER://:9093", "test"},
                {"controller.listener.names", "CONTROLLER", "test"},
                {"controller.quorum.bootstrap.servers", "localhost:9093", "test"}});
  const auto options = format_options(combined, "abc", true);
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->standalone->name, "CONTROLLER");
  EXPECT_EQ(options->standalone->host, "localhost");
  EXPECT_EQ(options->standalone->port, 9093);
  ASSERT_TRUE(format_if_empty(proactor_, combined, prng_));
  EXPECT_TRUE(has_voters_snapshot());
}

TEST_F(Format, formatted_directories_that_are_left_alone_give_the_cluster_its_id) {
  const Settings one = settings({});
  const auto drawn = choose_cluster_id(proactor_, one, true, prng_);
  ASSERT_TRUE(drawn) << drawn.error().message;
  auto options = format_options(one, *drawn, false);
  ASSERT_TRUE(options);
  ASSERT_TRUE(engine::format_storage(proactor_, *options, prng_, proactor_.wall_now()));
  EXPECT_NE(choose_cluster_id(proactor_, one, false, prng_), *drawn);

  const Settings two = settings({{"metadata.log.dir", "/more", "test"}});
  const auto found = choose_cluster_id(proactor_, two, true, prng_);
  ASSERT_EQ(found, *drawn);
  options = format_options(two, *found, false);
  ASSERT_TRUE(options);
  options->ignore_formatted = true;
  const auto report = engine::format_storage(proactor_, *options, prng_, proactor_.wall_now());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->left_alone, (std::vector<std::string>{"/data"}));
  EXPECT_EQ(report->formatted, (std::vector<std::string>{"/more"}));
}

TEST_F(Format, without_an_address_there_is_no_standalone_controller) {
  const auto options = format_options(settings({}), "abc", true);
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace millrace::server
