#include "engine/metadata/records.h"

#include <utility>

#include "net/wire/message_codec.h"

namespace millrace::engine {
namespace {

constexpr std::uint32_t kFrameVersion = 1;

// Calls `found` with a default value of the variant's alternative that has `type`; false when there
// is none.
template <std::size_t Index = 0, class Found>
bool with_type(std::uint32_t type, Found&& found) {
  if constexpr (Index < std::variant_size_v<MetadataRecord>) {
    using Type = std::variant_alternative_t<Index, MetadataRecord>;
    if (Type::kType == type) {
      found(std::type_identity<Type>{});
      return true;
    }
    return with_type<Index + 1>(type, found);
  } else {
    return false;
  }
}

template <class Sink>
void write_record(Sink& sink, const VersionedRecord& record) {
  std::visit(
      [&](const auto& body) {
        using Type = std::decay_t<decltype(body)>;
        CHECK(Type::kVersions.contains(record.version), "{} has no version {}", Type::kName,
              record.version);
        sink.uvarint(kFrameVersion);
        sink.uvarint(Type::kType);
        sink.uvarint(static_cast<std::uint32_t>(record.version));
        wire::Encoder<Sink>(sink, record.version, true).structure(body);
      },
      record.record);
}

template <class Type>
Result<VersionedRecord> read_body(wire::Reader& reader, std::uint32_t version) {
  if (version > static_cast<std::uint32_t>(Type::kVersions.max)) {
    return fail(Errc::unsupported,
                fmt::format("metadata record {} has no version {}", Type::kName, version));
  }
  VersionedRecord record{Type{}, static_cast<std::int16_t>(version)};
  wire::Decoder decoder(reader, record.version, true);
  decoder.structure(std::get<Type>(record.record));
  if (reader.ok() && reader.remaining() > 0) reader.fail("bytes are left over");
  if (reader.ok()) return record;
  const char* field = decoder.failed_field() == nullptr ? "end" : decoder.failed_field();
  return fail(Errc::malformed, fmt::format("metadata record {} v{}, {}: {}", Type::kName, version,
                                           field, reader.error()));
}

}  // namespace

std::string_view record_name(const MetadataRecord& record) {
  return std::visit([](const auto& body) { return std::decay_t<decltype(body)>::kName; }, record);
}

void encode_record(const VersionedRecord& record, std::vector<std::byte>& out) {
  wire::Sizer sizer;
  write_record(sizer, record);
  const std::size_t start = out.size();
  out.resize(start + sizer.position());
  wire::Writer writer(Bytes(out).subspan(start));
  write_record(writer, record);
  CHECK(writer.remaining() == 0, "{} bytes of a record were not written", writer.remaining());
}

std::vector<std::byte> encode_record(const VersionedRecord& record) {
  std::vector<std::byte> out;
  encode_record(record, out);
  return out;
}

Result<VersionedRecord> decode_record(ConstBytes value) {
  wire::Reader reader(value);
  const std::uint32_t frame = reader.uvarint();
  const std::uint32_t type = reader.uvarint();
  const std::uint32_t version = reader.uvarint();
  if (!reader.ok())
    return fail(Errc::malformed, fmt::format("metadata record frame: {}", reader.error()));
  if (frame != kFrameVersion) {
    return fail(Errc::unsupported,
                fmt::format("metadata record frame version {}, not {}", frame, kFrameVersion));
  }
  Result<VersionedRecord> record = fail(
      Errc::unsupported, fmt::format("metadata record type {} is not known to this release", type));
  with_type(type, [&]<class Type>(std::type_identity<Type>) {
    record = read_body<Type>(reader, version);
  });
  return record;
}

std::string describe_record(const VersionedRecord& record) {
  return std::visit(
      [&](const auto& body) {
        wire::Printer printer(record.version);
        printer.structure(body);
        return fmt::format(R"({{"type":"{}","version":{},"data":{}}})",
                           std::decay_t<decltype(body)>::kName, record.version, printer.take());
      },
      record.record);
}

}  // namespace millrace::engine
