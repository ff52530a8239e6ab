#include "engine/group/topic_pattern.h"

#include <fmt/format.h>
#include <re2/re2.h>

namespace millrace::engine {
namespace {

// For the program and its automaton; a pattern that needs more is refused.
constexpr std::int64_t kPatternMemory = std::int64_t{1} << 20;

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

RE2::Options options() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemory);
  return options;
}

}  // namespace

TopicPattern::TopicPattern(std::string_view text)
    : pattern_(std::make_unique<re2::RE2>(piece(text), options())) {}
TopicPattern::~TopicPattern() = default;
TopicPattern::TopicPattern(TopicPattern&&) noexcept = default;

std::string TopicPattern::problem() const {
  return pattern_->ok() ? "" : pattern_->error();
}

bool TopicPattern::matches(std::string_view topic) const {
  return pattern_->ok() && RE2::FullMatch(piece(topic), *pattern_);
}

std::optional<std::string> pattern_problem(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) {
    return fmt::format("SubscribedTopicRegex is longer than {} bytes.", bytes_max);
  }
  const std::string problem = TopicPattern(text).problem();
  if (problem.empty()) return std::nullopt;
  return fmt::format("SubscribedTopicRegex `{}` is not a valid regular expression: {}.", text, problem);
}

}  // namespace millrace::engine
