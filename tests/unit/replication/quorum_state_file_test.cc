#include "replication/quorum_state_file.h"

#include <gtest/gtest.h>

#include "tests/sim/sim_proactor.h"
#include "tests/sim/world.h"

namespace millrace::replication {
namespace {

raft::VoterSet voters() {
  return *raft::VoterSet::make({{BrokerId(1), {}}, {BrokerId(2), {}}});
}

TEST(QuorumStateFile, version_0_is_kafkas_text) {
  const raft::QuorumState state{LeaderEpoch(3), BrokerId(2), raft::ReplicaKey{BrokerId(1), {}}};
  const std::string text =
      R"({"clusterId":"","leaderId":2,"leaderEpoch":3,"votedId":1,"appliedOffset":0,)"
      R"("currentVoters":[{"voterId":1},{"voterId":2}],"data_version":0})";
  EXPECT_EQ(encode_quorum_state(state, 0, voters()), text);
  EXPECT_EQ(*decode_quorum_state(text), state);
}

TEST(QuorumStateFile, version_1_keeps_the_directory_of_the_vote) {
  const Uuid directory = *Uuid::parse("ERITFBUWFxgZGhscHR4fIA");
  const raft::QuorumState state{LeaderEpoch(3), kNoBroker,
                                raft::ReplicaKey{BrokerId(1), directory}};
  const std::string text =
      R"({"leaderId":-1,"leaderEpoch":3,"votedId":1,"votedDirectoryId":"ERITFBUWFxgZGhscHR4fIA","data_version":1})";
  EXPECT_EQ(encode_quorum_state(state, 1, voters()), text);
  EXPECT_EQ(*decode_quorum_state(text), state);
}

TEST(QuorumStateFile, damage_is_named_and_never_read_as_nothing_voted) {
  for (const char* text :
       {"", "{", "[]", "{}", R"({"data_version":0})", R"({"leaderId":1,"data_version":0})",
        R"({"leaderId":"1","leaderEpoch":0,"data_version":0})",
        R"({"leaderId":1,"leaderEpoch":-1,"data_version":0})",
        R"({"leaderId":1,"leaderEpoch":99999999999,"data_version":0})",
        R"({"leaderId":1,"leaderEpoch":1,"votedId":1,"votedDirectoryId":"x","data_version":1})"}) {
    EXPECT_EQ(decode_quorum_state(text).error(), Errc::malformed) << text;
  }
  EXPECT_EQ(decode_quorum_state(R"({"leaderId":1,"leaderEpoch":1,"data_version":2})").error(),
            Errc::unsupported);
}

TEST(QuorumStateFile, a_power_cut_leaves_the_old_state_or_the_new) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    sim::World world(seed);
    sim::SimDisk disk(world.stream("disk"));
    const raft::QuorumState old_state{LeaderEpoch(1), BrokerId(2), {}};
    const raft::QuorumState new_state{LeaderEpoch(2), kNoBroker, raft::ReplicaKey{BrokerId(1), {}}};
    Prng prng(seed);
    std::vector<std::unique_ptr<sim::SimDisk>> images;
    {
      sim::SimProactor proactor(world, disk, "proactor");
      QuorumStateFile file(proactor, "quorum-state", 0, voters());
      EXPECT_EQ(*file.load(), std::nullopt);
      ASSERT_TRUE(file.save(old_state));
      disk.set_observer([&] { images.push_back(disk.power_cut(prng)); });
      ASSERT_TRUE(file.save(new_state));
      disk.set_observer({});
      images.push_back(disk.power_cut(prng));
    }
    ASSERT_GE(images.size(), 3u);
    for (std::size_t i = 0; i < images.size(); ++i) {
      sim::SimProactor proactor(world, *images[i], "after");
      const auto loaded = QuorumStateFile(proactor, "quorum-state", 0, voters()).load();
      ASSERT_TRUE(loaded && *loaded) << seed << " " << i;
      if (i + 1 == images.size()) {
        EXPECT_EQ(**loaded, new_state);
      } else {
        EXPECT_TRUE(**loaded == old_state || **loaded == new_state) << seed << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace millrace::replication
