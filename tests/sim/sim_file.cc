#include "tests/sim/sim_file.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace millrace::sim {
namespace {

std::uint64_t sectors_of(std::uint64_t bytes) { return (bytes + kSectorBytes - 1) / kSectorBytes; }

}  // namespace

CutMood CutMood::draw(Prng& prng) {
  constexpr std::uint64_t kKept[] = {0, 1, 4, 4, 7, 8};
  return {.kept_of_8 = kKept[prng.below(6)], .torn_of_8 = prng.below(3)};
}

std::array<std::byte, kSectorBytes> SimFile::cached_sector(std::uint64_t sector) const {
  std::array<std::byte, kSectorBytes> bytes{};
  const std::uint64_t begin = sector * kSectorBytes;
  if (begin < cached_.size()) {
    std::memcpy(bytes.data(), cached_.data() + begin,
                std::min<std::uint64_t>(kSectorBytes, cached_.size() - begin));
  }
  return bytes;
}

void SimFile::set_durable_sector(std::uint64_t sector,
                                 const std::array<std::byte, kSectorBytes>& bytes) {
  const std::uint64_t begin = sector * kSectorBytes;
  if (durable_.size() < begin + kSectorBytes) durable_.resize(begin + kSectorBytes);
  std::memcpy(durable_.data() + begin, bytes.data(), kSectorBytes);
}

void SimFile::write(std::uint64_t position, ConstBytes bytes, Prng& prng) {
  if (bytes.empty()) return;
  const std::uint64_t end = position + bytes.size();
  ++sequence_;
  for (std::uint64_t sector = position / kSectorBytes; sector < sectors_of(end); ++sector) {
    const auto known = dirty_.find(sector);
    // The kernel may have written an earlier version of a dirty page at any time.
    if (known != dirty_.end() && truncates_.empty() && prng.chance(4)) {
      set_durable_sector(sector, cached_sector(sector));
    }
    dirty_[sector] = {sequence_, last_truncate_};
  }
  if (end > cached_.size()) cached_.resize(end);
  std::memcpy(cached_.data() + position, bytes.data(), bytes.size());
}

void SimFile::truncate(std::uint64_t size) {
  ++sequence_;
  truncates_.push_back({++last_truncate_, size});
  dirty_.erase(dirty_.lower_bound(sectors_of(size)), dirty_.end());
  cached_.resize(size);
}

void SimFile::apply_durable_truncate(std::uint64_t size) {
  if (size < durable_.size()) durable_.resize(size);
  durable_size_ = size;
}

void SimFile::apply_truncates_through(std::uint64_t id) {
  auto next = truncates_.begin();
  for (; next != truncates_.end() && next->id <= id; ++next) apply_durable_truncate(next->size);
  truncates_.erase(truncates_.begin(), next);
}

void SimFile::write_durably(std::uint64_t position, ConstBytes bytes, Prng& prng) {
  write(position, bytes, prng);
  apply_truncates_through(last_truncate_);
  const std::uint64_t end = position + bytes.size();
  for (std::uint64_t sector = position / kSectorBytes; sector < sectors_of(end); ++sector) {
    set_durable_sector(sector, cached_sector(sector));
    dirty_.erase(sector);
  }
  durable_size_ = std::max(durable_size_, end);
}

SimFile::Sync SimFile::begin_sync() const {
  Sync sync{.sequence = sequence_, .last_truncate = last_truncate_, .size = cached_.size()};
  for (const auto& [sector, dirty] : dirty_) sync.sectors.emplace(sector, cached_sector(sector));
  return sync;
}

void SimFile::end_sync(const Sync& sync) {
  if (sync.sequence < durable_sequence_) return;  // a later one has overtaken it
  apply_truncates_through(sync.last_truncate);
  for (const auto& [sector, bytes] : sync.sectors) set_durable_sector(sector, bytes);
  durable_size_ = std::max(durable_size_, sync.size);
  durable_sequence_ = sync.sequence;
  std::erase_if(dirty_, [&](const auto& one) { return one.second.sequence <= sync.sequence; });
}

void SimFile::fail_sync(const Sync& sync, Prng& prng) {
  for (const auto& [sector, bytes] : sync.sectors) {
    const auto found = dirty_.find(sector);
    if (found == dirty_.end() || found->second.sequence > sync.sequence) continue;
    dirty_.erase(found);
    if (!prng.chance(2)) continue;
    // The page is read anew, with what the platter has.
    const std::uint64_t begin = sector * kSectorBytes;
    for (std::uint64_t i = begin; i < std::min(begin + kSectorBytes, size()); ++i) {
      cached_[i] = i < durable_.size() ? durable_[i] : std::byte{0};
    }
  }
}

void SimFile::write_back(Prng& prng) {
  if (!truncates_.empty()) return;
  for (const auto& [sector, dirty] : dirty_) {
    if (prng.chance(2)) set_durable_sector(sector, cached_sector(sector));
  }
}

void SimFile::keep_sector(std::uint64_t sector, const std::array<std::byte, kSectorBytes>& bytes,
                          const CutMood& mood, Prng& prng, std::uint64_t& end) {
  if (prng.below(8) >= mood.kept_of_8) return;
  std::array<std::byte, kSectorBytes> kept = bytes;
  if (prng.below(8) < mood.torn_of_8) {
    // A part of the new and a part of the old.
    const std::uint64_t begin = sector * kSectorBytes;
    std::array<std::byte, kSectorBytes> old{};
    if (begin < durable_.size()) {
      std::memcpy(old.data(), durable_.data() + begin,
                  std::min<std::uint64_t>(kSectorBytes, durable_.size() - begin));
    }
    const std::size_t split = 1 + prng.below(kSectorBytes - 1);
    const bool new_first = prng.chance(2);
    std::memcpy(kept.data() + (new_first ? split : 0), old.data() + (new_first ? split : 0),
                new_first ? kSectorBytes - split : split);
  }
  set_durable_sector(sector, kept);
  end = std::max(end, (sector + 1) * kSectorBytes);
}

SimFile SimFile::power_cut(const CutMood& mood, const std::vector<Arriving>& arriving,
                           Prng& prng) const {
  SimFile after = *this;
  const std::size_t truncates = truncates_.empty() ? 0 : prng.below(truncates_.size() + 1);
  const std::uint64_t truncated_through =
      truncates > 0 ? truncates_[truncates - 1].id
                    : (truncates_.empty() ? last_truncate_ : truncates_.front().id - 1);
  after.apply_truncates_through(truncated_through);
  std::uint64_t written_end = after.durable_size_;
  std::uint64_t kept_end = after.durable_size_;
  for (const auto& [sector, dirty] : dirty_) {
    if (dirty.after_truncate > truncated_through) continue;
    written_end = std::max(written_end, std::min((sector + 1) * kSectorBytes, size()));
    after.keep_sector(sector, cached_sector(sector), mood, prng, kept_end);
  }
  for (const auto& [position, bytes] : arriving) {
    if (truncated_through < last_truncate_) break;
    const std::uint64_t end = position + bytes.size();
    written_end = std::max(written_end, end);
    for (std::uint64_t sector = position / kSectorBytes; sector < sectors_of(end); ++sector) {
      std::array<std::byte, kSectorBytes> arrived = cached_sector(sector);
      const std::uint64_t begin = std::max(position, sector * kSectorBytes);
      const std::uint64_t stop = std::min(end, (sector + 1) * kSectorBytes);
      std::memcpy(arrived.data() + (begin - sector * kSectorBytes), bytes.data() + (begin - position),
                  stop - begin);
      after.keep_sector(sector, arrived, mood, prng, kept_end);
    }
  }
  // The size grows with what was written, without saying that all before it was.
  if (written_end > after.durable_size_) {
    const std::uint64_t base = after.durable_size_;
    switch (prng.below(4)) {
      case 0: break;
      case 1: after.durable_size_ = written_end; break;
      case 2: after.durable_size_ = std::clamp(kept_end, base, written_end); break;
      default: after.durable_size_ = base + prng.below(written_end - base + 1); break;
    }
  }
  after.durable_.resize(after.durable_size_);
  after.cached_ = after.durable_;
  after.dirty_.clear();
  after.truncates_.clear();
  return after;
}

void SimFile::flip_bit(std::uint64_t position, unsigned bit) {
  CHECK(position < cached_.size(), "bit {} of {} bytes", position, cached_.size());
  const auto mask = static_cast<std::byte>(1U << (bit % 8));
  cached_[position] ^= mask;
  if (position < durable_.size()) durable_[position] ^= mask;
}

}  // namespace millrace::sim
