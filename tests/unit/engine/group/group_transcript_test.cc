// The group coordinator by transcripts (*.txt beside this file): each command is a step, whose records are applied at once.
// Drawn member ids are shown as "client~1", numbered as they appear, and may be written so. After every step a replay of all
// records must give the state that the live machine has.
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <regex>

#include "engine/group/group_machine.h"
#include "tests/support/transcript.h"

namespace millrace::engine {
namespace {

using tests::TranscriptCommand;

std::string text_of(ConstBytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
ConstBytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

class World {
 public:
  World() { reset(); }

  std::string handle(const TranscriptCommand& command) {
    static const std::map<std::string, std::string (World::*)(const TranscriptCommand&)> kCommands{
        {"options", &World::set_options}, {"join", &World::join},
        {"sync", &World::sync},           {"heartbeat", &World::heartbeat},
        {"leave", &World::leave},         {"commit", &World::commit},
        {"fetch", &World::fetch},         {"delete_offsets", &World::delete_offsets},
        {"describe", &World::describe},   {"list", &World::list},
        {"delete", &World::remove},       {"advance", &World::advance},
        {"restart", &World::restart},     {"read", &World::read},
        {"drop_topics", &World::drop_topics}, {"made_anew", &World::made_anew},
        {"image", &World::set_image},
    };
    const auto found = kCommands.find(command.name);
    if (found == kCommands.end()) return "no such command: " + command.name;
    return with_short_ids((this->*found->second)(command));
  }

  const GroupUse& use() const { return use_; }

 private:
  void reset() {
    machine_.reset();
    machine_ = std::make_unique<GroupMachine>(options_, use_, ++seed_);
  }

  // ---- Steps
  std::string step(GroupEvent event) {
    GroupEffects out;
    machine_->step({std::move(event), wall_, image_ ? &*image_ : nullptr}, now_, out);
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
      text += asked.mapped() + " => " +
              std::visit([this](const auto& answer) { return print(answer); }, reply.answer) + "\n";
    }
    wake_at_ = out.wake_at;
    expect_replay_gives_the_same();
    return text;
  }
  static void apply(GroupMachine& machine, const GroupRecord& record) {
    std::optional<ConstBytes> value;
    if (record.value) value = *record.value;
    const auto applied = machine.apply(record.key, value);
    ASSERT_TRUE(applied) << applied.error().message;
  }
  // Of groups that are rebalancing the log knows the generation before.
  void expect_replay_gives_the_same() {
    GroupUse use;
    GroupMachine again(options_, use, 99);
    for (const GroupRecord& record : log_) apply(again, record);
    std::map<std::vector<std::byte>, std::optional<std::vector<std::byte>>> replayed;
    for (auto& record : again.hard_state()) replayed[record.key] = record.value;
    for (const auto& record : machine_->hard_state()) {
      const auto found = replayed.find(record.key);
      ASSERT_TRUE(found != replayed.end()) << printed(record);
      EXPECT_EQ(found->second, record.value) << printed(record);
    }
  }
  Ticket ticket(const TranscriptCommand& command) {
    asked_[++last_ticket_] = command.text("as", command.name);
    return Ticket(last_ticket_);
  }

  // ---- Commands
  std::string set_options(const TranscriptCommand& command) {
    options_.initial_rebalance_delay = from_ms(command.number("delay", 3000));
    options_.group_size_max = static_cast<std::size_t>(command.number("size", 1000));
    options_.record_bytes_max = static_cast<std::size_t>(command.number("record_bytes", 1 << 20));
    options_.offset_metadata_bytes_max = static_cast<std::size_t>(command.number("metadata", 4096));
    use_.members_max = static_cast<std::size_t>(command.number("members", 1000));
    use_.bytes_max = static_cast<std::size_t>(command.number("bytes", 1 << 20));
    log_.clear();
    short_ids_.clear();
    reset();
    return step(ActivateGroups{});
  }
  // The process ends and starts again: what the log holds is read.
  std::string restart(const TranscriptCommand&) {
    asked_.clear();
    reset();
    EXPECT_EQ(use_.members + use_.offsets + use_.bytes, 0u);
    for (const GroupRecord& record : log_) apply(*machine_, record);
    return step(ActivateGroups{});
  }
  // A record that somebody else wrote is in the log at the next start: read key=HEX value=HEX
  std::string read(const TranscriptCommand& command) {
    const auto from_hex = [](const std::string& hex) {
      std::vector<std::byte> bytes;
      for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
      }
      return bytes;
    };
    log_.push_back({from_hex(command.text("key")), from_hex(command.text("value"))});
    return "";
  }
  // join GROUP as=NAME client=c member=ID instance=i session=MS rebalance=MS type=consumer protocols=(a b) topics=(t) version=9
  std::string join(const TranscriptCommand& command) {
    wire::JoinGroupRequest request;
    const std::string member = long_id(command.text("member"));
    const std::string instance = command.text("instance");
    const std::string type = command.text("type", "consumer");
    const auto protocols =
        command.has("protocols") ? command.list("protocols") : std::vector<std::string>{"range"};
    const std::string subscription = subscription_of(command.list("topics"));
    if (!command.words.empty()) request.group_id = command.words[0];
    request.session_timeout_ms = static_cast<std::int32_t>(command.number("session", 10000));
    request.rebalance_timeout_ms = static_cast<std::int32_t>(command.number("rebalance", 60000));
    request.member_id = member;
    if (!instance.empty()) request.group_instance_id = instance;
    if (type != "none") request.protocol_type = type;
    for (const auto& name : protocols) request.protocols.push_back({name, bytes_of(subscription)});
    return step(JoinGroup{.ticket = ticket(command),
                          .request = &request,
                          .version = static_cast<std::int16_t>(command.number("version", 9)),
                          .client_id = command.text("client", "c"),
                          .client_host = "/127.0.0.1"});
  }
  static std::string subscription_of(const std::vector<std::string>& topics) {
    std::string text(6, '\0');
    text[5] = static_cast<char>(topics.size());
    for (const auto& topic : topics) {
      text += '\0';
      text += static_cast<char>(topic.size());
      text += topic;
    }
    return text + std::string(4, '\xff');
  }
  // sync GROUP member=ID generation=1 assign=(ID:what ...)
  std::string sync(const TranscriptCommand& command) {
    wire::SyncGroupRequest request;
    std::deque<std::string> texts;
    const std::string member = long_id(command.text("member"));
    const std::string instance = command.text("instance");
    const std::string protocol = command.text("protocol");
    request.group_id = command.words.at(0);
    request.generation_id = static_cast<std::int32_t>(command.number("generation", 1));
    request.member_id = member;
    if (!instance.empty()) request.group_instance_id = instance;
    if (!protocol.empty()) request.protocol_name = protocol;
    for (const std::string& pair : command.list("assign")) {
      const auto colon = pair.find(':');
      const std::string_view id = texts.emplace_back(long_id(pair.substr(0, colon)));
      const std::string_view what = texts.emplace_back(pair.substr(colon + 1));
      request.assignments.push_back({id, bytes_of(what)});
    }
    return step(SyncGroup{ticket(command), &request});
  }
  std::string heartbeat(const TranscriptCommand& command) {
    wire::HeartbeatRequest request;
    const std::string member = long_id(command.text("member"));
    const std::string instance = command.text("instance");
    request.group_id = command.words.at(0);
    request.generation_id = static_cast<std::int32_t>(command.number("generation", 1));
    request.member_id = member;
    if (!instance.empty()) request.group_instance_id = instance;
    return step(GroupHeartbeat{ticket(command), &request});
  }
  // leave GROUP members=(ID ...) instances=(i ...)
  std::string leave(const TranscriptCommand& command) {
    LeaveGroup question{.ticket = ticket(command), .group = command.words.at(0), .members = {}};
    std::deque<std::string> texts;
    for (const auto& id : command.list("members")) {
      question.members.push_back({texts.emplace_back(long_id(id)), std::nullopt});
    }
    for (const auto& id : command.list("instances"))
      question.members.push_back({"", texts.emplace_back(id)});
    return step(std::move(question));
  }
  // commit GROUP member=ID generation=1 offsets=(t-0:5 t-1:7) metadata=text retention=MS version=8 id=NUMBER looked_up_at=NUMBER
  std::string commit(const TranscriptCommand& command) {
    CommitOffsets question{.ticket = ticket(command), .group = command.words.at(0), .commits = {}};
    std::deque<std::string> texts;
    const std::string member = long_id(command.text("member"));
    const std::string instance = command.text("instance");
    question.member_id = member;
    if (!instance.empty()) question.group_instance_id = instance;
    question.version = static_cast<std::int16_t>(command.number("version", 8));
    question.generation = static_cast<std::int32_t>(command.number("generation", -1));
    question.retention_ms = command.number("retention", -1);
    if (command.has("looked_up_at")) question.looked_up_at = Offset(command.number("looked_up_at", 0));
    for (const auto& each : command.list("offsets")) {
      const auto colon = each.find(':');
      question.commits.push_back({.at = partition(each.substr(0, colon), texts),
                                  .topic_id = topic_id(command.number("id", 0)),
                                  .offset = std::stoll(each.substr(colon + 1)),
                                  .leader_epoch = -1,
                                  .metadata = texts.emplace_back(command.text("metadata"))});
    }
    return step(std::move(question));
  }
  static GroupPartition partition(const std::string& word, std::deque<std::string>& texts) {
    const auto dash = word.rfind('-');
    return {texts.emplace_back(word.substr(0, dash)), std::stoi(word.substr(dash + 1))};
  }
  std::string fetch(const TranscriptCommand& command) {
    FetchOffsets question{
        .ticket = ticket(command), .group = command.words.at(0), .partitions = std::nullopt};
    std::deque<std::string> texts;
    if (command.has("partitions")) {
      question.partitions.emplace();
      for (const auto& each : command.list("partitions")) {
        question.partitions->push_back(partition(each, texts));
        question.partitions->back().topic_id = topic_id(command.number("id", 0));
      }
    }
    return step(std::move(question));
  }
  std::string delete_offsets(const TranscriptCommand& command) {
    DeleteOffsets question{
        .ticket = ticket(command), .group = command.words.at(0), .partitions = {}};
    std::deque<std::string> texts;
    for (const auto& each : command.list("partitions"))
      question.partitions.push_back(partition(each, texts));
    return step(std::move(question));
  }
  std::string describe(const TranscriptCommand& command) {
    return step(DescribeGroup{ticket(command), command.words.at(0)});
  }
  std::string list(const TranscriptCommand& command) { return step(ListGroups{ticket(command)}); }
  std::string remove(const TranscriptCommand& command) {
    return step(DeleteGroup{ticket(command), command.words.at(0)});
  }
  // drop_topics TOPIC ... now=NUMBER
  std::string drop_topics(const TranscriptCommand& command) {
    DropTopics dropped;
    for (const std::string& topic : command.words) dropped.topics[topic] = topic_id(command.number("now", 0));
    return step(std::move(dropped));
  }
  // made_anew TOPIC NUMBER then=NUMBER: which topics have gone when TOPIC has that id, and there is no other; `then` it had another
  // id, or none
  std::string made_anew(const TranscriptCommand& command) {
    const long long id = std::stoll(command.words.at(1));
    const long long before = command.number("then", id);
    MetadataImage then;
    MetadataImage image;
    if (before > 0) then.topics.set(TopicImage{.name = command.words.at(0), .id = topic_id(before), .partitions = {}});
    image.topics.set(TopicImage{.name = command.words.at(0), .id = topic_id(id), .partitions = {}});
    std::string text;
    for (const auto& [name, now] : machine_->gone_topics(then, image)) {
      text += fmt::format("gone {}{}\n", name, now.is_zero() ? "" : fmt::format(" now={}", now.bytes.back()));
    }
    return text;
  }
  // image TOPIC NUMBER at=OFFSET: from now on TOPIC is there with that id, and no other
  std::string set_image(const TranscriptCommand& command) {
    TopicImage topic;
    topic.name = command.words.at(0);
    topic.id = topic_id(std::stoll(command.words.at(1)));
    image_.emplace();
    image_->position.offset = Offset(command.number("at", 0));
    image_->topics.set(std::move(topic));
    return {};
  }
  static TopicId topic_id(std::int64_t number) { return Uuid::from_halves(0, static_cast<std::uint64_t>(number)); }
  // Time passes; whenever the machine wanted to be woken, it is.
  std::string advance(const TranscriptCommand& command) {
    const Duration by = command.has("hours") ? from_ms(command.number("hours") * 3'600'000)
                                             : from_ms(std::stoll(command.words.at(0)));
    const Instant end = now_ + by;
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

  // ---- Printing
  static std::string error(wire::ErrorCode code) { return std::string(wire::error_name(code)); }
  static std::string joined(const std::vector<std::string>& words) {
    return fmt::format("({})", fmt::join(words, " "));
  }
  std::string print(const JoinResult& answer) {
    if (answer.error != wire::ErrorCode::none) {
      return fmt::format("{} member={}", error(answer.error), answer.member_id);
    }
    std::vector<std::string> members;
    for (const auto& member : answer.members) {
      members.push_back(member.member_id +
                        (member.group_instance_id ? "/" + *member.group_instance_id : ""));
    }
    return fmt::format("joined generation={} protocol={} leader={} member={} members={}{}",
                       answer.generation, answer.protocol_name.value_or("none"), answer.leader,
                       answer.member_id, joined(members),
                       answer.skip_assignment ? " skip_assignment" : "");
  }
  std::string print(const SyncResult& answer) {
    if (answer.error != wire::ErrorCode::none) return error(answer.error);
    return fmt::format("assigned {} protocol={}", text_of(answer.assignment),
                       answer.protocol_name.value_or("none"));
  }
  std::string print(const HeartbeatResult& answer) { return error(answer.error); }
  std::string print(const LeaveResult& answer) {
    if (answer.error != wire::ErrorCode::none) return error(answer.error);
    return print_all(answer.members);
  }
  std::string print_all(const std::vector<wire::ErrorCode>& codes) {
    std::vector<std::string> words;
    for (const auto code : codes) words.push_back(error(code));
    return joined(words);
  }
  std::string print(const CommitResult& answer) { return print_all(answer.errors); }
  std::string print(const FetchOffsetsResult& answer) {
    std::vector<std::string> words;
    for (const auto& each : answer.partitions) {
      words.push_back(fmt::format("{}-{}:{}{}", each.topic, each.partition, each.offset,
                                  each.metadata.empty() ? "" : "/" + each.metadata));
    }
    return joined(words);
  }
  std::string print(const DeleteOffsetsResult& answer) {
    return error(answer.error) + " " + print_all(answer.errors);
  }
  std::string print(const GroupDescription& answer) {
    std::vector<std::string> members;
    for (const auto& member : answer.members) {
      members.push_back(fmt::format("{}{}:{}", member.member_id,
                                    member.group_instance_id ? "/" + *member.group_instance_id : "",
                                    text_of(member.assignment)));
    }
    return fmt::format("{} {} type={} protocol={} members={}", error(answer.error), answer.state,
                       answer.protocol_type, answer.protocol, joined(members));
  }
  std::string print(const GroupList& answer) {
    std::vector<std::string> groups;
    for (const auto& group : answer.groups) {
      groups.push_back(
          fmt::format("{}:{}:{}:{}", group.group, group.type, group.protocol_type, group.state));
    }
    return joined(groups);
  }
  std::string print(const DeleteGroupResult& answer) { return error(answer.error); }
  // Groups of the consumer protocol have transcripts of their own (consumer_transcript_test).
  std::string print(const ConsumerHeartbeatResult& answer) { return error(answer.error); }
  std::string print(const ConsumerGroupDescription& answer) { return error(answer.error); }

  std::string printed(const GroupRecord& record) {
    const auto key = decode_group_key(record.key).value();
    if (const auto* commit = std::get_if<OffsetCommitKey>(&key)) {
      const std::string name =
          fmt::format("{} {}-{}", commit->group, commit->topic, commit->partition);
      if (!record.value) return name + " gone";
      const auto value = decode_offset_commit_value(*record.value).value();
      return fmt::format("{} offset={}", name, value.offset);
    }
    if (const auto* group = std::get_if<GroupMetadataKey>(&key)) {
      if (!record.value) return group->group + " gone";
      const auto value = decode_group_metadata_value(*record.value).value();
      std::vector<std::string> members;
      for (const auto& member : value.members) {
        members.push_back(fmt::format("{}:{}", member.member_id, text_of(member.assignment)));
      }
      return fmt::format("{} generation={} protocol={} leader={} members={}", group->group,
                         value.generation, value.protocol.value_or("none"),
                         value.leader.value_or("none"), joined(members));
    }
    const auto* consumer = std::get_if<ConsumerGroupKey>(&key);
    return fmt::format("{} key {} {}", consumer->group, static_cast<int>(consumer->kind),
                       record.value ? "there" : "gone");
  }

  // ---- Names of members
  std::string with_short_ids(std::string text) {
    static const std::regex kUuid(
        "-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})");
    std::smatch match;
    while (std::regex_search(text, match, kUuid)) {
      const auto [at, added] = short_ids_.try_emplace(match[1], short_ids_.size() + 1);
      text = match.prefix().str() + "~" + std::to_string(at->second) + match.suffix().str();
    }
    return text;
  }
  std::string long_id(const std::string& text) {
    const auto tilde = text.find('~');
    if (tilde == std::string::npos) return text;
    for (const auto& [id, number] : short_ids_) {
      if (std::to_string(number) == text.substr(tilde + 1)) return text.substr(0, tilde) + "-" + id;
    }
    return text;
  }

  GroupOptions options_;
  GroupUse use_;
  std::uint64_t seed_ = 0;
  std::optional<MetadataImage> image_;
  std::unique_ptr<GroupMachine> machine_;
  std::vector<GroupRecord> log_;
  std::map<std::uint64_t, std::string> asked_;  // who waits, by ticket
  std::uint64_t last_ticket_ = 0;
  std::map<std::string, std::size_t> short_ids_;
  Instant now_{std::chrono::hours(1)};
  WallTime wall_{1'000'000};
  std::optional<Instant> wake_at_;
};

class GroupTranscript : public ::testing::TestWithParam<const char*> {};

TEST_P(GroupTranscript, answers_as_written) {
  World world;
  tests::run_transcript(std::string("tests/unit/engine/group/") + GetParam(),
                        [&](const TranscriptCommand& command) { return world.handle(command); });
}

INSTANTIATE_TEST_SUITE_P(Files, GroupTranscript,
                         ::testing::Values("rebalance.txt", "static_members.txt", "limits.txt",
                                           "offsets.txt", "restart.txt"),
                         [](const auto& info) {
                           std::string name = info.param;
                           return name.substr(0, name.find('.'));
                         });

}  // namespace
}  // namespace millrace::engine
