// The contract between a message and what is done with messages.
//
// Every message, and every struct inside one, has one static function
//
//   static void describe(auto& visitor, auto& m) {
//     visitor.field("name", m.name, since(0).nullable(10));
//     visitor.tagged(0, "cluster_id", m.cluster_id, since(12).nullable(12));
//   }
//
// that names its fields in wire order with the versions that carry them. Decoding, encoding,
// sizing, printing and the tests' generators are visitors; none of them knows any message.
//
// Members have the wire's types: fixed-width integers, bool, double, ErrorCode, Uuid,
// std::string_view, WireBytes, structs, std::vector of those, and std::optional of text, bytes,
// vectors and structs where some version may say null. Text and bytes are borrowed: from the frame
// after decode, from whoever filled the message before encode. Initialisers are the protocol's
// defaults.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

#include "net/wire/codec.h"
#include "net/wire/error_code.h"
#include "net/wire/version.h"

namespace millrace::wire {

// In which versions a field is on the wire, in which of those it may be null, and whether a value
// may be dropped silently where a version has no place for it.
struct Field {
  VersionRange versions;
  VersionRange null_versions{kNoVersion, kNoVersion};
  bool may_be_dropped = false;

  constexpr Field nullable(int first, int last = kNoVersion) const {
    Field field = *this;
    field.null_versions = {static_cast<std::int16_t>(first), static_cast<std::int16_t>(last)};
    return field;
  }
  constexpr Field ignorable() const {
    Field field = *this;
    field.may_be_dropped = true;
    return field;
  }
};

// The field exists from version `first` on.
constexpr Field since(int first) {
  return {.versions = {static_cast<std::int16_t>(first), kNoVersion}};
}
// The field exists in versions `first` to `last`, both included.
constexpr Field between(int first, int last) {
  return {.versions = {static_cast<std::int16_t>(first), static_cast<std::int16_t>(last)}};
}

// The records of one partition in an answer to Fetch: at hand, or only announced because the sender
// puts them on the wire itself (see encode_fetch_response).
struct FetchedRecords {
  std::optional<WireBytes> here = WireBytes{};  // null on the wire when empty
  std::size_t size_elsewhere = 0;               // when not zero, `here` is not looked at

  friend bool operator==(const FetchedRecords&, const FetchedRecords&) = default;
};

// A visitor that only asks what a struct looks like.
struct NullVisitor {
  template <class T>
  void field(const char*, T&, const Field&) {}
  template <class T>
  void tagged(std::uint32_t, const char*, T&, const Field&) {}
  template <class T>
  void tagged(std::uint32_t, const char*, T&, const Field&, const std::type_identity_t<T>&) {}
};

template <class T>
concept Described = std::is_class_v<T> && requires(T& m, NullVisitor& v) { T::describe(v, m); };

// A whole request or response body.
template <class T>
concept Message = requires {
  { T::kName } -> std::convertible_to<std::string_view>;
  { T::kVersions } -> std::convertible_to<VersionRange>;
  { T::kFlexibleSince } -> std::convertible_to<std::int16_t>;
};

}  // namespace millrace::wire
