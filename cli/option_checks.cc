#include "cli/option_checks.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>

namespace millrace::cli {

CLI::Validator one_of(std::vector<std::string> words) {
  std::string description = fmt::format("{{{}}}", fmt::join(words, ","));
  return CLI::Validator(
      [words = std::move(words)](std::string& text) {
        for (const std::string& word : words) {
          if (CLI::detail::to_lower(text) != CLI::detail::to_lower(word)) continue;
          text = word;
          return std::string();
        }
        return fmt::format("`{}` is none of {}", text, fmt::join(words, ", "));
      },
      std::move(description));
}

// CLI11 keeps nothing about an option that could be asked for but the text of its help.
std::vector<std::string> words_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const auto open = type.find('{');
  const auto close = type.find('}');
  if (open == std::string::npos || close == std::string::npos || close < open) return {};
  return CLI::detail::split(type.substr(open + 1, close - open - 1), ',');
}

CLI::Validator not_empty() {
  return CLI::Validator([](std::string& text) { return text.empty() ? std::string("it is empty") : std::string(); }, "");
}

CLI::Validator whole_number(WholeNumbers numbers) {
  const bool is_bounded = numbers.most != std::numeric_limits<std::int64_t>::max();
  std::string wanted = is_bounded ? fmt::format("from {} to {}", numbers.least, numbers.most)
                                  : fmt::format("from {}", numbers.least);
  return CLI::Validator(
      [numbers, wanted](std::string& text) {
        std::int64_t number = 0;
        const char* const end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, number);
        const bool is_number = error == std::errc() && stop == end;
        if (is_number && number >= numbers.least && number <= numbers.most) return std::string();
        return fmt::format("`{}` is not a whole number {}", text, wanted);
      },
      fmt::format("from {}", numbers.least));
}

}  // namespace millrace::cli
