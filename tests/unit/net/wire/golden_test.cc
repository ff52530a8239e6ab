// Every message in every version against the bytes that Kafka's own serializers made of the same
// values.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "base/bytes.h"
#include "tests/support/any_message.h"

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

TEST(Golden, every_message_is_written_and_read_as_kafka_does) {
  auto bodies = golden_bodies();
  ASSERT_GT(bodies.size(), 700U);
  for (const test::AnyMessage& message : test::any_messages()) {
    for (std::int16_t version = message.versions.min; version <= message.versions.max; ++version) {
      for (const bool full : {true, false}) {
        const Key key{message.name, version, full ? "full" : "least"};
        const auto found = bodies.find(key);
        ASSERT_NE(found, bodies.end()) << message.name << " " << version;
        const test::Drawn drawn = message.pattern(version, full);
        EXPECT_EQ(to_hex(drawn.body), found->second)
            << message.name << " " << version << drawn.text;
        EXPECT_TRUE(drawn.reads_back) << message.name << " " << version << drawn.text;
        bodies.erase(found);
      }
    }
  }
  EXPECT_TRUE(bodies.empty()) << "bytes of a message or version that we do not have, such as "
                              << std::get<0>(bodies.begin()->first);
}

}  // namespace
}  // namespace millrace::wire
