// Transcripts: tests of a machine that read as documentation.
//
//   # A comment.
//   create name=foo partitions=2
//   describe foo
//   ----
//   what the commands answered, up to the next empty line
//
// Run the test program with --rewrite, and what is expected becomes what is; then read the diff.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::tests {

// One line: a name, then words, some of them key=value. A value in parentheses is a list:
// replicas=(1 2 3).
struct TranscriptCommand {
  std::string name;
  std::vector<std::string> words;             // those that are not key=value
  std::map<std::string, std::string> values;  // lists without their parentheses
  int line = 0;

  bool has(const std::string& key) const { return values.contains(key); }
  std::string text(const std::string& key, std::string otherwise = {}) const;
  long long number(const std::string& key, long long otherwise = 0) const;
  // The elements of a list; a single value is a list of one.
  std::vector<std::string> list(const std::string& key) const;
  std::vector<long long> numbers(const std::string& key) const;
};

// Gives each command of the file to `handle`, and fails the test where the answers of a block
// differ from what stands below its line of dashes. `path` is from the root of the source tree.
// Answers are compared line by line, ends of lines trimmed.
void run_transcript(const std::string& path,
                    const std::function<std::string(const TranscriptCommand&)>& handle);

}  // namespace millrace::tests
