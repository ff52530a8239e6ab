// SimFile: the bytes of one simulated file: as its readers see them, and as they are on the platter.
//
// Invariant: what is not dirty and was never lost by a failed sync is equal on both sides, as far as both reach.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/prng.h"

namespace millrace::sim {

inline constexpr std::size_t kSectorBytes = 512;

// How one power cut treats what was not synced. Drawn once per cut, so that there are cuts that keep all and cuts that keep
// nothing, beside the mixed ones.
struct CutMood {
  std::uint64_t kept_of_8 = 4;   // sectors that survive, of 8
  std::uint64_t torn_of_8 = 1;   // of those, torn ones
  static CutMood draw(Prng& prng);
};

class SimFile {
 public:
  std::uint64_t size() const { return cached_.size(); }
  ConstBytes bytes() const { return cached_; }

  // Requires: the caller has checked that there is room.
  void write(std::uint64_t position, ConstBytes bytes, Prng& prng);
  void truncate(std::uint64_t size);
  // As write(), and durable at once.
  void write_durably(std::uint64_t position, ConstBytes bytes, Prng& prng);

  // What a sync issued now will make durable when it completes.
  struct Sync {
    std::uint64_t sequence = 0;
    std::uint64_t last_truncate = 0;
    std::uint64_t size = 0;
    std::map<std::uint64_t, std::array<std::byte, kSectorBytes>> sectors;
  };
  Sync begin_sync() const;
  void end_sync(const Sync& sync);
  // The pages are dropped: they count as clean and were not written. Readers may go on seeing them, or not.
  void fail_sync(const Sync& sync, Prng& prng);
  // Some dirty sectors reach the platter, as the kernel likes.
  void write_back(Prng& prng);

  // The file after the power went. `arriving`: a durable write that was under way.
  struct Arriving {
    std::uint64_t position = 0;
    ConstBytes bytes;
  };
  SimFile power_cut(const CutMood& mood, const std::vector<Arriving>& arriving, Prng& prng) const;

  void flip_bit(std::uint64_t position, unsigned bit);

 private:
  struct Dirty {
    std::uint64_t sequence = 0;
    std::uint64_t after_truncate = 0;  // it can only be there if this truncate is
  };
  struct Truncate {
    std::uint64_t id = 0;
    std::uint64_t size = 0;
  };

  std::array<std::byte, kSectorBytes> cached_sector(std::uint64_t sector) const;
  void set_durable_sector(std::uint64_t sector, const std::array<std::byte, kSectorBytes>& bytes);
  void apply_durable_truncate(std::uint64_t size);
  void apply_truncates_through(std::uint64_t id);
  void keep_sector(std::uint64_t sector, const std::array<std::byte, kSectorBytes>& bytes,
                   const CutMood& mood, Prng& prng, std::uint64_t& end);

  std::vector<std::byte> cached_;
  std::vector<std::byte> durable_;       // may hold sectors beyond durable_size_: written back, the size not yet
  std::uint64_t durable_size_ = 0;
  std::map<std::uint64_t, Dirty> dirty_;
  std::vector<Truncate> truncates_;      // not yet durable, in order
  std::uint64_t last_truncate_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t durable_sequence_ = 0;   // of the latest sync that completed
};

}  // namespace millrace::sim
