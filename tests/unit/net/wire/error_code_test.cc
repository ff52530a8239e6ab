#include "net/wire/error_code.h"

#include <gtest/gtest.h>

namespace millrace::wire {
namespace {

TEST(ErrorCode, names_are_kafkas) {
  EXPECT_EQ(error_name(ErrorCode::none), "NONE");
  EXPECT_EQ(error_name(ErrorCode::unknown_server_error), "UNKNOWN_SERVER_ERROR");
  EXPECT_EQ(error_name(ErrorCode::not_leader_or_follower), "NOT_LEADER_OR_FOLLOWER");
  EXPECT_EQ(static_cast<int>(ErrorCode::share_session_limit_reached), 133);
}

TEST(ErrorCode, codes_run_from_minus_1_to_133_without_a_gap) {
  std::int16_t expected = -1;
  for (const ErrorInfo& error : all_errors()) {
    EXPECT_EQ(static_cast<std::int16_t>(error.code), expected++) << error.name;
    EXPECT_EQ(error.text.empty(), error.code == ErrorCode::none) << error.name;
  }
  EXPECT_EQ(expected, 134);
}

TEST(ErrorCode, clients_may_retry_what_passes_by_itself) {
  EXPECT_TRUE(is_retriable(ErrorCode::not_enough_replicas));
  EXPECT_TRUE(is_retriable(ErrorCode::kafka_storage_error));
  EXPECT_FALSE(is_retriable(ErrorCode::topic_already_exists));
  EXPECT_FALSE(is_retriable(ErrorCode::none));
}

TEST(ErrorCode, a_code_of_a_later_kafka_is_an_unknown_server_error) {
  EXPECT_EQ(error_name(static_cast<ErrorCode>(9999)), "UNKNOWN_SERVER_ERROR");
}

}  // namespace
}  // namespace millrace::wire
