#include "engine/log/producer_state.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/prng.h"
#include "engine/log/format/batch_builder.h"
#include "engine/log/format/control_record.h"
#include "tests/support/golden.h"

namespace millrace::log {
namespace {

constexpr auto kSequenceMax = std::numeric_limits<std::int32_t>::max();

struct Sent {
  std::int64_t producer_id = 1;
  std::int16_t epoch = 0;
  std::int32_t sequence = 0;
  int records = 1;
  bool transactional = false;
  std::int64_t timestamp = 1000;
};

// A batch's bytes and their view.
class Made {
 public:
  Made(const Sent& sent, Offset at) {
    BatchBuilder builder({.base_offset = at,
                          .producer_id = ProducerId(sent.producer_id),
                          .producer_epoch = sent.epoch,
                          .base_sequence = sent.sequence,
                          .transactional = sent.transactional});
    for (int i = 0; i < sent.records; ++i) builder.append(sent.timestamp, {}, as_bytes("v"));
    take(builder);
  }
  static Made marker(std::int64_t producer_id, std::int16_t epoch, ControlType type, Offset at,
                     std::int32_t coordinator_epoch = 1) {
    BatchBuilder builder({.base_offset = at,
                          .producer_id = ProducerId(producer_id),
                          .producer_epoch = epoch,
                          .transactional = true,
                          .control = true});
    append_control(builder, 2000, type, encode(EndTransactionMarker{type, coordinator_epoch}));
    return Made(builder);
  }
  RecordBatch view() const { return *RecordBatch::parse(bytes_); }

 private:
  explicit Made(BatchBuilder& builder) { take(builder); }
  void take(BatchBuilder& builder) {
    const auto bytes = builder.finish();
    bytes_.assign(bytes.begin(), bytes.end());
  }
  std::vector<std::byte> bytes_;
};

class ProducerStateTest : public testing::Test {
 protected:
  using Source = ProducerState::Source;

  // Sends a batch as a client would: checked, and appended unless it is a duplicate.
  Result<Offset> send(const Sent& sent) {
    const Made made(sent, state.end_offset());
    TRY(duplicate, state.check(made.view(), Source::client));
    if (duplicate) return duplicate->first_offset();
    const Offset at = state.end_offset();
    TRY_DONE(state.apply(made.view()));
    state.check_invariants();
    return at;
  }
  Errc refused(const Sent& sent) {
    const auto sent_at = send(sent);
    EXPECT_FALSE(sent_at);
    return sent_at ? Errc::closed : sent_at.error().code;
  }
  std::optional<CompletedTransaction> end(std::int64_t producer_id, ControlType type,
                                          std::int16_t epoch = 0) {
    const auto completed =
        state.apply(Made::marker(producer_id, epoch, type, state.end_offset()).view());
    state.check_invariants();
    EXPECT_TRUE(completed);
    return *completed;
  }

  ProducerState state;
};

TEST_F(ProducerStateTest, a_repeated_batch_is_answered_with_its_first_offset) {
  EXPECT_EQ(*send({.sequence = 0, .records = 3}), Offset(0));
  EXPECT_EQ(*send({.sequence = 3, .records = 2}), Offset(3));
  EXPECT_EQ(*send({.sequence = 0, .records = 3}), Offset(0));
  EXPECT_EQ(*send({.sequence = 3, .records = 2}), Offset(3));
  EXPECT_EQ(state.end_offset(), Offset(5));
}

TEST_F(ProducerStateTest, only_the_last_five_batches_are_remembered) {
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(send({.sequence = i}));
  EXPECT_EQ(*send({.sequence = 1}), Offset(1));
  EXPECT_EQ(refused({.sequence = 0}), Errc::out_of_order_sequence);
}

TEST_F(ProducerStateTest, a_gap_in_the_sequence_is_refused) {
  EXPECT_TRUE(send({.sequence = 0, .records = 2}));
  EXPECT_EQ(refused({.sequence = 3}), Errc::out_of_order_sequence);
  EXPECT_EQ(refused({.sequence = 1}), Errc::out_of_order_sequence)
      << "overlaps without being the same batch";
  EXPECT_TRUE(send({.sequence = 2}));
}

TEST_F(ProducerStateTest, an_unknown_producer_may_start_anywhere) {
  EXPECT_TRUE(send({.sequence = 41}));
  EXPECT_TRUE(send({.sequence = 42}));
}

TEST_F(ProducerStateTest, sequences_wrap_to_zero) {
  EXPECT_TRUE(send({.sequence = kSequenceMax - 1, .records = 4}));
  EXPECT_EQ(*send({.sequence = kSequenceMax - 1, .records = 4}), Offset(0))
      << "still known as a duplicate";
  EXPECT_EQ(refused({.sequence = kSequenceMax}), Errc::out_of_order_sequence);
  EXPECT_TRUE(send({.sequence = 2}));
  ProducerState other;
  std::swap(state, other);
  EXPECT_TRUE(send({.sequence = kSequenceMax}));
  EXPECT_TRUE(send({.sequence = 0}));
}

TEST_F(ProducerStateTest, an_older_epoch_is_fenced_and_a_newer_starts_at_zero) {
  EXPECT_TRUE(send({.epoch = 3, .sequence = 0}));
  EXPECT_EQ(refused({.epoch = 2, .sequence = 1}), Errc::invalid_producer_epoch);
  EXPECT_EQ(refused({.epoch = 4, .sequence = 1}), Errc::out_of_order_sequence);
  EXPECT_TRUE(send({.epoch = 4, .sequence = 0}));
  EXPECT_EQ(refused({.epoch = 3, .sequence = 0}), Errc::invalid_producer_epoch)
      << "no duplicate across epochs";
}

TEST_F(ProducerStateTest, coordinators_are_not_asked_for_sequences) {
  EXPECT_TRUE(send({.epoch = 1, .sequence = 0}));
  const Made without({.epoch = 1, .sequence = kNoSequence}, Offset(1));
  EXPECT_TRUE(state.check(without.view(), Source::coordinator));
  EXPECT_FALSE(state.check(without.view(), Source::client));
  const Made old({.epoch = 0, .sequence = kNoSequence}, Offset(1));
  EXPECT_EQ(state.check(old.view(), Source::coordinator).error(), Errc::invalid_producer_epoch);
}

TEST_F(ProducerStateTest, an_open_transaction_holds_back_the_last_stable_offset) {
  EXPECT_TRUE(send({.producer_id = 1}));
  EXPECT_TRUE(send({.producer_id = 2, .transactional = true}));
  EXPECT_TRUE(send({.producer_id = 3, .transactional = true}));
  EXPECT_EQ(state.last_stable_offset(Offset(3)), Offset(1));
  EXPECT_EQ(end(2, ControlType::commit),
            (CompletedTransaction{ProducerId(2), Offset(1), Offset(3), false}));
  EXPECT_EQ(state.last_stable_offset(Offset(3)), Offset(1)) << "the marker is not replicated yet";
  state.on_high_watermark(Offset(4));
  EXPECT_EQ(state.last_stable_offset(Offset(4)), Offset(2));
  const auto aborted = end(3, ControlType::abort);
  ASSERT_TRUE(aborted);
  EXPECT_EQ(state.aborted_entry(*aborted),
            (AbortedTransaction{ProducerId(3), Offset(2), Offset(4), Offset(5)}));
  state.on_high_watermark(Offset(5));
  EXPECT_FALSE(state.first_unstable_offset());
  EXPECT_EQ(state.last_stable_offset(Offset(5)), Offset(5));
}

TEST_F(ProducerStateTest, an_aborted_entry_names_the_stable_offset_of_those_still_open) {
  EXPECT_TRUE(send({.producer_id = 1, .transactional = true}));
  EXPECT_TRUE(send({.producer_id = 2, .transactional = true}));
  EXPECT_EQ(state.aborted_entry(*end(2, ControlType::abort)).last_stable_offset, Offset(0));
}

TEST_F(ProducerStateTest, a_marker_without_transaction_completes_nothing) {
  EXPECT_FALSE(end(9, ControlType::abort));
  EXPECT_EQ(state.find(ProducerId(9))->coordinator_epoch, 1);
}

TEST_F(ProducerStateTest, a_plain_batch_inside_of_a_transaction_is_refused) {
  EXPECT_TRUE(send({.sequence = 0, .transactional = true}));
  EXPECT_EQ(refused({.sequence = 1, .transactional = false}), Errc::invalid_argument);
}

TEST_F(ProducerStateTest, markers_of_old_coordinators_and_old_epochs_are_fenced) {
  EXPECT_TRUE(send({.epoch = 5, .transactional = true}));
  EXPECT_EQ(state.check_marker(ProducerId(1), 4, 1, 0).error(), Errc::invalid_producer_epoch);
  EXPECT_TRUE(state.check_marker(ProducerId(1), 5, 1, 0));
  EXPECT_EQ(state.check_marker(ProducerId(1), 5, 1, 2).error(), Errc::invalid_producer_epoch)
      << "from transaction version 2 on a marker has a newer epoch";
  EXPECT_TRUE(state.check_marker(ProducerId(1), 6, 1, 2));
  end(1, ControlType::commit, 6);
  EXPECT_TRUE(state.check_marker(ProducerId(1), 6, 1, 2)) << "the same marker once more";
  EXPECT_EQ(state.check_marker(ProducerId(1), 6, 0, 2).error(), Errc::fenced_epoch);
}

TEST_F(ProducerStateTest, silent_producers_expire_unless_inside_of_a_transaction) {
  EXPECT_TRUE(send({.producer_id = 1, .timestamp = 1000}));
  EXPECT_TRUE(send({.producer_id = 2, .transactional = true, .timestamp = 1000}));
  EXPECT_TRUE(send({.producer_id = 3, .timestamp = 5000}));
  EXPECT_EQ(state.expire(WallTime{1999}, 1000), 0u);
  EXPECT_EQ(state.expire(WallTime{2000}, 1000), 1u);
  EXPECT_EQ(state.find(ProducerId(1)), nullptr);
  EXPECT_NE(state.find(ProducerId(2)), nullptr);
  EXPECT_NE(state.find(ProducerId(3)), nullptr);
}

TEST_F(ProducerStateTest, the_snapshot_equals_kafkas_apart_from_the_checksum) {
  const Made made({.producer_id = 1, .epoch = 0, .sequence = 0, .records = 10, .timestamp = 1},
                  Offset(0));
  ASSERT_TRUE(state.apply(made.view()));
  auto snapshot = state.encode_snapshot();
  store_big_endian(snapshot.data() + 2, std::uint32_t{0});
  EXPECT_EQ(tests::to_hex(snapshot), tests::to_hex(tests::golden("ProducerSnapshot v1 (crc=0)")));
}

TEST_F(ProducerStateTest, a_snapshot_brings_back_sequences_and_open_transactions) {
  EXPECT_TRUE(send({.producer_id = 1, .sequence = 7, .records = 3, .timestamp = 5000}));
  EXPECT_TRUE(send({.producer_id = 2, .transactional = true, .timestamp = 1}));
  EXPECT_TRUE(send({.producer_id = 3, .timestamp = 1}));
  const auto snapshot = state.encode_snapshot();
  ProducerState loaded;
  ASSERT_TRUE(loaded.load_snapshot(snapshot, Offset(5), WallTime{5001}, 1000));
  loaded.check_invariants();
  EXPECT_EQ(loaded.end_offset(), Offset(5));
  EXPECT_EQ(loaded.first_unstable_offset(), Offset(3));
  EXPECT_EQ(loaded.find(ProducerId(3)), nullptr) << "expired";
  const Made repeated({.producer_id = 1, .sequence = 7, .records = 3}, Offset(5));
  EXPECT_EQ((*loaded.check(repeated.view(), Source::client))->first_offset(), Offset(0));
}

TEST_F(ProducerStateTest, a_damaged_snapshot_is_corrupt_and_leaves_nothing) {
  EXPECT_TRUE(send({}));
  const auto good = state.encode_snapshot();
  for (std::size_t at = 2; at < good.size(); ++at) {
    auto bad = good;
    bad[at] ^= std::byte{1};
    EXPECT_EQ(state.load_snapshot(bad, Offset(1), WallTime{0}, 1000).error(), Errc::corrupt) << at;
    EXPECT_TRUE(state.producers().empty());
  }
  EXPECT_EQ(state.load_snapshot(ConstBytes(good).first(good.size() - 1), Offset(1), WallTime{0}, 1)
                .error(),
            Errc::corrupt);
}

TEST_F(ProducerStateTest, a_failed_append_can_be_taken_back) {
  EXPECT_TRUE(send({.producer_id = 1, .sequence = 0}));
  const ProducerState before = state;
  EXPECT_TRUE(send({.producer_id = 1, .sequence = 1, .transactional = true}));
  state.restore(ProducerId(1), *before.find(ProducerId(1)), before.end_offset());
  state.check_invariants();
  EXPECT_EQ(state.encode_snapshot(), before.encode_snapshot());
  EXPECT_FALSE(state.first_unstable_offset());
  EXPECT_TRUE(send({.producer_id = 2}));
  state.restore(ProducerId(2), std::nullopt, Offset(1));
  EXPECT_EQ(state.find(ProducerId(2)), nullptr);
}

// The obvious model: every batch of every producer is kept for ever.
class Model {
 public:
  struct Outcome {
    enum { appended, duplicate, out_of_order, fenced, outside_transaction } kind;
    Offset offset{-1};
  };
  Outcome send(const Sent& sent) {
    auto& history = batches_[sent.producer_id];
    const std::int32_t last = add(sent.sequence, sent.records - 1);
    int looked = 0;
    for (auto it = history.rbegin();
         it != history.rend() && looked < 5 && it->epoch == history.back().epoch; ++it, ++looked) {
      if (it->epoch == sent.epoch && it->first == sent.sequence && it->last == last) {
        return {Outcome::duplicate, it->offset};
      }
    }
    const auto epoch = epochs_.find(sent.producer_id);
    if (epoch != epochs_.end()) {
      if (sent.epoch < epoch->second) return {Outcome::fenced};
      const bool same =
          sent.epoch == epoch->second && !history.empty() && history.back().epoch == sent.epoch;
      const std::int32_t expected = same ? add(history.back().last, 1) : 0;
      if (sent.sequence != expected) return {Outcome::out_of_order};
    }
    if (open_.contains(sent.producer_id) && !sent.transactional)
      return {Outcome::outside_transaction};
    const Offset at = end_;
    history.push_back({sent.epoch, sent.sequence, last, at});
    epochs_[sent.producer_id] = sent.epoch;
    if (sent.transactional) open_.emplace(sent.producer_id, at);
    end_ += sent.records;
    return {Outcome::appended, at};
  }
  void end(std::int64_t producer_id, std::int16_t epoch) {
    open_.erase(producer_id);
    if (epochs_.contains(producer_id) && epochs_[producer_id] != epoch)
      batches_[producer_id].clear();
    epochs_[producer_id] = epoch;
    end_ += 1;
  }
  Offset stable() const {
    Offset stable = end_;
    for (const auto& [id, start] : open_) stable = std::min(stable, start);
    return stable;
  }
  std::int16_t epoch(std::int64_t producer_id) { return epochs_[producer_id]; }
  bool known(std::int64_t producer_id) const { return epochs_.contains(producer_id); }
  std::int32_t next(std::int64_t producer_id) {
    const auto& history = batches_[producer_id];
    return history.empty() ? 0 : add(history.back().last, 1);
  }

 private:
  struct Batch {
    std::int16_t epoch;
    std::int32_t first, last;
    Offset offset;
  };
  static std::int32_t add(std::int32_t a, std::int32_t b) {
    return static_cast<std::int32_t>((std::int64_t{a} + b) % (std::int64_t{kSequenceMax} + 1));
  }
  std::map<std::int64_t, std::deque<Batch>> batches_;
  std::map<std::int64_t, std::int16_t> epochs_;
  std::map<std::int64_t, Offset> open_;
  Offset end_{0};
};

TEST(ProducerStateModel, agrees_with_the_model_under_random_sends) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Prng prng(seed);
    Model model;
    ProducerState state;
    for (int step = 0; step < 150; ++step) {
      const auto id = static_cast<std::int64_t>(prng.below(3));
      if (prng.chance(8) && model.known(id)) {
        const auto epoch = static_cast<std::int16_t>(model.epoch(id) + (prng.chance(3) ? 1 : 0));
        const auto type = prng.chance(2) ? ControlType::abort : ControlType::commit;
        ASSERT_TRUE(state.apply(Made::marker(id, epoch, type, state.end_offset()).view()));
        model.end(id, epoch);
      } else {
        Sent sent{.producer_id = id,
                  .records = static_cast<int>(1 + prng.below(3)),
                  .transactional = prng.chance(2)};
        const bool known = model.known(id);
        sent.epoch = known ? model.epoch(id) : std::int16_t{5};
        if (prng.chance(12))
          sent.epoch = static_cast<std::int16_t>(sent.epoch + (prng.chance(2) ? 1 : -1));
        sent.sequence = known ? model.next(id) : (prng.chance(3) ? kSequenceMax - 1 : 0);
        if (prng.chance(5)) sent.sequence = static_cast<std::int32_t>(prng.below(8));
        if (prng.chance(4)) {
          const auto back = static_cast<std::int32_t>(prng.below(10));
          sent.sequence = sent.sequence >= back ? sent.sequence - back : kSequenceMax - back;
        }
        const Made made(sent, state.end_offset());
        const auto verdict = state.check(made.view(), ProducerState::Source::client);
        const auto expected = model.send(sent);
        switch (expected.kind) {
          case Model::Outcome::appended:
            ASSERT_TRUE(verdict) << seed << " " << step << verdict.error().message;
            ASSERT_FALSE(*verdict) << seed << " " << step;
            ASSERT_EQ(state.end_offset(), expected.offset);
            ASSERT_TRUE(state.apply(made.view()));
            break;
          case Model::Outcome::duplicate:
            ASSERT_TRUE(verdict && *verdict) << seed << " " << step;
            ASSERT_EQ((*verdict)->first_offset(), expected.offset);
            break;
          case Model::Outcome::out_of_order:
            ASSERT_FALSE(verdict) << seed << " " << step;
            ASSERT_EQ(verdict.error(), Errc::out_of_order_sequence);
            break;
          case Model::Outcome::fenced:
            ASSERT_FALSE(verdict) << seed << " " << step;
            ASSERT_EQ(verdict.error(), Errc::invalid_producer_epoch);
            break;
          case Model::Outcome::outside_transaction:
            ASSERT_FALSE(verdict) << seed << " " << step;
            ASSERT_EQ(verdict.error(), Errc::invalid_argument);
            break;
        }
      }
      state.on_high_watermark(state.end_offset());
      ASSERT_EQ(state.last_stable_offset(state.end_offset()), model.stable())
          << seed << " " << step;
      state.check_invariants();
    }
  }
}

}  // namespace
}  // namespace millrace::log
