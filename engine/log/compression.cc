#include "engine/log/compression.h"

#include <fmt/core.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/check.h"
#include "engine/log/payload_writers.h"

namespace millrace::log {

namespace {

constexpr std::size_t kPiece = Compression::kPieceBytes;

std::unexpected<Error> too_large(std::uint64_t output_bytes_max) {
  return fail(Errc::too_large,
              fmt::format("the payload opens to more than {} bytes", output_bytes_max));
}

// What every reader counts: output handed out, against the cap.
class CappedReader : public PayloadReader {
 public:
  Result<ConstBytes> next() final {
    auto piece = next_piece();
    if (piece) given_ += piece->size();
    if (piece && given_ > output_bytes_max_) piece = too_large(output_bytes_max_);
    if (!piece || piece->empty()) give_back();
    return piece;
  }
  // Lets memory beyond Compression::kKeptBytes go. What was given before is gone then.
  virtual void give_back() {}

 protected:
  void restart(std::uint64_t output_bytes_max) {
    output_bytes_max_ = output_bytes_max;
    given_ = 0;
  }
  std::uint64_t allowance() const { return output_bytes_max_ - given_; }
  std::uint64_t output_bytes_max() const { return output_bytes_max_; }

 private:
  virtual Result<ConstBytes> next_piece() = 0;

  std::uint64_t output_bytes_max_ = 0;
  std::uint64_t given_ = 0;
};

unsigned char* zlib_bytes(const std::byte* bytes) {
  // zlib does not write through next_in.
  return reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes));
}

}  // namespace

// ---- gzip: one or more members, as RFC 1952 has it.

class Compression::Gzip final : public CappedReader {
 public:
  // 15 bits of window; 16 asks zlib for gzip's header and trailer.
  static constexpr int kWindowBits = 15 + 16;

  Gzip() : output_(kPiece) { CHECK(inflateInit2(&stream_, kWindowBits) == Z_OK); }
  ~Gzip() override { inflateEnd(&stream_); }

  void open(ConstBytes payload, std::uint64_t output_bytes_max) {
    restart(output_bytes_max);
    CHECK(inflateReset(&stream_) == Z_OK);
    CHECK(payload.size() <= std::numeric_limits<unsigned>::max());
    stream_.next_in = zlib_bytes(payload.data());
    stream_.avail_in = static_cast<unsigned>(payload.size());
    member_ended_ = false;
  }

 private:
  Result<ConstBytes> next_piece() override {
    stream_.next_out = reinterpret_cast<unsigned char*>(output_.data());
    stream_.avail_out = static_cast<unsigned>(output_.size());
    while (stream_.avail_out > 0) {
      if (member_ended_) {
        if (stream_.avail_in == 0) break;
        if (inflateReset(&stream_) != Z_OK) return fail(Errc::corrupt, "gzip member");
        member_ended_ = false;
      }
      const int outcome = inflate(&stream_, Z_NO_FLUSH);
      if (outcome == Z_STREAM_END) {
        member_ended_ = true;
      } else if (outcome != Z_OK) {
        return fail(Errc::corrupt,
                    fmt::format("gzip: {}", stream_.msg ? stream_.msg : "ends early"));
      }
    }
    return ConstBytes(output_).first(output_.size() - stream_.avail_out);
  }

  z_stream stream_{};
  std::vector<std::byte> output_;
  bool member_ended_ = false;
};

// ---- snappy: Xerial's framing as Apache's Java client writes it, or one raw block as librdkafka
// does.

namespace {

const char* chars(const std::byte* bytes) {
  return reinterpret_cast<const char*>(bytes);
}
}  // namespace

class Compression::Snappy final : public CappedReader {
 public:
  void open(ConstBytes payload, std::uint64_t output_bytes_max) {
    restart(output_bytes_max);
    give_back();
    framed_ = payload.size() >= kXerialHeaderBytes &&
              std::memcmp(payload.data(), kXerialMagic.data(), kXerialMagic.size()) == 0;
    left_ = framed_ ? payload.subspan(kXerialHeaderBytes) : payload;
    at_start_ = true;
  }

  void give_back() override {
    if (output_.capacity() > kKeptBytes) std::vector<std::byte>().swap(output_);
  }
  std::size_t bytes_held() const { return output_.capacity(); }

 private:
  Result<ConstBytes> next_piece() override {
    if (!framed_) {
      if (!at_start_) return ConstBytes();
      at_start_ = false;
      return block(left_);
    }
    // An empty block gives no bytes, which would read as the end.
    while (!left_.empty()) {
      // Streams written one after the other carry a header each.
      if (left_.size() >= kXerialHeaderBytes &&
          std::memcmp(left_.data(), kXerialMagic.data(), kXerialMagic.size()) == 0) {
        left_ = left_.subspan(kXerialHeaderBytes);
        continue;
      }
      if (left_.size() < 4) return fail(Errc::corrupt, "snappy block size");
      const auto size = load_big_endian<std::uint32_t>(left_.data());
      if (size > left_.size() - 4) return fail(Errc::corrupt, "snappy block ends early");
      TRY(piece, block(left_.subspan(4, size)));
      left_ = left_.subspan(4 + std::size_t{size});
      if (!piece.empty()) return piece;
    }
    return ConstBytes();
  }

  Result<ConstBytes> block(ConstBytes compressed) {
    std::size_t size = 0;
    if (!snappy::GetUncompressedLength(chars(compressed.data()), compressed.size(), &size)) {
      return fail(Errc::corrupt, "snappy length");
    }
    if (size > allowance()) return too_large(output_bytes_max());
    // Nothing that snappy writes is smaller than a 64th of what it stands for: do not believe a
    // length, allocate for it and only then find out.
    if (size / 64 > compressed.size()) return fail(Errc::corrupt, "snappy length");
    if (output_.size() < size) output_.resize(size);
    if (!snappy::RawUncompress(chars(compressed.data()), compressed.size(),
                               reinterpret_cast<char*>(output_.data()))) {
      return fail(Errc::corrupt, "snappy block");
    }
    return ConstBytes(output_).first(size);
  }

  std::vector<std::byte> output_;
  ConstBytes left_;
  bool framed_ = false;
  bool at_start_ = true;
};

// ---- lz4: frames, one or more.

class Compression::Lz4 final : public CappedReader {
 public:
  Lz4() : output_(kPiece) {
    CHECK(!LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION)));
  }
  ~Lz4() override { LZ4F_freeDecompressionContext(context_); }

  void open(ConstBytes payload, std::uint64_t output_bytes_max) {
    restart(output_bytes_max);
    give_back();
    LZ4F_resetDecompressionContext(context_);
    left_ = payload;
    frame_ended_ = false;
    large_ = payload.size() > kBlockSizeAt &&
             (std::to_integer<int>(payload[kBlockSizeAt]) >> 4) > LZ4F_max256KB;
  }

  void give_back() override {
    if (!std::exchange(large_, false)) return;
    LZ4F_freeDecompressionContext(context_);
    CHECK(!LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION)));
  }

  // Where a frame says how large its blocks are.
  static constexpr std::size_t kBlockSizeAt = 5;

 private:
  Result<ConstBytes> next_piece() override {
    std::size_t filled = 0;
    while (filled < output_.size()) {
      if (frame_ended_ && left_.empty()) break;
      std::size_t produced = output_.size() - filled;
      std::size_t consumed = left_.size();
      const std::size_t hint = LZ4F_decompress(context_, output_.data() + filled, &produced,
                                               left_.data(), &consumed, nullptr);
      if (LZ4F_isError(hint)) {
        return fail(Errc::corrupt, fmt::format("lz4: {}", LZ4F_getErrorName(hint)));
      }
      filled += produced;
      left_ = left_.subspan(consumed);
      frame_ended_ = hint == 0;
      // The next frame's blocks may be larger than the first one's.
      large_ |= frame_ended_ && !left_.empty();
      if (!frame_ended_ && produced == 0 && consumed == 0) {
        return fail(Errc::corrupt, "lz4: ends early");
      }
    }
    return ConstBytes(output_).first(filled);
  }

  LZ4F_dctx* context_ = nullptr;
  std::vector<std::byte> output_;
  ConstBytes left_;
  bool frame_ended_ = false;
  bool large_ = false;  // the context may hold more than kKeptBytes
};

// ---- zstd: frames, one or more.

class Compression::Zstd final : public CappedReader {
 public:
  Zstd() : output_(kPiece) { make_context(); }
  ~Zstd() override { ZSTD_freeDCtx(context_); }

  void open(ConstBytes payload, std::uint64_t output_bytes_max) {
    restart(output_bytes_max);
    give_back();
    ZSTD_DCtx_reset(context_, ZSTD_reset_session_only);
    input_ = {payload.data(), payload.size(), 0};
    frame_ended_ = false;
  }

  void give_back() override {
    if (bytes_held() <= kKeptBytes) return;
    ZSTD_freeDCtx(context_);
    make_context();
  }
  std::size_t bytes_held() const { return ZSTD_sizeof_DCtx(context_); }

 private:
  Result<ConstBytes> next_piece() override {
    ZSTD_outBuffer output{output_.data(), output_.size(), 0};
    while (output.pos < output.size) {
      if (frame_ended_ && input_.pos == input_.size) break;
      const std::size_t consumed_before = input_.pos;
      const std::size_t produced_before = output.pos;
      const std::size_t hint = ZSTD_decompressStream(context_, &output, &input_);
      if (ZSTD_isError(hint)) {
        return fail(Errc::corrupt, fmt::format("zstd: {}", ZSTD_getErrorName(hint)));
      }
      frame_ended_ = hint == 0;
      if (!frame_ended_ && input_.pos == consumed_before && output.pos == produced_before) {
        return fail(Errc::corrupt, "zstd: ends early");
      }
    }
    return ConstBytes(output_).first(output.pos);
  }

  void make_context() {
    context_ = ZSTD_createDCtx();
    CHECK(context_ != nullptr);
    CHECK(!ZSTD_isError(ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kZstdWindowLogMax)));
  }

  ZSTD_DCtx* context_ = nullptr;
  std::vector<std::byte> output_;
  ZSTD_inBuffer input_{};
  bool frame_ended_ = false;
};

// ---- The front.

Compression::Compression() = default;
Compression::~Compression() = default;

std::size_t Compression::bytes_held() const {
  return (snappy_ ? snappy_->bytes_held() : 0) + (zstd_ ? zstd_->bytes_held() : 0);
}

namespace {
template <class Reader>
Result<PayloadReader*> open_with(std::unique_ptr<Reader>& reader, ConstBytes payload,
                                 std::uint64_t output_bytes_max) {
  if (!reader) reader = std::make_unique<Reader>();
  reader->open(payload, output_bytes_max);
  return reader.get();
}
}  // namespace

Result<PayloadReader*> Compression::open(Codec codec, ConstBytes payload,
                                         std::uint64_t output_bytes_max) {
  switch (codec) {
    case Codec::gzip:
      return open_with(gzip_, payload, output_bytes_max);
    case Codec::snappy:
      return open_with(snappy_, payload, output_bytes_max);
    case Codec::lz4:
      return open_with(lz4_, payload, output_bytes_max);
    case Codec::zstd:
      return open_with(zstd_, payload, output_bytes_max);
    case Codec::none:
      break;
  }
  return fail(Errc::unsupported_codec, std::string(to_string(codec)));
}

Result<std::unique_ptr<PayloadWriter>> Compression::make_writer(Codec codec, int level,
                                                                std::size_t plain_bytes) {
  return make_payload_writer(codec, level, plain_bytes);
}

Result<void> Compression::compress(Codec codec, int level, ConstBytes plain,
                                   std::vector<std::byte>& out) {
  TRY(writer, make_payload_writer(codec, level, plain.size()));
  writer->add(plain, out);
  writer->end(out);
  return {};
}

}  // namespace millrace::log
