#include "engine/log/payload_writers.h"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string>

#include "base/check.h"

namespace millrace::log {
namespace {

// Makes `out` longer by `bytes` and returns where they start.
std::byte* grow(std::vector<std::byte>& out, std::size_t bytes) {
  const std::size_t before = out.size();
  out.resize(before + bytes);
  return out.data() + before;
}

class GzipWriter final : public PayloadWriter {
 public:
  // 15 bits of window; 16 asks zlib for gzip's header and trailer.
  static constexpr int kWindowBits = 15 + 16;

  explicit GzipWriter(int level) {
    if (level != Z_DEFAULT_COMPRESSION) level = std::clamp(level, 1, 9);
    CHECK(deflateInit2(&stream_, level, Z_DEFLATED, kWindowBits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  }
  ~GzipWriter() override { deflateEnd(&stream_); }

  void add(ConstBytes plain, std::vector<std::byte>& out) override {
    CHECK(plain.size() <= std::numeric_limits<unsigned>::max());
    // zlib does not write through next_in.
    stream_.next_in = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(plain.data()));
    stream_.avail_in = static_cast<unsigned>(plain.size());
    while (stream_.avail_in > 0) CHECK(run(Z_NO_FLUSH, deflateBound(&stream_, stream_.avail_in), out) == Z_OK);
  }

  void end(std::vector<std::byte>& out) override {
    int outcome = Z_OK;
    while (outcome != Z_STREAM_END) {
      outcome = run(Z_FINISH, kEndBytes, out);
      CHECK(outcome == Z_OK || outcome == Z_BUF_ERROR || outcome == Z_STREAM_END, "{}", outcome);
    }
  }

 private:
  // What it has taken and not given yet.
  static constexpr std::size_t kEndBytes = std::size_t{64} << 10;

  int run(int flush, std::size_t room, std::vector<std::byte>& out) {
    const std::size_t before = out.size();
    stream_.next_out = reinterpret_cast<unsigned char*>(grow(out, room));
    stream_.avail_out = static_cast<unsigned>(room);
    const int outcome = deflate(&stream_, flush);
    out.resize(before + room - stream_.avail_out);
    return outcome;
  }

  z_stream stream_{};
};

constexpr std::size_t kXerialBlockBytes = std::size_t{32} << 10;

class SnappyWriter final : public PayloadWriter {
 public:
  void add(ConstBytes plain, std::vector<std::byte>& out) override {
    begin(out);
    while (!plain.empty()) {
      const auto block = plain.first(std::min(plain.size(), kXerialBlockBytes));
      plain = plain.subspan(block.size());
      const std::size_t before = out.size();
      std::size_t size = snappy::MaxCompressedLength(block.size());
      std::byte* const at = grow(out, 4 + size);
      snappy::RawCompress(reinterpret_cast<const char*>(block.data()), block.size(),
                          reinterpret_cast<char*>(at + 4), &size);
      store_big_endian(at, static_cast<std::int32_t>(size));
      out.resize(before + 4 + size);
    }
  }

  void end(std::vector<std::byte>& out) override { begin(out); }

 private:
  void begin(std::vector<std::byte>& out) {
    if (begun_) return;
    begun_ = true;
    std::byte* const header = grow(out, kXerialHeaderBytes);
    std::memcpy(header, kXerialMagic.data(), kXerialMagic.size());
    store_big_endian(header + 8, std::int32_t{1});
    store_big_endian(header + 12, std::int32_t{1});
  }

  bool begun_ = false;
};

class Lz4Writer final : public PayloadWriter {
 public:
  explicit Lz4Writer(int level) {
    preferences_.frameInfo.blockSizeID = LZ4F_max64KB;
    preferences_.frameInfo.blockMode = LZ4F_blockIndependent;
    preferences_.compressionLevel = level;
    CHECK(!LZ4F_isError(LZ4F_createCompressionContext(&context_, LZ4F_VERSION)));
  }
  ~Lz4Writer() override { LZ4F_freeCompressionContext(context_); }

  void add(ConstBytes plain, std::vector<std::byte>& out) override {
    begin(out);
    const std::size_t bound = LZ4F_compressBound(plain.size(), &preferences_);
    const std::size_t before = out.size();
    keep(before, out, LZ4F_compressUpdate(context_, grow(out, bound), bound, plain.data(), plain.size(), nullptr));
  }

  void end(std::vector<std::byte>& out) override {
    begin(out);
    const std::size_t bound = LZ4F_compressBound(0, &preferences_);
    const std::size_t before = out.size();
    keep(before, out, LZ4F_compressEnd(context_, grow(out, bound), bound, nullptr));
  }

 private:
  void begin(std::vector<std::byte>& out) {
    if (begun_) return;
    begun_ = true;
    const std::size_t before = out.size();
    keep(before, out, LZ4F_compressBegin(context_, grow(out, LZ4F_HEADER_SIZE_MAX), LZ4F_HEADER_SIZE_MAX, &preferences_));
  }
  static void keep(std::size_t before, std::vector<std::byte>& out, std::size_t size) {
    CHECK(!LZ4F_isError(size), "{}", LZ4F_getErrorName(size));
    out.resize(before + size);
  }

  LZ4F_preferences_t preferences_{};
  LZ4F_cctx* context_ = nullptr;
  bool begun_ = false;
};

class ZstdWriter final : public PayloadWriter {
 public:
  ZstdWriter(int level, std::size_t plain_bytes) : context_(ZSTD_createCCtx()), left_(plain_bytes) {
    CHECK(context_ != nullptr);
    level = std::clamp(level, ZSTD_minCLevel(), ZSTD_maxCLevel());
    CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level)));
    // The frame then says how long it is, and the window is no larger than that.
    CHECK(!ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context_, plain_bytes)));
  }
  ~ZstdWriter() override { ZSTD_freeCCtx(context_); }

  void add(ConstBytes plain, std::vector<std::byte>& out) override {
    CHECK(plain.size() <= left_);
    left_ -= plain.size();
    // Told that this is the last piece, the library needs no copy of it.
    if (!plain.empty()) run(plain, left_ == 0 ? ZSTD_e_end : ZSTD_e_continue, out);
  }

  void end(std::vector<std::byte>& out) override {
    CHECK(left_ == 0);
    if (!ended_) run({}, ZSTD_e_end, out);
  }

 private:
  void run(ConstBytes plain, ZSTD_EndDirective directive, std::vector<std::byte>& out) {
    ZSTD_inBuffer input{plain.data(), plain.size(), 0};
    while (true) {
      const std::size_t before = out.size();
      const std::size_t room = ZSTD_compressBound(std::max(plain.size() - input.pos, kRoomMin));
      ZSTD_outBuffer output{grow(out, room), room, 0};
      const std::size_t unwritten = ZSTD_compressStream2(context_, &output, &input, directive);
      CHECK(!ZSTD_isError(unwritten), "{}", ZSTD_getErrorName(unwritten));
      out.resize(before + output.pos);
      ended_ = directive == ZSTD_e_end && unwritten == 0;
      if (directive == ZSTD_e_end ? ended_ : input.pos == input.size) return;
    }
  }

  static constexpr std::size_t kRoomMin = 1024;

  ZSTD_CCtx* context_;
  std::size_t left_;
  bool ended_ = false;
};

}  // namespace

Result<std::unique_ptr<PayloadWriter>> make_payload_writer(Codec codec, int level, std::size_t plain_bytes) {
  const bool by_default = level == kDefaultCompressionLevel;
  switch (codec) {
    case Codec::gzip:
      return std::make_unique<GzipWriter>(by_default ? Z_DEFAULT_COMPRESSION : level);
    case Codec::snappy:
      return std::make_unique<SnappyWriter>();
    // Kafka's default for lz4 is 9.
    case Codec::lz4:
      return std::make_unique<Lz4Writer>(by_default ? 9 : level);
    case Codec::zstd:
      return std::make_unique<ZstdWriter>(by_default ? ZSTD_CLEVEL_DEFAULT : level, plain_bytes);
    case Codec::none:
      break;
  }
  return fail(Errc::unsupported_codec, std::string(to_string(codec)));
}

}  // namespace millrace::log
