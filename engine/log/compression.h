// Compression: gzip, snappy, lz4 and zstd behind the format's Codecs, with a hard cap on what comes
// out.
//
// Shard:      one per shard; opens one payload at a time.
// Lifetime:   of the shard. Library contexts are made at first use and kept.
// Memory:     input is the caller's; output comes in pieces of at most kPieceBytes, beside the
//             library's window (gzip 32 KiB, lz4 one block of up to 4 MiB, 64 KiB as clients send
//             it, zstd the window the frame names, at most 2^kZstdWindowLogMax and touched only as
//             far as output goes). A snappy payload without framing is one block and must be opened
//             whole, up to the cap. So a shard needs the cap once, whatever comes; when a payload
//             has been read, or at the next open(), each codec keeps no more than kKeptBytes.
#pragma once

#include <memory>

#include "engine/log/format/codec.h"

namespace millrace::log {

class Compression final : public Codecs {
 public:
  static constexpr std::size_t kPieceBytes = std::size_t{64} << 10;
  // Twice what the window of a client's usual zstd level takes, so that nothing is allocated anew
  // for each batch.
  static constexpr std::size_t kKeptBytes = std::size_t{4} << 20;
  // zstd's own limit for those who do not raise it, and so that of Kafka and its clients: what is
  // above it they could not read.
  static constexpr int kZstdWindowLogMax = 27;

  Compression();
  ~Compression() override;
  Compression(const Compression&) = delete;

  // Errors of open and of the reader: corrupt, too_large, unsupported_codec (none is not a codec to
  // open).
  Result<PayloadReader*> open(Codec codec, ConstBytes payload,
                              std::uint64_t output_bytes_max) override;
  // What snappy's and zstd's readers hold; the others' is bounded by their formats.
  std::size_t bytes_held() const;
  Result<std::unique_ptr<PayloadWriter>> make_writer(Codec codec, int level,
                                                     std::size_t plain_bytes) override;
  // In one go what payload_writers.h says of these writers.
  Result<void> compress(Codec codec, int level, ConstBytes plain,
                        std::vector<std::byte>& out) override;

 private:
  class Gzip;
  class Snappy;
  class Lz4;
  class Zstd;

  std::unique_ptr<Gzip> gzip_;
  std::unique_ptr<Snappy> snappy_;
  std::unique_ptr<Lz4> lz4_;
  std::unique_ptr<Zstd> zstd_;
};

}  // namespace millrace::log
