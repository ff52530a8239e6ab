// Decoding never allocates more than a small constant times the frame, whatever the frame says.
// Counts through this program's own operator new.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <vector>

#include "net/wire/all_messages.h"
#include "tests/support/message_filler.h"

namespace {
std::size_t allocated_bytes = 0;
}  // namespace

void* operator new(std::size_t size) {
  allocated_bytes += size;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace millrace::wire {
namespace {

// For the text of an error.
constexpr std::size_t kErrorBytes = 1024;

template <class T>
std::size_t allocated_by_decode(const std::vector<std::byte>& bytes, std::int16_t version) {
  const std::size_t before = allocated_bytes;
  const auto decoded = decode<T>(bytes, version);
  return allocated_bytes - before;
}

std::size_t allowed(std::size_t frame_bytes) {
  return Reader::kAllocationFree + Reader::kAllocationFactor * frame_bytes + kErrorBytes;
}

TEST(Allocation, frames_of_one_repeated_byte_stay_within_the_allowance) {
  for_each_message([]<class T>() {
    for (std::int16_t version = T::kVersions.min; version <= T::kVersions.max; ++version) {
      for (const int byte : {0, 1, 2, 3, 0x20, 0x7f, 0x80, 0xff}) {
        const std::vector<std::byte> frame(20'000, static_cast<std::byte>(byte));
        EXPECT_LE(allocated_by_decode<T>(frame, version), allowed(frame.size()))
            << T::kName << " " << version << " byte " << byte;
      }
    }
  });
}

TEST(Allocation, counts_blown_up_in_an_honest_frame_stay_within_the_allowance) {
  Prng prng(11);
  for_each_message([&]<class T>() {
    for (std::int16_t version = T::kVersions.min; version <= T::kVersions.max; ++version) {
      test::RandomFiller filler(version, prng);
      T message;
      filler.structure(message);
      std::vector<std::byte> bytes(encoded_size(message, version));
      Writer out(bytes);
      encode(message, version, out);
      const auto honest = bytes;
      bytes.resize(bytes.size() + 5000);
      for (std::size_t at = 0; at + 4 <= honest.size(); ++at) {
        auto damaged = bytes;
        for (std::size_t i = 0; i < 4; ++i)
          damaged[at + i] = std::byte{static_cast<unsigned char>(i == 3 ? 0x0f : 0xff)};
        EXPECT_LE(allocated_by_decode<T>(damaged, version), allowed(damaged.size())) << T::kName;
      }
    }
  });
}

// The other side of the bound: the most wasteful thing an honest client sends is far below it.
TEST(Allocation, a_request_for_ten_thousand_short_topic_names_is_taken) {
  MetadataRequest request;
  for (int i = 0; i < 10'000; ++i) request.topics->push_back({.name = "t"});
  for (const std::int16_t version : {std::int16_t{4}, std::int16_t{9}, std::int16_t{13}}) {
    std::vector<std::byte> bytes(encoded_size(request, version));
    Writer out(bytes);
    encode(request, version, out);
    const auto decoded = decode<MetadataRequest>(bytes, version);
    ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
    EXPECT_EQ(decoded->topics->size(), 10'000U);
  }
}

TEST(Allocation, a_count_of_two_billion_costs_nothing) {
  std::vector<std::byte> frame(4);
  store_big_endian(frame.data(), std::numeric_limits<std::int32_t>::max());
  EXPECT_LE(allocated_by_decode<MetadataRequest>(frame, 1), kErrorBytes);
}

}  // namespace
}  // namespace millrace::wire
