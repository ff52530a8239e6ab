// A Log against the obvious model of one: a vector of batches. Random appends, reads, truncations at both ends, rolls, retention,
// clean stops, kills and power cuts; after each the two must agree.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "engine/log/log.h"
#include "tests/sim/log_node.h"
#include "tests/sim/sim_proactor.h"
#include "tests/sim/world.h"

namespace millrace::log {
namespace {

struct ModelBatch {
  Offset first;
  std::vector<std::string> values;
  Offset end() const { return first + static_cast<std::int64_t>(values.size()); }
};

class Model {
 public:
  explicit Model(std::uint64_t seed)
      : world_(seed), random_(world_.stream("model")), disk_(std::make_unique<sim::SimDisk>(world_.stream("disk"))) {
    shard_options_.write_ahead_bytes_first = 64 << 10;
    shard_options_.write_ahead_bytes_max = 128 << 10;
    shard_options_.open_files_max = 2;
    options_.segment_bytes = 1500;
    options_.index_interval_bytes = 150;
    options_.retention_ms = LogOptions::kNoLimit;
    options_.file_delete_delay_ms = 0;
    attach();
    log_ = *run(node_->create("t", 0, options_));
  }
  ~Model() {
    run(node_->crash());
    detach();
  }

  void step() {
    switch (random_.below(12)) {
      case 0: truncate(); break;
      case 1: delete_records(); break;
      case 2: EXPECT_TRUE(log_->roll(world_.wall_now())); break;
      case 3: retain(); break;
      case 4: if (random_.chance(2)) restart(); break;
      case 5: if (random_.chance(8)) begin_again(); break;
      default: append(); break;
    }
    compare();
  }
  void compare();

 private:
  template <class T>
  T run(io::Task<T> task) {
    return world_.run(*reactor_, std::move(task));
  }
  void attach() {
    proactor_ = std::make_unique<sim::SimProactor>(world_, *disk_, "proactor " + std::to_string(starts_++));
    reactor_ = std::make_unique<io::Reactor>(ShardId{0}, *proactor_);
    world_.add(*reactor_);
    enter_ = std::make_unique<io::Reactor::Enter>(*reactor_);
    node_ = std::make_unique<sim::LogNode>(*proactor_, "/data", shard_options_);
    const auto booted = run(node_->boot(options_));
    ASSERT_TRUE(booted) << booted.error().message;
    log_ = node_->find("t", 0);
  }
  void detach() {
    node_.reset();
    enter_.reset();
    world_.remove(*reactor_);
    reactor_.reset();
    proactor_.reset();
  }
  void append();
  void truncate();
  void delete_records();
  void retain();
  void restart();
  void begin_again();
  Offset end() const { return batches_.empty() ? empty_end_ : batches_.back().end(); }
  Offset some_offset() {
    const auto span = static_cast<std::uint64_t>(end() - start_);
    return start_ + static_cast<std::int64_t>(random_.below(span + 1));
  }

  sim::World world_;
  Prng random_;
  std::unique_ptr<sim::SimDisk> disk_;
  LogShardOptions shard_options_;
  LogOptions options_;
  int starts_ = 0;
  int sent_ = 0;
  std::unique_ptr<sim::SimProactor> proactor_;
  std::unique_ptr<io::Reactor> reactor_;
  std::unique_ptr<io::Reactor::Enter> enter_;
  std::unique_ptr<sim::LogNode> node_;
  Log* log_ = nullptr;

  std::vector<ModelBatch> batches_;  // in offset order; those below start_ may still be listed
  Offset start_{0};
  Offset empty_end_{0};
  LeaderEpoch epoch_{0};
};

void Model::append() {
  ModelBatch batch{.first = end(), .values = {}};
  const auto count = 1 + random_.below(4);
  for (std::uint64_t i = 0; i < count; ++i) {
    batch.values.push_back("value " + std::to_string(sent_++) + std::string(random_.below(60), '.'));
  }
  auto bytes = sim::make_batch({.values = batch.values, .timestamp = world_.wall_now().ms});
  if (random_.chance(6)) epoch_ += 1;
  const auto appended = log_->stage_append_as_leader(bytes, {.leader_epoch = epoch_, .now = world_.wall_now()});
  ASSERT_TRUE(appended) << appended.error().message;
  ASSERT_EQ(appended->first_offset, batch.first);
  const auto stable = run(log_->stable(*appended));
  ASSERT_TRUE(stable) << stable.error().message;
  batches_.push_back(std::move(batch));
}

void Model::truncate() {
  const Offset to = some_offset();
  const auto truncated = run(log_->truncate_to(to));
  ASSERT_TRUE(truncated) << truncated.error().message;
  while (!batches_.empty() && batches_.back().end() > to) {
    empty_end_ = batches_.back().first;
    batches_.pop_back();
  }
  start_ = std::min(start_, end());
}

void Model::delete_records() {
  const Offset to = some_offset();
  ASSERT_EQ(*log_->delete_records(to), to);
  start_ = to;
}

// Whole segments below the start may go; what readers see stays the same.
void Model::retain() {
  ASSERT_TRUE(log_->apply_retention(world_.wall_now(), log_->end_offset()));
  ASSERT_EQ(log_->log_start_offset(), start_);
}

void Model::begin_again() {
  const Offset at = end() + static_cast<std::int64_t>(random_.below(50));
  ASSERT_TRUE(run(log_->truncate_fully_to(at)));
  batches_.clear();
  start_ = empty_end_ = at;
}

void Model::restart() {
  const auto how = random_.below(3);
  if (how == 0) {
    ASSERT_TRUE(run(node_->stop()));
  } else {
    // Where the log begins is kept by the checkpoint; a broker writes it from time to time.
    ASSERT_TRUE(run(node_->checkpoint()));
    auto image = how == 1 ? disk_->process_kill(random_) : disk_->power_cut(random_);
    run(node_->crash());
    detach();
    disk_ = std::move(image);
    attach();
    return;
  }
  detach();
  attach();
}

void Model::compare() {
  if (testing::Test::HasFatalFailure()) return;
  ASSERT_EQ(log_->end_offset(), end());
  ASSERT_EQ(log_->log_start_offset(), start_);
  std::map<std::int64_t, std::string> expected;
  for (const auto& batch : batches_) {
    for (std::size_t i = 0; i < batch.values.size(); ++i) {
      expected[batch.first.value() + static_cast<std::int64_t>(i)] = batch.values[i];
    }
  }
  const Offset from = some_offset();
  const auto records = run(sim::read_records(*log_, from, end(), 1 + random_.below(2000)));
  ASSERT_TRUE(records) << records.error().message;
  ASSERT_EQ(records->size(), static_cast<std::size_t>(end() - from));
  for (const auto& record : *records) ASSERT_EQ(record.value, expected[record.offset.value()]);
}

TEST(LogModel, agrees_with_a_vector_whatever_is_done_to_it) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Model model(seed);
    for (int i = 0; i < 60 && !testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE("step " + std::to_string(i));
      model.step();
    }
    if (testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace millrace::log
