// Decoding never allocates more than a small constant times the frame, whatever the frame says.
// Counts through this program's own operator new.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <vector>

#include "net/wire/metadata.h"
#include "tests/support/any_message.h"

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

template <class Decodes>
std::size_t allocated_by(const Decodes& decodes, const std::vector<std::byte>& bytes,
                         std::int16_t version) {
  const std::size_t before = allocated_bytes;
  decodes(bytes, version);
  return allocated_bytes - before;
}

std::size_t allowed(std::size_t frame_bytes) {
  return Reader::kAllocationFree + Reader::kAllocationFactor * frame_bytes + kErrorBytes;
}

TEST(Allocation, frames_of_one_repeated_byte_stay_within_the_allowance) {
  for (const test::AnyMessage& message : test::any_messages()) {
    for (std::int16_t version = message.versions.min; version <= message.versions.max; ++version) {
      for (const int byte : {0, 1, 2, 3, 0x20, 0x7f, 0x80, 0xff}) {
        const std::vector<std::byte> frame(20'000, static_cast<std::byte>(byte));
        EXPECT_LE(allocated_by(message.decodes, frame, version), allowed(frame.size()))
            << message.name << " " << version << " byte " << byte;
      }
    }
  }
}

TEST(Allocation, counts_blown_up_in_an_honest_frame_stay_within_the_allowance) {
  Prng prng(11);
  for (const test::AnyMessage& message : test::any_messages()) {
    for (std::int16_t version = message.versions.min; version <= message.versions.max; ++version) {
      auto bytes = message.random(version, prng).body;
      const std::size_t honest_bytes = bytes.size();
      bytes.resize(honest_bytes + 5000);
      for (std::size_t at = 0; at + 4 <= honest_bytes; ++at) {
        auto damaged = bytes;
        store_big_endian(damaged.data() + at, std::uint32_t{0xffffff0f});
        EXPECT_LE(allocated_by(message.decodes, damaged, version), allowed(damaged.size()))
            << message.name << " " << version;
      }
    }
  }
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
  EXPECT_LE(allocated_by(decode<MetadataRequest>, frame, 1), kErrorBytes);
}

}  // namespace
}  // namespace millrace::wire
