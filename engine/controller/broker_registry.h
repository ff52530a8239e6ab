// Which brokers there are and whether they are alive: registration, heartbeats, fencing.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "engine/controller/controller_input.h"
#include "engine/metadata/image.h"

namespace millrace::engine {

// Where a broker stands. A registered broker is one of:
//
//   fenced ──── caught up, does not want to be fenced ───► unfenced
//   unfenced ── wants to be fenced, or is not heard of ──► fenced
//   unfenced ── wants to shut down, leads partitions ────► controlled shutdown
//   fenced, unfenced, controlled shutdown ── wants to shut down, leads nothing ──► may shut down
//   (fenced)
//
// Soft state: when each broker was last heard of. It is not in the log: after a change of
// controller every broker gets a fresh session.
class BrokerRegistry {
 public:
  explicit BrokerRegistry(const ControllerOptions& options) : options_(options) {}

  // Every known broker is given a fresh session.
  void start_sessions(const MetadataImage& image, Instant now);

  RegisterBrokerResult register_broker(const MetadataImage& image, const RegisterBroker& question,
                                       Offset next_offset, Instant now,
                                       std::vector<VersionedRecord>& records);
  BrokerHeartbeatResult heartbeat(const MetadataImage& image, const BrokerHeartbeat& question,
                                  Offset next_offset, Instant now,
                                  std::vector<VersionedRecord>& records);
  OperationResult unregister(const MetadataImage& image, const UnregisterBroker& question,
                             std::vector<VersionedRecord>& records);
  // Writes down where the replicas are. Those that the metadata does not know, or knows to be there, need nothing; nor do those in
  // directories that are out of service. Errors: STALE_BROKER_EPOCH; UNSUPPORTED_VERSION, below 3.7-IV2; POLICY_VIOLATION, for
  // more than kRecordsPerOperationMax.
  OperationResult assign_directories(const MetadataImage& image, const AssignDirectories& question,
                                     std::vector<VersionedRecord>& records) const;
  // Fences at most one broker whose session is over, so that each fencing sees what the one before
  // it did. Returns whether there may be more.
  bool fence_stale(const MetadataImage& image, Instant now, std::vector<VersionedRecord>& records);
  // When the next session is over; empty when there is none.
  std::optional<Instant> next_expiry(const MetadataImage& image) const;

  // Told by apply(): the registration of `id` stands at `offset`.
  void on_registration(BrokerId id, Offset offset) { sessions_[id].registered_at = offset; }
  void on_removal(BrokerId id) { sessions_.erase(id); }

 private:
  struct Session {
    std::optional<Instant> heard_of;  // empty: no live session
    Offset registered_at{0};
    Offset metadata_offset{-1};
    std::optional<Offset> shutdown_at;  // where its partitions were taken away
  };
  bool alive(const Session& session, Instant now) const;
  void fence(const MetadataImage& image, const BrokerImage& broker,
             std::vector<VersionedRecord>& records);
  void unfence(const MetadataImage& image, const BrokerImage& broker,
               std::vector<VersionedRecord>& records);
  void begin_shutdown(const MetadataImage& image, const BrokerImage& broker,
                      std::vector<VersionedRecord>& records);
  Offset lowest_active_offset(const MetadataImage& image) const;

  const ControllerOptions& options_;
  std::map<BrokerId, Session> sessions_;
};

}  // namespace millrace::engine
