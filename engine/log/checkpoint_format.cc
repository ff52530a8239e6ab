#include "engine/log/checkpoint_format.h"

#include <fmt/core.h>

#include <charconv>

namespace millrace::log {

namespace {

constexpr std::int32_t kVersion = 0;

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

bool parse_entry(std::string_view line, CheckpointEntry& entry) {
  const auto first = line.find(' ');
  if (first == std::string_view::npos || first == 0) return false;
  const auto second = line.find(' ', first + 1);
  if (second == std::string_view::npos) return false;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  if (!parse_number(line.substr(first + 1, second - first - 1), partition)) return false;
  if (!parse_number(line.substr(second + 1), offset)) return false;
  entry = {std::string(line.substr(0, first)), PartitionIndex(partition), Offset(offset)};
  return partition >= 0 && offset >= 0;
}

}  // namespace

std::string encode_checkpoint(std::span<const CheckpointEntry> entries) {
  std::string text = fmt::format("{}\n{}\n", kVersion, entries.size());
  for (const auto& entry : entries) {
    text += fmt::format("{} {} {}\n", entry.topic, entry.partition.value(), entry.offset.value());
  }
  return text;
}

Result<std::vector<CheckpointEntry>> decode_checkpoint(std::string_view text) {
  if (text.empty()) return std::vector<CheckpointEntry>{};
  std::string_view line;
  std::int32_t version = 0;
  std::size_t count = 0;
  if (!take_line(text, line) || !parse_number(line, version)) {
    return fail(Errc::malformed, "checkpoint: no version");
  }
  if (version != kVersion)
    return fail(Errc::unsupported, fmt::format("checkpoint version {}", version));
  if (!take_line(text, line) || !parse_number(line, count)) {
    return fail(Errc::malformed, "checkpoint: no count");
  }
  std::vector<CheckpointEntry> entries;
  while (take_line(text, line)) {
    CheckpointEntry entry;
    if (!parse_entry(line, entry)) {
      return fail(Errc::malformed, fmt::format("checkpoint: line '{}'", line));
    }
    entries.push_back(std::move(entry));
  }
  if (entries.size() != count) {
    return fail(Errc::malformed,
                fmt::format("checkpoint: {} entries, {} announced", entries.size(), count));
  }
  return entries;
}

}  // namespace millrace::log
