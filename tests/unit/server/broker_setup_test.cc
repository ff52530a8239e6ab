// What the broker is told of what the settings say.
#include "server/broker_setup.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/check.h"

namespace millrace::server {
namespace {

engine::BrokerOptions options_of(std::vector<SettingEntry> entries) {
  const auto settings = Settings::make(entries);
  CHECK(settings.has_value(), "{}", settings.error().message);
  return broker_options(*settings, 1);
}

TEST(BrokerSetup, offsets_that_are_to_be_kept_for_as_long_as_can_be_said_are_kept) {
  const auto options = options_of({{"offsets.retention.minutes", "2147483647", "f:1"}});
  EXPECT_GE(options.groups.offsets_retention, std::chrono::hours(24 * 365 * 10));
  EXPECT_EQ(options_of({{"offsets.retention.minutes", "3", "f:1"}}).groups.offsets_retention,
            std::chrono::minutes(3));
}

TEST(BrokerSetup, what_is_to_be_looked_at_never_is_not_looked_at_all_the_time) {
  const auto options = options_of({{"offsets.retention.check.interval.ms", "9223372036854775807", "f:1"}});
  EXPECT_GE(options.groups.offsets_retention_check, std::chrono::hours(24 * 365 * 10));
}

}  // namespace
}  // namespace millrace::server
