#include "engine/log/compaction/key_hash.h"

#include <bit>
#include <cstring>

namespace millrace::log {
namespace {

static_assert(std::endian::native == std::endian::little, "words are read as they lie in memory");

class SipState {
 public:
  explicit SipState(const HashSecret& secret)
      : v0_(0x736f6d6570736575ULL ^ secret.first),
        v1_(0x646f72616e646f6dULL ^ secret.second ^ 0xee),
        v2_(0x6c7967656e657261ULL ^ secret.first),
        v3_(0x7465646279746573ULL ^ secret.second) {}

  void take(std::uint64_t word) {
    v3_ ^= word;
    round();
    round();
    v0_ ^= word;
  }
  std::uint64_t finish_low() {
    v2_ ^= 0xee;
    return four_rounds();
  }
  std::uint64_t finish_high() {
    v1_ ^= 0xdd;
    return four_rounds();
  }

 private:
  void round() {
    v0_ += v1_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v3_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v2_ = std::rotl(v2_, 32);
  }
  std::uint64_t four_rounds() {
    for (int i = 0; i < 4; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

  std::uint64_t v0_;
  std::uint64_t v1_;
  std::uint64_t v2_;
  std::uint64_t v3_;
};

}  // namespace

KeyHash hash_key(ConstBytes key, const HashSecret& secret) {
  SipState state(secret);
  std::size_t at = 0;
  for (; at + 8 <= key.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, key.data() + at, 8);
    state.take(word);
  }
  std::uint64_t last = static_cast<std::uint64_t>(key.size()) << 56;
  for (std::size_t i = 0; at + i < key.size(); ++i) {
    last |= std::to_integer<std::uint64_t>(key[at + i]) << (8 * i);
  }
  state.take(last);
  KeyHash hash;
  hash.low = state.finish_low();
  hash.high = state.finish_high();
  return hash;
}

}  // namespace millrace::log
