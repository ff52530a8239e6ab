#include "server/settings_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::server {
namespace {

using testing::HasSubstr;

SettingEntry only_entry(std::string_view text) {
  const auto entries = parse_properties(text, "f");
  EXPECT_TRUE(entries);
  EXPECT_EQ(entries->size(), 1u);
  return entries->front();
}

TEST(SettingsFile, key_and_value_are_parted_by_equals_colon_or_blank) {
  for (const std::string_view text :
       {"a.b=c d", "a.b = c d", "a.b:c d", "a.b c d", "  a.b\t=\tc d", "a.b : c d  "}) {
    EXPECT_EQ(only_entry(text).name, "a.b") << text;
    EXPECT_EQ(only_entry(text).value, "c d") << text;
  }
}

TEST(SettingsFile, only_the_first_separator_counts) {
  EXPECT_EQ(only_entry("listeners=PLAINTEXT://:9092").value, "PLAINTEXT://:9092");
  EXPECT_EQ(only_entry("a==b").value, "=b");
}

TEST(SettingsFile, a_backslash_continues_a_line_and_drops_the_blanks_that_follow) {
  const SettingEntry entry = only_entry("# first\r\nlog.dirs=/a,\\\r\n   /b\r\n");
  EXPECT_EQ(entry.value, "/a,/b");
  EXPECT_EQ(entry.where, "f:2");
  EXPECT_EQ(only_entry("a=b\\\\\n").value, "b\\");
}

TEST(SettingsFile, comments_and_empty_lines_are_skipped_and_counted) {
  const auto entries = parse_properties("# c\n\n  ! c = d\na=1\n\nb=2", "f");
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ(entries->at(0).where, "f:4");
  EXPECT_EQ(entries->at(1).where, "f:6");
}

TEST(SettingsFile, escapes_are_those_of_java) {
  EXPECT_EQ(only_entry("a\\ b\\=c=d\\te\\u00e9\\q").name, "a b=c");
  EXPECT_EQ(only_entry("a\\ b\\=c=d\\te\\u00e9\\q").value, "d\te\xc3\xa9q");
}

TEST(SettingsFile, a_key_without_value_is_empty) {
  EXPECT_EQ(only_entry("a").value, "");
  EXPECT_EQ(only_entry("a=").value, "");
}

TEST(SettingsFile, a_bad_escape_is_an_error_with_its_line) {
  const auto entries = parse_properties("a=1\nb=\\u12", "f");
  ASSERT_FALSE(entries);
  EXPECT_THAT(entries.error().message, HasSubstr("f:2"));
}

TEST(SettingsFile, an_override_needs_an_equals_sign) {
  EXPECT_FALSE(parse_override("num.partitions"));
  EXPECT_EQ(parse_override("a=b=c")->value, "b=c");
}

TEST(SettingsFile, a_missing_file_is_named) {
  const auto settings = load_settings("no/such/file.properties", {});
  ASSERT_FALSE(settings);
  EXPECT_THAT(settings.error().message, HasSubstr("no/such/file.properties"));
}

// The lines that matter of the file Kafka 4.2 ships as config/server.properties.
TEST(SettingsFile, takes_the_file_that_kafka_ships) {
  const auto entries = parse_properties(R"(
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
)",
                                        "server.properties");
  ASSERT_TRUE(entries);
  const auto settings = Settings::make(*entries);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->client_listeners(), (std::vector<Listener>{{"PLAINTEXT", "", 9092}}));
  EXPECT_EQ(settings->advertised_listeners("h"),
            (std::vector<Listener>{{"PLAINTEXT", "localhost", 9092}}));
  EXPECT_EQ(settings->metadata_log_dir(), "/tmp/kraft-combined-logs");
}

}  // namespace
}  // namespace millrace::server
