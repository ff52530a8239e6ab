#include "engine/group/records.h"

#include <limits>
#include <utility>

#include "engine/group/record_codec.h"

namespace millrace::engine {
namespace {

constexpr std::int16_t kOffsetCommitKey = 1;
constexpr std::int16_t kGroupMetadataKey = 2;

template <class T>
Result<GroupKey> read_key(wire::Reader& reader, std::string_view name) {
  wire::Decoder decoder(reader, 0, false);
  T key;
  decoder.structure(key);
  return finish_record(reader, decoder, name, GroupKey(std::move(key)));
}

bool has_member(ConsumerGroupKey::Kind kind) {
  return kind == ConsumerGroupKey::Kind::member ||
         kind == ConsumerGroupKey::Kind::target_assignment_of_member ||
         kind == ConsumerGroupKey::Kind::current_assignment_of_member;
}

std::optional<ConsumerGroupKey::Kind> consumer_group_kind(std::int16_t type) {
  if ((type >= 3 && type <= 8) || type == 16) return static_cast<ConsumerGroupKey::Kind>(type);
  return std::nullopt;
}

Result<GroupKey> read_consumer_group_key(wire::Reader& reader, ConsumerGroupKey::Kind kind) {
  ConsumerGroupKey key{.kind = kind, .group = {}, .member = {}, .regular_expression = {}};
  const auto text = [&] {
    return std::string(
        reader.text(static_cast<std::size_t>(std::max<std::int64_t>(reader.length16(), 0))));
  };
  key.group = text();
  if (has_member(kind)) key.member = text();
  if (kind == ConsumerGroupKey::Kind::regular_expression) key.regular_expression = text();
  if (reader.ok() && reader.remaining() > 0) reader.fail("bytes are left over");
  if (reader.ok()) return GroupKey(std::move(key));
  return fail(Errc::malformed, fmt::format("key of a consumer group's record: {}", reader.error()));
}

template <class Sink>
void write_key(Sink& sink, const GroupKey& key) {
  const auto text = [&](std::string_view value) {
    sink.integer(static_cast<std::int16_t>(value.size()));
    sink.bytes({reinterpret_cast<const std::byte*>(value.data()), value.size()});
  };
  if (const auto* commit = std::get_if<OffsetCommitKey>(&key)) {
    sink.integer(kOffsetCommitKey);
    wire::Encoder<Sink>(sink, 0, false).structure(*commit);
  } else if (const auto* group = std::get_if<GroupMetadataKey>(&key)) {
    sink.integer(kGroupMetadataKey);
    wire::Encoder<Sink>(sink, 0, false).structure(*group);
  } else {
    const auto& consumer = std::get<ConsumerGroupKey>(key);
    sink.integer(static_cast<std::int16_t>(consumer.kind));
    text(consumer.group);
    if (has_member(consumer.kind)) text(consumer.member);
    if (consumer.kind == ConsumerGroupKey::Kind::regular_expression)
      text(consumer.regular_expression);
  }
}

}  // namespace

Result<GroupKey> decode_group_key(ConstBytes key) {
  wire::Reader reader(key);
  const auto type = reader.integer<std::int16_t>();
  if (!reader.ok()) return fail(Errc::malformed, "the key of a group's record has no type");
  if (type == 0 || type == kOffsetCommitKey)
    return read_key<OffsetCommitKey>(reader, "OffsetCommitKey");
  if (type == kGroupMetadataKey) return read_key<GroupMetadataKey>(reader, "GroupMetadataKey");
  if (const auto kind = consumer_group_kind(type)) return read_consumer_group_key(reader, *kind);
  return GroupKey(UnknownKey{type});
}

std::vector<std::byte> encode_group_key(const GroupKey& key) {
  CHECK(!std::holds_alternative<UnknownKey>(key), "a key without words cannot be written");
  return sized_record([&](auto& sink) { write_key(sink, key); });
}

Result<OffsetCommitValue> decode_offset_commit_value(ConstBytes value) {
  return read_record_value<OffsetCommitValue>(value);
}
Result<GroupMetadataValue> decode_group_metadata_value(ConstBytes value) {
  return read_record_value<GroupMetadataValue>(value);
}
std::vector<std::byte> encode_value(const OffsetCommitValue& value, std::int16_t version) {
  return encode_record_value(value, version);
}
std::vector<std::byte> encode_value(const GroupMetadataValue& value, std::int16_t version) {
  return encode_record_value(value, version);
}

GroupRecord offset_commit_record(const OffsetCommitKey& key, const OffsetCommitValue& value) {
  const std::int16_t version = value.expire_timestamp < 0 ? OffsetCommitValue::kWritten
                                                          : OffsetCommitValue::kWrittenWithExpiry;
  return {encode_group_key(key), encode_value(value, version)};
}
GroupRecord offset_tombstone(const OffsetCommitKey& key) {
  return {encode_group_key(key), std::nullopt};
}
GroupRecord group_metadata_record(std::string_view group, const GroupMetadataValue& value) {
  return {encode_group_key(GroupMetadataKey{std::string(group)}),
          encode_value(value, GroupMetadataValue::kWritten)};
}
GroupRecord group_tombstone(std::string_view group) {
  return {encode_group_key(GroupMetadataKey{std::string(group)}), std::nullopt};
}

std::int32_t coordinator_partition(std::string_view group, std::int32_t partitions) {
  CHECK(partitions > 0);
  std::uint32_t hash = 0;
  const auto unit = [&](std::uint32_t code) { hash = hash * 31 + code; };
  for (std::size_t at = 0; at < group.size();) {
    const auto lead = static_cast<std::uint8_t>(group[at]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    std::uint32_t code = length == 1 ? lead : lead & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length && at + i < group.size(); ++i) {
      code = (code << 6) | (static_cast<std::uint8_t>(group[at + i]) & 0x3fU);
    }
    at += length;
    if (code < 0x10000) {
      unit(code);
    } else {
      unit(0xd800 + ((code - 0x10000) >> 10));
      unit(0xdc00 + ((code - 0x10000) & 0x3ff));
    }
  }
  const auto value = static_cast<std::int32_t>(hash);
  if (value == std::numeric_limits<std::int32_t>::min()) return 0;
  return (value < 0 ? -value : value) % partitions;
}

}  // namespace millrace::engine
