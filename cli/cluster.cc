#include "cli/cluster.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <array>
#include <memory>

#include "cli/admin_client.h"
#include "cli/output.h"
#include "net/wire/describe_cluster.h"
#include "net/wire/describe_quorum.h"

namespace millrace::cli {
namespace {

constexpr std::string_view kMetadataTopic = "__cluster_metadata";

// The metadata quorum as the leader sees it, or null where the broker does not tell.
Result<Cell> describe_quorum(AdminClient& client) {
  if (!client.serves(wire::ApiKey::describe_quorum)) return Cell(nullptr);
  wire::DescribeQuorumRequest request;
  request.topics.push_back({.topic_name = kMetadataTopic, .partitions = {{.partition_index = 0}}});
  TRY(answer, client.call(request));
  TRY_DONE(check_answer("quorum", answer.message.error_code,
                        answer.message.error_message.value_or(std::string_view{})));
  for (const auto& topic : answer.message.topics) {
    for (const auto& partition : topic.partitions) {
      TRY_DONE(check_answer("quorum", partition.error_code,
                            partition.error_message.value_or(std::string_view{})));
      Cell voters = Cell::array();
      for (const auto& voter : partition.current_voters) voters.push_back(voter.replica_id);
      return Cell{{"leader", partition.leader_id},
                  {"leader_epoch", partition.leader_epoch},
                  {"high_watermark", partition.high_watermark},
                  {"voters", voters}};
    }
  }
  return Cell(nullptr);
}

struct DescribeCommand {
  ConnectionOptions connection;
  OutputFormat format = OutputFormat::table;

  Exit run() {
    auto client = AdminClient::connect(connection);
    if (!client) return finish(fail(client.error()));
    const auto answer = client->call(wire::DescribeClusterRequest{});
    if (!answer) return finish(fail(answer.error()));
    const auto& cluster = answer->message;
    const auto checked = check_answer("cluster", cluster.error_code,
                                      cluster.error_message.value_or(std::string_view{}));
    if (!checked) return finish(checked);
    const auto quorum = describe_quorum(*client);
    if (!quorum) return finish(fail(quorum.error()));
    format == OutputFormat::json ? print_document(cluster, *quorum) : print_table(cluster, *quorum);
    return Exit::done;
  }

  static Table brokers_of(const wire::DescribeClusterResponse& cluster) {
    Table table({"broker", "host", "port", "rack", "fenced"});
    for (const auto& broker : cluster.brokers) {
      const Cell rack = broker.rack ? Cell(std::string(*broker.rack)) : Cell(nullptr);
      table.add({broker.broker_id, std::string(broker.host), broker.port, rack, broker.is_fenced});
    }
    return table;
  }

  static void print_document(const wire::DescribeClusterResponse& cluster, const Cell& quorum) {
    print_json({{"cluster_id", std::string(cluster.cluster_id)},
                {"controller", cluster.controller_id},
                {"brokers", Cell::parse(brokers_of(cluster).render(OutputFormat::json))},
                {"quorum", quorum}});
  }

  static void print_table(const wire::DescribeClusterResponse& cluster, const Cell& quorum) {
    print_out("cluster     {}\ncontroller  {}\n", cluster.cluster_id, cluster.controller_id);
    if (!quorum.is_null()) {
      print_out("quorum      leader {} in epoch {}, high watermark {}, voters {}\n",
                 quorum["leader"].dump(), quorum["leader_epoch"].dump(),
                 quorum["high_watermark"].dump(), quorum["voters"].dump());
    }
    print_out("\n{}", brokers_of(cluster).render(OutputFormat::table));
  }
};

Action define_describe(CLI::App& app) {
  auto command = std::make_shared<DescribeCommand>();
  add_connection_options(app, command->connection);
  add_format_option(app, command->format);
  return [command] { return command->run(); };
}

}  // namespace

std::span<const Command> cluster_commands() {
  static const std::array kCommands = {
      Command{"cluster", "The cluster: describe."},
      Command{"cluster describe", "Show the cluster's id, its brokers and its metadata quorum.",
              define_describe, "  millrace cluster describe --format json"},
  };
  return kCommands;
}

}  // namespace millrace::cli
