// Cluster: several Raft machines in one virtual time, with a network that delays, drops, doubles
// and parts, and nodes that crash between any two effects. After every step it checks what must
// always hold (R1 to R9 of the design).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <vector>

#include "base/prng.h"
#include "replication/raft/raft.h"
#include "tests/unit/replication/raft/sim_log.h"

namespace millrace::raft {

struct Faults {
  std::uint64_t drop_one_in = 0;  // 0: never
  std::uint64_t double_one_in = 0;
  std::uint64_t crash_one_in = 0;  // per effect
  std::uint64_t part_one_in = 0;   // per tick of the nemesis
  Duration delay_max = from_ms(5);
  Duration flush_max = from_ms(5);
  Duration down_max = from_ms(3000);
  bool snapshots = false;
};

class Cluster {
 public:
  Cluster(std::uint64_t seed, int voters, int observers, const Faults& faults);
  ~Cluster();

  // Lets virtual time pass.
  void run_for(Duration duration);
  // No more faults; everyone is up and hears everyone.
  void heal();
  // Has the current leader append a record; false when there is none.
  bool append();
  void crash(int node);
  void restart(int node);
  // Nobody hears `node` and it hears nobody.
  void isolate(int node);
  void resign(int node);

  std::optional<int> leader() const;
  const Raft& raft(int node) const;
  const SimLog& log(int node) const;
  Offset committed() const { return Offset(static_cast<std::int64_t>(committed_.size())); }
  bool all_have(Offset offset) const;
  std::uint64_t elections() const { return leaders_.size(); }
  std::uint64_t steps() const { return steps_; }

 private:
  struct Node;
  struct Event {
    Instant at;
    std::uint64_t order;
    std::function<void()> run;
    bool operator<(const Event& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  void schedule(Duration after, std::function<void()> run);
  void step(Node& node, Input input);
  void carry_out(Node& node, const Input& input, std::vector<Effect> effects);
  void do_effect(Node& node, const Input& input, const Persist& effect);
  void do_effect(Node& node, const Input& input, const SendRequest& effect);
  void do_effect(Node& node, const Input& input, const SendReply& effect);
  void do_effect(Node& node, const Input& input, const AppendLeaderChange& effect);
  void do_effect(Node& node, const Input& input, const AppendFetched& effect);
  void do_effect(Node& node, const Input& input, const Flush& effect);
  void do_effect(Node& node, const Input& input, const Truncate& effect);
  void do_effect(Node& node, const Input& input, const FetchSnapshot& effect);
  void do_effect(Node& node, const Input& input, const InstallSnapshot& effect);
  void do_effect(Node& node, const Input& input, const HighWatermark& effect);
  void do_effect(Node& node, const Input& input, const LeaderChanged& effect);
  void do_effect(Node& node, const Input& input, const Violation& effect);
  void arm(Node& node);
  void transmit(int from, int to, std::function<void()> deliver);
  void nemesis();
  void check_leader(Node& node);

  Prng random_;
  Faults faults_;
  Instant now_{};
  std::uint64_t next_order_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t next_payload_ = 1;
  std::priority_queue<Event> events_;
  std::vector<std::unique_ptr<Node>> nodes_;
  int voter_count_;
  std::set<std::pair<int, int>> cut_;

  // What has been seen of the whole: by epoch who led, by node and epoch whom it voted for, and
  // what was committed.
  std::map<std::int32_t, int> leaders_;
  std::map<std::pair<int, std::int32_t>, ReplicaKey> votes_;
  std::vector<SimRecord> committed_;
};

}  // namespace millrace::raft
