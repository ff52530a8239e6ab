// Strong<Rep, Tag>: an integer that does not mix with others of another meaning.
//
// There is no implicit conversion either way. Arithmetic exists only where it means something: a tag that
// says `kind = point` (an offset, an instant) can be moved by a difference and subtracted from another point;
// a tag that says `kind = id` can be compared only.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace millrace {

enum class StrongKind { id, point };

template <class Rep, class Tag>
class Strong {
 public:
  using rep = Rep;
  static constexpr StrongKind kKind = Tag::kind;

  constexpr Strong() = default;
  constexpr explicit Strong(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }
  constexpr auto operator<=>(const Strong&) const = default;

  // Points only.
  constexpr Strong operator+(Rep difference) const
    requires(kKind == StrongKind::point)
  {
    return Strong(value_ + difference);
  }
  constexpr Strong operator-(Rep difference) const
    requires(kKind == StrongKind::point)
  {
    return Strong(value_ - difference);
  }
  constexpr Rep operator-(Strong other) const
    requires(kKind == StrongKind::point)
  {
    return value_ - other.value_;
  }
  constexpr Strong& operator+=(Rep difference)
    requires(kKind == StrongKind::point)
  {
    value_ += difference;
    return *this;
  }
  constexpr Strong& operator++()
    requires(kKind == StrongKind::point)
  {
    ++value_;
    return *this;
  }

 private:
  Rep value_{};
};

}  // namespace millrace

template <class Rep, class Tag>
struct std::hash<millrace::Strong<Rep, Tag>> {
  std::size_t operator()(millrace::Strong<Rep, Tag> strong) const noexcept {
    return std::hash<Rep>{}(strong.value());
  }
};
