// Visitors that fill messages of the protocol with values: by a fixed rule, and at random.
//
// What a message borrows lives in the filler: keep it as long as the message.
#pragma once

#include <concepts>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "net/wire/describe.h"

namespace millrace::test {

// The part both share: which fields are there, and structs inside structs. `Derived` has
// leaf(value) for every plain type, count(is_struct, depth) for arrays, and null() and set_tag() to
// decide.
template <class Derived>
class MessageFiller {
 public:
  explicit MessageFiller(std::int16_t version) : version_(version) {}

  template <wire::Described T>
  void structure(T& m) {
    ++depth_;
    T::describe(*this, m);
    --depth_;
  }
  template <class T>
  void field(const char*, T& value, const wire::Field& spec) {
    if (spec.versions.contains(version_)) fill(value, spec);
  }
  template <class T>
  void tagged(std::uint32_t, const char*, T& value, const wire::Field& spec) {
    if (spec.versions.contains(version_) && derived().set_tag()) fill(value, spec);
  }
  template <class T>
  void tagged(std::uint32_t tag, const char* name, T& value, const wire::Field& spec,
              const std::type_identity_t<T>&) {
    tagged(tag, name, value, spec);
  }

 protected:
  std::string_view keep(std::string text) { return kept_.emplace_back(std::move(text)); }

 private:
  Derived& derived() { return static_cast<Derived&>(*this); }

  template <class T>
  void fill(T& value, const wire::Field&) {
    if constexpr (wire::Described<T>)
      structure(value);
    else
      derived().leaf(value);
  }
  template <class T>
  void fill(std::optional<T>& value, const wire::Field& spec) {
    if (spec.null_versions.contains(version_) && derived().null())
      value.reset();
    else
      fill(value.emplace(), spec);
  }
  void fill(wire::FetchedRecords& value, const wire::Field& spec) { fill(value.here, spec); }
  template <class T>
  void fill(std::vector<T>& values, const wire::Field& spec) {
    values.clear();
    values.resize(derived().count(wire::Described<T>, depth_));
    for (T& value : values) fill(value, spec);
  }

  std::int16_t version_;
  std::size_t depth_ = 0;
  std::deque<std::string> kept_;
};

// Numbers all plain values in the order in which they are described: 1, 2, 3, ... A value of n is
// written as "sn" (text), "bn" (bytes), n odd (bool), n + 0.5 (float64), and as integer or id with
// n in its first byte and 2, 3, 4, ... in the others, so that an exchange of bytes shows.
//
// full: two elements in arrays, but one where they are structs inside of structs; nothing null, all
// tags. least: no elements, everything null that may be, no tags.
class PatternFiller : public MessageFiller<PatternFiller> {
 public:
  PatternFiller(std::int16_t version, bool full) : MessageFiller(version), full_(full) {}

  bool null() const { return !full_; }
  bool set_tag() const { return full_; }
  std::size_t count(bool is_struct, std::size_t depth) const {
    if (!full_) return 0;
    return is_struct && depth > 1 ? 1 : 2;
  }
  void leaf(bool& value) { value = ++last_ % 2 == 1; }
  void leaf(double& value) { value = static_cast<double>(++last_) + 0.5; }
  void leaf(wire::ErrorCode& value) {
    value = static_cast<wire::ErrorCode>(pattern<std::int16_t>());
  }
  void leaf(Uuid& value) {
    value.bytes[0] = static_cast<std::uint8_t>(++last_);
    for (std::uint8_t i = 1; i < 16; ++i) value.bytes[i] = i;
  }
  void leaf(std::string_view& value) { value = keep("s" + std::to_string(++last_)); }
  void leaf(wire::WireBytes& value) { value = as_bytes(keep("b" + std::to_string(++last_))); }
  template <std::integral T>
  void leaf(T& value) {
    value = pattern<T>();
  }

 private:
  template <std::integral T>
  T pattern() {
    ++last_;
    std::uint64_t bits = std::is_signed_v<T> ? last_ % 128 : last_ % 256;
    for (std::size_t i = 1; i < sizeof(T); ++i) bits = bits << 8 | (i + 1);
    return static_cast<T>(bits);
  }

  bool full_;
  std::uint64_t last_ = 0;
};

// Draws everything. Arrays have up to three elements, fewer the deeper they are.
class RandomFiller : public MessageFiller<RandomFiller> {
 public:
  RandomFiller(std::int16_t version, Prng& prng) : MessageFiller(version), prng_(prng) {}

  bool null() { return prng_.chance(3); }
  bool set_tag() { return !prng_.chance(3); }
  std::size_t count(bool, std::size_t depth) { return prng_.below(depth > 2 ? 2 : 4); }
  void leaf(bool& value) { value = prng_.chance(2); }
  void leaf(double& value) { value = (prng_.fraction() - 0.5) * 1e9; }
  void leaf(wire::ErrorCode& value) {
    value = static_cast<wire::ErrorCode>(static_cast<std::int16_t>(prng_.below(140)) - 1);
  }
  void leaf(Uuid& value) { value = Uuid::from_random(prng_.next(), prng_.next()); }
  void leaf(std::string_view& value) {
    std::string text;
    for (std::uint64_t left = prng_.below(12); left > 0; --left) {
      text +=
          prng_.chance(8) ? "\xc3\xa9" : std::string(1, static_cast<char>(' ' + prng_.below(95)));
    }
    if (prng_.chance(50)) text.append(prng_.below(300), 'x');
    value = keep(std::move(text));
  }
  void leaf(wire::WireBytes& value) {
    std::string bytes(prng_.below(prng_.chance(20) ? 400 : 20), '\0');
    for (char& byte : bytes) byte = static_cast<char>(prng_.next());
    value = as_bytes(keep(std::move(bytes)));
  }
  template <std::integral T>
  void leaf(T& value) {
    value = prng_.chance(3) ? static_cast<T>(prng_.below(5)) : static_cast<T>(prng_.next());
  }

 private:
  Prng& prng_;
};

}  // namespace millrace::test
