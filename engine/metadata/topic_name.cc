#include "engine/metadata/topic_name.h"

#include <fmt/core.h>

#include <algorithm>

namespace millrace::engine {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

Result<void> validate_topic_name(std::string_view name) {
  const auto invalid = [](std::string why) {
    return fail(Errc::invalid_argument, "Topic name is invalid: " + std::move(why));
  };
  if (name.empty()) return invalid("the empty string is not allowed");
  if (name == "." || name == "..") return invalid(fmt::format("'{}' is not allowed", name));
  if (name.size() > kTopicNameBytesMax) {
    return invalid(fmt::format("the length of '{}' is longer than the max allowed length {}", name,
                               kTopicNameBytesMax));
  }
  if (!std::ranges::all_of(name, is_name_character)) {
    return invalid(fmt::format(
        "'{}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
        name));
  }
  return {};
}

bool is_internal_topic(std::string_view name) {
  return name == "__consumer_offsets" || name == "__transaction_state" ||
         name == "__share_group_state";
}

bool has_colliding_characters(std::string_view name) {
  return name.find_first_of("._") != std::string_view::npos;
}

std::string without_collisions(std::string_view name) {
  std::string unified(name);
  std::ranges::replace(unified, '.', '_');
  return unified;
}

}  // namespace millrace::engine
