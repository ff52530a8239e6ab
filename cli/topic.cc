#include "cli/topic.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <array>
#include <limits>
#include <memory>

#include "cli/admin_client.h"
#include "cli/config_change.h"
#include "cli/option_checks.h"
#include "cli/outcome.h"
#include "cli/output.h"
#include "cli/topic_analyze.h"
#include "net/wire/create_partitions.h"
#include "net/wire/create_topics.h"
#include "net/wire/delete_topics.h"
#include "net/wire/metadata.h"

namespace millrace::cli {
namespace {

// What every topic command has.
struct TopicCommand {
  ConnectionOptions connection;
  OutputFormat format = OutputFormat::table;
  std::vector<std::string> names;

  void declare(CLI::App& app, bool names_required) {
    add_connection_options(app, connection);
    add_format_option(app, format);
    auto* option = app.add_option("TOPIC", names, "Names of topics");
    if (names_required) option->required();
  }
};

std::string_view text_of(const std::optional<std::string_view>& text) {
  return text.value_or(std::string_view{});
}

Result<Answered<wire::MetadataResponse>> ask_metadata(AdminClient& client,
                                                      const std::vector<std::string>& names) {
  wire::MetadataRequest request{.allow_auto_topic_creation = false};
  if (names.empty()) {
    request.topics.reset();  // null: all topics
  } else {
    for (const std::string& name : names) request.topics->push_back({.name = name});
  }
  return client.call(request);
}

std::vector<wire::MetadataResponse::Topic> sorted_topics(const wire::MetadataResponse& metadata) {
  auto topics = metadata.topics;
  std::ranges::sort(topics, {}, [](const auto& topic) { return text_of(topic.name); });
  return topics;
}

struct CreateCommand : TopicCommand {
  std::int32_t partitions = -1;
  std::int16_t replication_factor = -1;
  std::vector<std::string> configs;
  bool if_not_exists = false;
  bool validate_only = false;

  Exit run() {
    const auto changes = parse_config_changes(configs);
    if (!changes) return finish(fail(changes.error()));
    auto client = AdminClient::connect(connection);
    if (!client) return finish(fail(client.error()));
    wire::CreateTopicsRequest request{.timeout_ms = client->timeout_ms(),
                                      .validate_only = validate_only};
    for (const std::string& name : names) {
      auto& topic = request.topics.emplace_back();
      topic = {
          .name = name, .num_partitions = partitions, .replication_factor = replication_factor};
      for (const ConfigChange& change : *changes)
        topic.configs.push_back({.name = change.name, .value = change.value});
    }
    const auto answer = client->call(request);
    if (!answer) return finish(fail(answer.error()));
    return report(answer->message);
  }

  Exit report(const wire::CreateTopicsResponse& answer) const {
    Outcome outcome;
    Table table({"topic", "id", "partitions", "replication_factor"});
    for (const auto& topic : answer.topics) {
      const bool is_there =
          topic.error_code == wire::ErrorCode::topic_already_exists && if_not_exists;
      if (topic.error_code == wire::ErrorCode::none) {
        table.add({std::string(topic.name), topic.topic_id.to_string(), topic.num_partitions,
                   topic.replication_factor});
      } else if (!is_there) {
        outcome.take(check_answer("topic " + std::string(topic.name), topic.error_code,
                                  text_of(topic.error_message)));
      }
    }
    if (table.size() > 0 || format == OutputFormat::json) table.print(format);
    return outcome.exit();
  }
};

Action define_create(CLI::App& app) {
  auto command = std::make_shared<CreateCommand>();
  command->declare(app, true);
  app.add_option("-p,--partitions", command->partitions,
                 "Number of partitions; without it the broker's num.partitions")
      ->check(whole_number({.least = 1, .most = std::numeric_limits<std::int32_t>::max()}));
  app.add_option("-r,--replication-factor", command->replication_factor,
                 "Replicas of each partition; without it the broker's default")
      ->check(whole_number({.least = 1, .most = std::numeric_limits<std::int16_t>::max()}));
  app.add_option("-c,--config", command->configs, "A configuration, as name=value; may be repeated")
      ->allow_extra_args(false);
  app.add_flag("--if-not-exists", command->if_not_exists,
               "It is no error when the topic is there already");
  app.add_flag("--validate-only", command->validate_only, "Only ask whether it could be created");
  return [command] { return command->run(); };
}

struct ListCommand : TopicCommand {
  bool internal = false;
  bool names_only = false;

  Exit run() {
    auto client = AdminClient::connect(connection);
    if (!client) return finish(fail(client.error()));
    const auto answer = ask_metadata(*client, names);
    if (!answer) return finish(fail(answer.error()));
    Outcome outcome;
    Table table({"topic", "partitions", "replication_factor", "internal", "id"});
    for (const auto& topic : sorted_topics(answer->message)) {
      const std::string name(text_of(topic.name));
      outcome.take(check_answer("topic " + name, topic.error_code));
      if (topic.error_code != wire::ErrorCode::none ||
          (topic.is_internal && !internal && names.empty()))
        continue;
      const std::size_t replicas =
          topic.partitions.empty() ? 0 : topic.partitions.front().replica_nodes.size();
      if (names_only) print_out("{}\n", name);
      table.add(
          {name, topic.partitions.size(), replicas, topic.is_internal, topic.topic_id.to_string()});
    }
    if (!names_only) table.print(format);
    return outcome.exit();
  }
};

Action define_list(CLI::App& app) {
  auto command = std::make_shared<ListCommand>();
  command->declare(app, false);
  app.add_flag("--internal", command->internal, "Also topics of the broker itself");
  app.add_flag("--names", command->names_only, "Only the names, one a line");
  return [command] { return command->run(); };
}

struct DescribeCommand : TopicCommand {
  Exit run() {
    auto client = AdminClient::connect(connection);
    if (!client) return finish(fail(client.error()));
    const auto answer = ask_metadata(*client, names);
    if (!answer) return finish(fail(answer.error()));
    Outcome outcome;
    Table table({"topic", "partition", "leader", "leader_epoch", "replicas", "isr", "offline"});
    for (const auto& topic : sorted_topics(answer->message)) {
      const std::string name(text_of(topic.name));
      outcome.take(check_answer("topic " + name, topic.error_code));
      auto partitions = topic.partitions;
      std::ranges::sort(partitions, {}, &wire::MetadataResponse::Partition::partition_index);
      for (const auto& partition : partitions) {
        const Cell leader = partition.leader_id < 0 ? Cell(nullptr) : Cell(partition.leader_id);
        table.add({name, partition.partition_index, leader, partition.leader_epoch,
                   partition.replica_nodes, partition.isr_nodes, partition.offline_replicas});
      }
    }
    if (table.size() > 0 || format == OutputFormat::json) table.print(format);
    return outcome.exit();
  }
};

Action define_describe(CLI::App& app) {
  auto command = std::make_shared<DescribeCommand>();
  command->declare(app, false);
  return [command] { return command->run(); };
}

struct AlterCommand : TopicCommand {
  std::int32_t partitions = 0;
  std::vector<std::string> set;
  std::vector<std::string> unset;

  Exit run() {
    const auto changes = parse_config_changes(set, unset);
    if (!changes) return finish(fail(changes.error()));
    if (partitions == 0 && changes->empty()) {
      return finish(fail(Errc::invalid_argument,
                         "nothing to alter; give --partitions, --config or --delete-config"));
    }
    auto client = AdminClient::connect(connection);
    if (!client) return finish(fail(client.error()));
    Outcome outcome;
    if (partitions > 0) outcome.take(add_partitions(*client));
    if (outcome.exit() == Exit::done && !changes->empty()) {
      outcome.take(alter_configs(*client, ResourceType::topic, names, *changes));
    }
    return outcome.exit();
  }

  Result<void> add_partitions(AdminClient& client) const {
    wire::CreatePartitionsRequest request{.timeout_ms = client.timeout_ms()};
    for (const std::string& name : names)
      request.topics.push_back({.name = name, .count = partitions, .assignments = std::nullopt});
    TRY(answer, client.call(request));
    for (const auto& result : answer.message.results) {
      TRY_DONE(check_answer("topic " + std::string(result.name), result.error_code,
                            text_of(result.error_message)));
    }
    return {};
  }
};

Action define_alter(CLI::App& app) {
  auto command = std::make_shared<AlterCommand>();
  command->declare(app, true);
  app.add_option("-p,--partitions", command->partitions,
                 "New number of partitions; it can only grow")
      ->check(whole_number({.least = 1, .most = std::numeric_limits<std::int32_t>::max()}));
  app.add_option("-c,--config", command->set, "Set a configuration, as name=value; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--delete-config", command->unset,
                 "Return a configuration to its default; may be repeated")
      ->allow_extra_args(false);
  return [command] { return command->run(); };
}

struct DeleteCommand : TopicCommand {
  bool if_exists = false;

  Exit run() {
    auto client = AdminClient::connect(connection);
    if (!client) return finish(fail(client.error()));
    wire::DeleteTopicsRequest request{.timeout_ms = client->timeout_ms()};
    // Version 6 names topics one way, those before it the other.
    for (const std::string& name : names) {
      request.topics.push_back({.name = name});
      request.topic_names.push_back(name);
    }
    const auto answer = client->call(request);
    if (!answer) return finish(fail(answer.error()));
    Outcome outcome;
    for (const auto& topic : answer->message.responses) {
      if (if_exists && topic.error_code == wire::ErrorCode::unknown_topic_or_partition) continue;
      outcome.take(check_answer("topic " + std::string(text_of(topic.name)), topic.error_code,
                                text_of(topic.error_message)));
    }
    return outcome.exit();
  }
};

Action define_delete(CLI::App& app) {
  auto command = std::make_shared<DeleteCommand>();
  command->declare(app, true);
  app.add_flag("--if-exists", command->if_exists, "It is no error when the topic is not there");
  return [command] { return command->run(); };
}

}  // namespace

std::span<const Command> topic_commands() {
  static const std::array kCommands = {
      Command{"topic", "Topics: create, list, describe, analyze, alter, delete."},
      Command{
          "topic create", "Create topics.", define_create,
          "  millrace topic create orders --partitions 12 --config millrace.durability=replicated"},
      Command{"topic list", "List topics.", define_list, "  millrace topic list --format json"},
      Command{"topic describe", "Show leader, replicas and in-sync replicas of each partition.",
              define_describe, "  millrace topic describe orders"},
      Command{
          "topic analyze",
          "Show rates, batch sizes and codecs of each partition, from its latest batches.",
          define_topic_analyze,
          "  millrace topic analyze orders                     # the last 1000 batches of each\n"
          "  millrace topic analyze orders:0 -o s@2026-01-31T12:00..e@2026-01-31T13:00"},
      Command{"topic alter", "Add partitions, or change configurations.", define_alter,
              "  millrace topic alter orders --partitions 24 --config retention.ms=86400000"},
      Command{"topic delete", "Delete topics and their records.", define_delete,
              "  millrace topic delete orders"},
  };
  return kCommands;
}

}  // namespace millrace::cli
