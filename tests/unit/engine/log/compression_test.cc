#include "engine/log/compression.h"

#include <gtest/gtest.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zstd.h>

#include <string>

#include "base/prng.h"
#include "tests/support/golden.h"

namespace millrace::log {
namespace {

constexpr Codec kCodecs[] = {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd};

std::vector<std::byte> text_like(std::size_t size, std::uint64_t seed) {
  Prng prng(seed);
  std::vector<std::byte> bytes;
  while (bytes.size() < size) {
    const std::string word = "word" + std::to_string(prng.below(500)) + " ";
    const auto span = as_bytes(word);
    bytes.insert(bytes.end(), span.begin(), span.end());
  }
  bytes.resize(size);
  return bytes;
}

Result<std::vector<std::byte>> open_all(Compression& compression, Codec codec, ConstBytes payload,
                                        std::uint64_t max = std::uint64_t{1} << 30) {
  TRY(reader, compression.open(codec, payload, max));
  std::vector<std::byte> out;
  while (true) {
    TRY(piece, reader->next());
    if (piece.empty()) return out;
    out.insert(out.end(), piece.begin(), piece.end());
  }
}

TEST(Compression, every_codec_opens_what_it_made_of_any_size) {
  Compression compression;
  for (const Codec codec : kCodecs) {
    for (const std::size_t size : {0u, 1u, 100u, 32767u, 65536u, 65537u, 1000000u}) {
      const auto plain = text_like(size, size + 1);
      std::vector<std::byte> compressed;
      ASSERT_TRUE(compression.compress(codec, kDefaultCompressionLevel, plain, compressed));
      const auto opened = open_all(compression, codec, compressed);
      ASSERT_TRUE(opened) << to_string(codec) << " " << size << " " << opened.error().message;
      EXPECT_EQ(*opened, plain) << to_string(codec) << " " << size;
    }
  }
}

TEST(Compression, compress_appends_behind_what_is_there) {
  Compression compression;
  const auto plain = text_like(500, 3);
  for (const Codec codec : kCodecs) {
    std::vector<std::byte> out(7, std::byte{0x5a});
    ASSERT_TRUE(compression.compress(codec, kDefaultCompressionLevel, plain, out));
    EXPECT_EQ(out[6], std::byte{0x5a});
    EXPECT_EQ(*open_all(compression, codec, ConstBytes(out).subspan(7)), plain);
  }
}

TEST(Compression, a_payload_written_in_pieces_opens_to_all_of_them_and_is_hardly_larger) {
  Compression compression;
  for (const Codec codec : kCodecs) {
    for (const std::size_t size : {0u, 1u, 65537u, 1000000u}) {
      const auto plain = text_like(size, size + 9);
      std::vector<std::byte> whole;
      ASSERT_TRUE(compression.compress(codec, kDefaultCompressionLevel, plain, whole));
      std::vector<std::byte> out;
      auto writer = compression.make_writer(codec, kDefaultCompressionLevel, plain.size());
      ASSERT_TRUE(writer);
      for (std::size_t done = 0; done < size; done += 131072) {
        (*writer)->add(ConstBytes(plain).subspan(done, std::min<std::size_t>(131072, size - done)), out);
      }
      (*writer)->end(out);
      const auto opened = open_all(compression, codec, out);
      ASSERT_TRUE(opened) << to_string(codec) << " " << size << " " << opened.error().message;
      EXPECT_EQ(*opened, plain) << to_string(codec) << " " << size;
      EXPECT_LE(out.size(), whole.size() + whole.size() / 50 + 16) << to_string(codec) << " " << size;
    }
  }
}

TEST(Compression, output_is_cut_off_at_the_cap_and_not_before) {
  Compression compression;
  const std::vector<std::byte> plain(std::size_t{3} << 20);
  for (const Codec codec : kCodecs) {
    std::vector<std::byte> compressed;
    ASSERT_TRUE(compression.compress(codec, kDefaultCompressionLevel, plain, compressed));
    EXPECT_TRUE(open_all(compression, codec, compressed, plain.size())) << to_string(codec);
    const auto over = open_all(compression, codec, compressed, plain.size() - 1);
    ASSERT_FALSE(over);
    EXPECT_EQ(over.error(), Errc::too_large) << to_string(codec);
  }
}

TEST(Compression, a_torn_payload_is_corrupt) {
  Compression compression;
  const auto plain = text_like(100000, 9);
  for (const Codec codec : kCodecs) {
    std::vector<std::byte> compressed;
    ASSERT_TRUE(compression.compress(codec, kDefaultCompressionLevel, plain, compressed));
    for (const std::size_t missing : {std::size_t{1}, std::size_t{5}, compressed.size() / 2}) {
      const auto opened =
          open_all(compression, codec, ConstBytes(compressed).first(compressed.size() - missing));
      ASSERT_FALSE(opened) << to_string(codec) << " " << missing;
      EXPECT_EQ(opened.error(), Errc::corrupt);
    }
  }
}

TEST(Compression, a_reader_that_failed_does_not_spoil_the_next) {
  Compression compression;
  const auto plain = text_like(70000, 11);
  for (const Codec codec : kCodecs) {
    std::vector<std::byte> compressed;
    ASSERT_TRUE(compression.compress(codec, kDefaultCompressionLevel, plain, compressed));
    const auto noise =
        tests::from_hex("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    EXPECT_FALSE(open_all(compression, codec, noise)) << to_string(codec);
    EXPECT_EQ(*open_all(compression, codec, compressed), plain) << to_string(codec);
  }
}

// Flips bits all over compressed payloads. Whatever the libraries make of them, they stay within
// the cap and come back.
TEST(Compression, damaged_payloads_never_give_more_than_the_cap) {
  Compression compression;
  const auto plain = text_like(20000, 12);
  Prng prng(5);
  for (const Codec codec : kCodecs) {
    std::vector<std::byte> compressed;
    ASSERT_TRUE(compression.compress(codec, kDefaultCompressionLevel, plain, compressed));
    for (int i = 0; i < 300; ++i) {
      auto damaged = compressed;
      for (std::uint64_t flips = 1 + prng.below(4); flips > 0; --flips) {
        damaged[prng.below(damaged.size())] ^= static_cast<std::byte>(1u << prng.below(8));
      }
      const auto opened = open_all(compression, codec, damaged, 100000);
      if (opened) EXPECT_LE(opened->size(), 100000u);
    }
  }
}

TEST(Compression, snappy_without_framing_opens_as_librdkafka_sends_it) {
  Compression compression;
  const auto plain = text_like(200000, 4);
  std::string raw;
  snappy::Compress(reinterpret_cast<const char*>(plain.data()), plain.size(), &raw);
  EXPECT_EQ(*open_all(compression, Codec::snappy, as_bytes(raw)), plain);
}

TEST(Compression, a_snappy_length_far_beyond_its_bytes_is_not_believed) {
  Compression compression;
  // 512 MiB announced by five bytes of varint and nothing behind.
  EXPECT_EQ(open_all(compression, Codec::snappy, tests::from_hex("8080808002")).error(),
            Errc::corrupt);
}

TEST(Compression, lz4_blocks_of_4_mib_and_linked_blocks_open) {
  Compression compression;
  const auto plain = text_like(std::size_t{5} << 20, 6);
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max4MB;
  preferences.frameInfo.blockMode = LZ4F_blockLinked;
  preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
  std::vector<std::byte> compressed(LZ4F_compressFrameBound(plain.size(), &preferences));
  compressed.resize(LZ4F_compressFrame(compressed.data(), compressed.size(), plain.data(),
                                       plain.size(), &preferences));
  EXPECT_EQ(*open_all(compression, Codec::lz4, compressed), plain);
}

TEST(Compression, gzip_members_and_zstd_frames_may_follow_one_another) {
  Compression compression;
  for (const Codec codec : {Codec::gzip, Codec::zstd, Codec::lz4}) {
    auto plain = text_like(1000, 1);
    std::vector<std::byte> compressed;
    ASSERT_TRUE(compression.compress(codec, kDefaultCompressionLevel, plain, compressed));
    ASSERT_TRUE(compression.compress(codec, kDefaultCompressionLevel, plain, compressed));
    const auto copy = plain;
    plain.insert(plain.end(), copy.begin(), copy.end());
    EXPECT_EQ(*open_all(compression, codec, compressed), plain) << to_string(codec);
  }
}

// One frame whose window is as large as it says, whatever the size of its content.
std::vector<std::byte> zstd_frame(std::size_t content_bytes, int window_log) {
  const std::vector<std::byte> plain(content_bytes, std::byte{'x'});
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  std::vector<std::byte> out(ZSTD_compressBound(plain.size()));
  ZSTD_inBuffer input{plain.data(), plain.size(), 0};
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  // In two steps, so that the frame does not know its size and keeps the window.
  ZSTD_compressStream2(context, &output, &input, ZSTD_e_flush);
  ZSTD_compressStream2(context, &output, &input, ZSTD_e_end);
  ZSTD_freeCCtx(context);
  out.resize(output.pos);
  return out;
}

std::uint64_t open_whole(Compression& codecs, Codec codec, ConstBytes payload) {
  const auto reader = codecs.open(codec, payload, std::uint64_t{64} << 20);
  EXPECT_TRUE(reader);
  std::uint64_t bytes = 0;
  while (true) {
    const auto piece = (*reader)->next();
    EXPECT_TRUE(piece);
    if (!piece || piece->empty()) return bytes;
    bytes += piece->size();
  }
}

TEST(Compression, what_a_large_payload_needed_is_given_back_when_it_has_been_read) {
  constexpr std::size_t kLarge = std::size_t{20} << 20;
  Compression codecs;
  EXPECT_EQ(open_whole(codecs, Codec::zstd, zstd_frame(kLarge, 26)), kLarge);
  EXPECT_LE(codecs.bytes_held(), Compression::kKeptBytes);
  const std::string plain(kLarge, 'x');
  std::string raw;
  snappy::Compress(plain.data(), plain.size(), &raw);
  EXPECT_EQ(open_whole(codecs, Codec::snappy, as_bytes(raw)), kLarge);
  EXPECT_LE(codecs.bytes_held(), 2 * Compression::kKeptBytes);
  EXPECT_EQ(open_whole(codecs, Codec::zstd, zstd_frame(1000, 20)), 1000U);
}

TEST(Compression, what_a_payload_not_read_to_its_end_needed_is_given_back_by_the_next) {
  constexpr std::size_t kLarge = std::size_t{20} << 20;
  Compression codecs;
  const auto large = zstd_frame(kLarge, 26);
  ASSERT_TRUE((*codecs.open(Codec::zstd, large, kLarge))->next());
  EXPECT_GT(codecs.bytes_held(), Compression::kKeptBytes);
  const auto small = zstd_frame(1000, 20);
  ASSERT_TRUE(codecs.open(Codec::zstd, small, kLarge));
  EXPECT_LE(codecs.bytes_held(), Compression::kKeptBytes);
}

TEST(Compression, a_zstd_window_that_no_client_would_read_is_refused) {
  Compression codecs;
  const auto most = zstd_frame(1000, Compression::kZstdWindowLogMax);
  EXPECT_EQ(open_whole(codecs, Codec::zstd, most), 1000U);
  const auto beyond = zstd_frame(1000, Compression::kZstdWindowLogMax + 1);
  const auto piece = (*codecs.open(Codec::zstd, beyond, 100'000))->next();
  ASSERT_FALSE(piece);
  EXPECT_EQ(piece.error().code, Errc::corrupt);
}

TEST(Compression, none_is_not_a_codec_to_open) {
  Compression compression;
  EXPECT_EQ(compression.open(Codec::none, {}, 1).error(), Errc::unsupported_codec);
}

}  // namespace
}  // namespace millrace::log
