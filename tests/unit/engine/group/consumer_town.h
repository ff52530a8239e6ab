// Town: consumers of both protocols that follow them, in one group that moves between the protocols under them, and its coordinator.
//
// After every step the machine's invariants hold, a replay of the compacted log gives what the machine has, and no two consumers read
// one partition; in a large town that is looked at after every round.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/prng.h"
#include "engine/group/group_machine.h"
#include "engine/metadata/image.h"

namespace millrace::engine {

struct TownOptions {
  std::size_t clients = 6;
  std::int32_t partitions = 7;
  bool is_large = false;
  Duration join_pause = {};
};

class Town {
 public:
  using Partitions = std::set<std::int32_t>;
  struct Client {
    bool is_consumer = false;
    bool is_cooperative = false;
    std::string instance_id;
    bool is_in = false;  // it wants to be a member
    std::string member_id;
    std::int32_t epoch = 0;
    Partitions owned;
    // Of the classic protocol: what it is to do next.
    enum class Next { join, sync, live } next = Next::join;
    bool leads = false;
    std::vector<JoinResult::Member> members;
    bool waits = false;
  };

  Town(std::uint64_t seed, TownOptions town);

  std::size_t size() const { return clients_.size(); }
  Client& client(std::size_t number) { return clients_[number]; }
  // Whoever is in and does not wait does what is next.
  void work(Client& client);
  // Says that it leaves, or for a moment where it is static; then it is a new client of neither protocol's group.
  void leave(Client& client);
  // A second passes, and everybody works.
  void round();
  // Time passes.
  void pass(Duration time);
  void restart();
  // Every partition is read by somebody, by all to the same extent, and the group is of the protocol that this asks for.
  void expect_at_rest();
  // How often the group has changed its protocol with its members.
  int moves() const { return moves_; }
  // "consumer" or "classic"; "Stable", "Assigning" and so on.
  std::string type();
  std::string state();

 private:
  Ticket ticket(Client* client);
  void step(GroupEvent event);
  void take(GroupEvent event);
  void expect_sound();
  static void apply(GroupMachine& machine, const GroupRecord& record);
  void expect_replay_gives_the_same();

  void beat(Client& client, std::int32_t epoch);
  void join(Client& client);
  void sync(Client& client);
  void heartbeat(Client& client);
  std::map<std::string, std::vector<std::byte>> shared_out(const std::vector<JoinResult::Member>& members) const;

  void learn(Client& client, const GroupAnswer& answer);
  void learn_beat(Client& client, const ConsumerHeartbeatResult& told);
  void learn_join(Client& client, const JoinResult& told);
  void learn_sync(Client& client, const SyncResult& told);
  static void lose(Client& client, bool keeps_id);
  static void rejoin(Client& client) { client.next = Client::Next::join; }

  const TownOptions town_;
  GroupOptions options_;
  GroupUse use_;
  Prng prng_;
  MetadataImage image_;
  std::unique_ptr<GroupMachine> machine_;
  std::vector<GroupRecord> log_;
  std::vector<Client> clients_;
  std::map<std::uint64_t, Client*> waiting_;
  std::uint64_t last_ticket_ = 0;
  std::uint64_t last_member_ = 0;
  GroupList::Group listed_;
  int moves_ = 0;
  Instant now_{std::chrono::hours(1)};
  WallTime wall_{1'000'000};
  std::optional<Instant> wake_at_;
};

}  // namespace millrace::engine
