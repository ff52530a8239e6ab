// Every message in every version against the bytes that Kafka's own serializers made of the same
// values.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "net/wire/all_messages.h"
#include "tests/support/message_filler.h"

namespace millrace::wire {
namespace {

using Key = std::tuple<std::string, int, std::string>;  // message, version, fill

std::map<Key, std::string> golden_bodies() {
  std::map<Key, std::string> bodies;
  std::ifstream file("tests/unit/net/wire/golden_bodies.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    std::string message, fill, hex;
    int version = 0;
    words >> message >> version >> fill >> hex;
    bodies[{message, version, fill}] = hex;
  }
  return bodies;
}

std::string to_hex(ConstBytes bytes) {
  std::string hex;
  for (const std::byte byte : bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    hex += kDigits[static_cast<unsigned>(byte) >> 4];
    hex += kDigits[static_cast<unsigned>(byte) & 15];
  }
  return hex;
}

template <class T>
void compare(std::int16_t version, bool full, const std::string& golden) {
  SCOPED_TRACE(std::string(T::kName) + " " + std::to_string(version) + (full ? " full" : " least"));
  test::PatternFiller filler(version, full);
  T message;
  filler.structure(message);
  std::vector<std::byte> bytes(encoded_size(message, version));
  Writer out(bytes);
  encode(message, version, out);
  EXPECT_EQ(out.remaining(), 0U);
  EXPECT_EQ(to_hex(bytes), golden) << to_text(message, version);
  const auto decoded = decode<T>(bytes, version);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_TRUE(*decoded == message) << to_text(*decoded, version);
}

TEST(Golden, every_message_is_written_and_read_as_kafka_does) {
  auto bodies = golden_bodies();
  ASSERT_GT(bodies.size(), 700U);
  for_each_message([&]<class T>() {
    for (std::int16_t version = T::kVersions.min; version <= T::kVersions.max; ++version) {
      for (const bool full : {true, false}) {
        const auto found = bodies.find({std::string(T::kName), version, full ? "full" : "least"});
        ASSERT_NE(found, bodies.end()) << T::kName << " " << version;
        compare<T>(version, full, found->second);
        bodies.erase(found);
      }
    }
  });
  EXPECT_TRUE(bodies.empty()) << "bytes of a message or version that we do not have, such as "
                              << std::get<0>(bodies.begin()->first);
}

}  // namespace
}  // namespace millrace::wire
