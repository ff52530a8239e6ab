// Control records: what the log says to itself. The key is int16 0 and an int16 type; the value
// begins with an int16 version. In data partitions they end transactions, in the metadata log they
// name leaders, voters and snapshots.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "engine/log/format/batch_builder.h"
#include "engine/log/format/record.h"

namespace millrace::log {

enum class ControlType : std::int16_t {
  abort = 0,
  commit = 1,
  leader_change = 2,
  snapshot_header = 3,
  snapshot_footer = 4,
  kraft_version = 5,
  voters = 6,
};

inline constexpr std::size_t kControlKeyBytes = 4;

// The end of a transaction.
struct EndTransactionMarker {
  ControlType type = ControlType::abort;  // abort or commit
  std::int32_t coordinator_epoch = 0;
  auto operator<=>(const EndTransactionMarker&) const = default;
};

struct LeaderChange {
  struct Voter {
    BrokerId id;
    // Zero and not written at version 0.
    Uuid directory_id;
    auto operator<=>(const Voter&) const = default;
  };
  std::int16_t version = 0;  // 0 or 1
  BrokerId leader;
  std::vector<Voter> voters;
  std::vector<Voter> granting_voters;
  bool operator==(const LeaderChange&) const = default;
};

struct SnapshotHeader {
  std::int64_t last_contained_log_timestamp = 0;
  auto operator<=>(const SnapshotHeader&) const = default;
};

struct SnapshotFooter {
  auto operator<=>(const SnapshotFooter&) const = default;
};

struct KRaftVersion {
  std::int16_t level = 0;
  auto operator<=>(const KRaftVersion&) const = default;
};

struct VotersRecord {
  struct Endpoint {
    std::string name;
    std::string host;
    std::uint16_t port = 0;
    auto operator<=>(const Endpoint&) const = default;
  };
  struct Voter {
    BrokerId id;
    Uuid directory_id;
    std::vector<Endpoint> endpoints;
    std::int16_t kraft_version_min = 0;
    std::int16_t kraft_version_max = 0;
    bool operator==(const Voter&) const = default;
  };
  std::vector<Voter> voters;
  bool operator==(const VotersRecord&) const = default;
};

// The type a control record's key names. Errors: malformed (not a control key), unsupported (a key
// version or type we do not know; readers skip such a record).
Result<ControlType> control_type(const Record& record);

// Values, without the key. Errors of decoding: malformed, unsupported (a later version).
std::vector<std::byte> encode(const EndTransactionMarker& marker);
std::vector<std::byte> encode(const LeaderChange& change);
std::vector<std::byte> encode(const SnapshotHeader& header);
std::vector<std::byte> encode(const SnapshotFooter& footer);
std::vector<std::byte> encode(const KRaftVersion& version);
std::vector<std::byte> encode(const VotersRecord& voters);
Result<EndTransactionMarker> decode_end_transaction(ControlType type, ConstBytes value);
Result<LeaderChange> decode_leader_change(ConstBytes value);
Result<SnapshotHeader> decode_snapshot_header(ConstBytes value);
Result<SnapshotFooter> decode_snapshot_footer(ConstBytes value);
Result<KRaftVersion> decode_kraft_version(ConstBytes value);
Result<VotersRecord> decode_voters(ConstBytes value);

// Adds a control record to a batch that was begun with `control`.
void append_control(BatchBuilder& builder, std::int64_t timestamp, ControlType type,
                    ConstBytes value);

}  // namespace millrace::log
