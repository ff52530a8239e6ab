#include "tests/unit/engine/group/consumer_world.h"

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <deque>
#include <regex>

#include "engine/group/record_codec.h"
#include "engine/group/topic_pattern.h"

namespace millrace::engine {
namespace {

using Kind = ConsumerGroupKey::Kind;

std::string error(wire::ErrorCode code) {
  return std::string(wire::error_name(code));
}
std::string joined(const std::vector<std::string>& words) {
  return fmt::format("({})", fmt::join(words, " "));
}
std::string all(const std::vector<wire::ErrorCode>& codes) {
  std::vector<std::string> words;
  for (const auto code : codes) words.push_back(error(code));
  return joined(words);
}
std::string state_of(std::int8_t state) {
  return state == 0 ? "STABLE" : state == 1 ? "UNREVOKED_PARTITIONS" : state == 2 ? "UNRELEASED_PARTITIONS" : "UNKNOWN";
}

void put_text(std::string& out, std::string_view text) {
  out += static_cast<char>(text.size() >> 8);
  out += static_cast<char>(text.size());
  out += text;
}
void put_count(std::string& out, std::size_t count) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(count >> shift);
}
// What a consumer of the classic protocol says, version 1.
std::string subscription(const std::vector<std::string>& topics, const std::vector<std::string>& owned) {
  std::string text("\0\1", 2);
  put_count(text, topics.size());
  for (const auto& topic : topics) put_text(text, topic);
  text += std::string(4, '\xff');
  std::map<std::string, std::vector<int>> partitions;
  for (const auto& each : owned) {
    const auto dash = each.rfind('-');
    partitions[each.substr(0, dash)].push_back(std::stoi(each.substr(dash + 1)));
  }
  put_count(text, partitions.size());
  for (const auto& [topic, numbers] : partitions) {
    put_text(text, topic);
    put_count(text, numbers.size());
    for (const int number : numbers) put_count(text, static_cast<std::size_t>(number));
  }
  return text;
}
// What such a consumer is told to read.
std::string read_assignment(ConstBytes bytes) {
  wire::Reader reader(bytes);
  if (bytes.empty()) return "()";
  (void)reader.integer<std::int16_t>();
  std::vector<std::string> words;
  for (auto topics = reader.integer<std::int32_t>(); topics > 0 && reader.ok(); --topics) {
    const std::string topic(reader.text(static_cast<std::size_t>(reader.length16())));
    for (auto count = reader.integer<std::int32_t>(); count > 0 && reader.ok(); --count) {
      words.push_back(fmt::format("{}-{}", topic, reader.integer<std::int32_t>()));
    }
  }
  EXPECT_TRUE(reader.ok());
  return joined(words);
}
std::string assignment_bytes(const std::vector<std::string>& partitions) {
  std::string text("\0\1", 2);
  std::map<std::string, std::vector<int>> topics;
  for (const auto& each : partitions) {
    const auto dash = each.rfind('-');
    topics[each.substr(0, dash)].push_back(std::stoi(each.substr(dash + 1)));
  }
  put_count(text, topics.size());
  for (const auto& [topic, numbers] : topics) {
    put_text(text, topic);
    put_count(text, numbers.size());
    for (const int number : numbers) put_count(text, static_cast<std::size_t>(number));
  }
  return text + std::string(4, '\xff');
}

}  // namespace

ConsumerWorld::ConsumerWorld() {
  options_.consumer.join_pause = {};
  reset();
  (void)step(ActivateGroups{});
}

std::string ConsumerWorld::handle(const Command& command) {
  static const std::map<std::string, std::string (ConsumerWorld::*)(const Command&)> kCommands{
      {"options", &ConsumerWorld::set_options},
      {"topics", &ConsumerWorld::set_topics},
      {"configure", &ConsumerWorld::configure},
      {"beat", &ConsumerWorld::beat},
      {"look_up", &ConsumerWorld::look_up},
      {"commit", &ConsumerWorld::commit},
      {"fetch", &ConsumerWorld::fetch},
      {"delete_offsets", &ConsumerWorld::delete_offsets},
      {"describe", &ConsumerWorld::describe},
      {"list", &ConsumerWorld::list},
      {"delete", &ConsumerWorld::remove},
      {"advance", &ConsumerWorld::advance},
      {"restart", &ConsumerWorld::restart},
      {"join", &ConsumerWorld::join},
      {"sync", &ConsumerWorld::sync},
      {"heartbeat", &ConsumerWorld::heartbeat},
      {"leave", &ConsumerWorld::leave},
  };
  const auto found = kCommands.find(command.name);
  if (found == kCommands.end()) return "no such command: " + command.name;
  return with_short_ids((this->*found->second)(command));
}

void ConsumerWorld::reset() {
  machine_.reset();
  machine_ = std::make_unique<GroupMachine>(options_, use_, ++seed_);
}

// ---- Steps

std::string ConsumerWorld::step(GroupEvent event) {
  GroupEffects out;
  machine_->step({std::move(event), wall_, &image_}, now_, out);
  std::string text;
  for (const GroupRecord& record : out.records) {
    text += "record " + printed(record) + "\n";
    apply(*machine_, record);
    log_.push_back(record);
  }
  machine_->check_invariants();
  for (const GroupReply& reply : out.replies) {
    const auto asked = asked_.extract(reply.ticket.value());
    EXPECT_FALSE(asked.empty()) << "answered twice";
    text += asked.mapped() + " => " + print(reply.answer) + "\n";
  }
  wake_at_ = out.wake_at;
  expect_replay_gives_the_same();
  return text;
}

void ConsumerWorld::apply(GroupMachine& machine, const GroupRecord& record) {
  std::optional<ConstBytes> value;
  if (record.value) value = *record.value;
  const auto applied = machine.apply(record.key, value);
  ASSERT_TRUE(applied) << applied.error().message;
}

void ConsumerWorld::expect_replay_gives_the_same() {
  GroupUse use;
  GroupMachine again(options_, use, 99);
  for (const GroupRecord& record : log_) apply(again, record);
  std::map<std::vector<std::byte>, std::optional<std::vector<std::byte>>> replayed;
  for (auto& record : again.hard_state()) replayed[record.key] = record.value;
  for (const auto& record : machine_->hard_state()) {
    const auto found = replayed.find(record.key);
    ASSERT_TRUE(found != replayed.end()) << printed(record);
    EXPECT_EQ(found->second, record.value) << printed(record);
    replayed.erase(found);
  }
  for (const auto& [key, value] : replayed) {
    // Of classic groups that rebalance the log knows the generation before.
    if (std::holds_alternative<GroupMetadataKey>(decode_group_key(key).value())) continue;
    ADD_FAILURE() << "only in the log: " << printed({key, value});
  }
}

Ticket ConsumerWorld::ticket(const Command& command) {
  asked_[++last_ticket_] = command.text("as", command.text("member", command.name));
  return Ticket(last_ticket_);
}

// ---- Commands

std::string ConsumerWorld::set_options(const Command& command) {
  options_.consumer.size_max = static_cast<std::size_t>(command.number("size", 1000));
  options_.consumer.join_pause = from_ms(command.number("pause", 0));
  options_.initial_rebalance_delay = from_ms(command.number("delay", 0));
  options_.record_bytes_max = static_cast<std::size_t>(command.number("record_bytes", 1 << 20));
  const std::string policy = command.text("policy", "bidirectional");
  options_.consumer.migration = policy == "disabled"    ? MigrationPolicy::disabled
                                : policy == "upgrade"   ? MigrationPolicy::upgrade
                                : policy == "downgrade" ? MigrationPolicy::downgrade
                                                        : MigrationPolicy::bidirectional;
  use_.members_max = static_cast<std::size_t>(command.number("members", 1000));
  log_.clear();
  asked_.clear();
  short_ids_.clear();
  reset();
  return step(ActivateGroups{});
}

// topics t:3 u:2: these, with so many partitions, and no others
std::string ConsumerWorld::set_topics(const Command& command) {
  MetadataImage next;
  next.configs = image_.configs;
  TopicsChanged changed;
  for (const std::string& word : command.words) {
    const auto colon = word.find(':');
    TopicImage topic;
    topic.name = word.substr(0, colon);
    topic.id = ids_.try_emplace(topic.name, Uuid::from_halves(1, ids_.size() + 1)).first->second;
    for (int i = 0; i < std::stoi(word.substr(colon + 1)); ++i) topic.partitions.set(PartitionIndex{i}, PartitionImage{});
    next.topics.set(std::move(topic));
  }
  for (const auto& [name, id] : ids_) {
    const TopicImage* before = image_.topics.find(name);
    const TopicImage* after = next.topics.find(name);
    if ((before == nullptr) != (after == nullptr)) changed.any_came_or_went = true;
    if (before == nullptr || after == nullptr || before->partitions.size() != after->partitions.size()) {
      changed.topics.push_back(name);
    }
  }
  image_ = next;
  return step(std::move(changed));
}

// configure GROUP set=(name=value): these are set for it, and no others
std::string ConsumerWorld::configure(const Command& command) {
  ConfigValues values;
  for (const auto& word : command.list("set")) {
    const auto equals = word.find('=');
    values.emplace(word.substr(0, equals), word.substr(equals + 1));
  }
  image_.configs.set(ConfigResource::group(command.words.at(0)), std::move(values));
  return "";
}

// beat GROUP member=ID epoch=0 topics=(t) regex=text owned=(t-0) instance=i assignor=range rebalance=MS version=1
std::string ConsumerWorld::beat(const Command& command) {
  wire::ConsumerGroupHeartbeatRequest request;
  const std::string member = long_id(command.text("member"));
  const std::string instance = command.text("instance");
  const std::string pattern = command.text("regex");
  const std::string assignor = command.text("assignor");
  const auto topics = command.list("topics");
  request.group_id = command.words.at(0);
  request.member_id = member;
  request.member_epoch = static_cast<std::int32_t>(command.number("epoch"));
  const bool first = request.member_epoch == 0;
  if (first || command.has("rebalance")) {
    request.rebalance_timeout_ms = static_cast<std::int32_t>(command.number("rebalance", 60000));
  }
  if (!instance.empty()) request.instance_id = instance;
  if (!assignor.empty()) request.server_assignor = assignor;
  if (command.has("topics")) request.subscribed_topic_names.emplace(topics.begin(), topics.end());
  if (command.has("regex")) request.subscribed_topic_regex = pattern;
  if (first || command.has("owned")) {
    request.topic_partitions.emplace();
    for (const auto& [topic, partitions] : parsed(command.list("owned"))) {
      request.topic_partitions->push_back({topic, partitions});
    }
  }
  return step(ConsumerHeartbeat{.ticket = ticket(command),
                                .request = &request,
                                .version = static_cast<std::int16_t>(command.number("version", 1)),
                                .client_id = "c",
                                .client_host = "/127.0.0.1"});
}

// As the driver does between two steps.
std::string ConsumerWorld::look_up(const Command&) {
  std::string text;
  while (auto question = machine_->next_pattern_question()) {
    PatternsResolved answer{.group = question->group, .topics = {}, .version = 1};
    for (const auto& pattern : question->patterns) {
      auto& topics = answer.topics[pattern];
      image_.topics.for_each([&](const TopicImage& topic) {
        if (TopicPattern(pattern).matches(topic.name)) topics.push_back(topic.name);
      });
    }
    text += fmt::format("asked {} {}\n", question->group, joined(question->patterns)) + step(std::move(answer));
  }
  return text;
}

// commit GROUP member=ID epoch=1 offsets=(t-0:5) version=9
std::string ConsumerWorld::commit(const Command& command) {
  CommitOffsets question{.ticket = ticket(command), .group = command.words.at(0), .commits = {}};
  std::deque<std::string> texts;
  const std::string member = long_id(command.text("member"));
  question.member_id = member;
  question.version = static_cast<std::int16_t>(command.number("version", 9));
  question.generation = static_cast<std::int32_t>(command.number("epoch", -1));
  for (const auto& each : command.list("offsets")) {
    const auto colon = each.find(':');
    const auto dash = each.rfind('-', colon);
    question.commits.push_back(
        {.at = {texts.emplace_back(each.substr(0, dash)), std::stoi(each.substr(dash + 1, colon - dash - 1))},
         .topic_id = {},
         .offset = std::stoll(each.substr(colon + 1)),
         .leader_epoch = -1,
         .metadata = ""});
  }
  return step(std::move(question));
}

std::string ConsumerWorld::fetch(const Command& command) {
  FetchOffsets question{.ticket = ticket(command), .group = command.words.at(0), .partitions = std::nullopt};
  const std::string member = long_id(command.text("member"));
  if (command.has("member")) question.member_id = member;
  question.member_epoch = static_cast<std::int32_t>(command.number("epoch", -1));
  return step(std::move(question));
}

std::string ConsumerWorld::delete_offsets(const Command& command) {
  DeleteOffsets question{.ticket = ticket(command), .group = command.words.at(0), .partitions = {}};
  std::deque<std::string> texts;
  for (const auto& each : command.list("partitions")) {
    const auto dash = each.rfind('-');
    question.partitions.push_back({texts.emplace_back(each.substr(0, dash)), std::stoi(each.substr(dash + 1))});
  }
  return step(std::move(question));
}

std::string ConsumerWorld::describe(const Command& command) {
  if (command.has("classic")) return step(DescribeGroup{ticket(command), command.words.at(0)});
  return step(DescribeConsumerGroup{ticket(command), command.words.at(0)});
}
std::string ConsumerWorld::list(const Command& command) { return step(ListGroups{ticket(command)}); }
std::string ConsumerWorld::remove(const Command& command) {
  return step(DeleteGroup{ticket(command), command.words.at(0)});
}

std::string ConsumerWorld::advance(const Command& command) {
  const Instant end = now_ + from_ms(command.has("hours") ? command.number("hours") * 3'600'000
                                                          : std::stoll(command.words.at(0)));
  const auto move_to = [&](Instant to) {
    wall_.ms += to_ms(to - now_);
    now_ = to;
  };
  std::string text;
  for (int i = 0; i < 10000 && wake_at_ && *wake_at_ <= end; ++i) {
    if (*wake_at_ > now_) move_to(*wake_at_);
    text += step(GroupTick{});
    EXPECT_TRUE(!wake_at_ || *wake_at_ > now_) << "woken without an end";
  }
  move_to(end);
  return text;
}

std::string ConsumerWorld::restart(const Command&) {
  asked_.clear();
  reset();
  EXPECT_EQ(use_.members + use_.offsets + use_.bytes, 0u);
  for (const GroupRecord& record : log_) apply(*machine_, record);
  return step(ActivateGroups{});
}

// ---- The classic protocol

// join GROUP as=NAME member=ID topics=(t) owned=(t-0) instance=i protocol=range type=consumer said=TEXT
std::string ConsumerWorld::join(const Command& command) {
  wire::JoinGroupRequest request;
  const std::string member = long_id(command.text("member"));
  const std::string instance = command.text("instance");
  const std::string protocol = command.text("protocol", "range");
  const std::string type = command.text("type", "consumer");
  const std::string said =
      command.has("said") ? command.text("said") : subscription(command.list("topics"), command.list("owned"));
  request.group_id = command.words.at(0);
  request.session_timeout_ms = static_cast<std::int32_t>(command.number("session", 10000));
  request.rebalance_timeout_ms = static_cast<std::int32_t>(command.number("rebalance", 60000));
  request.member_id = member;
  if (!instance.empty()) request.group_instance_id = instance;
  request.protocol_type = type;
  request.protocols.push_back({protocol, std::as_bytes(std::span(said))});
  return step(JoinGroup{.ticket = ticket(command),
                        .request = &request,
                        .version = static_cast<std::int16_t>(command.number("version", 3)),
                        .client_id = "c",
                        .client_host = "/127.0.0.1"});
}

// sync GROUP as=NAME member=ID generation=1 assign=(ID:t-0/t-1 ...)
std::string ConsumerWorld::sync(const Command& command) {
  wire::SyncGroupRequest request;
  std::deque<std::string> texts;
  const std::string member = long_id(command.text("member"));
  const std::string instance = command.text("instance");
  if (!instance.empty()) request.group_instance_id = instance;
  request.group_id = command.words.at(0);
  request.generation_id = static_cast<std::int32_t>(command.number("generation", 1));
  request.member_id = member;
  for (const std::string& pair : command.list("assign")) {
    const auto colon = pair.find(':');
    const std::string_view id = texts.emplace_back(long_id(pair.substr(0, colon)));
    std::vector<std::string> partitions;
    std::string rest = pair.substr(colon + 1);
    for (std::size_t slash = rest.find('/'); slash != std::string::npos; slash = rest.find('/')) {
      partitions.push_back(rest.substr(0, slash));
      rest = rest.substr(slash + 1);
    }
    if (!rest.empty()) partitions.push_back(rest);
    const std::string& bytes = texts.emplace_back(assignment_bytes(partitions));
    request.assignments.push_back({id, std::as_bytes(std::span(bytes))});
  }
  return step(SyncGroup{ticket(command), &request});
}

std::string ConsumerWorld::heartbeat(const Command& command) {
  wire::HeartbeatRequest request;
  const std::string member = long_id(command.text("member"));
  request.group_id = command.words.at(0);
  request.generation_id = static_cast<std::int32_t>(command.number("generation", 1));
  request.member_id = member;
  const std::string instance = command.text("instance");
  if (!instance.empty()) request.group_instance_id = instance;
  return step(GroupHeartbeat{ticket(command), &request});
}

std::string ConsumerWorld::leave(const Command& command) {
  LeaveGroup question{.ticket = ticket(command), .group = command.words.at(0), .members = {}};
  std::deque<std::string> texts;
  for (const auto& each : command.list("members")) {
    const auto slash = each.find('/');
    auto& member = question.members.emplace_back();
    member.member_id = texts.emplace_back(long_id(each.substr(0, slash)));
    if (slash != std::string::npos) member.group_instance_id = texts.emplace_back(each.substr(slash + 1));
  }
  for (const auto& instance : command.list("instances")) {
    question.members.push_back({"", texts.emplace_back(instance)});
  }
  return step(std::move(question));
}

// ---- Printing

std::string ConsumerWorld::name_of(const TopicId& id) const {
  for (const auto& [name, known] : ids_) {
    if (known == id) return name;
  }
  return id.to_string();
}

std::string ConsumerWorld::printed(const ConsumerAssignment& assignment) const {
  std::vector<std::string> words;
  for (const auto& [topic, partitions] : assignment) {
    for (const auto partition : partitions) words.push_back(fmt::format("{}-{}", name_of(topic), partition));
  }
  return joined(words);
}

ConsumerAssignment ConsumerWorld::parsed(const std::vector<std::string>& partitions) const {
  std::vector<ConsumerTopicPartitions> topics;
  for (const auto& each : partitions) {
    const auto dash = each.rfind('-');
    topics.push_back({ids_.at(each.substr(0, dash)), {std::stoi(each.substr(dash + 1))}});
  }
  return to_assignment(topics);
}

std::string ConsumerWorld::print(const GroupAnswer& answer) {
  if (const auto* beat = std::get_if<ConsumerHeartbeatResult>(&answer)) {
    if (beat->error != wire::ErrorCode::none) return error(beat->error) + " \"" + beat->message + "\"";
    const Duration usual = options_.consumer.heartbeat_interval;
    const bool is_usual = beat->heartbeat_interval == usual || beat->heartbeat_interval == Duration{};
    return fmt::format("epoch={} {}{}", beat->member_epoch,
                       beat->assignment ? "assigned=" + printed(*beat->assignment) : "as before",
                       is_usual ? "" : fmt::format(" again in {} ms", to_ms(beat->heartbeat_interval)));
  }
  if (const auto* said = std::get_if<ConsumerGroupDescription>(&answer)) {
    if (said->error != wire::ErrorCode::none) return error(said->error) + " \"" + said->message + "\"";
    std::string text = fmt::format("{} epoch={} assignment_epoch={} assignor={}", said->state, said->epoch,
                                   said->assignment_epoch, said->assignor);
    for (const auto& member : said->members) {
      text += fmt::format("\n  {}{}{} epoch={} assigned={} target={}", member.member_id,
                          member.instance_id ? "/" + *member.instance_id : "", member.is_classic ? " classic" : "",
                          member.epoch, printed(member.assigned), printed(member.target));
    }
    return text;
  }
  if (const auto* said = std::get_if<GroupDescription>(&answer)) {
    const std::string message = said->message.empty() ? "" : fmt::format(" \"{}\"", said->message);
    return fmt::format("{} {} members={}{}", error(said->error), said->state, said->members.size(), message);
  }
  if (const auto* commit = std::get_if<CommitResult>(&answer)) return all(commit->errors);
  if (const auto* fetched = std::get_if<FetchOffsetsResult>(&answer)) {
    std::vector<std::string> words;
    for (const auto& each : fetched->partitions) {
      words.push_back(fmt::format("{}-{}:{}", each.topic, each.partition, each.offset));
    }
    return error(fetched->error) + " " + joined(words);
  }
  if (const auto* gone = std::get_if<DeleteOffsetsResult>(&answer)) return error(gone->error) + " " + all(gone->errors);
  if (const auto* list = std::get_if<GroupList>(&answer)) {
    std::vector<std::string> groups;
    for (const auto& group : list->groups) {
      groups.push_back(fmt::format("{}:{}:{}:{}", group.group, group.type, group.protocol_type, group.state));
    }
    return joined(groups);
  }
  if (const auto* gone = std::get_if<DeleteGroupResult>(&answer)) return error(gone->error);
  if (const auto* join = std::get_if<JoinResult>(&answer)) {
    return fmt::format("{} generation={} leader={} member={} members={}", error(join->error), join->generation,
                       join->leader, join->member_id, join->members.size());
  }
  if (const auto* sync = std::get_if<SyncResult>(&answer)) {
    return error(sync->error) + " " + read_assignment(sync->assignment);
  }
  if (const auto* alive = std::get_if<HeartbeatResult>(&answer)) return error(alive->error);
  if (const auto* left = std::get_if<LeaveResult>(&answer)) return error(left->error) + " " + all(left->members);
  return "?";
}

std::string ConsumerWorld::printed(const GroupRecord& record) {
  const auto key = decode_group_key(record.key).value();
  if (const auto* commit = std::get_if<OffsetCommitKey>(&key)) {
    return fmt::format("{} {}-{} {}", commit->group, commit->topic, commit->partition,
                       record.value ? "offset" : "gone");
  }
  if (const auto* group = std::get_if<GroupMetadataKey>(&key)) {
    if (!record.value) return group->group + " classic gone";
    const auto value = decode_group_metadata_value(*record.value).value();
    return fmt::format("{} classic generation={} members={}", group->group, value.generation, value.members.size());
  }
  const auto& consumer = std::get<ConsumerGroupKey>(key);
  static const std::map<Kind, std::string> kNames{{Kind::metadata, "epoch"},
                                                  {Kind::partition_metadata, "partitions"},
                                                  {Kind::member, "member"},
                                                  {Kind::target_assignment, "target"},
                                                  {Kind::target_assignment_of_member, "target"},
                                                  {Kind::current_assignment_of_member, "current"},
                                                  {Kind::regular_expression, "pattern"}};
  const std::string about = consumer.member + consumer.regular_expression;
  const std::string name =
      fmt::format("{} {}{}{}", consumer.group, kNames.at(consumer.kind), about.empty() ? "" : " ", about);
  if (!record.value) return name + " gone";
  switch (consumer.kind) {
    case Kind::metadata:
      return fmt::format("{} {}", name, read_record_value<ConsumerGroupMetadataValue>(*record.value).value().epoch);
    case Kind::target_assignment:
      return fmt::format("{} epoch {}", name,
                         read_record_value<ConsumerGroupTargetAssignmentMetadataValue>(*record.value)
                             .value()
                             .assignment_epoch);
    case Kind::target_assignment_of_member:
      return name + " " +
             printed(to_assignment(read_record_value<ConsumerGroupTargetAssignmentMemberValue>(*record.value)
                                       .value()
                                       .topic_partitions));
    case Kind::current_assignment_of_member: {
      const auto value = read_record_value<ConsumerGroupCurrentMemberAssignmentValue>(*record.value).value();
      return fmt::format("{} epoch={}<{} {} {} revoking={}", name, value.member_epoch, value.previous_member_epoch,
                         state_of(value.state), printed(to_assignment(value.assigned_partitions)),
                         printed(to_assignment(value.partitions_pending_revocation)));
    }
    case Kind::regular_expression:
      return name + " " +
             joined(read_record_value<ConsumerGroupRegularExpressionValue>(*record.value).value().topics);
    default:
      return name;
  }
}

// ---- Names of members

std::string ConsumerWorld::with_short_ids(std::string text) {
  static const std::regex kUuid("-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})");
  std::smatch match;
  while (std::regex_search(text, match, kUuid)) {
    const auto [at, added] = short_ids_.try_emplace(match[1], short_ids_.size() + 1);
    text = match.prefix().str() + "~" + std::to_string(at->second) + match.suffix().str();
  }
  return text;
}

std::string ConsumerWorld::long_id(const std::string& text) const {
  const auto tilde = text.find('~');
  if (tilde == std::string::npos) return text;
  for (const auto& [id, number] : short_ids_) {
    if (std::to_string(number) == text.substr(tilde + 1)) return text.substr(0, tilde) + "-" + id;
  }
  return text;
}

}  // namespace millrace::engine
