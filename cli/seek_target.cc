#include "cli/seek_target.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace millrace::cli {
namespace {

constexpr std::int32_t kRangeMax = 100'000;

// Takes an unsigned number from the front.
template <class T>
std::optional<T> take_number(std::string_view& text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || text.starts_with('-')) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

std::unexpected<Error> wrong_choice(std::string_view text) {
  return fail(Errc::invalid_argument,
              fmt::format("{}: write a topic, or a topic and some of its partitions: "
                          "orders or orders:0,3,5-7",
                          text));
}

std::unexpected<Error> wrong_duration(std::string_view text) {
  return fail(Errc::invalid_argument,
              fmt::format("{}: write a duration such as 90s, 15m, 2h30m, 7d or PT1H30M", text));
}

struct Unit {
  std::string_view name;
  std::int64_t ms;
};
constexpr std::array kUnits = {Unit{"ms", 1},        Unit{"s", 1000},       Unit{"m", 60'000},
                               Unit{"h", 3'600'000}, Unit{"d", 86'400'000}, Unit{"w", 604'800'000}};

std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return lowered;
}

// A number and its unit, in milliseconds.
std::optional<std::int64_t> take_part(std::string_view& text) {
  const auto number = take_number<std::int64_t>(text);
  if (!number) return std::nullopt;
  for (const Unit& unit : kUnits) {
    if (!text.starts_with(unit.name)) continue;
    text.remove_prefix(unit.name.size());
    if (*number > std::numeric_limits<std::int64_t>::max() / 4 / unit.ms) return std::nullopt;
    return *number * unit.ms;
  }
  return std::nullopt;
}

}  // namespace

Result<TopicChoice> parse_topic_choice(std::string_view text) {
  // No topic has a colon in its name.
  const auto colon = std::min(text.find(':'), text.size());
  TopicChoice choice{.topic = std::string(text.substr(0, colon)), .partitions = {}};
  if (choice.topic.empty()) return wrong_choice(text);
  if (colon == text.size()) return choice;
  std::string_view rest = text.substr(colon + 1);
  while (true) {
    const auto first = take_number<std::int32_t>(rest);
    if (!first) return wrong_choice(text);
    auto last = first;
    if (rest.starts_with('-')) {
      rest.remove_prefix(1);
      last = take_number<std::int32_t>(rest);
    }
    if (!last || *last < *first || *last - *first > kRangeMax) return wrong_choice(text);
    for (std::int32_t partition = *first; partition <= *last; ++partition)
      choice.partitions.push_back(partition);
    if (rest.empty()) break;
    if (!rest.starts_with(',')) return wrong_choice(text);
    rest.remove_prefix(1);
  }
  std::ranges::sort(choice.partitions);
  const auto repeated = std::ranges::unique(choice.partitions);
  choice.partitions.erase(repeated.begin(), repeated.end());
  return choice;
}

Result<std::int64_t> parse_duration_ms(std::string_view text) {
  const std::string lowered = lower(text);
  std::string_view rest = lowered;
  const bool is_iso = rest.starts_with('p');
  if (is_iso) rest.remove_prefix(1);
  bool is_time = !is_iso;  // after ISO's T; a month before it has no length of its own
  std::int64_t ms = 0;
  while (!rest.empty()) {
    if (!is_time && rest.starts_with('t')) {
      is_time = true;
      rest.remove_prefix(1);
    }
    const bool is_short = !is_time && rest.find_first_of("dw") > rest.find_first_of("hms");
    const auto part = take_part(rest);
    if (!part || is_short || *part > std::numeric_limits<std::int64_t>::max() - ms)
      return wrong_duration(text);
    ms += *part;
  }
  if (ms <= 0) return wrong_duration(text);
  return ms;
}

Result<std::int64_t> seek_offset(const SeekTarget& target, const SeekPartition& partition) {
  std::int64_t wanted = 0;
  switch (target.kind) {
    case SeekTarget::Kind::offset:
      wanted = target.value;
      break;
    case SeekTarget::Kind::time:
      wanted = partition.at_time.value_or(partition.log_end);
      break;
    case SeekTarget::Kind::earliest:
      wanted = partition.log_start;
      break;
    case SeekTarget::Kind::latest:
      wanted = partition.log_end;
      break;
    case SeekTarget::Kind::shift:
      if (!partition.committed) {
        return fail(Errc::not_found,
                    fmt::format("{}: nothing is committed, so there is nothing to shift; "
                                "--to-earliest and --to-latest say where to begin",
                                to_text(partition.partition)));
      }
      if (__builtin_add_overflow(*partition.committed, target.value, &wanted))
        wanted = target.value < 0 ? partition.log_start : partition.log_end;
      break;
  }
  return std::clamp(wanted, partition.log_start, std::max(partition.log_start, partition.log_end));
}

std::optional<std::string> seek_beyond_log(const SeekTarget& target, const SeekPartition& partition,
                                           std::int64_t given) {
  std::int64_t wanted = target.value;
  if (target.kind == SeekTarget::Kind::shift) {
    if (!partition.committed || __builtin_add_overflow(*partition.committed, target.value, &wanted)) return std::nullopt;
  } else if (target.kind != SeekTarget::Kind::offset) {
    return std::nullopt;
  }
  if (wanted == given) return std::nullopt;
  return fmt::format("{}: offset {} is {} of the log, which holds {} to {}; {} is taken", to_text(partition.partition),
                     wanted, wanted < given ? "before the beginning" : "beyond the end", partition.log_start,
                     partition.log_end, given);
}

}  // namespace millrace::cli
