// bench_join --port P --topic T --group G [--members M] [--protocol classic|consumer] [--heartbeat-ms H]
//
// The time that members of a new group need from their first request to their first record. All of them join at once, each
// on a connection of its own, as a client would: join, take the assignment, fetch the committed offsets, fetch. In the
// consumer protocol a new assignment is confirmed by a heartbeat at once, as the Java client does it, with the fetches on
// their way. Every partition of T must hold a record, and there must be as many as members. Members go on with heartbeats
// and rejoin until all have read something. One thread and one epoll serve all of them. Prints one line of JSON: the
// median and the longest time.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>
#include <memory>
#include <utility>

#include "bench/load/poll.h"
#include "bench/load/request.h"

namespace millrace::bench {
namespace {

constexpr std::int16_t kFetch = 1, kMetadata = 3, kOffsetFetch = 9, kJoinGroup = 11,
                       kHeartbeat = 12;
constexpr std::int16_t kSyncGroup = 14, kConsumerGroupHeartbeat = 68;
constexpr std::int16_t kUnknownMember = 25, kRebalanceInProgress = 27, kIllegalGeneration = 22;
constexpr std::int16_t kMemberIdRequired = 79, kFencedMemberEpoch = 110;
constexpr std::uint64_t kGiveUpSeconds = 60;

struct Options {
  std::uint16_t port = 0;
  std::string topic;
  std::string group;
  int members = 1;
  std::string protocol = "classic";
  std::uint64_t heartbeat_ms = 20;
};

using Partitions = std::vector<std::int32_t>;

// The consumer's embedded formats: what it subscribes to, and what it is given.
std::vector<std::byte> subscription(const std::string& topic) {
  Writer writer;
  writer.number<std::int16_t>(0);
  writer.number<std::int32_t>(1);
  writer.text(topic);
  writer.number<std::int32_t>(-1);
  return writer.bytes();
}

std::vector<std::byte> assignment(const std::string& topic, const Partitions& partitions) {
  Writer writer;
  writer.number<std::int16_t>(0);
  writer.number<std::int32_t>(1);
  writer.text(topic);
  writer.number<std::int32_t>(static_cast<std::int32_t>(partitions.size()));
  for (const std::int32_t partition : partitions) writer.number<std::int32_t>(partition);
  writer.number<std::int32_t>(-1);
  return writer.bytes();
}

Partitions assigned(Reader reader) {
  Partitions partitions;
  reader.number<std::int16_t>();
  for (auto topics = reader.number<std::int32_t>(); topics > 0; --topics) {
    reader.text();
    for (auto count = reader.number<std::int32_t>(); count > 0; --count) {
      partitions.push_back(reader.number<std::int32_t>());
    }
  }
  return partitions;
}

// Member is one consumer; it has one request on its way at a time, and beside it the heartbeat that confirms an assignment.
class Member {
 public:
  Member(const Options& options, int number, int partition_count)
      : options_(options),
        partition_count_(partition_count),
        socket_(connect_to(options.port)),
        id_(options.protocol == "consumer" ? options.group + "-member-" + std::to_string(number) : "") {}
  ~Member() { close(socket_); }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  int socket() const { return socket_; }
  bool has_read() const { return first_record_ns_ != 0; }
  std::uint64_t wait_ns() const { return first_record_ns_ - joined_at_ns_; }

  void begin() {
    joined_at_ns_ = now_ns();
    is_consumer_protocol() ? send_consumer_heartbeat() : send_join();
  }

  // Takes in what has come and sends what follows from it.
  void serve() {
    answers_.receive(socket_);
    for (auto answer = answers_.next(); !answer.empty(); answer = answers_.next()) take(answer);
  }

  // Sends the heartbeat where it is due and nothing is on its way.
  void tick(std::uint64_t now) {
    if (!asked_.empty() || now < heartbeat_at_ns_) return;
    is_consumer_protocol() ? send_consumer_heartbeat() : send_heartbeat();
  }

 private:
  bool is_consumer_protocol() const { return options_.protocol == "consumer"; }

  void take(std::span<const std::byte> answer) {
    Reader reader(answer);
    const std::int16_t api = asked_.front();
    asked_.pop_front();
    switch (api) {
      case kJoinGroup:
        return on_join(reader);
      case kSyncGroup:
        return on_sync(reader);
      case kHeartbeat:
        return on_heartbeat(reader);
      case kOffsetFetch:
        return send_fetch();
      case kFetch:
        return on_fetch(reader);
      default:
        return on_consumer_heartbeat(reader);
    }
  }

  void send(std::int16_t api, const Writer& body) {
    asked_.push_back(api);
    send_all(socket_, frame_of(body));
  }

  bool is_asked(std::int16_t api) const { return std::ranges::find(asked_, api) != asked_.end(); }

  void rest() { heartbeat_at_ns_ = now_ns() + options_.heartbeat_ms * 1'000'000; }

  // ---- The classic protocol

  void send_join() {
    const auto metadata = subscription(options_.topic);
    Writer body = begin_request(kJoinGroup, 5);
    body.text(options_.group);
    body.number<std::int32_t>(45'000);
    body.number<std::int32_t>(300'000);
    body.text(id_);
    body.number<std::int16_t>(-1);
    body.text("consumer");
    body.number<std::int32_t>(1);
    body.text("range");
    body.number<std::int32_t>(static_cast<std::int32_t>(metadata.size()));
    body.append(metadata);
    send(kJoinGroup, body);
  }

  void on_join(Reader& reader) {
    reader.number<std::int32_t>();
    const auto error = reader.number<std::int16_t>();
    generation_ = reader.number<std::int32_t>();
    reader.text();
    const std::string leader = reader.text();
    const std::string given = reader.text();
    if (error == kUnknownMember) id_.clear();
    if (error == kMemberIdRequired || error == 0) id_ = given;
    if (error == kMemberIdRequired || error == kUnknownMember || error == kRebalanceInProgress)
      return send_join();
    if (error != 0) give_up("JoinGroup answered error " + std::to_string(error));
    std::vector<std::string> members;
    for (auto count = reader.number<std::int32_t>(); count > 0; --count) {
      members.push_back(reader.text());
      reader.text();
      reader.take(static_cast<std::size_t>(reader.number<std::int32_t>()));
    }
    send_sync(leader == id_ ? members : std::vector<std::string>());
  }

  // The leader deals the partitions out in turn.
  void send_sync(const std::vector<std::string>& members) {
    Writer body = begin_request(kSyncGroup, 3);
    body.text(options_.group);
    body.number<std::int32_t>(generation_);
    body.text(id_);
    body.number<std::int16_t>(-1);
    body.number<std::int32_t>(static_cast<std::int32_t>(members.size()));
    for (std::size_t i = 0; i < members.size(); ++i) {
      Partitions mine;
      for (auto j = static_cast<int>(i); j < partition_count_;
           j += static_cast<int>(members.size())) {
        mine.push_back(j);
      }
      const auto given = assignment(options_.topic, mine);
      body.text(members[i]);
      body.number<std::int32_t>(static_cast<std::int32_t>(given.size()));
      body.append(given);
    }
    send(kSyncGroup, body);
  }

  void on_sync(Reader& reader) {
    reader.number<std::int32_t>();
    const auto error = reader.number<std::int16_t>();
    if (error == kRebalanceInProgress || error == kIllegalGeneration || error == kUnknownMember)
      return send_join();
    if (error != 0) give_up("SyncGroup answered error " + std::to_string(error));
    reader.number<std::int32_t>();
    owned_ = assigned(reader);
    heartbeat_at_ns_ = 0;
    begin_to_read();
  }

  void send_heartbeat() {
    Writer body = begin_request(kHeartbeat, 3);
    body.text(options_.group);
    body.number<std::int32_t>(generation_);
    body.text(id_);
    body.number<std::int16_t>(-1);
    send(kHeartbeat, body);
  }

  void on_heartbeat(Reader& reader) {
    reader.number<std::int32_t>();
    if (reader.number<std::int16_t>() != 0) return send_join();
    rest();
  }

  // ---- The consumer protocol

  // The next is due an interval after this was sent, as in the Java client.
  void send_consumer_heartbeat() {
    rest();
    Writer body = begin_request(kConsumerGroupHeartbeat, 1, true);
    body.compact_text(options_.group);
    body.compact_text(id_);
    body.number<std::int32_t>(generation_);
    body.unsigned_varint(0);  // no instance id
    body.unsigned_varint(0);  // no rack
    body.number<std::int32_t>(generation_ == 0 ? 300'000 : -1);
    body.unsigned_varint(generation_ == 0 ? 2 : 0);
    if (generation_ == 0) body.compact_text(options_.topic);
    body.unsigned_varint(0);  // no pattern
    body.unsigned_varint(0);  // the broker's first assignor
    write_owned(body);
    body.unsigned_varint(0);
    send(kConsumerGroupHeartbeat, body);
  }

  // Only what has changed is told.
  void write_owned(Writer& body) {
    const bool first = generation_ == 0;
    if (!first && !std::exchange(owned_changed_, false)) return body.unsigned_varint(0);
    if (first || owned_.empty()) return body.unsigned_varint(1);
    body.unsigned_varint(2);
    body.append(topic_id_);
    body.unsigned_varint(owned_.size() + 1);
    for (const std::int32_t partition : owned_) body.number<std::int32_t>(partition);
    body.unsigned_varint(0);
  }

  void on_consumer_heartbeat(Reader& reader) {
    reader.unsigned_varint();  // the head of an answer has tagged fields here
    reader.number<std::int32_t>();
    const auto error = reader.number<std::int16_t>();
    if (error == kFencedMemberEpoch || error == kUnknownMember) {
      generation_ = 0;
      owned_.clear();
      return send_consumer_heartbeat();
    }
    const std::string message = reader.compact_text();
    if (error != 0)
      give_up("ConsumerGroupHeartbeat answered error " + std::to_string(error) + " " + message);
    reader.compact_text();
    generation_ = reader.number<std::int32_t>();
    reader.number<std::int32_t>();
    if (reader.number<std::int8_t>() < 0) return;
    owned_.clear();
    for (auto topics = reader.unsigned_varint(); topics > 1; --topics) {
      const auto id = reader.take(16);
      topic_id_.assign(id.begin(), id.end());
      for (auto count = reader.unsigned_varint(); count > 1; --count) {
        owned_.push_back(reader.number<std::int32_t>());
      }
      reader.unsigned_varint();
    }
    owned_changed_ = true;
    send_consumer_heartbeat();  // what was taken or given up is confirmed at once
    begin_to_read();
  }

  // ---- Reading

  void begin_to_read() {
    if (owned_.empty() || has_read() || is_asked(kOffsetFetch) || is_asked(kFetch)) return;
    Writer body = begin_request(kOffsetFetch, 5);
    body.text(options_.group);
    body.number<std::int32_t>(1);
    body.text(options_.topic);
    body.number<std::int32_t>(static_cast<std::int32_t>(owned_.size()));
    for (const std::int32_t partition : owned_) body.number<std::int32_t>(partition);
    send(kOffsetFetch, body);
  }

  void send_fetch() {
    if (owned_.empty()) return;  // it has given them up meanwhile
    Writer body = begin_request(kFetch, 11);
    body.number<std::int32_t>(-1);
    body.number<std::int32_t>(500);
    body.number<std::int32_t>(1);
    body.number<std::int32_t>(1 << 20);
    body.number<std::int8_t>(0);
    body.number<std::int32_t>(0);
    body.number<std::int32_t>(-1);
    body.number<std::int32_t>(1);
    body.text(options_.topic);
    body.number<std::int32_t>(static_cast<std::int32_t>(owned_.size()));
    for (const std::int32_t partition : owned_) {
      body.number<std::int32_t>(partition);
      body.number<std::int32_t>(-1);
      body.number<std::int64_t>(0);
      body.number<std::int64_t>(-1);
      body.number<std::int32_t>(1 << 16);
    }
    body.number<std::int32_t>(0);
    body.text("");
    send(kFetch, body);
  }

  void on_fetch(Reader& reader) {
    reader.take(10);
    if (reader.number<std::int32_t>() > 0) {
      reader.text();
      for (auto count = reader.number<std::int32_t>(); count > 0; --count) {
        reader.take(4 + 2 + 8 + 8 + 8);
        const auto aborted = reader.number<std::int32_t>();
        if (aborted > 0) reader.take(16 * static_cast<std::size_t>(aborted));
        reader.number<std::int32_t>();
        const auto bytes = reader.number<std::int32_t>();
        if (bytes <= 0) continue;
        first_record_ns_ = now_ns();
        if (!is_consumer_protocol()) rest();
        return;
      }
    }
    send_fetch();
  }

  const Options& options_;
  const int partition_count_;
  const int socket_;
  std::string id_;
  std::int32_t generation_ = 0;
  Partitions owned_;
  bool owned_changed_ = false;
  std::vector<std::byte> topic_id_;
  std::deque<std::int16_t> asked_;  // the APIs whose answers are on their way
  std::uint64_t joined_at_ns_ = 0;
  std::uint64_t first_record_ns_ = 0;
  std::uint64_t heartbeat_at_ns_ = 0;
  Answers answers_;
};

int partitions_of(const Options& options) {
  const int socket = connect_to(options.port);
  await_coordinator(socket, options.group);
  Writer body = begin_request(kMetadata, 1);
  body.number<std::int32_t>(1);
  body.text(options.topic);
  const auto answer = ask(socket, body);
  close(socket);
  Reader reader(answer);
  for (auto brokers = reader.number<std::int32_t>(); brokers > 0; --brokers) {
    reader.number<std::int32_t>();
    reader.text();
    reader.number<std::int32_t>();
    reader.text();
  }
  reader.number<std::int32_t>();
  reader.number<std::int32_t>();
  if (const auto error = reader.number<std::int16_t>(); error != 0) {
    give_up("Metadata answered error " + std::to_string(error));
  }
  reader.text();
  reader.number<std::int8_t>();
  return reader.number<std::int32_t>();
}

int run(const Options& options) {
  const int partitions = partitions_of(options);
  if (partitions < options.members) give_up("there are fewer partitions than members");
  Poll<Member> poll;
  std::vector<std::unique_ptr<Member>> members;
  for (int i = 0; i < options.members; ++i) {
    members.push_back(std::make_unique<Member>(options, i, partitions));
    poll.watch(*members.back());
  }
  const std::uint64_t end = now_ns() + kGiveUpSeconds * kNanosPerSecond;
  for (const auto& member : members) member->begin();
  while (!std::ranges::all_of(members, [](const auto& member) { return member->has_read(); })) {
    if (now_ns() > end) give_up("not every member has read a record after 60 seconds");
    poll.wait(kNanosPerSecond / 1'000, [](Member& member, std::uint64_t) { member.serve(); });
    const std::uint64_t now = now_ns();
    for (const auto& member : members) member->tick(now);
  }
  std::vector<std::uint64_t> waits;
  for (const auto& member : members) waits.push_back(member->wait_ns() / 1'000);
  std::ranges::sort(waits);
  std::printf("{\"median_us\": %llu, \"longest_us\": %llu}\n",
              static_cast<unsigned long long>(waits[waits.size() / 2]),
              static_cast<unsigned long long>(waits.back()));
  return 0;
}

void describe(CLI::App& app, Options& options) {
  app.add_option("--port", options.port)->required();
  app.add_option("--topic", options.topic)->required();
  app.add_option("--group", options.group)->required();
  app.add_option("--members", options.members)->check(CLI::PositiveNumber);
  app.add_option("--protocol", options.protocol)->check(CLI::IsMember({"classic", "consumer"}));
  app.add_option("--heartbeat-ms", options.heartbeat_ms)->check(CLI::PositiveNumber);
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  millrace::bench::Options options;
  CLI::App app("Members that join a new group");
  millrace::bench::describe(app, options);
  CLI11_PARSE(app, argc, argv);
  return millrace::bench::run(options);
}
