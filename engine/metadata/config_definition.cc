#include "engine/metadata/config_definition.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

namespace millrace::engine {
namespace {

std::string_view trim(std::string_view text) {
  const auto is_space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lowered;
}

std::unexpected<Error> invalid(const ConfigDefinition& definition, std::string_view value,
                               std::string_view why) {
  return fail(Errc::invalid_argument, fmt::format("Invalid value {} for configuration {}: {}",
                                                  value, definition.name, why));
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.starts_with('+')) return std::nullopt;
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<ConfigValue> parse_integer(const ConfigDefinition& definition, std::string_view text) {
  const auto number = parse_number<std::int64_t>(text);
  const auto fits = [&](auto limit) {
    using Limit = std::numeric_limits<decltype(limit)>;
    return *number >= Limit::min() && *number <= Limit::max();
  };
  const bool whole =
      number && (definition.type == ConfigType::long_integer ||
                 (definition.type == ConfigType::integer && fits(std::int32_t{})) ||
                 (definition.type == ConfigType::short_integer && fits(std::int16_t{})));
  if (!whole)
    return invalid(definition, text,
                   fmt::format("Not a number of type {}", to_string(definition.type)));
  return *number;
}

Result<ConfigValue> parse_type(const ConfigDefinition& definition, std::string_view raw) {
  const std::string_view text = trim(raw);
  switch (definition.type) {
    case ConfigType::boolean: {
      const std::string word = lower(text);
      if (word == "true") return true;
      if (word == "false") return false;
      return invalid(definition, text, "Expected value to be either true or false");
    }
    case ConfigType::integer:
    case ConfigType::short_integer:
    case ConfigType::long_integer:
      return parse_integer(definition, text);
    case ConfigType::real: {
      const auto number = parse_number<double>(text);
      if (!number || std::isnan(*number))
        return invalid(definition, text, "Not a number of type DOUBLE");
      return *number;
    }
    case ConfigType::list:
      return split_list(text);
    case ConfigType::string:
    case ConfigType::class_name:
      return std::string(text);
    case ConfigType::password:
      return std::string(raw);
  }
  return invalid(definition, text, "Unknown type");
}

std::string number_text(double number) {
  const auto whole = static_cast<std::int64_t>(number);
  return static_cast<double>(whole) == number ? fmt::format("{}", whole)
                                              : fmt::format("{}", number);
}

Result<void> check_range(const ConfigDefinition& definition, const ConfigValue& value,
                         std::string_view text) {
  const ConfigRule& rule = definition.rule;
  const auto* whole = std::get_if<std::int64_t>(&value);
  const double number = whole != nullptr ? static_cast<double>(*whole) : std::get<double>(value);
  if (rule.or_else) {
    if (number == *rule.or_else || (number >= rule.least && number <= rule.most)) return {};
    return invalid(
        definition, text,
        fmt::format("Value must be between {} and {} or equal to {}", number_text(rule.least),
                    number_text(rule.most), number_text(*rule.or_else)));
  }
  if (number < rule.least) {
    return invalid(definition, text,
                   fmt::format("Value must be at least {}", number_text(rule.least)));
  }
  if (number > rule.most) {
    return invalid(definition, text,
                   fmt::format("Value must be no more than {}", number_text(rule.most)));
  }
  return {};
}

Result<void> check_word(const ConfigDefinition& definition, std::string_view word) {
  const bool any_case = definition.rule.kind == ConfigRule::Kind::one_of_ignoring_case;
  const std::vector<std::string> words = split_list(definition.rule.words);
  const bool known = std::ranges::any_of(words, [&](const std::string& allowed) {
    return any_case ? lower(allowed) == lower(word) : allowed == word;
  });
  if (known) return {};
  std::string all;
  for (const std::string& allowed : words) all += (all.empty() ? "" : ", ") + allowed;
  return invalid(
      definition, word,
      fmt::format("String must be one of{}: {}", any_case ? " (case insensitive)" : "", all));
}

bool is_throttled_replica(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  return parse_number<std::int32_t>(text.substr(0, colon)) &&
         parse_number<std::int32_t>(text.substr(colon + 1));
}

Result<void> check_rule(const ConfigDefinition& definition, const ConfigValue& value,
                        std::string_view text) {
  switch (definition.rule.kind) {
    case ConfigRule::Kind::any:
      return {};
    case ConfigRule::Kind::range:
      return check_range(definition, value, text);
    case ConfigRule::Kind::one_of:
    case ConfigRule::Kind::one_of_ignoring_case:
      if (const auto* word = std::get_if<std::string>(&value)) return check_word(definition, *word);
      for (const std::string& word : std::get<std::vector<std::string>>(value)) {
        TRY_DONE(check_word(definition, word));
      }
      return {};
    case ConfigRule::Kind::not_empty:
      if (trim(text).empty()) return invalid(definition, text, "it must not be empty");
      return {};
    case ConfigRule::Kind::throttled_replicas: {
      const auto& replicas = std::get<std::vector<std::string>>(value);
      const bool wildcard = replicas.size() == 1 && replicas[0] == "*";
      if (wildcard || std::ranges::all_of(replicas, is_throttled_replica)) return {};
      return invalid(
          definition, fmt::format("[{}]", text),
          fmt::format("{} must be the literal '*' or a list of replicas in the following format: "
                      "[partitionId]:[brokerId],[partitionId]:[brokerId],...",
                      definition.name));
    }
  }
  return {};
}

}  // namespace

std::string_view to_string(ConfigType type) {
  switch (type) {
    case ConfigType::boolean:
      return "BOOLEAN";
    case ConfigType::string:
      return "STRING";
    case ConfigType::integer:
      return "INT";
    case ConfigType::short_integer:
      return "SHORT";
    case ConfigType::long_integer:
      return "LONG";
    case ConfigType::real:
      return "DOUBLE";
    case ConfigType::list:
      return "LIST";
    case ConfigType::class_name:
      return "CLASS";
    case ConfigType::password:
      return "PASSWORD";
  }
  return "UNKNOWN";
}

std::string_view to_string(ConfigSource source) {
  switch (source) {
    case ConfigSource::topic:
      return "DYNAMIC_TOPIC_CONFIG";
    case ConfigSource::dynamic_broker:
      return "DYNAMIC_BROKER_CONFIG";
    case ConfigSource::dynamic_default:
      return "DYNAMIC_DEFAULT_BROKER_CONFIG";
    case ConfigSource::static_broker:
      return "STATIC_BROKER_CONFIG";
    case ConfigSource::default_value:
      return "DEFAULT_CONFIG";
    case ConfigSource::group:
      return "DYNAMIC_GROUP_CONFIG";
  }
  return "UNKNOWN";
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> elements;
  text = trim(text);
  while (!text.empty()) {
    const auto comma = text.find(',');
    elements.emplace_back(trim(text.substr(0, comma)));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return elements;
}

Result<ConfigValue> parse_config(const ConfigDefinition& definition, std::string_view text) {
  TRY(value, parse_type(definition, text));
  TRY_DONE(check_rule(definition, value, trim(text)));
  return std::move(value);
}

Result<void> check_config(const ConfigDefinition& definition, std::string_view text) {
  auto value = parse_config(definition, text);
  if (!value) return fail(std::move(value).error());
  return {};
}

}  // namespace millrace::engine
