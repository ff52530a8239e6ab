#include "engine/log/format/control_record.h"

#include <fmt/core.h>

#include <string_view>

namespace millrace::log {

namespace {

// Kafka's flexible encoding, as far as control records use it.
class Encoder {
 public:
  template <std::integral T>
  void integer(T value) {
    std::byte bytes[sizeof(T)];
    store_big_endian(bytes, value);
    out_.insert(out_.end(), bytes, bytes + sizeof(T));
  }
  void uuid(const Uuid& uuid) {
    for (const auto byte : uuid.bytes) out_.push_back(static_cast<std::byte>(byte));
  }
  // Of arrays and strings; the encoding counts from one because zero stands for null.
  void length(std::size_t length) {
    auto raw = static_cast<std::uint32_t>(length + 1);
    for (; raw >= 0x80; raw >>= 7) out_.push_back(static_cast<std::byte>(raw | 0x80));
    out_.push_back(static_cast<std::byte>(raw));
  }
  void text(std::string_view text) {
    length(text.size());
    const auto bytes = as_bytes(text);
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }
  void no_tags() { out_.push_back(std::byte{0}); }
  std::vector<std::byte> take() { return std::move(out_); }

 private:
  std::vector<std::byte> out_;
};

// The reverse. After the first thing that does not fit, everything read is zero and ok() is false.
class Decoder {
 public:
  explicit Decoder(ConstBytes bytes) : bytes_(bytes) {}

  template <std::integral T>
  T integer() {
    if (!has(sizeof(T))) return 0;
    const T value = load_big_endian<T>(bytes_.data());
    bytes_ = bytes_.subspan(sizeof(T));
    return value;
  }
  Uuid uuid() {
    Uuid uuid;
    if (!has(uuid.bytes.size())) return uuid;
    std::memcpy(uuid.bytes.data(), bytes_.data(), uuid.bytes.size());
    bytes_ = bytes_.subspan(uuid.bytes.size());
    return uuid;
  }
  // Null is taken for nothing. Every element takes a byte or more, so no length may exceed the
  // bytes left.
  std::size_t length() {
    const std::uint32_t raw = unsigned_varint();
    const std::size_t length = raw == 0 ? 0 : raw - 1;
    return has(length) ? length : 0;
  }
  std::string text() {
    const std::size_t size = length();
    const std::string text(as_text(bytes_.first(size)));
    bytes_ = bytes_.subspan(size);
    return text;
  }
  // Later writers may add tagged fields; none that we know change the meaning of the others.
  void skip_tags() {
    for (std::uint32_t left = unsigned_varint(); left > 0 && ok_; --left) {
      unsigned_varint();
      const std::uint32_t size = unsigned_varint();
      if (has(size)) bytes_ = bytes_.subspan(size);
    }
  }
  bool ok() const { return ok_; }

 private:
  bool has(std::size_t bytes) {
    if (ok_ && bytes_.size() < bytes) ok_ = false;
    return ok_;
  }
  std::uint32_t unsigned_varint() {
    std::uint32_t raw = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      const auto byte = integer<std::uint8_t>();
      raw |= static_cast<std::uint32_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return ok_ ? raw : 0;
    }
    ok_ = false;
    return 0;
  }

  ConstBytes bytes_;
  bool ok_ = true;
};

Result<std::int16_t> version_of(Decoder& in, std::int16_t last, std::string_view what) {
  const auto version = in.integer<std::int16_t>();
  if (!in.ok() || version < 0) return fail(Errc::malformed, std::string(what));
  if (version > last) {
    return fail(Errc::unsupported, fmt::format("{} version {}", what, version));
  }
  return version;
}

void put_voters(Encoder& out, const std::vector<LeaderChange::Voter>& voters,
                std::int16_t version) {
  out.length(voters.size());
  for (const auto& voter : voters) {
    out.integer(voter.id.value());
    if (version >= 1) out.uuid(voter.directory_id);
    out.no_tags();
  }
}

std::vector<LeaderChange::Voter> get_voters(Decoder& in, std::int16_t version) {
  std::vector<LeaderChange::Voter> voters;
  for (std::size_t left = in.length(); left > 0 && in.ok(); --left) {
    LeaderChange::Voter voter;
    voter.id = BrokerId(in.integer<std::int32_t>());
    if (version >= 1) voter.directory_id = in.uuid();
    in.skip_tags();
    voters.push_back(voter);
  }
  return voters;
}

}  // namespace

Result<ControlType> control_type(const Record& record) {
  if (!record.key || record.key->size() < kControlKeyBytes) {
    return fail(Errc::malformed, "control record key");
  }
  const auto version = load_big_endian<std::int16_t>(record.key->data());
  const auto type = load_big_endian<std::int16_t>(record.key->data() + 2);
  if (version < 0) return fail(Errc::malformed, "control record key version");
  if (type < 0 || type > static_cast<std::int16_t>(ControlType::voters)) {
    return fail(Errc::unsupported, fmt::format("control record type {}", type));
  }
  return static_cast<ControlType>(type);
}

std::vector<std::byte> encode(const EndTransactionMarker& marker) {
  Encoder out;
  out.integer(std::int16_t{0});
  out.integer(marker.coordinator_epoch);
  return out.take();
}

std::vector<std::byte> encode(const LeaderChange& change) {
  Encoder out;
  out.integer(change.version);
  out.integer(change.leader.value());
  put_voters(out, change.voters, change.version);
  put_voters(out, change.granting_voters, change.version);
  out.no_tags();
  return out.take();
}

std::vector<std::byte> encode(const SnapshotHeader& header) {
  Encoder out;
  out.integer(std::int16_t{0});
  out.integer(header.last_contained_log_timestamp);
  out.no_tags();
  return out.take();
}

std::vector<std::byte> encode(const SnapshotFooter&) {
  Encoder out;
  out.integer(std::int16_t{0});
  out.no_tags();
  return out.take();
}

std::vector<std::byte> encode(const KRaftVersion& version) {
  Encoder out;
  out.integer(std::int16_t{0});
  out.integer(version.level);
  out.no_tags();
  return out.take();
}

std::vector<std::byte> encode(const VotersRecord& record) {
  Encoder out;
  out.integer(std::int16_t{0});
  out.length(record.voters.size());
  for (const auto& voter : record.voters) {
    out.integer(voter.id.value());
    out.uuid(voter.directory_id);
    out.length(voter.endpoints.size());
    for (const auto& endpoint : voter.endpoints) {
      out.text(endpoint.name);
      out.text(endpoint.host);
      out.integer(endpoint.port);
      out.no_tags();
    }
    out.integer(voter.kraft_version_min);
    out.integer(voter.kraft_version_max);
    out.no_tags();
    out.no_tags();
  }
  out.no_tags();
  return out.take();
}

Result<EndTransactionMarker> decode_end_transaction(ControlType type, ConstBytes value) {
  if (type != ControlType::abort && type != ControlType::commit) {
    return fail(Errc::malformed, "not a transaction marker");
  }
  Decoder in(value);
  const auto version = in.integer<std::int16_t>();
  EndTransactionMarker marker{type, in.integer<std::int32_t>()};
  // A later version may append fields; the epoch stays where it is.
  if (!in.ok() || version < 0) return fail(Errc::malformed, "transaction marker");
  return marker;
}

Result<LeaderChange> decode_leader_change(ConstBytes value) {
  Decoder in(value);
  TRY(version, version_of(in, 1, "leader change"));
  LeaderChange change;
  change.version = version;
  change.leader = BrokerId(in.integer<std::int32_t>());
  change.voters = get_voters(in, version);
  change.granting_voters = get_voters(in, version);
  in.skip_tags();
  if (!in.ok()) return fail(Errc::malformed, "leader change");
  return change;
}

Result<SnapshotHeader> decode_snapshot_header(ConstBytes value) {
  Decoder in(value);
  TRY_DONE(version_of(in, 0, "snapshot header"));
  const SnapshotHeader header{in.integer<std::int64_t>()};
  in.skip_tags();
  if (!in.ok()) return fail(Errc::malformed, "snapshot header");
  return header;
}

Result<SnapshotFooter> decode_snapshot_footer(ConstBytes value) {
  Decoder in(value);
  TRY_DONE(version_of(in, 0, "snapshot footer"));
  in.skip_tags();
  if (!in.ok()) return fail(Errc::malformed, "snapshot footer");
  return SnapshotFooter{};
}

Result<KRaftVersion> decode_kraft_version(ConstBytes value) {
  Decoder in(value);
  TRY_DONE(version_of(in, 0, "kraft version"));
  const KRaftVersion version{in.integer<std::int16_t>()};
  in.skip_tags();
  if (!in.ok()) return fail(Errc::malformed, "kraft version");
  return version;
}

Result<VotersRecord> decode_voters(ConstBytes value) {
  Decoder in(value);
  TRY_DONE(version_of(in, 0, "voters"));
  VotersRecord record;
  for (std::size_t left = in.length(); left > 0 && in.ok(); --left) {
    VotersRecord::Voter voter;
    voter.id = BrokerId(in.integer<std::int32_t>());
    voter.directory_id = in.uuid();
    for (std::size_t endpoints = in.length(); endpoints > 0 && in.ok(); --endpoints) {
      VotersRecord::Endpoint endpoint;
      endpoint.name = in.text();
      endpoint.host = in.text();
      endpoint.port = in.integer<std::uint16_t>();
      in.skip_tags();
      voter.endpoints.push_back(std::move(endpoint));
    }
    voter.kraft_version_min = in.integer<std::int16_t>();
    voter.kraft_version_max = in.integer<std::int16_t>();
    in.skip_tags();
    in.skip_tags();
    record.voters.push_back(std::move(voter));
  }
  in.skip_tags();
  if (!in.ok()) return fail(Errc::malformed, "voters");
  return record;
}

void append_control(BatchBuilder& builder, std::int64_t timestamp, ControlType type,
                    ConstBytes value) {
  std::byte key[kControlKeyBytes];
  store_big_endian(key, std::int16_t{0});
  store_big_endian(key + 2, static_cast<std::int16_t>(type));
  builder.append(timestamp, ConstBytes(key), value);
}

}  // namespace millrace::log
