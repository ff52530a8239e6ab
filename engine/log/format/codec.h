// The compression codecs of record batches, and how the format code reaches the libraries that know
// them (engine/log/compression.h): it stays pure by being given a Codecs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace::log {

// The low three bits of a batch's attributes.
enum class Codec : std::uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };
inline constexpr std::uint8_t kCodecLast = 4;

constexpr std::string_view to_string(Codec codec) {
  switch (codec) {
    case Codec::none:
      return "none";
    case Codec::gzip:
      return "gzip";
    case Codec::snappy:
      return "snappy";
    case Codec::lz4:
      return "lz4";
    case Codec::zstd:
      return "zstd";
  }
  return "unknown";
}

constexpr std::optional<Codec> codec_from_string(std::string_view name) {
  for (std::uint8_t code = 0; code <= kCodecLast; ++code) {
    if (to_string(static_cast<Codec>(code)) == name) return static_cast<Codec>(code);
  }
  return std::nullopt;
}

// The level a codec uses when the topic names none.
inline constexpr int kDefaultCompressionLevel = -1000;

// The opened payload of one compressed batch, in pieces.
class PayloadReader {
 public:
  virtual ~PayloadReader() = default;
  // The next piece, valid until the next call; empty at the end.
  // Errors: corrupt, too_large (more output than was allowed).
  virtual Result<ConstBytes> next() = 0;
};

// Makes one compressed payload, in pieces.
class PayloadWriter {
 public:
  virtual ~PayloadWriter() = default;
  // Takes the next piece of the plain bytes; what is ready of the compressed form is appended to `out`.
  virtual void add(ConstBytes plain, std::vector<std::byte>& out) = 0;
  // All was added: appends the rest.
  virtual void end(std::vector<std::byte>& out) = 0;
};

// Opens and makes compressed payloads. One per shard; not for use by two batches at a time.
class Codecs {
 public:
  virtual ~Codecs() = default;
  // The reader belongs to this object and is valid until the next call of open(). `payload` must
  // stay valid as long. The reader fails with too_large once it would give more than
  // `output_bytes_max`.
  virtual Result<PayloadReader*> open(Codec codec, ConstBytes payload,
                                      std::uint64_t output_bytes_max) = 0;
  // For a payload of `plain_bytes`; independent of this object. For who cannot have it in one go.
  // Errors: unsupported_codec (none is not a codec to write).
  virtual Result<std::unique_ptr<PayloadWriter>> make_writer(Codec codec, int level,
                                                             std::size_t plain_bytes) = 0;
  // Appends the compressed form of `plain` to `out`.
  virtual Result<void> compress(Codec codec, int level, ConstBytes plain,
                                std::vector<std::byte>& out) = 0;
};

}  // namespace millrace::log
