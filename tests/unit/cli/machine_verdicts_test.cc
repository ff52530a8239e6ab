#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "cli/machine_facts.h"

namespace millrace::cli {
namespace {

MachineFacts good_machine() {
  MachineFacts facts;
  facts.kernel = "6.1.0-18-amd64";
  facts.uring_usable = true;
  facts.uring_complete = true;
  facts.open_files = 1'048'576;
  facts.cores = 4;
  facts.threads = 8;
  facts.numa_nodes = 1;
  facts.clock_source = "tsc";
  facts.governor = "performance";
  facts.huge_pages = "madvise";
  facts.max_map_count = 262'144;
  facts.somaxconn = 4096;
  facts.congestion = "cubic";
  facts.directories = {{.path = "/d",
                        .file_system = "xfs",
                        .bytes_total = 1'000'000,
                        .bytes_free = 500'000,
                        .rotational = false}};
  return facts;
}

std::vector<std::string> warnings(const MachineFacts& facts) {
  std::vector<std::string> names;
  for (const Verdict& verdict : judge(facts)) {
    if (!verdict.ok) names.push_back(verdict.check);
    EXPECT_EQ(verdict.ok, verdict.cost.empty()) << verdict.check;
    EXPECT_EQ(verdict.ok, verdict.mend.empty()) << verdict.check;
  }
  return names;
}

TEST(MachineVerdicts, a_good_machine_gets_no_warning) {
  EXPECT_THAT(warnings(good_machine()), testing::IsEmpty());
}

TEST(MachineVerdicts, each_fact_that_costs_something_is_one_warning_with_cost_and_mend) {
  const auto warned = [](auto spoil) {
    MachineFacts facts = good_machine();
    spoil(facts);
    return warnings(facts);
  };
  using testing::ElementsAre;
  EXPECT_THAT(warned([](auto& f) { f.kernel = "5.10.0"; }), ElementsAre("kernel"));
  EXPECT_THAT(warned([](auto& f) { f.uring_usable = false; }), ElementsAre("io_uring"));
  EXPECT_THAT(warned([](auto& f) { f.uring_complete = false; }), ElementsAre("io_uring"));
  EXPECT_THAT(warned([](auto& f) { f.open_files = 1024; }), ElementsAre("open files limit"));
  EXPECT_THAT(warned([](auto& f) { f.threads = 1; }), ElementsAre("cores"));
  EXPECT_THAT(warned([](auto& f) { f.governor = "powersave"; }), ElementsAre("frequency governor"));
  EXPECT_THAT(warned([](auto& f) { f.clock_source = "hpet"; }), ElementsAre("clock source"));
  EXPECT_THAT(warned([](auto& f) { f.huge_pages = "always"; }),
              ElementsAre("transparent huge pages"));
  EXPECT_THAT(warned([](auto& f) { f.max_map_count = 1000; }), ElementsAre("vm.max_map_count"));
  EXPECT_THAT(warned([](auto& f) { f.somaxconn = 128; }), ElementsAre("net.core.somaxconn"));
  EXPECT_THAT(warned([](auto& f) { f.congestion = "reno"; }), ElementsAre("congestion control"));
  EXPECT_THAT(warned([](auto& f) { f.directories[0].file_system = "tmpfs"; }),
              ElementsAre("file system of /d"));
  EXPECT_THAT(warned([](auto& f) { f.directories[0].bytes_free = 50'000; }),
              ElementsAre("room in /d"));
  EXPECT_THAT(warned([](auto& f) { f.directories[0].rotational = true; }),
              ElementsAre("disk of /d"));
  EXPECT_THAT(warned([](auto& f) { f.directories[0].discards = true; }),
              ElementsAre("discards in /d"));
  EXPECT_THAT(warned([](auto& f) {
                f.swap_in_use = true;
                f.swappiness = 60;
              }),
              ElementsAre("swap"));
}

TEST(MachineVerdicts, what_the_kernel_does_not_tell_is_no_warning) {
  MachineFacts facts = good_machine();
  facts.clock_source = facts.governor = facts.huge_pages = facts.congestion = "";
  facts.max_map_count = facts.somaxconn = 0;
  facts.directories[0].rotational.reset();
  EXPECT_THAT(warnings(facts), testing::IsEmpty());
}

TEST(MachineFacts, a_directory_without_a_name_is_an_error_to_be_told) {
  const auto facts = gather_facts({""});
  ASSERT_EQ(facts.directories.size(), 1U);
  EXPECT_FALSE(facts.directories.front().error.empty());
}

}  // namespace
}  // namespace millrace::cli
