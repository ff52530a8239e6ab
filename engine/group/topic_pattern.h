// Patterns that members subscribe with: RE2's syntax, which Kafka's own coordinator has too, and a match is of the whole name.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace millrace::engine {

// One pattern, ready to be tried. Matching takes time that grows with the length of the name alone.
class TopicPattern {
 public:
  // What is not a pattern matches nothing.
  explicit TopicPattern(std::string_view text);
  ~TopicPattern();
  TopicPattern(TopicPattern&&) noexcept;

  // Empty: it is a pattern.
  std::string problem() const;
  bool matches(std::string_view topic) const;

 private:
  std::unique_ptr<re2::RE2> pattern_;
};

// Why `text` cannot be used; none: it can.
std::optional<std::string> pattern_problem(std::string_view text, std::size_t bytes_max);

}  // namespace millrace::engine
