#include "replication/epoch_history.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace millrace::replication {

namespace {

// Takes one line off the front of `text`. False at the end.
bool take_line(std::string_view& text, std::string_view& line) {
  if (text.empty()) return false;
  const auto end = text.find('\n');
  line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return true;
}

template <class T>
bool parse_number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::optional<EpochStart> EpochHistory::latest() const {
  if (entries_.empty()) return std::nullopt;
  return entries_.back();
}

std::optional<LeaderEpoch> EpochHistory::epoch_at(Offset offset) const {
  const auto after = std::ranges::upper_bound(entries_, offset, {}, &EpochStart::start_offset);
  if (after == entries_.begin()) return std::nullopt;
  return (after - 1)->epoch;
}

std::optional<LeaderEpoch> EpochHistory::previous(LeaderEpoch epoch) const {
  const auto at = std::ranges::lower_bound(entries_, epoch, {}, &EpochStart::epoch);
  if (at == entries_.begin()) return std::nullopt;
  return (at - 1)->epoch;
}

bool EpochHistory::assign(LeaderEpoch epoch, Offset start_offset) {
  if (!entries_.empty() && entries_.back() == EpochStart{epoch, start_offset}) return false;
  while (!entries_.empty() &&
         (entries_.back().epoch >= epoch || entries_.back().start_offset >= start_offset)) {
    entries_.pop_back();
  }
  entries_.push_back({epoch, start_offset});
  return true;
}

std::optional<EpochEnd> EpochHistory::end_offset_for(LeaderEpoch epoch,
                                                     Offset log_end_offset) const {
  if (epoch == kNoLeaderEpoch || entries_.empty()) return std::nullopt;
  if (epoch == entries_.back().epoch) return EpochEnd{epoch, log_end_offset};
  const auto higher = std::ranges::upper_bound(entries_, epoch, {}, &EpochStart::epoch);
  if (higher == entries_.end()) return std::nullopt;
  if (higher == entries_.begin()) return EpochEnd{epoch, higher->start_offset};
  return EpochEnd{(higher - 1)->epoch, higher->start_offset};
}

bool EpochHistory::truncate_from_end(Offset end_offset) {
  const auto before = entries_.size();
  while (!entries_.empty() && entries_.back().start_offset >= end_offset) entries_.pop_back();
  return entries_.size() != before;
}

bool EpochHistory::truncate_from_start(Offset start_offset) {
  const auto after =
      std::ranges::upper_bound(entries_, start_offset, {}, &EpochStart::start_offset);
  if (after == entries_.begin()) return false;
  const auto floor = after - 1;
  const bool moved = floor->start_offset != start_offset;
  floor->start_offset = start_offset;
  const bool dropped = floor != entries_.begin();
  entries_.erase(entries_.begin(), floor);
  return moved || dropped;
}

std::string EpochHistory::encode() const {
  std::string text = fmt::format("0\n{}\n", entries_.size());
  for (const auto& entry : entries_) {
    text += fmt::format("{} {}\n", entry.epoch.value(), entry.start_offset.value());
  }
  return text;
}

Result<EpochHistory> EpochHistory::decode(std::string_view text) {
  std::string_view line;
  std::int32_t version = 0;
  std::size_t count = 0;
  if (!take_line(text, line) || !parse_number(line, version)) {
    return fail(Errc::malformed, "leader epoch checkpoint: no version");
  }
  if (version != 0) {
    return fail(Errc::unsupported, fmt::format("leader epoch checkpoint version {}", version));
  }
  if (!take_line(text, line) || !parse_number(line, count)) {
    return fail(Errc::malformed, "leader epoch checkpoint: no count");
  }
  EpochHistory history;
  while (take_line(text, line)) {
    const auto space = line.find(' ');
    std::int32_t epoch = 0;
    std::int64_t start = 0;
    if (space == std::string_view::npos || !parse_number(line.substr(0, space), epoch) ||
        !parse_number(line.substr(space + 1), start) || epoch < 0 || start < 0) {
      return fail(Errc::malformed, fmt::format("leader epoch checkpoint: line '{}'", line));
    }
    const EpochStart entry{LeaderEpoch(epoch), Offset(start)};
    if (!history.empty() && (history.entries_.back().epoch >= entry.epoch ||
                             history.entries_.back().start_offset >= entry.start_offset)) {
      return fail(Errc::malformed,
                  fmt::format("leader epoch checkpoint: '{}' is out of order", line));
    }
    history.entries_.push_back(entry);
  }
  if (history.entries_.size() != count) {
    return fail(Errc::malformed, fmt::format("leader epoch checkpoint: {} entries, {} announced",
                                             history.entries_.size(), count));
  }
  return history;
}

Offset truncation_offset(const EpochHistory& history, Offset log_end_offset, EpochEnd leader) {
  if (leader.epoch == LeaderEpoch(0)) return std::min(leader.end_offset, log_end_offset);
  const auto own = history.end_offset_for(leader.epoch, log_end_offset);
  if (!own) return std::min(leader.end_offset, log_end_offset);
  if (own->epoch == leader.epoch) {
    return std::min({own->end_offset, leader.end_offset, log_end_offset});
  }
  return std::min(own->end_offset, log_end_offset);
}

}  // namespace millrace::replication
