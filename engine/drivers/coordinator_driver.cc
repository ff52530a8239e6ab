#include "engine/drivers/coordinator_driver.h"

#include <algorithm>
#include <utility>

#include "base/logging.h"
#include "engine/drivers/group_loader.h"
#include "engine/group/topic_pattern.h"
#include "engine/log/format/batch_builder.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;

// Several batches rather than a larger one; smaller still where max.message.bytes is.
constexpr std::size_t kBatchBytesMax = std::size_t{256} << 10;
// At most, of what a batch of one record has beside key and value.
constexpr std::size_t kBatchOverheadBytes = 128;
// A warning is not logged more often than this.
constexpr Duration kWarningPause = std::chrono::seconds(10);
constexpr std::size_t kNameBytesLogged = 200;
// A log that could not be read is not read again for everybody who asks, nor written to again and again when it is full.
constexpr std::size_t kMatchesAtOnce = 1000;
constexpr Duration kPause = std::chrono::seconds(10);

// What the log takes as one record's key and value.
std::size_t record_bytes_max(Partition& partition) {
  const std::size_t most = partition.log() == nullptr ? 0 : partition.log()->options().accept.max_message_bytes;
  return most - std::min(most, kBatchOverheadBytes);
}

GroupOptions with_record_limit(GroupOptions options, Partition& partition) {
  options.record_bytes_max = record_bytes_max(partition);
  return options;
}

bool concerns_offsets(const GroupEvent& event) {
  return std::holds_alternative<CommitOffsets>(event) || std::holds_alternative<FetchOffsets>(event);
}

}  // namespace

CoordinatorDriver::CoordinatorDriver(std::shared_ptr<Partition> partition, GroupOptions options,
                                     GroupUse& use, ImageSource image, std::uint64_t seed)
    : partition_(std::move(partition)),
      options_(with_record_limit(options, *partition_)),
      use_(use),
      image_(std::move(image)),
      prng_(seed),
      timer_([this] { on_timer(); }) {}

CoordinatorDriver::~CoordinatorDriver() {
  CHECK(waiting_.empty(), "{} still wait for the coordinator", waiting_.size());
}

void CoordinatorDriver::start() {
  begin_load();
}

void CoordinatorDriver::end_waits() {
  ending_ = true;
  timer_.cancel();
  drops_.notify_all();
  refuse_all(ErrorCode::not_coordinator);
}

io::Task<void> CoordinatorDriver::stop() {
  end_waits();
  co_await gate_.close();
  machine_.reset();
}

// ---- Loading

void CoordinatorDriver::begin_load() {
  if (loading_ || ending_ || partition_->offline()) return;
  loading_ = true;
  gate_.spawn(load());
}

io::Task<void> CoordinatorDriver::load() {
  // What is on its way is in the log or is not when its write has ended.
  while (writing_ > 0) co_await written_.wait();
  auto machine = std::make_unique<GroupMachine>(options_, use_, prng_.next());
  const SharedImage then = image_();
  GroupLoader loader(*partition_->log(), *machine);
  const auto loaded = co_await loader.load(partition_->log()->end_offset());
  loading_ = false;
  if (ending_) co_return;
  if (!loaded) {
    LOG(error, "groups.load", "topic={} partition={} error=\"{}\"", partition_->topic(),
        partition().value(), loaded.error().message);
    retry_load_at_ = io::Reactor::current().now() + kPause;
    put_off_drops();
    co_return;
  }
  if (loader.records() > 0) {
    LOG(info, "groups.loaded", "partition={} records={} groups={}", partition().value(),
        loader.records(), machine->group_count());
  }
  // Topics that went while nobody was here to hear of it, or while the log did not take that they had.
  for (const auto& [name, now] : machine->gone_topics(*then, *image_())) dropped_.insert_or_assign(name, now);
  machine_ = std::move(machine);
  ++term_;
  decide(ActivateGroups{});
  drop_kept_topics();
  drops_.notify_all();
}

void CoordinatorDriver::drop_topics(const GoneTopics& topics) {
  for (const auto& [name, now] : topics) dropped_.insert_or_assign(name, now);
  drop_kept_topics();
}

void CoordinatorDriver::topics_changed(const std::vector<std::string>& names, bool any_came_or_went) {
  // A machine that is being loaded takes nothing for granted.
  if (machine_ == nullptr || ending_ || !partition_->check_leader(kNoLeaderEpoch)) return;
  decide(TopicsChanged{names, any_came_or_went});
}

void CoordinatorDriver::drop_kept_topics() {
  if (dropped_.empty() || machine_ == nullptr || ending_) return;
  if (!partition_->check_leader(kNoLeaderEpoch)) return;
  if (retry_drop_at_ && io::Reactor::current().now() < *retry_drop_at_) return;
  const std::uint64_t term = term_;
  GoneTopics dropping = std::exchange(dropped_, {});
  decide(DropTopics{.topics = dropping});
  if (term != term_) {
    dropped_.merge(dropping);
    return;
  }
  dropping_.merge(dropping);
  dropping_end_ = partition_->log()->end_offset();
  deliver();
}

io::Task<void> CoordinatorDriver::topics_dropped() {
  drop_kept_topics();
  const std::uint64_t put_off = drops_put_off_;
  while (!dropped_.empty() || !dropping_.empty()) {
    const bool under_way = !dropping_.empty() || loading_;
    if (!under_way || ending_ || put_off != drops_put_off_) co_return;
    co_await drops_.wait();
  }
}

void CoordinatorDriver::put_off_drops() {
  ++drops_put_off_;
  drops_.notify_all();
}

// ---- Questions

io::Task<GroupOutcome> CoordinatorDriver::ask(GroupEvent event, GroupWait* wait) {
  if (ending_ || !partition_->check_leader(kNoLeaderEpoch)) {
    co_return std::unexpected(partition_->offline() ? ErrorCode::coordinator_not_available
                                                    : ErrorCode::not_coordinator);
  }
  drop_kept_topics();
  if (machine_ == nullptr) {
    const bool pauses = retry_load_at_ && io::Reactor::current().now() < *retry_load_at_;
    if (partition_->offline() || (!loading_ && pauses)) {
      co_return std::unexpected(ErrorCode::coordinator_not_available);
    }
    begin_load();
    co_return std::unexpected(ErrorCode::coordinator_load_in_progress);
  }
  // Until then nothing is said of offsets: the name may be the next topic's already.
  if (!dropped_.empty() && concerns_offsets(event)) {
    co_return std::unexpected(ErrorCode::coordinator_not_available);
  }
  Waiting waiting;
  const Ticket ticket(++last_ticket_);
  waiting_.emplace(ticket.value(), &waiting);
  std::visit(
      [&](auto& question) {
        if constexpr (requires { question.ticket; }) question.ticket = ticket;
      },
      event);
  decide(std::move(event));
  if (wait != nullptr) {
    wait->driver_ = this;
    wait->ticket_ = ticket;
    if (wait->given_up_) wait->give_up();
  }
  while (!waiting.outcome) co_await waiting.done.wait();
  if (wait != nullptr) wait->driver_ = nullptr;
  co_return std::move(*waiting.outcome);
}

void GroupWait::give_up() {
  given_up_ = true;
  if (driver_ == nullptr) return;
  driver_->answer(ticket_, std::unexpected(ErrorCode::coordinator_not_available));
}

void CoordinatorDriver::decide(GroupEvent event) {
  io::Reactor& reactor = io::Reactor::current();
  GroupEffects effects = std::exchange(effects_, {});
  const SharedImage image = image_();
  // max.message.bytes may have been set meanwhile.
  machine_->set_record_bytes_max(record_bytes_max(*partition_));
  machine_->step({std::move(event), reactor.wall_now(), image.get()}, reactor.now(), effects);
  if (const auto warning = machine_->take_warning()) warn(*warning);
  if (!append(effects)) {
    // The machine has gone, and with it everybody who had asked it.
    effects.clear();
    effects_ = std::move(effects);
    return;
  }
  for (const GroupRecord& record : effects.records) {
    std::optional<ConstBytes> value;
    if (record.value) value = *record.value;
    const auto applied = machine_->apply(record.key, value);
    CHECK(applied, "a record of this coordinator cannot be applied: {}", applied.error().message);
  }
  const Offset seen_end = partition_->log()->end_offset();
  for (GroupReply& reply : effects.replies) pending_.push_back({seen_end, std::move(reply)});
  if (effects.wake_at) {
    timer_.arm(*effects.wake_at);
  } else {
    timer_.cancel();
  }
  effects.clear();
  effects_ = std::move(effects);
  look_up_patterns();
  deliver();
}

void CoordinatorDriver::warn(const GroupWarning& warning) {
  const Instant now = io::Reactor::current().now();
  const auto [told, first] = warned_at_.try_emplace(warning.event, now);
  if (!first && now - told->second < kWarningPause) return;
  told->second = now;
  LOG(warn, warning.event, "partition={} group=\"{}\" error=\"{}\"", partition().value(),
      std::string_view(warning.group).substr(0, kNameBytesLogged), warning.text);
}

// ---- Patterns

void CoordinatorDriver::look_up_patterns() {
  while (auto question = machine_->next_pattern_question()) {
    gate_.spawn(look_up(std::move(*question), term_));
  }
}

// All topics, some at a time: there may be many, and others want the shard too.
io::Task<void> CoordinatorDriver::look_up(PatternQuestion question, std::uint64_t term) {
  const SharedImage image = image_();
  PatternsResolved answer{.group = question.group, .topics = {}, .version = image->position.offset.value()};
  std::vector<std::pair<TopicPattern, std::vector<std::string>*>> patterns;
  for (const std::string& text : question.patterns) patterns.push_back({TopicPattern(text), &answer.topics[text]});
  std::string from;
  for (bool at_end = false; !at_end;) {
    co_await io::yield();
    std::size_t tried = 0;
    at_end = true;
    image->topics.for_each_from(from, [&](const TopicImage& topic) {
      if (tried >= kMatchesAtOnce) {
        from = topic.name;
        at_end = false;
        return false;
      }
      tried += patterns.size();
      for (auto& [pattern, topics] : patterns) {
        if (pattern.matches(topic.name)) topics->push_back(topic.name);
      }
      return true;
    });
  }
  if (ending_ || term != term_ || machine_ == nullptr || !partition_->check_leader(kNoLeaderEpoch)) co_return;
  decide(std::move(answer));
}

// False when the log took something else than all of it: the machine is gone then.
bool CoordinatorDriver::append(const GroupEffects& effects) {
  const std::vector<GroupRecord>& records = effects.records;
  auto unit = effects.units.begin();
  const std::uint64_t term = term_;
  const std::int64_t now = io::Reactor::current().wall_now().ms;
  const std::size_t batch_bytes_max = std::min(kBatchBytesMax, record_bytes_max(*partition_));
  for (std::size_t begin = 0; begin < records.size();) {
    log::BatchBuilder builder;
    for (; begin < records.size(); ++begin) {
      const GroupRecord& record = records[begin];
      const std::size_t more = log::BatchBuilder::record_bytes_max(
          record.key.size(), record.value ? record.value->size() : 0);
      if (unit != effects.units.end() && begin >= unit->end) ++unit;
      const bool in_unit = unit != effects.units.end() && begin > unit->begin;
      const bool starts_unit = unit != effects.units.end() && begin == unit->begin;
      const bool may_break = !effects.atomic && !in_unit && builder.record_count() > 0;
      if (may_break && (starts_unit || builder.size() + more > batch_bytes_max)) break;
      std::optional<ConstBytes> value;
      if (record.value) value = *record.value;
      builder.append(now, ConstBytes(record.key), value);
    }
    const Bytes batch = builder.finish();
    gate_.spawn(write(std::vector<std::byte>(batch.begin(), batch.end()), term));
    if (term != term_) return false;
  }
  return true;
}

// Staged inline, so batches are in the log in the order of the steps.
io::Task<void> CoordinatorDriver::write(std::vector<std::byte> batch, std::uint64_t term) {
  ++writing_;
  const auto appended = co_await partition_->append(batch, io::Reactor::current().wall_now(), true);
  if (--writing_ == 0) written_.notify_all();
  if (term != term_) co_return;
  if (!appended) {
    drop_machine(appended.error());
  } else {
    deliver();
  }
}

void CoordinatorDriver::drop_machine(const Error& error) {
  LOG(error, "groups.append", "topic={} partition={} error=\"{}\"", partition_->topic(),
      partition().value(), error.message);
  ++term_;
  timer_.cancel();
  machine_.reset();
  dropped_.merge(dropping_);
  dropping_.clear();
  retry_drop_at_ = io::Reactor::current().now() + kPause;
  put_off_drops();
  refuse_all(ErrorCode::coordinator_not_available);
  begin_load();
}

// ---- Answers

void CoordinatorDriver::deliver() {
  const Offset stable = partition_->state().high_watermark;
  if (dropping_end_ <= stable && !dropping_.empty()) {
    dropping_.clear();
    drops_.notify_all();
  }
  while (!pending_.empty() && pending_.front().seen_end <= stable) {
    GroupReply reply = std::move(pending_.front().reply);
    pending_.pop_front();
    answer(reply.ticket, std::move(reply.answer));
  }
}

void CoordinatorDriver::answer(Ticket ticket, GroupOutcome outcome) {
  const auto found = waiting_.extract(ticket.value());
  if (found.empty()) return;  // it was told that we are ending
  found.mapped()->outcome = std::move(outcome);
  found.mapped()->done.notify_all();
}

void CoordinatorDriver::refuse_all(ErrorCode error) {
  pending_.clear();
  for (auto& [ticket, waiting] : std::exchange(waiting_, {})) {
    waiting->outcome = std::unexpected(error);
    waiting->done.notify_all();
  }
}

void CoordinatorDriver::on_timer() {
  if (machine_ == nullptr || ending_ || !partition_->check_leader(kNoLeaderEpoch)) return;
  decide(GroupTick{});
}

}  // namespace millrace::engine
