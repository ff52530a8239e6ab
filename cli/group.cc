#include "cli/group.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>

#include "cli/group_lag.h"
#include "cli/interrupt.h"
#include "cli/option_checks.h"
#include "cli/outcome.h"
#include "cli/output.h"

namespace millrace::cli {
namespace {

constexpr std::string_view kConsumers = "consumer";

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

template <class T>
Cell cell_of(const std::optional<T>& value) {
  return value ? Cell(*value) : Cell(nullptr);
}

// Empty where a broker is too old to tell.
Cell told(const std::string& text) {
  return text.empty() ? Cell(nullptr) : Cell(text);
}

// A time for people in a table, and in milliseconds for programs.
Cell time_cell(const std::optional<std::int64_t>& ms, OutputFormat format) {
  if (!ms) return Cell(nullptr);
  return format == OutputFormat::json ? Cell(*ms) : Cell(duration_text(*ms));
}

std::string time_column(OutputFormat format) {
  return format == OutputFormat::json ? "lag_ms" : "lag_time";
}

struct GroupCommand {
  ConnectionOptions connection;
  OutputFormat format = OutputFormat::table;
  std::vector<std::string> names;

  void declare(CLI::App& app) {
    add_connection_options(app, connection);
    add_format_option(app, format);
  }
};

struct ListCommand : GroupCommand {
  std::vector<std::string> states;
  std::vector<std::string> types;
  bool names_only = false;

  Exit run() {
    auto cluster = ClusterClient::connect(connection);
    if (!cluster) return finish(fail(cluster.error()));
    const auto groups = list_groups(*cluster);
    if (!groups) return finish(fail(groups.error()));
    Table table({"group", "state", "type", "protocol_type", "coordinator"});
    for (const ListedGroup& group : *groups) {
      if (!passes(states, group.state) || !passes(types, group.type)) continue;
      if (names_only) print_out("{}\n", group.group);
      table.add({group.group, told(group.state), told(lower(group.type)), told(group.protocol_type),
                 group.coordinator});
    }
    if (!names_only) table.print(format);
    return Exit::done;
  }

  static bool passes(const std::vector<std::string>& filter, const std::string& value) {
    return filter.empty() || std::ranges::any_of(filter, [&](const std::string& wanted) {
             return lower(wanted) == lower(value);
           });
  }
};

Action define_list(CLI::App& app) {
  auto command = std::make_shared<ListCommand>();
  command->declare(app);
  app.add_option("--state", command->states,
                 "Only groups in this state; may be repeated")
      ->allow_extra_args(false)
      ->transform(one_of({"Stable", "Empty", "PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling",
                          "NotReady", "Dead"}));
  app.add_option("--type", command->types, "Only groups of this type; may be repeated")
      ->allow_extra_args(false)
      ->transform(one_of({"classic", "consumer", "share", "streams"}));
  app.add_flag("--names", command->names_only, "Only the names, one a line");
  return [command] { return command->run(); };
}

struct DescribeCommand : GroupCommand {
  bool without_time = false;

  Exit run() {
    auto cluster = ClusterClient::connect(connection);
    if (!cluster) return finish(fail(cluster.error()));
    Outcome outcome;
    Cell documents = Cell::array();
    for (const std::string& name : names) {
      const auto shown = show(*cluster, name, documents);
      outcome.take(shown);
    }
    if (format == OutputFormat::json) print_json(documents);
    return outcome.exit();
  }

  Result<void> show(ClusterClient& cluster, const std::string& name, Cell& documents) const {
    TRY(state, describe_group(cluster, name));
    TRY(lags, measure_lag(cluster, state, !without_time));
    if (format == OutputFormat::json) {
      documents.push_back(document_of(state, lags));
    } else {
      if (name != names.front()) print_out("\n");
      print_text(state, lags);
    }
    return {};
  }

  Table partitions_of(const std::vector<PartitionLag>& lags) const {
    Table table({"topic", "partition", "committed", "log_start", "log_end", "lag",
                 time_column(format), "client_id", "member"});
    for (const PartitionLag& each : lags) {
      table.add({each.partition.topic, each.partition.partition, cell_of(each.committed),
                 cell_of(each.log_start), cell_of(each.log_end), cell_of(each.lag()),
                 time_cell(each.lag_ms, format),
                 each.member == nullptr ? Cell(nullptr) : Cell(each.member->client_id),
                 each.member == nullptr ? Cell(nullptr) : Cell(each.member->id)});
    }
    return table;
  }

  static Table members_of(const GroupState& state) {
    Table table({"member", "instance", "client_id", "host", "epoch", "partitions"});
    for (const GroupMember& member : state.members) {
      Cell partitions = Cell::array();
      for (const TopicPartition& partition : member.partitions)
        partitions.push_back(to_text(partition));
      table.add({member.id, cell_of(member.instance_id), member.client_id, member.host,
                 cell_of(member.epoch), partitions});
    }
    return table;
  }

  Cell document_of(const GroupState& state, const std::vector<PartitionLag>& lags) const {
    const TotalLag total = total_of(lags);
    return {{"group", state.group},
            {"state", state.state},
            {"type", state.type},
            {"protocol_type", told(state.protocol_type)},
            {"assignor", told(state.assignor)},
            {"epoch", cell_of(state.epoch)},
            {"coordinator", state.coordinator.node_id},
            {"lag", total.records},
            {"lag_ms", cell_of(total.ms)},
            {"partitions", Cell::parse(partitions_of(lags).render(OutputFormat::json))},
            {"members", Cell::parse(members_of(state).render(OutputFormat::json))}};
  }

  void print_text(const GroupState& state, const std::vector<PartitionLag>& lags) const {
    const TotalLag total = total_of(lags);
    print_out("group        {}\nstate        {}\ntype         {}\n", state.group, state.state,
               state.type);
    if (!state.assignor.empty()) print_out("assignor     {}\n", state.assignor);
    print_out("coordinator  {} ({})\n", state.coordinator.node_id, state.coordinator.address);
    print_out("members      {}\n", state.members.size());
    print_out("lag          {} records{}\n", total.records,
               total.ms ? ", " + duration_text(*total.ms) : "");
    if (!lags.empty()) print_out("\n{}", partitions_of(lags).render(OutputFormat::table));
    if (!state.members.empty()) print_out("\n{}", members_of(state).render(OutputFormat::table));
  }
};

Action define_describe(CLI::App& app) {
  auto command = std::make_shared<DescribeCommand>();
  command->declare(app);
  app.add_option("GROUP", command->names, "Names of groups")->required()->check(not_empty());
  app.add_flag("--no-time", command->without_time, "Leave out lag in time, which reads batches");
  return [command] { return command->run(); };
}

struct LagCommand : GroupCommand {
  bool total_only = false;
  bool without_time = false;
  double watch_seconds = 0;

  Exit run() {
    auto cluster = ClusterClient::connect(connection);
    if (!cluster) return finish(fail(cluster.error()));
    if (watch_seconds <= 0) return show(*cluster);
    catch_interrupts();
    while (true) {
      if (const Exit exit = show(*cluster); exit != Exit::done) return exit;
      if (const auto printed = flush_output(); !printed) return Exit::failed;
      pause_for(from_ms(static_cast<std::int64_t>(watch_seconds * 1000)));
      if (interrupted()) return Exit::done;
      if (format == OutputFormat::table) print_out("\n");
    }
  }

  Exit show(ClusterClient& cluster) {
    const auto wanted = groups_to_show(cluster);
    if (!wanted) return finish(fail(wanted.error()));
    Outcome outcome;
    Table totals({"group", "state", "members", "lag", time_column(format)});
    Table rows({"group", "topic", "partition", "committed", "log_end", "lag", time_column(format),
                "client_id"});
    for (const std::string& name : *wanted) {
      const auto added = add(cluster, name, totals, rows);
      // One that was there a moment ago may be gone when nobody asked for it by name.
      if (!added && names.empty() && added.error().code == Errc::not_found) continue;
      outcome.take(added);
    }
    const Table& table = total_only ? totals : rows;
    if (table.size() > 0 || format == OutputFormat::json || outcome.exit() == Exit::done)
      table.print(format);
    return outcome.exit();
  }

  Result<void> add(ClusterClient& cluster, const std::string& name, Table& totals, Table& rows) {
    TRY(state, describe_group(cluster, name));
    TRY(lags, measure_lag(cluster, state, !without_time));
    for (const PartitionLag& each : lags) {
      rows.add({name, each.partition.topic, each.partition.partition, cell_of(each.committed),
                cell_of(each.log_end), cell_of(each.lag()), time_cell(each.lag_ms, format),
                each.member == nullptr ? Cell(nullptr) : Cell(each.member->client_id)});
    }
    const TotalLag total = total_of(lags);
    totals.add(
        {name, state.state, state.members.size(), total.records, time_cell(total.ms, format)});
    return {};
  }

  // Without names all groups whose members are consumers, or that only keep offsets.
  Result<std::vector<std::string>> groups_to_show(ClusterClient& cluster) const {
    if (!names.empty()) return names;
    TRY(groups, list_groups(cluster));
    std::vector<std::string> found;
    for (const ListedGroup& group : groups) {
      const std::string type = lower(group.type);
      const bool has_offsets = type.empty() || type == "classic" || type == "consumer";
      if (has_offsets && (group.protocol_type.empty() || group.protocol_type == kConsumers))
        found.push_back(group.group);
    }
    return found;
  }
};

Action define_lag(CLI::App& app) {
  auto command = std::make_shared<LagCommand>();
  command->declare(app);
  app.add_option("GROUP", command->names, "Names of groups; without any, all groups")->check(not_empty());
  app.add_flag("--total", command->total_only,
               "One line for each group instead of one for each "
               "partition");
  app.add_flag("--no-time", command->without_time, "Leave out lag in time, which reads batches");
  app.add_option("-w,--watch", command->watch_seconds, "Show it again every so many seconds")
      ->check(CLI::Range(0.1, 86'400.0));
  return [command] { return command->run(); };
}

}  // namespace

std::string still_active(const GroupState& state) {
  std::string clients;
  for (const GroupMember& member : state.members) {
    if (clients.contains(member.client_id)) continue;
    clients += (clients.empty() ? "" : ", ") + member.client_id;
  }
  return fmt::format(
      "group {} has {} member{} (client id {}) and is {}, so its offsets are theirs. Stop these "
      "clients first; `millrace group remove-member {} --all` takes away members that are dead",
      state.group, state.members.size(), state.members.size() == 1 ? "" : "s", clients, state.state,
      state.group);
}

std::span<const Command> group_commands() {
  static const std::array kCommands = {
      Command{"group", "Consumer groups: list, describe, lag, seek, delete, remove-member."},
      Command{"group list", "List the consumer groups of all brokers.", define_list,
              "  millrace group list --state Stable --format json"},
      Command{"group describe", "Show state, members, offsets and lag of groups.", define_describe,
              "  millrace group describe billing"},
      Command{"group lag",
              "Show how far groups are behind: in records, and as the age of the first unread one.",
              define_lag,
              "  millrace group lag                       # every partition of every group\n"
              "  millrace group lag billing --watch 2\n"
              "  millrace group lag --total --format json"},
      Command{"group seek", "Move the committed offsets of a group that nobody reads for.",
              define_group_seek,
              "  millrace group seek billing --topic orders --to-earliest --dry-run\n"
              "  millrace group seek billing --topic orders:0,3-5 --to-offset 1200\n"
              "  millrace group seek billing --all-topics --to-timestamp 2026-01-31T12:30:00Z\n"
              "  millrace group seek billing --all-topics --by-duration 2h30m   # back in time\n"
              "  millrace group seek billing --topic orders --shift-by -100"},
      Command{
          "group delete", "Delete groups that have no members, or some of their offsets.",
          define_group_delete,
          "  millrace group delete billing\n"
          "  millrace group delete billing --topic orders    # only what it committed of orders"},
      Command{"group remove-member",
              "Take members away from a group. A client that lives joins again.",
              define_group_remove_member,
              "  millrace group remove-member billing --instance billing-7\n"
              "  millrace group remove-member billing --all"},
  };
  return kCommands;
}

}  // namespace millrace::cli
