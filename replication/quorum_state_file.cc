#include "replication/quorum_state_file.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "io/file.h"

namespace millrace::replication {

namespace {

using Json = nlohmann::ordered_json;

template <class T>
std::optional<T> integer(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_integer()) return std::nullopt;
  const auto value = found->get<std::int64_t>();
  if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max()) {
    return std::nullopt;
  }
  return static_cast<T>(value);
}

}  // namespace

std::string encode_quorum_state(const raft::QuorumState& state, int version,
                                const raft::VoterSet& voters) {
  CHECK(version == 0 || version == 1, "{}", version);
  const std::int32_t voted = state.voted ? state.voted->id.value() : -1;
  Json json;
  if (version == 0) {
    json["clusterId"] = "";
    json["leaderId"] = state.leader.value();
    json["leaderEpoch"] = state.epoch.value();
    json["votedId"] = voted;
    json["appliedOffset"] = 0;
    Json current = Json::array();
    for (const auto& voter : voters.voters()) current.push_back({{"voterId", voter.id.value()}});
    json["currentVoters"] = std::move(current);
  } else {
    json["leaderId"] = state.leader.value();
    json["leaderEpoch"] = state.epoch.value();
    json["votedId"] = voted;
    json["votedDirectoryId"] = (state.voted ? state.voted->directory_id : kZeroUuid).to_string();
  }
  json["data_version"] = version;
  return json.dump();
}

Result<raft::QuorumState> decode_quorum_state(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object()) {
    return fail(Errc::malformed, "quorum-state is not a JSON object");
  }
  const auto version = integer<std::int16_t>(json, "data_version");
  if (!version) return fail(Errc::malformed, "quorum-state has no data_version");
  if (*version != 0 && *version != 1) {
    return fail(Errc::unsupported, fmt::format("quorum-state version {}", *version));
  }
  const auto leader = integer<std::int32_t>(json, "leaderId");
  const auto epoch = integer<std::int32_t>(json, "leaderEpoch");
  const auto voted = integer<std::int32_t>(json, "votedId");
  if (!leader || !epoch || *leader < -1 || *epoch < 0 || (voted && *voted < -1)) {
    return fail(Errc::malformed, "quorum-state needs leaderId and leaderEpoch");
  }
  raft::QuorumState state{LeaderEpoch(*epoch), BrokerId(*leader), {}};
  if (voted.value_or(-1) == -1) return state;
  state.voted = raft::ReplicaKey{BrokerId(*voted), {}};
  if (*version == 0) return state;
  const auto directory = json.find("votedDirectoryId");
  if (directory == json.end()) return state;
  if (!directory->is_string()) return fail(Errc::malformed, "quorum-state votedDirectoryId");
  const auto id = Uuid::parse(directory->get<std::string>());
  if (!id) return fail(Errc::malformed, "quorum-state votedDirectoryId");
  state.voted->directory_id = *id;
  return state;
}

Result<std::optional<raft::QuorumState>> QuorumStateFile::load() {
  auto text = io::read_small_file(proactor_, path_);
  if (!text) {
    if (text.error() == Errc::not_found) return std::nullopt;
    return fail(std::move(text).error());
  }
  TRY(state, decode_quorum_state(*text));
  return state;
}

Result<void> QuorumStateFile::save(const raft::QuorumState& state) {
  return io::replace_small_file(proactor_, path_,
                                as_bytes(encode_quorum_state(state, version_, voters_)));
}

}  // namespace millrace::replication
