// The group commands that change something: seek, delete, remove-member.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/group.h"
#include "cli/group_state.h"
#include "cli/offset_range.h"
#include "cli/outcome.h"
#include "cli/option_checks.h"
#include "cli/output.h"
#include "cli/seek_target.h"
#include "net/wire/delete_groups.h"
#include "net/wire/leave_group.h"
#include "net/wire/offset_commit.h"
#include "net/wire/offset_delete.h"

namespace millrace::cli {
namespace {

using wire::ErrorCode;

// Topics go by name in these.
constexpr wire::VersionRange kOffsetCommitByName{2, 9};
// A request names several members, and members by their instance ids.
constexpr wire::VersionRange kLeaveGroupOfMembers{3, 5};

// Errors of a group whose offsets belong to its members.
bool says_active(ErrorCode code) {
  return code == ErrorCode::unknown_member_id || code == ErrorCode::rebalance_in_progress ||
         code == ErrorCode::illegal_generation || code == ErrorCode::stale_member_epoch ||
         code == ErrorCode::non_empty_group || code == ErrorCode::group_subscribed_to_topic;
}

// The error of a change that the coordinator refused, with the members that stand in its way.
Result<void> explain(ClusterClient& cluster, const std::string& group, ErrorCode code,
                     const std::string& what) {
  if (says_active(code)) {
    TRY(state, find_group(cluster, group));
    if (state && state->is_active()) return fail(Errc::io_error, still_active(*state));
  }
  return check_answer(what, code);
}

// The partitions of topics as the command line names them. Errors: not_found, naming what is not
// there.
Result<std::set<TopicPartition>> partitions_named(ClusterClient& cluster,
                                                  const std::vector<TopicChoice>& choices) {
  std::set<std::string> topics;
  for (const TopicChoice& choice : choices) topics.insert(choice.topic);
  TRY_DONE(cluster.learn(topics));
  std::set<TopicPartition> partitions;
  for (const TopicChoice& choice : choices) {
    TRY(all, cluster.partitions_of(choice.topic));
    for (const std::int32_t wanted : choice.partitions.empty() ? all : choice.partitions) {
      if (std::ranges::find(all, wanted) == all.end()) {
        return fail(Errc::not_found, fmt::format("{} has partitions 0 to {}, not {}", choice.topic,
                                                 all.size() - 1, wanted));
      }
      partitions.insert({choice.topic, wanted});
    }
  }
  return partitions;
}

Result<std::vector<TopicChoice>> parse_choices(const std::vector<std::string>& texts) {
  std::vector<TopicChoice> choices;
  for (const std::string& text : texts) {
    TRY(choice, parse_topic_choice(text));
    choices.push_back(std::move(choice));
  }
  return choices;
}

struct PlannedSeek {
  TopicPartition partition;
  std::optional<std::int64_t> before;
  std::int64_t after = 0;
  std::int64_t log_end = 0;
};

struct SeekCommand {
  ConnectionOptions connection;
  OutputFormat format = OutputFormat::table;
  std::string group;
  std::vector<std::string> topics;
  bool all_topics = false;
  std::optional<std::int64_t> to_offset;
  std::string to_timestamp;
  bool to_earliest = false;
  bool to_latest = false;
  std::string by_duration;
  std::optional<std::int64_t> shift_by;
  bool dry_run = false;

  Exit run() {
    const auto target = pick_target();
    if (!target) return finish(fail(target.error()));
    const auto choices = parse_choices(topics);
    if (!choices) return finish(fail(choices.error()));
    if (all_topics != choices->empty()) {
      return finish(fail(Errc::invalid_argument,
                         "of which topics? Give --topic (may be repeated), or --all-topics"));
    }
    auto cluster = ClusterClient::connect(connection);
    if (!cluster) return finish(fail(cluster.error()));
    return seek(*cluster, *target, *choices);
  }

  Exit seek(ClusterClient& cluster, const SeekTarget& target,
            const std::vector<TopicChoice>& choices) {
    const auto state = find_group(cluster, group);
    if (!state) return finish(fail(state.error()));
    const bool active = *state && (*state)->is_active();
    if (active && !dry_run) return finish(fail(Errc::io_error, still_active(**state)));
    const auto plan = make_plan(cluster, target, choices);
    if (!plan) return finish(fail(plan.error()));
    Outcome outcome;
    std::set<TopicPartition> failed;
    if (!dry_run) {
      const auto committed = commit(cluster, *plan, failed);
      outcome.take(committed);
      if (!committed && failed.empty()) return outcome.exit();
    }
    print(*plan, failed);
    if (active) print_error(still_active(**state));
    return outcome.exit();
  }

  Result<SeekTarget> pick_target() const {
    const int given = to_offset.has_value() + !to_timestamp.empty() + to_earliest + to_latest +
                      !by_duration.empty() + shift_by.has_value();
    if (given != 1) {
      return fail(Errc::invalid_argument,
                  "where to? Give one of --to-offset, --to-timestamp, --to-earliest, --to-latest, "
                  "--by-duration, --shift-by");
    }
    using Kind = SeekTarget::Kind;
    if (to_offset) return SeekTarget{Kind::offset, *to_offset};
    if (shift_by) return SeekTarget{Kind::shift, *shift_by};
    if (to_earliest) return SeekTarget{Kind::earliest, 0};
    if (to_latest) return SeekTarget{Kind::latest, 0};
    if (!by_duration.empty()) {
      TRY(ms, parse_duration_ms(by_duration));
      return SeekTarget{Kind::time, std::max<std::int64_t>(wall_now().ms - ms, 0)};
    }
    const auto time = parse_time(to_timestamp);
    if (!time) {
      return fail(Errc::invalid_argument,
                  fmt::format("--to-timestamp {}: write milliseconds since 1970 or "
                              "2026-01-31T12:30:00Z",
                              to_timestamp));
    }
    return SeekTarget{Kind::time, time->ms};
  }

  Result<std::set<TopicPartition>> pick_partitions(ClusterClient& cluster,
                                                   const CommittedOffsets& committed,
                                                   const std::vector<TopicChoice>& choices) const {
    if (!all_topics) return partitions_named(cluster, choices);
    std::set<TopicPartition> partitions;
    std::set<std::string> names;
    for (const auto& [partition, offset] : committed) names.insert(partition.topic);
    TRY_DONE(cluster.learn(names));
    for (const std::string& name : names) {
      if (cluster.partitions_of(name)) continue;
      print_error(
          fmt::format("topic {} is gone; left as it is. `millrace group delete {} --topic "
                      "{}` forgets its offsets",
                      name, group, name));
    }
    for (const auto& [partition, offset] : committed) {
      if (cluster.partitions_of(partition.topic)) partitions.insert(partition);
    }
    if (partitions.empty()) {
      return fail(Errc::not_found,
                  fmt::format("group {} has committed nothing; name topics with --topic", group));
    }
    return partitions;
  }

  Result<std::vector<PlannedSeek>> make_plan(ClusterClient& cluster, const SeekTarget& target,
                                             const std::vector<TopicChoice>& choices) const {
    TRY(committed, committed_offsets(cluster, group));
    TRY(partitions, pick_partitions(cluster, committed, choices));
    TRY(starts, cluster.list_offsets(partitions, kEarliestTimestamp));
    TRY(ends, cluster.list_offsets(partitions, kLatestTimestamp));
    ListedOffsets times;
    if (target.needs_time()) {
      TRY(found, cluster.list_offsets(partitions, target.value));
      times = std::move(found);
    }
    std::vector<PlannedSeek> plan;
    for (const TopicPartition& partition : partitions) {
      for (const ListedOffsets* listed : {&starts, &ends}) {
        const auto said = listed->find(partition);
        TRY_DONE(check_answer(to_text(partition), said == listed->end()
                                                      ? ErrorCode::leader_not_available
                                                      : said->second.error));
      }
      SeekPartition known{.partition = partition,
                          .committed = std::nullopt,
                          .log_start = starts[partition].offset,
                          .log_end = ends[partition].offset,
                          .at_time = std::nullopt};
      if (const auto at = committed.find(partition); at != committed.end())
        known.committed = at->second.offset;
      if (const auto at = times.find(partition); at != times.end()) {
        TRY_DONE(check_answer(to_text(partition), at->second.error));
        if (at->second.offset >= 0) known.at_time = at->second.offset;
      }
      TRY(after, seek_offset(target, known));
      if (const auto problem = seek_beyond_log(target, known, after)) print_error(*problem);
      plan.push_back({partition, known.committed, after, known.log_end});
    }
    return plan;
  }

  // Puts the partitions whose commit was refused into `failed`.
  Result<void> commit(ClusterClient& cluster, const std::vector<PlannedSeek>& plan,
                      std::set<TopicPartition>& failed) const {
    wire::OffsetCommitRequest request{.group_id = group};
    for (const PlannedSeek& each : plan) {
      if (request.topics.empty() || request.topics.back().name != each.partition.topic) {
        auto& topic = request.topics.emplace_back();
        topic.name = each.partition.topic;
      }
      request.topics.back().partitions.push_back(
          {.partition_index = each.partition.partition, .committed_offset = each.after});
    }
    const auto error_of = [](const wire::OffsetCommitResponse& answer) {
      for (const auto& topic : answer.topics) {
        for (const auto& said : topic.partitions) {
          if (said.error_code != ErrorCode::none) return said.error_code;
        }
      }
      return ErrorCode::none;
    };
    TRY(answer, cluster.ask_coordinator(group, request, error_of, kOffsetCommitByName));
    for (const auto& topic : answer.message.topics) {
      for (const auto& said : topic.partitions) {
        if (said.error_code != ErrorCode::none)
          failed.insert({std::string(topic.name), said.partition_index});
      }
    }
    if (failed.empty()) return {};
    const auto why = explain(cluster, group, error_of(answer.message), to_text(*failed.begin()));
    if (failed.size() == plan.size()) failed.clear();  // nothing was moved
    return why;
  }

  void print(const std::vector<PlannedSeek>& plan, const std::set<TopicPartition>& failed) const {
    Table table({"topic", "partition", "before", "after", "lag"});
    for (const PlannedSeek& each : plan) {
      if (failed.contains(each.partition)) continue;
      table.add({each.partition.topic, each.partition.partition,
                 each.before ? Cell(*each.before) : Cell(nullptr), each.after,
                 each.log_end - each.after});
    }
    table.print(format);
  }
};

struct DeleteCommand {
  ConnectionOptions connection;
  std::vector<std::string> groups;
  std::vector<std::string> topics;
  bool if_exists = false;

  Exit run() {
    const auto choices = parse_choices(topics);
    if (!choices) return finish(fail(choices.error()));
    auto cluster = ClusterClient::connect(connection);
    if (!cluster) return finish(fail(cluster.error()));
    Outcome outcome;
    for (const std::string& group : groups) {
      outcome.take(choices->empty() ? delete_group(*cluster, group)
                                    : delete_offsets(*cluster, group, *choices));
    }
    return outcome.exit();
  }

  Result<void> delete_group(ClusterClient& cluster, const std::string& group) const {
    wire::DeleteGroupsRequest request;
    request.groups_names.push_back(group);
    const auto error_of = [](const wire::DeleteGroupsResponse& answer) {
      return answer.results.empty() ? ErrorCode::group_id_not_found
                                    : answer.results.front().error_code;
    };
    TRY(answer, cluster.ask_coordinator(group, request, error_of));
    const ErrorCode code = error_of(answer.message);
    if (if_exists && code == ErrorCode::group_id_not_found) return {};
    return explain(cluster, group, code, "group " + group);
  }

  Result<void> delete_offsets(ClusterClient& cluster, const std::string& group,
                              const std::vector<TopicChoice>& choices) const {
    TRY(committed, committed_offsets(cluster, group));
    wire::OffsetDeleteRequest request{.group_id = group};
    for (const TopicChoice& choice : choices) {
      auto& topic = request.topics.emplace_back();
      topic.name = choice.topic;
      for (const auto& [partition, offset] : committed) {
        const bool wanted = partition.topic == choice.topic &&
                            (choice.partitions.empty() ||
                             std::ranges::binary_search(choice.partitions, partition.partition));
        if (wanted) topic.partitions.push_back({.partition_index = partition.partition});
      }
      if (!topic.partitions.empty()) continue;
      request.topics.pop_back();
      if (if_exists) continue;
      return fail(Errc::not_found,
                  fmt::format("group {} has committed nothing of {}. `millrace group describe {}` "
                              "shows what there is",
                              group, choice.topic, group));
    }
    if (request.topics.empty()) return {};
    const auto error_of = [](const wire::OffsetDeleteResponse& answer) {
      return answer.error_code;
    };
    TRY(answer, cluster.ask_coordinator(group, request, error_of));
    TRY_DONE(explain(cluster, group, answer.message.error_code, "group " + group));
    for (const auto& topic : answer.message.topics) {
      for (const auto& said : topic.partitions) {
        const TopicPartition partition{std::string(topic.name), said.partition_index};
        TRY_DONE(explain(cluster, group, said.error_code, to_text(partition)));
      }
    }
    return {};
  }
};

struct RemoveMemberCommand {
  ConnectionOptions connection;
  OutputFormat format = OutputFormat::table;
  std::string group;
  std::vector<std::string> members;
  std::vector<std::string> instances;
  bool all = false;
  std::string reason = "removed by millrace group remove-member";

  Exit run() {
    if (all == !(members.empty() && instances.empty())) {
      return finish(fail(Errc::invalid_argument,
                         "whom? Give --member or --instance (may be repeated), or --all"));
    }
    auto cluster = ClusterClient::connect(connection);
    if (!cluster) return finish(fail(cluster.error()));
    const auto state = describe_group(*cluster, group);
    if (!state) return finish(fail(state.error()));
    Outcome outcome;
    Table table({"member", "instance", "client_id", "host"});
    const std::vector<GroupMember> picked = pick(*state, outcome);
    if (!picked.empty()) outcome.take(remove(*cluster, picked, outcome, table));
    if (table.size() > 0 || format == OutputFormat::json) table.print(format);
    return outcome.exit();
  }

  std::vector<GroupMember> pick(const GroupState& state, Outcome& outcome) const {
    if (all) return state.members;
    std::vector<GroupMember> picked;
    const auto take = [&](std::string_view what, const std::string& wanted, auto is_it) {
      const auto found = std::ranges::find_if(state.members, is_it);
      if (found != state.members.end()) {
        picked.push_back(*found);
        return;
      }
      outcome.take(fail(Errc::not_found,
                        fmt::format("group {} has no {} {}. `millrace group describe {}` shows "
                                    "its members",
                                    group, what, wanted, group)));
    };
    for (const std::string& id : members)
      take("member", id, [&](const GroupMember& member) { return member.id == id; });
    for (const std::string& id : instances)
      take("instance", id, [&](const GroupMember& member) { return member.instance_id == id; });
    return picked;
  }

  // All at once: with who goes first the group may change its protocol, or be assigned anew, for nothing.
  Result<void> remove(ClusterClient& cluster, const std::vector<GroupMember>& picked, Outcome& outcome,
                      Table& table) const {
    wire::LeaveGroupRequest request{.group_id = group};
    for (const GroupMember& member : picked) {
      auto& leaving = request.members.emplace_back();
      leaving.member_id = member.id;
      leaving.reason = reason;
      if (member.instance_id) leaving.group_instance_id = *member.instance_id;
    }
    const auto error_of = [](const wire::LeaveGroupResponse& answer) { return answer.error_code; };
    TRY(answer, cluster.ask_coordinator(group, request, error_of, kLeaveGroupOfMembers));
    TRY_DONE(check_answer("group " + group, answer.message.error_code));
    const auto& said = answer.message.members;
    if (said.size() != picked.size()) return fail(Errc::malformed, "an answer about other members");
    for (std::size_t i = 0; i < picked.size(); ++i) {
      const GroupMember& member = picked[i];
      const auto removed = check_answer("member " + member.id, said[i].error_code);
      outcome.take(removed);
      if (!removed) continue;
      table.add({member.id, member.instance_id ? Cell(*member.instance_id) : Cell(nullptr),
                 member.client_id, member.host});
    }
    return {};
  }
};

}  // namespace

Action define_group_seek(CLI::App& app) {
  auto command = std::make_shared<SeekCommand>();
  add_connection_options(app, command->connection);
  add_format_option(app, command->format);
  app.add_option("GROUP", command->group, "Name of the group; one that is not there yet is made")
      ->required()
      ->check(not_empty());
  app.add_option("-t,--topic", command->topics,
                 "A topic, or some of its partitions as T:0,3,5-7; may be repeated")
      ->allow_extra_args(false);
  app.add_flag("--all-topics", command->all_topics, "All that the group has committed");
  app.add_option("--to-offset", command->to_offset, "This offset")->check(whole_number({}));
  app.add_option("--to-timestamp", command->to_timestamp,
                 "The first record at or after TIME: milliseconds or 2026-01-31T12:30:00Z");
  app.add_flag("--to-earliest", command->to_earliest, "The first record there is");
  app.add_flag("--to-latest", command->to_latest, "The end: only what comes from now on");
  app.add_option("--by-duration", command->by_duration,
                 "What is as old as this, or younger: 90s, 2h30m, 7d, PT1H");
  app.add_option("--shift-by", command->shift_by,
                 "So many records from what is committed; back when negative");
  app.add_flag("--dry-run", command->dry_run, "Only show what would be committed");
  return [command] { return command->run(); };
}

Action define_group_delete(CLI::App& app) {
  auto command = std::make_shared<DeleteCommand>();
  add_connection_options(app, command->connection);
  app.add_option("GROUP", command->groups, "Names of groups")->required()->check(not_empty());
  app.add_option("-t,--topic", command->topics,
                 "Keep the group; delete what it committed of this topic, or of some of its "
                 "partitions as T:0,3,5-7; may be repeated")
      ->allow_extra_args(false);
  app.add_flag("--if-exists", command->if_exists, "It is no error when there is nothing to delete");
  return [command] { return command->run(); };
}

Action define_group_remove_member(CLI::App& app) {
  auto command = std::make_shared<RemoveMemberCommand>();
  add_connection_options(app, command->connection);
  add_format_option(app, command->format);
  app.add_option("GROUP", command->group, "Name of the group")->required()->check(not_empty());
  app.add_option("-m,--member", command->members, "A member by its id; may be repeated")
      ->allow_extra_args(false);
  app.add_option("-i,--instance", command->instances,
                 "A static member by its group.instance.id; may be repeated")
      ->allow_extra_args(false);
  app.add_flag("--all", command->all, "All members");
  app.add_option("--reason", command->reason, "What the broker's log is told");
  return [command] { return command->run(); };
}

}  // namespace millrace::cli
