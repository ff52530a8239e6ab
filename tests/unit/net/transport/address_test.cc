#include "net/transport/address.h"

#include <gtest/gtest.h>

#include "net/transport/log_limit.h"

namespace millrace::net {
namespace {

TEST(Address, is_read_back_from_its_text) {
  for (const Address& address : {Address{"127.0.0.1", 9092}, Address{"::1", 1},
                                 Address{"broker.example", 65535}, Address{"", 80}}) {
    const auto parsed = parse_address(to_text(address));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, address);
  }
}

TEST(Address, text_that_is_none_is_refused) {
  for (const char* text : {"", "host", "host:", "host:x", "host:65536", "host:-1", "::1:9092"}) {
    const auto parsed = parse_address(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Errc::invalid_argument);
  }
}

TEST(Address, goes_to_the_kernel_s_form_and_back) {
  for (const Address& address : {Address{"127.0.0.1", 9092}, Address{"::1", 1}}) {
    const auto socket_address = to_socket_address(address);
    ASSERT_TRUE(socket_address);
    EXPECT_EQ(from_socket_address(*socket_address), address);
  }
  EXPECT_EQ(from_socket_address(*to_socket_address({"::ffff:10.1.2.3", 7})).host, "10.1.2.3");
  EXPECT_FALSE(to_socket_address({"localhost", 1}));
}

TEST(LogLimit, lets_so_many_lines_a_second_through_and_counts_the_others) {
  LogLimit limit(2);
  const Instant start{std::chrono::seconds(100)};
  EXPECT_TRUE(limit.allow(start));
  EXPECT_TRUE(limit.allow(start));
  EXPECT_FALSE(limit.allow(start));
  EXPECT_FALSE(limit.allow(start + std::chrono::milliseconds(900)));
  EXPECT_TRUE(limit.allow(start + std::chrono::seconds(1)));
  EXPECT_EQ(limit.take_suppressed(), 2);
  EXPECT_EQ(limit.take_suppressed(), 0);
}

}  // namespace
}  // namespace millrace::net
