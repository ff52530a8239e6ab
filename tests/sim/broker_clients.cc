// What the clients of a simulated node do, and what they expect of each answer.
#include <algorithm>
#include <array>
#include <chrono>

#include "engine/log/format/record.h"
#include "net/wire/create_partitions.h"
#include "net/wire/create_topics.h"
#include "net/wire/delete_records.h"
#include "net/wire/delete_topics.h"
#include "net/wire/incremental_alter_configs.h"
#include "net/wire/init_producer_id.h"
#include "net/wire/list_offsets.h"
#include "net/wire/metadata.h"
#include "tests/sim/broker_life.h"
#include "tests/sim/log_node.h"

namespace millrace::sim {
namespace {

using wire::ErrorCode;

constexpr int kOperationsPerClient = 25;
constexpr std::size_t kTopicsMax = 6;
constexpr std::size_t kPartitionsMax = 10;
constexpr std::uint64_t kKeys = 6;
constexpr std::int64_t kLatest = -1;
constexpr std::int64_t kEarliest = -2;
constexpr std::array<std::string_view, 3> kPolicies = {"delete", "compact", "compact,delete"};
constexpr std::int16_t kProduceByIdSince = 13;
constexpr std::int16_t kFetchByIdSince = 13;
constexpr std::int16_t kSessionsSince = 7;

bool says_gone(ErrorCode code) {
  return code == ErrorCode::unknown_topic_or_partition || code == ErrorCode::unknown_topic_id ||
         code == ErrorCode::not_leader_or_follower || code == ErrorCode::kafka_storage_error;
}

}  // namespace

io::Task<void> BrokerLife::Actor::close() {
  if (connection == nullptr) co_return;
  connection->shutdown();
  co_await connection->close();
  connection.reset();
}

std::vector<std::string> BrokerLife::usable_topics() const {
  std::vector<std::string> names;
  for (const auto& [name, truth] : oracle_.topics) {
    if (truth.state == TopicTruth::State::exists && !truth.reserved) names.push_back(name);
  }
  return names;
}

std::string BrokerLife::name_of(const TopicId& id) const {
  for (const auto& [name, truth] : oracle_.topics) {
    if (truth.id == id) return name;
  }
  return {};
}

// Whether an error of the disk is an answer that may be.
bool BrokerLife::may_fail(const std::string& name, std::int32_t index) {
  // A log that met the full disk refuses for a moment longer, and liveness is checked apart from this.
  if (partition(name, index).in_doubt || trouble_ == Trouble::full_disk) return true;
  if (!disturbed_) return false;
  if (trouble_ == Trouble::bad_partition) return bad_partition_ == fmt::format("/{}-{}/", name, index);
  return trouble_ == Trouble::bad_write_ahead;
}

// ---- Producers

SentBatch BrokerLife::make_batch_for(Prng& random, const std::string& name, std::int32_t index) {
  SentBatch batch{.topic = name, .partition = index, .timestamp = world_.wall_now().ms};
  const std::uint64_t count = 1 + random.below(4);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::size_t padding = random.chance(10) ? random.below(6000) : random.below(300);
    const std::string value = fmt::format("{}-{}/{}", name, index, next_value_++) + std::string(padding, '.');
    const std::string key = topic(name).keyed ? fmt::format("k{}", random.below(kKeys)) : std::string();
    const bool deletes = !key.empty() && random.chance(5);
    if (deletes) partition(name, index).deletions_under_way.insert(key);
    batch.values.push_back(key.empty() ? value : deletes ? deletion_of(key) : key + "=" + value);
    partition(name, index).sent.insert(batch.values.back());
  }
  return batch;
}

void BrokerLife::make_batches(Prng& random, ProducerTruth& producer) {
  const auto names = usable_topics();
  if (names.empty()) return;
  const std::uint64_t wanted = 1 + random.below(4);
  for (std::uint64_t i = 0; i < wanted; ++i) {
    const std::string& name = names[random.below(names.size())];
    const auto index = static_cast<std::int32_t>(random.below(topic(name).partitions.size()));
    const bool taken = std::ranges::any_of(producer.outstanding, [&](const SentBatch& other) {
      return other.topic == name && other.partition == index;
    });
    if (taken) continue;
    SentBatch batch = make_batch_for(random, name, index);
    if (producer.idempotent) batch.base_sequence = producer.next_sequence[{name, index}];
    producer.outstanding.push_back(std::move(batch));
  }
}

io::Task<void> BrokerLife::init_producer(Actor& actor, ProducerTruth& producer) {
  wire::InitProducerIdRequest request;
  request.transactional_id = std::nullopt;
  const auto answer = co_await actor.call(request, draw_version(actor.random, 0, 5));
  if (!answer) co_return;
  if (answer->message.error_code != ErrorCode::none) {
    if (trouble_ != Trouble::full_disk) {
      fail(fmt::format("InitProducerId: {}", wire::error_name(answer->message.error_code)));
    }
    co_return;
  }
  for (const auto& other : oracle_.producers) {
    if (other.id == answer->message.producer_id) fail(fmt::format("producer id {} is given out twice", other.id));
  }
  producer.id = answer->message.producer_id;
  producer.epoch = answer->message.producer_epoch;
}

bool BrokerLife::take_answer(const SentBatch& batch, const ProducedPartition& answer, ProducerTruth& producer,
                             bool& forget) {
  const ErrorCode code = answer.error_code;
  const auto count = static_cast<std::int32_t>(batch.values.size());
  if (code == ErrorCode::none) {
    check(oracle_.acknowledged(batch, answer.base_offset));
    if (producer.idempotent) producer.next_sequence[{batch.topic, batch.partition}] = batch.base_sequence + count;
    report_.acknowledged += batch.values.size();
    return true;
  }
  const PartitionTruth& truth = partition(batch.topic, batch.partition);
  if (says_gone(code) && topic(batch.topic).may_be_gone()) return true;
  if (code == ErrorCode::kafka_storage_error && may_fail(batch.topic, batch.partition)) {
    ++report_.storage_errors;
    return false;
  }
  const bool sequence_lost = truth.has_lost || truth.in_doubt || disturbed_;
  if ((code == ErrorCode::out_of_order_sequence_number || code == ErrorCode::unknown_producer_id) && sequence_lost) {
    forget = true;
    return true;
  }
  fail(fmt::format("produce to {}-{}, sequence {}: {} {}", batch.topic, batch.partition, batch.base_sequence,
                   wire::error_name(code), answer.error_message.value_or("")));
  return true;
}

io::Task<void> BrokerLife::send_outstanding(Actor& actor, ProducerTruth& producer) {
  const std::int16_t version = draw_version(actor.random, 3, 13);
  wire::ProduceRequest request;
  request.acks = actor.random.chance(2) ? 1 : -1;
  request.timeout_ms = 30'000;
  const std::vector<SentBatch> sent = producer.outstanding;
  std::vector<std::vector<std::byte>> bytes;
  for (const auto& batch : sent) {
    BatchSpec spec{.values = batch.values,
                   .timestamp = batch.timestamp,
                   .producer_id = ProducerId(producer.id),
                   .producer_epoch = producer.epoch,
                   .base_sequence = batch.base_sequence};
    for (std::size_t i = 0; topic(batch.topic).keyed && i < batch.values.size(); ++i) {
      spec.keys.push_back(key_of(batch.values[i]));
      if (is_deletion(batch.values[i])) spec.without_value.insert(i);
    }
    bytes.push_back(make_batch(spec));
    auto& of_topic = entry_for(request.topic_data, [&](const auto& entry) { return entry.name == batch.topic; });
    of_topic.name = batch.topic;
    of_topic.topic_id = topic(batch.topic).id;
    of_topic.partition_data.push_back({.index = batch.partition, .records = wire::WireBytes(ConstBytes(bytes.back()))});
  }
  const auto answer = co_await actor.call(request, version);
  if (!answer) co_return;
  bool forget = false;
  std::size_t answered = 0;
  for (const auto& of_topic : answer->message.responses) {
    const std::string name = version >= kProduceByIdSince ? name_of(of_topic.topic_id) : std::string(of_topic.name);
    for (const auto& part : of_topic.partition_responses) {
      const auto batch = std::ranges::find_if(producer.outstanding, [&](const SentBatch& candidate) {
        return candidate.topic == name && candidate.partition == part.index;
      });
      if (batch == producer.outstanding.end()) {
        fail(fmt::format("produce: an answer for {}-{}, which nobody asked", name, part.index));
        continue;
      }
      ++answered;
      if (take_answer(SentBatch(*batch), part, producer, forget)) producer.outstanding.erase(batch);
    }
  }
  if (answered != sent.size()) fail("produce: a partition is missing from the answer");
  if (forget) producer.forget();
}

io::Task<void> BrokerLife::produce(Actor& actor, ProducerTruth& producer) {
  if (producer.idempotent && producer.id < 0) co_await init_producer(actor, producer);
  if (over() || (producer.idempotent && producer.id < 0)) co_return;
  if (producer.outstanding.empty()) make_batches(actor.random, producer);
  const int attempts = producer.idempotent ? 4 : 1;
  for (int i = 0; i < attempts && !producer.outstanding.empty() && !over(); ++i) {
    co_await send_outstanding(actor, producer);
    if (!producer.outstanding.empty()) co_await short_sleep(actor.random, 20'000);
  }
  // What has become of them is unknown, and a later sequence would not fit.
  if (!producer.outstanding.empty() && !over()) producer.forget();
}

io::Task<void> BrokerLife::act_producer(std::size_t number) {
  Actor actor(*this, fmt::format("producer {}", number));
  for (int i = 0; i < kOperationsPerClient && !over(); ++i) {
    co_await produce(actor, oracle_.producers[number]);
    if (actor.random.chance(3)) co_await short_sleep(actor.random, 5'000);
    if (actor.random.chance(15)) co_await actor.close();
  }
  co_await actor.close();
}

// ---- Consumers

BrokerLife::Consumer BrokerLife::make_consumer(Prng& random, std::size_t partitions) {
  Consumer consumer{.version = draw_version(random, 4, 18)};
  consumer.session = consumer.version >= kSessionsSince && random.chance(2);
  const auto names = usable_topics();
  for (std::size_t i = 0; i < partitions && !names.empty(); ++i) {
    const std::string& name = names[random.below(names.size())];
    const auto index = static_cast<std::int32_t>(random.below(topic(name).partitions.size()));
    const bool taken = std::ranges::any_of(consumer.positions, [&](const auto& other) {
      return other.topic == name && other.partition == index;
    });
    if (taken) continue;
    const PartitionTruth& truth = partition(name, index);
    const std::int64_t span = truth.end - truth.deleted_below;
    const std::int64_t ahead = span <= 0 ? 0 : static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(span) + 1));
    consumer.positions.push_back({.topic = name, .partition = index, .offset = std::min(truth.deleted_below + ahead, std::max(truth.end, truth.deleted_below))});
  }
  return consumer;
}

void BrokerLife::take_fetch_error(Consumer::Position& position, const FetchedPartition& fetched) {
  const ErrorCode code = fetched.error_code;
  const PartitionTruth& truth = partition(position.topic, position.partition);
  position.changed = true;
  if (says_gone(code) && topic(position.topic).may_be_gone()) return;
  // A full disk stops no reader, but where it kept a new partition from being made there was nothing to read
  // when it was asked.
  const bool may_be = trouble_ != Trouble::full_disk || position.known_end == 0;
  if (code == ErrorCode::kafka_storage_error && may_be && may_fail(position.topic, position.partition)) {
    ++report_.storage_errors;
    return;
  }
  // Before version 5 an answer does not say where the log begins.
  const std::int64_t begins = fetched.log_start_offset >= 0 ? fetched.log_start_offset : fetched.high_watermark;
  if (code == ErrorCode::offset_out_of_range && topic(position.topic).expires && position.offset < begins) {
    position.offset = begins;
    return;
  }
  if (code == ErrorCode::offset_out_of_range && position.offset < truth.deleted_below) {
    position.offset = truth.deleted_below;
    return;
  }
  if (truth.in_doubt) return;
  fail(fmt::format("fetch of {}-{} from {} (known: {} to {}): {}", position.topic, position.partition,
                   position.offset, truth.deleted_below, truth.end, wire::error_name(code)));
}

void BrokerLife::take_fetched(Consumer::Position& position, const FetchedPartition& fetched, const Sink& sink) {
  if (fetched.error_code != ErrorCode::none) return take_fetch_error(position, fetched);
  position.had_records = !fetched.records.here.value_or(wire::WireBytes()).empty();
  const PartitionTruth& truth = partition(position.topic, position.partition);
  const std::string what = fmt::format("fetch of {}-{} from {}", position.topic, position.partition, position.offset);
  if (fetched.high_watermark < position.known_end && !truth.in_doubt) {
    fail(fmt::format("{}: high watermark {}, known was {}", what, fetched.high_watermark, position.known_end));
  }
  Records records;
  const bool gaps = topic(position.topic).compacts;
  std::int64_t next = position.offset;
  for (log::BatchWalk walk(fetched.records.here.value_or(wire::WireBytes())); !walk.at_end();) {
    const auto batch = walk.next();
    if (!batch && batch.error() == Errc::truncated && !records.empty()) break;
    if (!batch || !batch->verify()) {
      if (!truth.in_doubt && !may_fail(position.topic, position.partition)) fail(what + ": a damaged batch");
      break;
    }
    if ((batch->base_offset().value() > next && !gaps) || batch->last_offset().value() < next) {
      fail(fmt::format("{}: the batch {} to {} where {} was next", what, batch->base_offset().value(),
                       batch->last_offset().value(), next));
      break;
    }
    for (log::RecordWalk record_walk(*batch, batch->payload()); !record_walk.at_end();) {
      const auto record = record_walk.next();
      if (!record) {
        fail(what + ": a damaged record");
        break;
      }
      const std::int64_t offset = record->offset.value();
      if (offset < next) continue;
      if (offset != next && !gaps) fail(fmt::format("{}: the record {} where {} was next", what, offset, next));
      next = offset + 1;
      records.emplace_back(offset, record->value ? std::string(as_text(*record->value))
                                                 : deletion_of(as_text(record->key.value_or(ConstBytes()))));
    }
    if (gaps) next = std::max(next, batch->last_offset().value() + 1);
  }
  if (next > fetched.high_watermark && !records.empty()) {
    fail(fmt::format("{}: {} beyond the high watermark {}", what, next, fetched.high_watermark));
  }
  if (next == position.offset) return;
  position.offset = next;
  position.changed = true;
  if (records.empty()) return;
  report_.fetched += records.size();
  sink(position, std::move(records));
}

io::Task<void> BrokerLife::poll(Actor& actor, Consumer& consumer, const Sink& sink) {
  const bool full = !consumer.session || consumer.epoch == 0;
  wire::FetchRequest request;
  request.max_wait_ms = static_cast<std::int32_t>(actor.random.below(30));
  request.min_bytes = 1;
  request.max_bytes = static_cast<std::int32_t>(1 + actor.random.below(30'000));
  request.session_id = consumer.session_id;
  request.session_epoch = consumer.session ? consumer.epoch : -1;
  for (auto& position : consumer.positions) {
    position.had_records = false;
    position.known_end = consumer.after_start ? 0 : partition(position.topic, position.partition).end;
    if (!full && !position.changed) continue;
    position.changed = false;
    // Their order is whose turn it is, so that a topic may come twice.
    const bool goes_on = !request.topics.empty() && request.topics.back().topic == position.topic;
    auto& of_topic = goes_on ? request.topics.back() : request.topics.emplace_back();
    of_topic.topic = position.topic;
    of_topic.topic_id = topic(position.topic).id;
    of_topic.partitions.push_back({.partition = position.partition,
                                   .fetch_offset = position.offset,
                                   .partition_max_bytes = static_cast<std::int32_t>(1 + actor.random.below(9000))});
  }
  const auto answer = co_await actor.call(request, consumer.version);
  const ErrorCode code = answer ? answer->message.error_code : ErrorCode::none;
  if (!answer || code != ErrorCode::none) {
    const bool session_gone = code == ErrorCode::fetch_session_id_not_found || code == ErrorCode::invalid_fetch_session_epoch;
    if (answer && !(session_gone && !full)) fail(fmt::format("fetch: {}", wire::error_name(code)));
    consumer.session_id = consumer.epoch = 0;
    co_return;
  }
  if (consumer.session) {
    consumer.session_id = answer->message.session_id;
    consumer.epoch = consumer.session_id == 0 ? 0 : consumer.epoch + 1;
  }
  for (const auto& of_topic : answer->message.responses) {
    const std::string name =
        consumer.version >= kFetchByIdSince ? name_of(of_topic.topic_id) : std::string(of_topic.topic);
    for (const auto& fetched : of_topic.partitions) {
      const auto position = std::ranges::find_if(consumer.positions, [&](const auto& candidate) {
        return candidate.topic == name && candidate.partition == fetched.partition_index;
      });
      if (position == consumer.positions.end()) {
        fail(fmt::format("fetch: {}-{} was not asked for", name, fetched.partition_index));
      } else {
        take_fetched(*position, fetched, sink);
      }
    }
  }
  // Who had something is asked for last, as consumers do: what is damaged would else be all that is ever given.
  std::vector<Consumer::Position> next;
  for (const bool had : {false, true}) {
    std::ranges::copy_if(consumer.positions, std::back_inserter(next),
                         [had](const auto& position) { return position.had_records == had; });
  }
  consumer.positions = std::move(next);
}

io::Task<void> BrokerLife::act_consumer(std::uint64_t number) {
  Actor actor(*this, fmt::format("consumer {}", number));
  const Sink remember = [this](const Consumer::Position& position, Records records) {
    for (const auto& [offset, value] : records) check(oracle_.read(position.topic, position.partition, offset, value));
  };
  Consumer consumer;
  for (int i = 0; i < kOperationsPerClient && !over(); ++i) {
    if (consumer.positions.empty() || actor.random.chance(8)) consumer = make_consumer(actor.random, 1 + actor.random.below(5));
    if (consumer.positions.empty()) co_await short_sleep(actor.random, 20'000);
    else co_await poll(actor, consumer, remember);
    if (actor.random.chance(4)) co_await short_sleep(actor.random, 5'000);
    if (actor.random.chance(25)) {
      co_await actor.close();
      consumer = {};
    }
  }
  co_await actor.close();
}

// ---- Administration

io::Task<void> BrokerLife::create_topic(Actor& actor) {
  const std::string name = fmt::format("t{}", next_topic_++);
  co_await send_creation(actor, name);
}

io::Task<void> BrokerLife::send_creation(Actor& actor, std::string name) {
  TopicTruth& truth = oracle_.topics[name];
  for (auto& [group, committed] : oracle_.groups) committed.topic_is_new(name, trouble_ == Trouble::full_disk);
  truth.fsync = !actor.random.chance(3);
  truth.partitions.resize(1 + actor.random.below(6));
  wire::CreateTopicsRequest request;
  auto& wanted = request.topics.emplace_back();
  wanted.name = name;
  wanted.num_partitions = static_cast<std::int32_t>(truth.partitions.size());
  wanted.replication_factor = 1;
  wanted.configs.push_back({.name = "millrace.durability", .value = truth.fsync ? "fsync" : "replicated"});
  if (!actor.random.chance(4)) wanted.configs.push_back({.name = "internal.segment.bytes", .value = "20000"});
  truth.keyed = actor.random.chance(3);
  const std::string_view policy = truth.keyed ? kPolicies[actor.random.below(kPolicies.size())] : "delete";
  if (truth.keyed) {
    wanted.configs.push_back({.name = "cleanup.policy", .value = policy});
    wanted.configs.push_back({.name = "delete.retention.ms", .value = "100"});
  }
  truth.compacts = policy != "delete";
  truth.retains_little = actor.random.chance(4);
  truth.expires = truth.retains_little && policy != "compact";
  if (truth.retains_little && actor.random.chance(2)) {
    wanted.configs.push_back({.name = "retention.bytes", .value = "30000"});
  } else if (truth.retains_little) {
    wanted.configs.push_back({.name = "retention.ms", .value = "500"});
  }
  const auto answer = co_await actor.call(request, 7);
  if (!answer) co_return;
  const auto& made = answer->message.topics.at(0);
  if (made.error_code != ErrorCode::none) {
    if (trouble_ != Trouble::full_disk) {
      fail(fmt::format("create {}: {} {}", name, wire::error_name(made.error_code), made.error_message.value_or("")));
    }
    co_return;
  }
  truth.id = made.topic_id;
  truth.state = TopicTruth::State::exists;
}

// One batch, acknowledged or not.
io::Task<void> BrokerLife::produce_once(Actor& actor, std::string name) {
  ProducerTruth producer;
  const auto index = static_cast<std::int32_t>(actor.random.below(topic(name).partitions.size()));
  producer.outstanding = {make_batch_for(actor.random, name, index)};
  co_await send_outstanding(actor, producer);
}

// A topic that is deleted, and another of the same name made at once: nothing of the first may be in the second, nor be committed
// for it.
io::Task<void> BrokerLife::replace_topic(Actor& actor) {
  const std::string name = fmt::format("t{}", next_topic_++);
  for (int round = 0; round < 3 && !over(); ++round) {
    TopicTruth& truth = oracle_.topics[name] = TopicTruth{.reserved = true};
    co_await send_creation(actor, name);
    if (over() || truth.state != TopicTruth::State::exists) co_return;
    const std::uint64_t batches = 1 + actor.random.below(3);
    for (std::uint64_t i = 0; i < batches && !over(); ++i) co_await produce_once(actor, name);
    if (!over() && oracle_.has_offsets_topic) co_await check_and_commit(actor, name);
    if (over() || round == 2) break;
    co_await send_deletion(actor, name);
    if (truth.state != TopicTruth::State::deleted) co_return;
  }
  topic(name).reserved = false;
}

io::Task<void> BrokerLife::create_by_metadata(Actor& actor) {
  const std::string name = fmt::format("t{}", next_topic_++);
  TopicTruth& truth = oracle_.topics[name];
  truth.partitions.resize(2);  // num.partitions
  const std::uint64_t asked_without = actor.random.below(3);
  for (std::uint64_t i = 0; i < 5 + asked_without && !over(); ++i) {
    wire::MetadataRequest request;
    request.topics->push_back({.name = name});
    request.allow_auto_topic_creation = i >= asked_without;
    const auto answer = co_await actor.call(request, draw_version(actor.random, 10, 13));
    if (!answer) co_return;
    const auto& found = answer->message.topics.at(0);
    if (!request.allow_auto_topic_creation) {
      if (found.error_code == ErrorCode::unknown_topic_or_partition) continue;
      fail(fmt::format("metadata of {}, not to be made: {}", name, wire::error_name(found.error_code)));
    }
    if (found.error_code == ErrorCode::none) {
      truth.id = found.topic_id;
      truth.partitions.resize(found.partitions.size());
      truth.state = TopicTruth::State::exists;
      // Whatever ends this life from now on: the topic is there in the next one, and so is what it acknowledged.
      if (actor.random.chance(2)) co_await produce_once(actor, name);
      co_return;
    }
    if (!wire::is_retriable(found.error_code) && trouble_ != Trouble::full_disk) {
      fail(fmt::format("metadata of {}: {}", name, wire::error_name(found.error_code)));
    }
    co_await short_sleep(actor.random, 20'000);
  }
}

io::Task<void> BrokerLife::delete_topic(Actor& actor) {
  const auto names = usable_topics();
  if (names.size() < 2) co_return;
  const std::string name = names[actor.random.below(names.size())];
  co_await send_deletion(actor, name);
}

io::Task<void> BrokerLife::send_deletion(Actor& actor, std::string name) {
  TopicTruth& truth = topic(name);
  truth.state = TopicTruth::State::deleting;
  for (auto& [group, committed] : oracle_.groups) committed.topic_goes(name);
  wire::DeleteTopicsRequest request;
  const std::int16_t version = draw_version(actor.random, 1, 6);
  if (version < 6) request.topic_names.push_back(name);
  else if (actor.random.chance(2)) request.topics.push_back({.name = name});
  else request.topics.push_back({.name = std::nullopt, .topic_id = truth.id});
  const auto answer = co_await actor.call(request, version);
  if (!answer) co_return;
  const ErrorCode code = answer->message.responses.at(0).error_code;
  if (code == ErrorCode::none) truth.state = TopicTruth::State::deleted;
  else if (trouble_ != Trouble::full_disk) fail(fmt::format("delete {}: {}", name, wire::error_name(code)));
}

io::Task<void> BrokerLife::delete_records(Actor& actor) {
  const auto names = usable_topics();
  if (names.empty()) co_return;
  const std::string name = names[actor.random.below(names.size())];
  const auto index = static_cast<std::int32_t>(actor.random.below(topic(name).partitions.size()));
  PartitionTruth& truth = partition(name, index);
  // The broker deletes no records where the cleaner is at work.
  if (truth.end <= truth.deleted_below || topic(name).keyed) co_return;
  truth.deleted_below += static_cast<std::int64_t>(actor.random.below(static_cast<std::uint64_t>(truth.end - truth.deleted_below + 1)));
  const std::int64_t to = truth.deleted_below;
  wire::DeleteRecordsRequest request;
  request.timeout_ms = 30'000;
  request.topics.push_back({.name = name, .partitions = {{.partition_index = index, .offset = to}}});
  const auto answer = co_await actor.call(request, draw_version(actor.random, 0, 2));
  if (!answer) co_return;
  const auto& done = answer->message.topics.at(0).partitions.at(0);
  if (done.error_code == ErrorCode::none) {
    if (done.low_watermark < to) fail(fmt::format("{}-{}: deleted below {}, low watermark {}", name, index, to, done.low_watermark));
  } else if (!may_fail(name, index) && !topic(name).may_be_gone()) {
    fail(fmt::format("delete records of {}-{} below {}: {}", name, index, to, wire::error_name(done.error_code)));
  }
}

io::Task<std::optional<std::int64_t>> BrokerLife::list_offset(Actor& actor, std::string name, std::int32_t index,
                                                              std::int64_t timestamp) {
  wire::ListOffsetsRequest request;
  request.replica_id = -1;
  request.topics.push_back({.name = name, .partitions = {{.partition_index = index, .timestamp = timestamp}}});
  const auto answer = co_await actor.call(request, draw_version(actor.random, 1, 11));
  if (!answer) co_return std::nullopt;
  const auto& found = answer->message.topics.at(0).partitions.at(0);
  if (found.error_code == ErrorCode::none) co_return found.offset;
  if (!may_fail(name, index) && !topic(name).may_be_gone()) {
    fail(fmt::format("list offsets of {}-{}: {}", name, index, wire::error_name(found.error_code)));
  }
  co_return std::nullopt;
}

io::Task<void> BrokerLife::check_offsets(Actor& actor) {
  const auto names = usable_topics();
  if (names.empty()) co_return;
  const std::string name = names[actor.random.below(names.size())];
  const auto index = static_cast<std::int32_t>(actor.random.below(topic(name).partitions.size()));
  const std::int64_t known_end = partition(name, index).end;
  const auto latest = co_await list_offset(actor, name, index, kLatest);
  if (latest && *latest < known_end && !partition(name, index).in_doubt) {
    fail(fmt::format("{}-{}: latest offset {}, known was {}", name, index, *latest, known_end));
  }
  const auto earliest = co_await list_offset(actor, name, index, kEarliest);
  if (earliest && *earliest > partition(name, index).deleted_below && !topic(name).expires) {
    fail(fmt::format("{}-{}: earliest offset {}, deleted below {}", name, index, *earliest,
                     partition(name, index).deleted_below));
  }
}

// From when it is sent the weaker of the old and the new promise holds, and until the topic goes.
io::Task<void> BrokerLife::alter_config(Actor& actor) {
  const auto names = usable_topics();
  if (names.empty()) co_return;
  const std::string name = names[actor.random.below(names.size())];
  TopicTruth& truth = topic(name);
  wire::IncrementalAlterConfigsRequest::Config config;
  std::uint64_t choice = actor.random.below(4);
  if (choice == 3 && !truth.keyed) choice = 0;
  if (choice == 0) config = {.name = "internal.segment.bytes", .value = actor.random.chance(2) ? "4000" : "50000"};
  if (choice == 1) config = {.name = "millrace.durability", .value = actor.random.chance(2) ? "fsync" : "replicated"};
  if (choice == 2) config = {.name = "retention.ms", .value = actor.random.chance(2) ? "300" : "3600000"};
  if (choice == 3) config = {.name = "cleanup.policy", .value = kPolicies[actor.random.below(kPolicies.size())]};
  truth.fsync &= config.value != "replicated";
  truth.retains_little |= config.value == "300";
  truth.compacts |= choice == 3 && config.value != "delete";
  // Which policy a topic with keys has by now is not followed.
  truth.expires |= truth.retains_little && (choice == 2 || choice == 3);
  wire::IncrementalAlterConfigsRequest request;
  request.resources.push_back({.resource_type = 2, .resource_name = name, .configs = {config}});
  const auto answer = co_await actor.call(request, draw_version(actor.random, 0, 1));
  if (!answer || trouble_ == Trouble::full_disk || truth.may_be_gone()) co_return;
  const ErrorCode code = answer->message.responses.at(0).error_code;
  if (code != ErrorCode::none) fail(fmt::format("{} of {}: {}", config.name, name, wire::error_name(code)));
}

// From when it is sent on they may be there.
io::Task<void> BrokerLife::add_partitions(Actor& actor) {
  const auto names = usable_topics();
  if (names.empty()) co_return;
  const std::string name = names[actor.random.below(names.size())];
  TopicTruth& truth = topic(name);
  if (truth.may_have > 0 || truth.partitions.size() >= kPartitionsMax) co_return;
  truth.may_have = truth.partitions.size() + 1 + actor.random.below(3);
  wire::CreatePartitionsRequest request;
  request.timeout_ms = 30'000;
  request.topics.push_back({.name = name, .count = static_cast<std::int32_t>(truth.may_have), .assignments = std::nullopt});
  const auto answer = co_await actor.call(request, draw_version(actor.random, 0, 3));
  if (!answer) co_return;
  const ErrorCode code = answer->message.results.at(0).error_code;
  if (code == ErrorCode::none) {
    truth.partitions.resize(std::exchange(truth.may_have, 0));
  } else if (trouble_ != Trouble::full_disk && !truth.may_be_gone()) {
    fail(fmt::format("more partitions of {}: {}", name, wire::error_name(code)));
  }
}

io::Task<void> BrokerLife::act_admin() {
  Actor actor(*this, "admin");
  for (int i = 0; i < kOperationsPerClient && !over(); ++i) {
    const std::size_t topics = usable_topics().size();
    const std::uint64_t choice = topics == 0 ? actor.random.below(2) : actor.random.below(10);
    if (choice == 0 && topics < kTopicsMax) co_await create_topic(actor);
    if (choice == 1 && topics < kTopicsMax) co_await create_by_metadata(actor);
    if (choice == 2 && actor.random.chance(2)) co_await delete_topic(actor);
    if (choice == 3) co_await delete_records(actor);
    if (choice == 4 || choice == 5) co_await check_offsets(actor);
    if (choice == 6) co_await alter_config(actor);
    if (choice == 8) co_await add_partitions(actor);
    if (choice == 9 && topics < kTopicsMax && actor.random.chance(3)) co_await replace_topic(actor);
    if (trouble_ == Trouble::full_disk && disturbed_ && choice >= 6) {
      disk_->set_capacity(choice == 6 ? std::uint64_t{1} << 40 : disk_->used_bytes() + actor.random.below(60'000));
    }
    co_await short_sleep(actor.random, 15'000);
  }
  co_await actor.close();
}

}  // namespace millrace::sim
