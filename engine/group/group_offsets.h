// GroupOffsets: how far one group has read, as its commits say.
//
// Shard:      its machine's. What it holds is counted in GroupUse for as long as it lives.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "engine/group/group_input.h"

namespace millrace::engine {

class GroupOffsets {
 public:
  explicit GroupOffsets(GroupUse& use) : use_(use) {}
  ~GroupOffsets() {
    use_.offsets -= count_;
    use_.bytes -= bytes_;
  }
  GroupOffsets(const GroupOffsets&) = delete;

  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }
  // What an offset, and the name of its topic, are counted as.
  static std::size_t bytes_of(const std::string_view metadata) { return 192 + metadata.size(); }
  static std::size_t bytes_of_topic(const std::string_view topic) { return 160 + topic.size(); }
  bool has_topic(std::string_view topic) const { return topics_.contains(topic); }
  // Null when nothing was committed.
  const OffsetCommitValue* find(std::string_view topic, std::int32_t partition) const;
  void set(std::string_view topic, std::int32_t partition, OffsetCommitValue value);
  void erase(std::string_view topic, std::int32_t partition);
  // Of that topic, in order.
  void for_each_of(std::string_view topic,
                   const std::function<void(std::int32_t partition, const OffsetCommitValue&)>& visit) const;
  void for_each_topic(const std::function<void(const std::string& topic)>& visit) const;
  // In order of topic and partition.
  void for_each(const std::function<void(const std::string& topic, std::int32_t partition,
                                         const OffsetCommitValue&)>& visit) const;

 private:
  void count_bytes(std::size_t more, std::size_t less) {
    bytes_ += more - less;
    use_.bytes += more - less;
  }

  GroupUse& use_;
  std::map<std::string, std::map<std::int32_t, OffsetCommitValue>, std::less<>> topics_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace millrace::engine
