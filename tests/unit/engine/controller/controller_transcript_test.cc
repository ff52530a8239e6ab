// The controller by transcripts (*.txt beside this file): each command is a step, whose records are
// applied at once. Every transcript ends with a replay of all its records, which must give the
// state the live machine has.
#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "engine/controller/bootstrap.h"
#include "engine/controller/controller_machine.h"
#include "net/wire/message.h"
#include "tests/support/transcript.h"

namespace millrace::engine {
namespace {

using tests::TranscriptCommand;

constexpr std::array kBrokerConfigs{
    ConfigDefinition{.name = "group.consumer.heartbeat.interval.ms", .type = ConfigType::integer, .default_value = "5000"},
    ConfigDefinition{.name = "group.consumer.max.heartbeat.interval.ms", .type = ConfigType::integer, .default_value = "15000"},
    ConfigDefinition{.name = "group.consumer.max.session.timeout.ms", .type = ConfigType::integer, .default_value = "60000"},
    ConfigDefinition{.name = "group.consumer.min.heartbeat.interval.ms", .type = ConfigType::integer, .default_value = "5000"},
    ConfigDefinition{.name = "group.consumer.min.session.timeout.ms", .type = ConfigType::integer, .default_value = "45000"},
    ConfigDefinition{.name = "group.consumer.session.timeout.ms", .type = ConfigType::integer, .default_value = "45000"},
    ConfigDefinition{.name = "log.cleaner.dedupe.buffer.size", .type = ConfigType::long_integer, .default_value = "134217728",
                     .update = ConfigUpdate::cluster_wide},
    ConfigDefinition{.name = "log.cleaner.threads", .type = ConfigType::integer, .default_value = "1",
                     .update = ConfigUpdate::cluster_wide},
    ConfigDefinition{.name = "log.retention.ms",
                     .type = ConfigType::long_integer,
                     .update = ConfigUpdate::cluster_wide},
    ConfigDefinition{.name = "max.connections.per.ip", .type = ConfigType::integer, .default_value = "2147483647",
                     .update = ConfigUpdate::cluster_wide},
    ConfigDefinition{.name = "max.connections.per.ip.overrides", .type = ConfigType::string, .default_value = "",
                     .update = ConfigUpdate::cluster_wide},
    ConfigDefinition{.name = "min.insync.replicas", .type = ConfigType::integer, .default_value = "1",
                     .update = ConfigUpdate::cluster_wide},
    ConfigDefinition{.name = "node.id", .type = ConfigType::integer},
};

Uuid numbered(std::uint64_t kind, long long n) {
  return Uuid::from_halves(kind, static_cast<std::uint64_t>(n));
}

class World {
 public:
  World() {
    options_.node_id = BrokerId(1);
    options_.broker_configs = kBrokerConfigs;
    reset();
  }

  std::string handle(const TranscriptCommand& command) {
    static const std::map<std::string, std::string (World::*)(const TranscriptCommand&)> kCommands{
        {"activate", &World::activate},
        {"register", &World::register_broker},
        {"heartbeat", &World::heartbeat},
        {"unregister", &World::unregister},
        {"create", &World::create},
        {"delete", &World::remove},
        {"partitions", &World::partitions},
        {"alter", &World::alter},
        {"replace", &World::replace},
        {"features", &World::features},
        {"ids", &World::ids},
        {"places", &World::places},
        {"advance", &World::advance},
        {"options", &World::set_options},
        {"restart", &World::restart},
        {"state", &World::state},
    };
    const auto found = kCommands.find(command.name);
    if (found == kCommands.end()) return "no such command: " + command.name;
    return (this->*found->second)(command);
  }

  // The log, applied to a fresh machine, makes the same state.
  void expect_replay_gives_the_same() {
    ControllerMachine again(options_, identity(), 99);
    for (std::size_t i = 0; i < log_.size(); ++i) {
      const auto decoded = decode_record(encode_record(log_[i]));
      ASSERT_TRUE(decoded) << decoded.error().message;
      ASSERT_TRUE(again.apply(decoded->record, Offset(static_cast<std::int64_t>(i))));
    }
    EXPECT_TRUE(again.image().same_contents(machine_->image()));
  }

 private:
  ImageBuilder identity() {
    ImageBuilder builder;
    builder.set_identity("cluster", BrokerId(1));
    return builder;
  }
  void reset() { machine_ = std::make_unique<ControllerMachine>(options_, identity(), 1); }
  void start_over() {
    log_.clear();
    reset();
  }

  // One step; its records applied and printed, then the reply.
  std::string step(ControllerEvent event) {
    ControllerEffects out;
    machine_->step({std::move(event), Offset(static_cast<std::int64_t>(log_.size()))}, now_, out);
    std::string text;
    for (VersionedRecord& record : out.records) {
      text += fmt::format("{} {}\n", log_.size(), printed(record));
      const auto applied =
          machine_->apply(record.record, Offset(static_cast<std::int64_t>(log_.size())));
      if (!applied) text += "NOT APPLIED: " + applied.error().message + "\n";
      log_.push_back(std::move(record));
    }
    machine_->check_invariants();
    for (ControllerReply& reply : out.replies) {
      text +=
          "=> " + std::visit([this](auto& answer) { return print_reply(answer); }, reply) + "\n";
    }
    wake_at_ = out.wake_at;
    return text;
  }

  // Drawn ids are shown by the name of their topic.
  std::string printed(const VersionedRecord& record) {
    if (const auto* topic = std::get_if<TopicRecord>(&record.record))
      names_[topic->topic_id] = topic->name;
    std::string text = describe_record(record);
    const auto type = text.find("\"type\":\"") + 8;
    const auto data = text.find("\"data\":") + 7;
    text = fmt::format("{} v{} {}", text.substr(type, text.find('"', type) - type), record.version,
                       text.substr(data, text.size() - data - 1));
    return with_names(std::move(text));
  }
  std::string with_names(std::string text) const {
    for (const auto& [id, name] : names_) {
      for (auto at = text.find(id.to_string()); at != std::string::npos;
           at = text.find(id.to_string(), at)) {
        text.replace(at, 22, "<" + name + ">");
      }
    }
    return text;
  }

  std::string print_reply(OperationResult& answer) {
    return error(answer.error) + " " + answer.message;
  }
  std::string print_reply(RegisterBrokerResult& answer) {
    return fmt::format("{} epoch={} {}", error(answer.error), answer.epoch.value(), answer.message);
  }
  std::string print_reply(BrokerHeartbeatResult& answer) {
    return fmt::format("{} caught_up={} fenced={} shut_down={}", error(answer.error),
                       answer.is_caught_up, answer.is_fenced, answer.should_shut_down);
  }
  std::string print_reply(ProducerIdBlock& answer) {
    return fmt::format("{} first={} count={}", error(answer.error), answer.first.value(),
                       answer.count);
  }
  std::string print_reply(Reply<wire::CreateTopicsResponse>& answer) {
    // Of the configurations only those of the topic itself: the rest is the table's defaults.
    for (auto& topic : answer.response.topics) {
      if (topic.configs)
        std::erase_if(*topic.configs, [](const auto& config) { return config.config_source != 1; });
    }
    return with_names(wire::to_text(answer.response, 7));
  }
  std::string print_reply(Reply<wire::DeleteTopicsResponse>& answer) {
    return with_names(wire::to_text(answer.response, 6));
  }
  std::string print_reply(Reply<wire::CreatePartitionsResponse>& answer) {
    return wire::to_text(answer.response, 3);
  }
  std::string print_reply(Reply<wire::IncrementalAlterConfigsResponse>& answer) {
    return wire::to_text(answer.response, 1);
  }
  std::string print_reply(Reply<wire::AlterConfigsResponse>& answer) {
    return wire::to_text(answer.response, 2);
  }
  std::string print_reply(Reply<wire::UpdateFeaturesResponse>& answer) {
    return wire::to_text(answer.response, 1);
  }
  static std::string error(wire::ErrorCode code) { return std::string(wire::error_name(code)); }

  std::string set_options(const TranscriptCommand& command) {
    options_.default_partitions = static_cast<std::int32_t>(command.number("partitions", 1));
    options_.default_replication_factor =
        static_cast<std::int16_t>(command.number("replication", 1));
    options_.delete_topics_enabled = command.number("delete", 1) != 0;
    start_over();
    return "";
  }
  // A machine made from the log, as after a restart of the process.
  std::string restart(const TranscriptCommand&) {
    reset();
    for (std::size_t i = 0; i < log_.size(); ++i) {
      CHECK(machine_->apply(log_[i].record, Offset(static_cast<std::int64_t>(i))).has_value());
    }
    return step(Activate{});
  }
  std::string activate(const TranscriptCommand& command) {
    // Without further features, unless those of a new cluster are asked for: fewer lines to read.
    const auto version = static_cast<std::int16_t>(command.number("version", 25));
    FeatureLevels alone;
    alone.set(std::string(kMetadataVersionFeature), version);
    options_.bootstrap_records =
        command.number("features") == 1 ? default_bootstrap_records(version) : bootstrap_records(alone);
    start_over();
    return step(Activate{});
  }
  std::string register_broker(const TranscriptCommand& command) {
    RegisterBroker question{
        .id = BrokerId(static_cast<int>(command.number("id"))),
        .cluster_id = command.text("cluster", "cluster"),
        .incarnation_id = numbered(8, command.number("start", 1)),
        .listeners = {{"PLAINTEXT", "localhost", 9092, 0}},
        .features = {
            {"metadata.version", 7, static_cast<std::int16_t>(command.number("max_version", 25))}}};
    if (command.number("features") == 1) question.features = feature_ranges();
    if (command.has("rack")) question.rack = command.text("rack");
    for (const long long n : command.numbers("dirs"))
      question.log_directories.push_back(numbered(7, n));
    if (!command.has("dirs")) question.log_directories = {numbered(7, question.id.value())};
    return step(std::move(question));
  }
  std::string heartbeat(const TranscriptCommand& command) {
    BrokerHeartbeat question{.id = BrokerId(static_cast<int>(command.number("id"))),
                             .epoch = BrokerEpoch(command.number("epoch")),
                             .metadata_offset = Offset(command.number("offset")),
                             .want_fence = command.number("want_fence") != 0,
                             .want_shutdown = command.number("want_shutdown") != 0};
    for (const long long n : command.numbers("offline"))
      question.offline_directories.push_back(numbered(7, n));
    return step(std::move(question));
  }
  std::string unregister(const TranscriptCommand& command) {
    return step(UnregisterBroker{BrokerId(static_cast<int>(command.number("id")))});
  }
  std::string ids(const TranscriptCommand& command) {
    return step(AllocateProducerIds{BrokerId(static_cast<int>(command.number("broker"))),
                                    BrokerEpoch(command.number("epoch"))});
  }
  // places id=1 epoch=9 replicas=(foo-0 foo-1) in=(71 72)
  std::string places(const TranscriptCommand& command) {
    AssignDirectories question{.broker = BrokerId(static_cast<int>(command.number("id"))),
                               .broker_epoch = BrokerEpoch(command.number("epoch")),
                               .replicas = {}};
    const auto directories = command.numbers("in");
    for (const std::string& name : command.list("replicas")) {
      const auto dash = name.find('-');
      const TopicImage* topic = machine_->image().topics.find(name.substr(0, dash));
      const PartitionIndex index(std::stoi(name.substr(dash + 1)));
      question.replicas.push_back({{topic == nullptr ? numbered(6, 6) : topic->id, index},
                                   numbered(7, directories.at(question.replicas.size()))});
    }
    return step(std::move(question));
  }
  std::string advance(const TranscriptCommand& command) {
    now_ += from_ms(std::stoll(command.words.at(0)));
    std::string text = step(Tick{});
    return text.empty() ? "nothing" : text;
  }
  static std::vector<std::int32_t> brokers(const std::string& text) {
    std::vector<std::int32_t> found;
    std::string digits;
    for (const char c : text + ",") {
      if (c != ',')
        digits += c;
      else if (!digits.empty())
        found.push_back(std::stoi(std::exchange(digits, {})));
    }
    return found;
  }
  // create foo partitions=1 replication=1 configs=(k=v) assign=(1,2 2,1)
  std::string create(const TranscriptCommand& command) {
    wire::CreateTopicsRequest request{.validate_only = command.number("validate_only") != 0};
    std::deque<std::string> texts;
    for (const std::string& name : command.words) {
      auto& topic = request.topics.emplace_back();
      topic.name = texts.emplace_back(name == "empty" ? "" : name);
      topic.num_partitions = static_cast<std::int32_t>(command.number("partitions", -1));
      topic.replication_factor = static_cast<std::int16_t>(command.number("replication", -1));
      std::int32_t index = 0;
      for (const std::string& assignment : command.list("assign")) {
        topic.assignments.push_back({index++, brokers(assignment)});
      }
      if (command.has("first_index")) {
        topic.assignments.front().partition_index =
            static_cast<std::int32_t>(command.number("first_index"));
      }
      for (const std::string& config : command.list("configs")) {
        const auto equals = config.find('=');
        const std::string_view key = texts.emplace_back(config.substr(0, equals));
        if (equals == std::string::npos)
          topic.configs.push_back({key, std::nullopt});
        else
          topic.configs.push_back({key, texts.emplace_back(config.substr(equals + 1))});
      }
    }
    return step(&request);
  }
  std::string remove(const TranscriptCommand& command) {
    wire::DeleteTopicsRequest request;
    for (const std::string& name : command.words)
      request.topics.push_back({.name = name, .topic_id = {}});
    for (const std::string& name : command.list("by_id")) {
      const TopicImage* topic = machine_->image().topics.find(name);
      request.topics.push_back(
          {.name = std::nullopt, .topic_id = topic == nullptr ? numbered(6, 6) : topic->id});
    }
    if (command.has("neither")) request.topics.push_back({});
    return step(&request);
  }
  std::string partitions(const TranscriptCommand& command) {
    wire::CreatePartitionsRequest request{.validate_only = command.number("validate_only") != 0};
    for (const std::string& name : command.words) {
      auto& topic = request.topics.emplace_back();
      topic.name = name;
      topic.count = static_cast<std::int32_t>(command.number("count"));
      topic.assignments.reset();
      for (const std::string& assignment : command.list("assign")) {
        if (!topic.assignments) topic.assignments.emplace();
        topic.assignments->push_back({brokers(assignment)});
      }
    }
    return step(&request);
  }
  static std::int8_t resource_type(const std::string& word) {
    return word == "topic" ? 2 : word == "broker" ? 4 : word == "group" ? 32 : 0;
  }
  // alter topic foo set=(k=v) delete=(k) append=(k=v) subtract=(k=v)
  std::string alter(const TranscriptCommand& command) {
    wire::IncrementalAlterConfigsRequest request{.validate_only =
                                                     command.number("validate_only") != 0};
    std::deque<std::string> texts;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = resource_type(command.words.at(0));
    if (command.words.size() > 1) resource.resource_name = command.words[1];
    std::int8_t operation = 0;
    for (const char* key : {"set", "delete", "append", "subtract"}) {
      for (const std::string& config : command.list(key)) {
        const auto equals = config.find('=');
        const std::string_view name = texts.emplace_back(config.substr(0, equals));
        if (equals == std::string::npos)
          resource.configs.push_back({name, operation, std::nullopt});
        else
          resource.configs.push_back(
              {name, operation, texts.emplace_back(config.substr(equals + 1))});
      }
      ++operation;
    }
    return step(&request);
  }
  std::string replace(const TranscriptCommand& command) {
    wire::AlterConfigsRequest request;
    std::deque<std::string> texts;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = resource_type(command.words.at(0));
    if (command.words.size() > 1) resource.resource_name = command.words[1];
    for (const std::string& config : command.list("set")) {
      const auto equals = config.find('=');
      const std::string_view name = texts.emplace_back(config.substr(0, equals));
      resource.configs.push_back({name, texts.emplace_back(config.substr(equals + 1))});
    }
    return step(&request);
  }
  std::string features(const TranscriptCommand& command) {
    wire::UpdateFeaturesRequest request;
    request.feature_updates.push_back(
        {.feature = command.words.at(0),
         .max_version_level = static_cast<std::int16_t>(command.number("level")),
         .upgrade_type = static_cast<std::int8_t>(command.number("type", 1))});
    return step(&request);
  }
  std::string state(const TranscriptCommand&) {
    std::string text;
    const MetadataImage& image = machine_->image();
    image.brokers.for_each([&](BrokerId id, const BrokerImage& broker) {
      text += fmt::format("broker {} epoch={} fenced={} shutting_down={}\n", id.value(),
                          broker.epoch.value(), broker.fenced, broker.in_controlled_shutdown);
    });
    image.topics.for_each([&](const TopicImage& topic) {
      topic.partitions.for_each([&](PartitionIndex index, const PartitionImage& partition) {
        text += fmt::format(
            "{}-{} replicas=({}) isr=({}) leader={} leader_epoch={} partition_epoch={}\n",
            topic.name, index.value(), joined(partition.replicas), joined(partition.isr),
            partition.leader.value(), partition.leader_epoch.value(),
            partition.partition_epoch.value());
      });
    });
    image.configs.for_each([&](const ConfigResource& resource, const ConfigValues& values) {
      for (const auto& [key, value] : values) {
        text += fmt::format("config {} '{}' {}={}\n", static_cast<int>(resource.type),
                            resource.name, key, value);
      }
    });
    return text.empty() ? "nothing" : text;
  }
  static std::string joined(const std::vector<BrokerId>& ids) {
    std::string text;
    for (const BrokerId id : ids) text += (text.empty() ? "" : " ") + std::to_string(id.value());
    return text;
  }

  ControllerOptions options_;
  std::unique_ptr<ControllerMachine> machine_;
  std::vector<VersionedRecord> log_;
  std::map<Uuid, std::string> names_;
  Instant now_{};
  std::optional<Instant> wake_at_;
};

class ControllerTranscript : public ::testing::TestWithParam<const char*> {};

TEST_P(ControllerTranscript, answers_as_written_and_replays_to_the_same_state) {
  World world;
  tests::run_transcript(fmt::format("tests/unit/engine/controller/{}.txt", GetParam()),
                        [&](const TranscriptCommand& command) { return world.handle(command); });
  world.expect_replay_gives_the_same();
}

INSTANTIATE_TEST_SUITE_P(All, ControllerTranscript,
                         ::testing::Values("activation", "brokers", "topics", "partitions",
                                           "configs", "features", "eligible", "failover", "directories"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace millrace::engine
