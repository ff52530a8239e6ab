// ControllerDriver: the controller machine over the metadata log, and the images that come of it.
//
//   request → machine.step → records appended → committed (on disk of a majority) → applied to the
//   image → image published → reply
//
// So a reply is given only when what it says survives a crash and every shard can see it.
//
// Shard:      0, with everything it owns; other shards ask through io::Shards::call.
// Lifetime:   start(); whatever became of it, stop() must have completed before destruction.
// Failure:    when the metadata log fails, or a record in it cannot be applied, nothing more is
//             decided: whoever waits is told, and on_failure is called once. The node must stop
//             then.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "base/ids.h"
#include "base/result.h"
#include "engine/controller/controller_machine.h"
#include "engine/drivers/metadata_follower.h"
#include "engine/drivers/metadata_log.h"
#include "engine/metadata/image.h"
#include "io/gate.h"
#include "io/proactor.h"
#include "io/reactor.h"
#include "io/task.h"
#include "io/wait.h"
#include "replication/quorum_state_file.h"
#include "replication/raft_driver.h"

namespace millrace::engine {

// Called for each new image, one after the other; the next one waits until it has completed.
// Replies wait too.
using PublishImage =
    std::function<io::Task<void>(SharedImage, std::shared_ptr<const MetadataDelta>)>;

// For DescribeQuorum.
struct QuorumReplica {
  BrokerId id;
  Offset log_end_offset{-1};
  std::optional<Instant> last_fetch;
  std::optional<Instant> last_caught_up;
};
struct QuorumDescription {
  BrokerId leader = kNoBroker;
  LeaderEpoch epoch;
  Offset high_watermark{-1};
  std::vector<QuorumReplica> voters;
  std::vector<QuorumReplica> observers;
};

class ControllerDriver final : private replication::RaftListener {
 public:
  struct Options {
    ControllerOptions controller;  // bootstrap_records are read from metadata_directory by start()
    std::string cluster_id;
    std::string metadata_directory;  // metadata.log.dir, or the first of log.dirs
    std::uint64_t seed = 0;
    std::int64_t segment_bytes = std::int64_t{1} << 30;  // metadata.log.segment.bytes
    std::size_t snapshot_bytes = std::size_t{20}
                                 << 20;  // metadata.log.max.record.bytes.between.snapshots
    std::function<void(const Error&)> on_failure;
  };

  ControllerDriver(io::Proactor& proactor, Options options, PublishImage publish);
  ~ControllerDriver() override;
  ControllerDriver(const ControllerDriver&) = delete;

  // Opens the log, replays it, leads, and writes the first records of a new cluster. On return this
  // node's controller is active and the first image has been published. Errors: those of the files;
  // corrupt.
  io::Task<Result<void>> start();
  // Lets go who waits (closed), and closes the log.
  io::Task<Result<void>> stop();

  // The latest published image; never null after start().
  const SharedImage& image() const { return image_; }
  const std::optional<Error>& failure() const { return failure_; }
  QuorumDescription describe_quorum() const;
  // 1 when the metadata itself names the voters. Requires: start() has succeeded.
  std::int16_t kraft_version() const { return follower_->names_voters() ? 1 : 0; }

  // The controller's answer to a question (controller_input.h), given once what it wrote is
  // committed and published. What the event points to must live until then. Where nothing was
  // decided the answer says so for all that was asked: NOT_CONTROLLER (this node's controller is
  // not active, or ceased to be while the question waited: it may or may not have been done),
  // KAFKA_STORAGE_ERROR, POLICY_VIOLATION (too much at once).
  io::Task<ControllerReply> ask(ControllerEvent event);

  // ---- The broker of this node. Its process is this one, so its session never ends while this
  // runs. Registers; it is fenced: its partitions have no leader yet. Errors: also invalid_argument
  // (refused).
  io::Task<Result<BrokerEpoch>> join(RegisterBroker question);
  // Its partitions are open: they get it as leader. Errors: also invalid_argument.
  io::Task<Result<void>> unfence(BrokerEpoch epoch);
  // It is about to stop: its partitions lose their leader, and it is fenced. Errors: also
  // invalid_argument.
  io::Task<Result<void>> leave(BrokerEpoch epoch);

 private:
  // ---- RaftListener
  void on_commit(Offset high_watermark) override;
  void on_leader_change(LeaderEpoch epoch, BrokerId leader) override;
  void on_failure(const Error& error) override;

  struct Decided {
    std::optional<ControllerReply> reply;
    Offset seen_end{0};  // behind everything the decision rests on, its own records included
  };
  // One step, its records appended and applied. Nothing has happened on error.
  Result<Decided> decide(ControllerEvent event);
  Result<void> append(std::vector<VersionedRecord> records, bool atomic);
  io::Task<Result<Decided>> decide_and_wait(ControllerEvent event);
  io::Task<BrokerHeartbeatResult> beat(BrokerEpoch epoch, bool want_shutdown);

  Result<void> try_bootstrap() const;
  io::Task<void> run();
  io::Task<Result<void>> apply_committed();
  Result<void> apply_written();
  io::Task<void> publish();
  bool snapshot_due() const;
  io::Task<Result<void>> write_snapshot();
  void activate();
  void resign();
  void on_timer();
  void set_timer(std::optional<Instant> when);
  void fail_for_good(Error error);
  std::optional<Error> ended() const;

  io::Proactor& proactor_;
  Options options_;
  PublishImage publish_;
  Prng prng_;
  std::unique_ptr<MetadataLog> log_;
  std::unique_ptr<replication::QuorumStateFile> quorum_state_;
  replication::NoPeers peers_;
  std::unique_ptr<replication::RaftDriver> raft_;
  std::unique_ptr<MetadataFollower> follower_;
  // While this node's controller is active; and the epoch it leads.
  std::unique_ptr<ControllerMachine> machine_;
  LeaderEpoch epoch_{-1};
  ControllerEffects effects_;

  // What the machine wrote and is not yet applied to the image, in order.
  std::deque<MetadataFollower::Written> written_;
  Offset committed_{0};
  std::optional<LeaderEpoch> claimed_;  // leadership to be taken up once all before it is applied
  BrokerId known_leader_ = kNoBroker;

  SharedImage image_;
  std::size_t last_snapshot_bytes_ = 0;
  io::Event wake_;      // for run()
  io::Event progress_;  // for those who wait for an image
  io::Timer timer_;
  io::Gate gate_;
  std::uint64_t waiters_ = 0;
  bool stopping_ = false;
  std::optional<Error> failure_;
};

}  // namespace millrace::engine
