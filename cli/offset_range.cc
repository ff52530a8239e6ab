#include "cli/offset_range.h"

#include <fmt/core.h>

#include <charconv>
#include <chrono>

namespace millrace::cli {
namespace {

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Takes `digits` digits from the front of `text`.
std::optional<int> take_digits(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  const auto number = parse_integer(text.substr(0, digits));
  if (!number || *number < 0) return std::nullopt;
  text.remove_prefix(digits);
  return static_cast<int>(*number);
}

bool take(std::string_view& text, char wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

// "T12:30", "T12:30:05", "T12:30:05.250" as milliseconds of the day.
std::optional<std::int64_t> take_time_of_day(std::string_view& text) {
  const auto hours = take_digits(text, 2);
  if (!hours || *hours > 23 || !take(text, ':')) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  std::int64_t ms = (*hours * 60 + *minutes) * 60'000;
  if (!take(text, ':')) return ms;
  const auto seconds = take_digits(text, 2);
  if (!seconds || *seconds > 59) return std::nullopt;
  ms += *seconds * 1000;
  if (!take(text, '.')) return ms;
  for (std::int64_t place = 100; !text.empty() && text.front() >= '0' && text.front() <= '9';
       place /= 10) {
    ms += (text.front() - '0') * place;
    text.remove_prefix(1);
  }
  return ms;
}

// "", "Z", "+02:00" as milliseconds to take off.
std::optional<std::int64_t> take_zone(std::string_view text) {
  if (text.empty() || text == "Z") return 0;
  const std::int64_t sign = text.front() == '-' ? -1 : 1;
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  const auto offset = take_time_of_day(text);
  if (!offset || !text.empty()) return std::nullopt;
  return sign * *offset;
}

std::unexpected<Error> usage(std::string_view text) {
  return fail(
      Errc::invalid_argument,
      fmt::format(
          "-o {}: write beginning, end, N, -N, s@TIME, e@TIME or A..B; TIME is milliseconds or "
          "2026-01-31T12:30:00Z",
          text));
}

Result<RangeEnd> parse_end(std::string_view text) {
  if (text == "beginning" || text == "earliest") return RangeEnd{RangeEnd::Kind::beginning, 0};
  if (text == "end" || text == "latest") return RangeEnd{RangeEnd::Kind::end, 0};
  if (text.starts_with("s@") || text.starts_with("e@")) {
    TRY(time, parse_time(text.substr(2)));
    return RangeEnd{RangeEnd::Kind::time, time.ms};
  }
  const auto number = parse_integer(text);
  if (!number) return usage(text);
  if (text.starts_with('-')) return RangeEnd{RangeEnd::Kind::tail, -*number};
  return RangeEnd{RangeEnd::Kind::offset, *number};
}

}  // namespace

Result<WallTime> parse_time(std::string_view text) {
  if (const auto ms = parse_integer(text); ms && text.size() != 8) return WallTime{*ms};
  std::string_view rest = text;
  const auto year = take_digits(rest, 4);
  const bool parted = year && take(rest, '-');
  const auto month = parted ? take_digits(rest, 2) : std::nullopt;
  const auto day = month && take(rest, '-') ? take_digits(rest, 2) : std::nullopt;
  if (!day) return usage(text);
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok())
    return fail(Errc::invalid_argument, fmt::format("{}: there is no such day", text));
  std::int64_t ms =
      std::chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86'400'000};
  if (take(rest, 'T') || take(rest, ' ')) {
    const auto of_day = take_time_of_day(rest);
    if (!of_day) return usage(text);
    ms += *of_day;
  }
  const auto zone = take_zone(rest);
  if (!zone) return usage(text);
  return WallTime{ms - *zone};
}

Result<OffsetRange> parse_offset_range(const std::vector<std::string>& texts) {
  OffsetRange range;
  for (const std::string& text : texts) {
    if (const auto dots = text.find(".."); dots != std::string::npos) {
      const std::string_view first = std::string_view(text).substr(0, dots);
      const std::string_view second = std::string_view(text).substr(dots + 2);
      if (!first.empty()) {
        TRY(start, parse_end(first));
        range.start = start;
      }
      if (!second.empty()) {
        TRY(stop, parse_end(second));
        range.stop = stop;
      }
    } else if (text.starts_with("e@")) {
      TRY(stop, parse_end(text));
      range.stop = stop;
    } else {
      TRY(start, parse_end(text));
      range.start = start;
    }
  }
  if (range.stop && range.stop->kind != RangeEnd::Kind::offset &&
      range.stop->kind != RangeEnd::Kind::time) {
    return fail(
        Errc::invalid_argument,
        "-o: a range ends at an offset or at a time; to stop at the end of the log use --exit");
  }
  const bool comparable = range.stop && range.start.kind == range.stop->kind;
  if (comparable && range.stop->value < range.start.value) {
    return fail(Errc::invalid_argument, "-o: the range ends before it begins");
  }
  return range;
}

}  // namespace millrace::cli
