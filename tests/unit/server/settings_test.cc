#include "server/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Result<Settings> make(std::vector<std::pair<std::string, std::string>> values) {
  std::vector<SettingEntry> entries;
  for (auto& [name, value] : values) {
    entries.push_back({name, value, "f:" + std::to_string(entries.size() + 1)});
  }
  return Settings::make(entries);
}

std::string refusal(std::vector<std::pair<std::string, std::string>> values) {
  const auto settings = make(std::move(values));
  return settings ? "accepted" : settings.error().message;
}

TEST(Settings, an_empty_file_is_a_whole_node) {
  const auto settings = make({});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->node_id(), BrokerId(1));
  EXPECT_EQ(settings->listeners(), (std::vector<Listener>{{"PLAINTEXT", "", 9092}}));
  EXPECT_EQ(settings->number("num.partitions"), 1);
  EXPECT_EQ(settings->text("millrace.durability"), "fsync");
  EXPECT_TRUE(settings->flag("auto.create.topics.enable"));
  EXPECT_EQ(settings->maybe_number("log.retention.ms"), std::nullopt);
  EXPECT_THAT(settings->warnings(), IsEmpty());
  EXPECT_THAT(settings->all_set(), IsEmpty());
}

TEST(Settings, an_unknown_key_is_refused_with_its_line_and_the_nearest_key) {
  EXPECT_EQ(refusal({{"node.id", "1"}, {"num.partition", "2"}}),
            "f:2: unknown setting num.partition; did you mean num.partitions?");
}

TEST(Settings, of_an_unknown_key_the_one_that_was_meant_is_named) {
  const auto meant = [](const std::string& key) { return refusal({{key, "1"}}); };
  EXPECT_THAT(meant("retention.ms"), HasSubstr("did you mean log.retention.ms?"));
  EXPECT_THAT(meant("segment.bytes"), HasSubstr("did you mean log.segment.bytes?"));
  EXPECT_THAT(meant("cleanup.policy"), HasSubstr("did you mean log.cleanup.policy?"));
  EXPECT_THAT(meant("max.message.bytes"), HasSubstr("did you mean message.max.bytes?"));
  EXPECT_THAT(meant("log.dirz"), HasSubstr("did you mean log.dirs?"));
  EXPECT_THAT(meant("num.shards"), HasSubstr("did you mean millrace.shards?"));
  EXPECT_THAT(meant("kafka.log.dirs"), HasSubstr("did you mean log.dirs?"));
  EXPECT_THAT(meant("listner"), HasSubstr("did you mean listeners?"));
  EXPECT_THAT(meant("zzz"), HasSubstr("docs/settings.md lists what there is"));
}

TEST(Settings, every_line_that_is_wrong_is_named) {
  const std::string said = refusal({{"no.such", "1"}, {"node.id", "1"}, {"num.partitions", "0"}, {"nor.this", "2"}});
  EXPECT_THAT(said, HasSubstr("f:1: unknown setting no.such"));
  EXPECT_THAT(said, HasSubstr("f:3: Invalid value 0"));
  EXPECT_THAT(said, HasSubstr("f:4: unknown setting nor.this"));
}

TEST(Settings, a_bad_value_is_refused_in_the_words_of_kafka) {
  EXPECT_EQ(refusal({{"num.partitions", "0"}}),
            "f:1: Invalid value 0 for configuration num.partitions: Value must be at least 1");
}

TEST(Settings, of_a_key_given_twice_the_last_holds_with_a_warning) {
  const auto settings = make({{"num.partitions", "2"}, {"num.partitions", "3"}});
  EXPECT_EQ(settings->number("num.partitions"), 3);
  EXPECT_THAT(settings->warnings(),
              ElementsAre(HasSubstr("f:2: num.partitions was set before, at f:1")));
}

TEST(Settings, a_key_without_effect_warns_only_when_it_is_changed) {
  EXPECT_THAT(make({{"num.io.threads", "8"}})->warnings(), IsEmpty());
  EXPECT_THAT(make({{"num.io.threads", "16"}})->warnings(),
              ElementsAre(HasSubstr("num.io.threads changes nothing")));
}

TEST(Settings, what_this_version_does_not_have_is_refused_unless_default) {
  EXPECT_THAT(refusal({{"authorizer.class.name", "org.example.A"}}), HasSubstr("no authorisation"));
  EXPECT_THAT(refusal({{"remote.log.storage.system.enable", "true"}}),
              HasSubstr("no remote storage"));
  EXPECT_EQ(refusal({{"remote.log.storage.system.enable", "false"}}), "accepted");
  EXPECT_EQ(refusal({{"security.inter.broker.protocol", "PLAINTEXT"}}), "accepted");
}

TEST(Settings, a_default_of_topics_obeys_the_rule_of_the_topics_configuration) {
  EXPECT_THAT(refusal({{"log.cleanup.policy", "shrink"}}), HasSubstr("shrink"));
  EXPECT_EQ(refusal({{"log.cleanup.policy", "compact"}}), "accepted");
  EXPECT_EQ(refusal({{"log.cleanup.policy", "delete"}}), "accepted");
}

TEST(Settings, a_secret_is_not_repeated_in_an_error) {
  EXPECT_THAT(refusal({{"delegation.token.secret.key", "hunter2"}}),
              testing::Not(HasSubstr("hunter2")));
}

TEST(Settings, a_listener_that_is_not_plaintext_is_refused) {
  EXPECT_THAT(refusal({{"listeners", "SSL://:9093,PLAINTEXT://:9092"}}),
              HasSubstr("PLAINTEXT only"));
  EXPECT_THAT(refusal({{"listeners", "OUTSIDE://:9092"}}), HasSubstr("add OUTSIDE:PLAINTEXT"));
  EXPECT_EQ(refusal({{"listeners", "OUTSIDE://:9092"},
                     {"listener.security.protocol.map", "OUTSIDE:PLAINTEXT"}}),
            "accepted");
}

TEST(Settings, controller_listeners_are_not_for_clients) {
  const auto settings = make({{"listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"}});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->client_listeners().size(), 1u);
  EXPECT_THAT(refusal({{"listeners", "CONTROLLER://:9093"}}),
              HasSubstr("there is none for clients"));
}

TEST(Settings, every_client_listener_is_advertised_with_a_host_that_can_be_reached) {
  const auto settings =
      make({{"listeners", "PLAINTEXT://:9092,OUT://0.0.0.0:9094"},
            {"listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,OUT:PLAINTEXT"},
            {"advertised.listeners", "OUT://broker.example:19094"}});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_THAT(
      settings->advertised_listeners("here"),
      ElementsAre(Listener{"PLAINTEXT", "here", 9092}, Listener{"OUT", "broker.example", 19094}));
  EXPECT_THAT(refusal({{"advertised.listeners", "PLAINTEXT://0.0.0.0:9092"}}),
              HasSubstr("clients cannot connect"));
  EXPECT_THAT(refusal({{"advertised.listeners", "X://a:1"}}), HasSubstr("not in listeners"));
}

TEST(Settings, a_listener_is_read_with_name_host_and_port) {
  EXPECT_EQ(*parse_listener("plaintext://[::1]:9092"), (Listener{"PLAINTEXT", "::1", 9092}));
  EXPECT_EQ(*parse_listener("A://h:0"), (Listener{"A", "h", 0}));
  for (const std::string_view bad :
       {"9092", "A:9092", "A://h", "A://h:", "A://h:70000", "://h:1", "A://::1:9092", "A://h:9x"}) {
    EXPECT_FALSE(parse_listener(bad)) << bad;
  }
}

TEST(Settings, this_version_is_a_combined_single_node) {
  EXPECT_THAT(refusal({{"process.roles", "broker"}}), HasSubstr("process.roles=broker,controller"));
  EXPECT_THAT(refusal({{"controller.quorum.voters", "1@a:1,2@b:1,3@c:1"}}),
              HasSubstr("single node"));
  EXPECT_EQ(refusal({{"node.id", "3"}, {"controller.quorum.voters", "3@a:1"}}), "accepted");
}

TEST(Settings, broker_id_stands_for_node_id) {
  EXPECT_EQ(make({{"broker.id", "7"}})->node_id(), BrokerId(7));
  EXPECT_THAT(refusal({{"broker.id", "7"}, {"node.id", "8"}}), HasSubstr("leave broker.id out"));
}

TEST(Settings, log_dirs_outweighs_log_dir) {
  EXPECT_THAT(make({{"log.dir", "/a"}, {"log.dirs", "/b, /c"}})->log_dirs(),
              ElementsAre("/b", "/c"));
  EXPECT_THAT(make({{"log.dir", "/a"}})->log_dirs(), ElementsAre("/a"));
  EXPECT_THAT(refusal({{"log.dirs", "/a,/a"}}), HasSubstr("twice"));
}

TEST(Settings, keys_of_one_listener_and_of_plugins_are_accepted) {
  EXPECT_EQ(refusal({{"listener.name.internal.ssl.protocol", "TLSv1.3"}}), "accepted");
  EXPECT_EQ(refusal({{"rsm.config.bucket", "b"}}), "accepted");
  EXPECT_THAT(refusal({{"listener.name.internal.nonsense", "1"}}), HasSubstr("unknown setting"));
}

TEST(Settings, a_listener_may_have_a_limit_of_its_own) {
  const auto settings = make({{"listener.name.plaintext.max.connections", "2"}});
  EXPECT_EQ(settings->connections_per_listener(), (std::map<std::string, std::int64_t>{{"PLAINTEXT", 2}}));
  EXPECT_EQ(settings->number("max.connections"), 2147483647);
  EXPECT_THAT(settings->warnings(), testing::IsEmpty());
  EXPECT_THAT(refusal({{"listener.name.plaintext.max.connections", "two"}}), HasSubstr("max.connections"));
}

TEST(Settings, a_key_of_one_listener_that_changes_nothing_says_why) {
  const auto settings = make({{"listener.name.plaintext.num.network.threads", "2"}});
  ASSERT_EQ(settings->warnings().size(), 1U);
  EXPECT_FALSE(settings->warnings()[0].ends_with(": "));
}

TEST(Settings, a_limit_by_address_that_is_no_pair_is_refused) {
  for (const char* wrong : {"foo", "1.2.3.4", "127.0.0.1:x", ":5", "h:-1"}) {
    EXPECT_THAT(refusal({{"max.connections.per.ip.overrides", wrong}}), HasSubstr("is not address:limit")) << wrong;
  }
  EXPECT_THAT(refusal({{"max.connections.per.ip", "0"}}), HasSubstr("says who may connect"));
  EXPECT_EQ(refusal({{"max.connections.per.ip", "0"}, {"max.connections.per.ip.overrides", "::1:3"}}), "accepted");
}

// What a mistyped line would delete is gone.
TEST(Settings, no_broker_keeps_records_for_no_time_at_all) {
  for (const char* key : {"log.retention.ms", "log.retention.minutes", "log.retention.hours"}) {
    EXPECT_THAT(refusal({{key, "0"}}), HasSubstr(std::string(key) + " must be unlimited (-1)")) << key;
    EXPECT_EQ(refusal({{key, "-1"}}), "accepted") << key;
  }
}

TEST(Settings, what_contradicts_another_setting_is_refused) {
  EXPECT_THAT(refusal({{"log.cleaner.dedupe.buffer.size", "1048576"}}), HasSubstr("more than 1 MiB"));
  EXPECT_THAT(refusal({{"log.cleaner.dedupe.buffer.size", "3000000"}, {"log.cleaner.threads", "3"}}), HasSubstr("each of the 3"));
  EXPECT_THAT(refusal({{"group.consumer.min.session.timeout.ms", "70000"}}), HasSubstr("above group.consumer.max.session.timeout.ms"));
  EXPECT_THAT(refusal({{"group.consumer.heartbeat.interval.ms", "1000"}}), HasSubstr("between 5000 and 15000"));
  EXPECT_THAT(refusal({{"offsets.topic.compression.codec", "9"}}), HasSubstr("offsets.topic.compression.codec"));
}

}  // namespace
}  // namespace millrace::server
