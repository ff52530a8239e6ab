// QuorumStateFile: `quorum-state` beside the metadata log, in Kafka's JSON: version 0 with
// kraft.version 0, version 1 (directory ids) with kraft.version 1. Both are read.
//
// Shard:     its driver's.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "io/proactor.h"
#include "replication/ports.h"
#include "replication/raft/voters.h"

namespace millrace::replication {

// The text of the file. With version 0 the voters are written beside it, and the vote without its
// directory.
std::string encode_quorum_state(const raft::QuorumState& state, int version,
                                const raft::VoterSet& voters);
// Errors: malformed, unsupported (another version).
Result<raft::QuorumState> decode_quorum_state(std::string_view text);

class QuorumStateFile final : public QuorumStateStore {
 public:
  // `path` is that of the file; writes `version`.
  QuorumStateFile(io::Proactor& proactor, std::string path, int version, raft::VoterSet voters)
      : proactor_(proactor),
        path_(std::move(path)),
        version_(version),
        voters_(std::move(voters)) {}

  Result<std::optional<raft::QuorumState>> load() override;
  Result<void> save(const raft::QuorumState& state) override;

 private:
  io::Proactor& proactor_;
  std::string path_;
  int version_;
  raft::VoterSet voters_;
};

}  // namespace millrace::replication
