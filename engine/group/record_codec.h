// How the values of __consumer_offsets are read and written: an int16 version, then what describe() says.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/result.h"
#include "net/wire/message_codec.h"

namespace millrace::engine {

template <class T>
Result<T> finish_record(wire::Reader& reader, const wire::Decoder& decoder, std::string_view name,
                        T value) {
  if (reader.ok() && reader.remaining() > 0) reader.fail("bytes are left over");
  if (reader.ok()) return value;
  const char* field = decoder.failed_field() == nullptr ? "end" : decoder.failed_field();
  return fail(Errc::malformed, fmt::format("{}, {}: {}", name, field, reader.error()));
}

// Errors: unsupported (a version that this release does not know), malformed.
template <class T>
Result<T> read_record_value(ConstBytes bytes) {
  wire::Reader reader(bytes);
  const auto version = reader.integer<std::int16_t>();
  if (reader.ok() && !T::kVersions.contains(version)) {
    return fail(Errc::unsupported, fmt::format("{} has no version {}", T::kName, version));
  }
  wire::Decoder decoder(reader, version, version >= T::kFlexibleSince);
  T value;
  decoder.structure(value);
  return finish_record(reader, decoder, T::kName, std::move(value));
}

// What `write(sink)` writes, in bytes of its own.
template <class Write>
std::vector<std::byte> sized_record(Write&& write) {
  wire::Sizer sizer;
  write(sizer);
  std::vector<std::byte> out(sizer.position());
  wire::Writer writer{Bytes(out)};
  write(writer);
  CHECK(writer.remaining() == 0, "{} bytes of a record were not written", writer.remaining());
  return out;
}

// Requires: kVersions contains `version`.
template <class T>
std::vector<std::byte> encode_record_value(const T& value, std::int16_t version) {
  CHECK(T::kVersions.contains(version), "{} has no version {}", T::kName, version);
  return sized_record([&]<class Sink>(Sink& sink) {
    sink.integer(version);
    wire::Encoder<Sink>(sink, version, version >= T::kFlexibleSince).structure(value);
  });
}

}  // namespace millrace::engine
