#include "tests/support/transcript.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace millrace::tests {
namespace {

bool rewrite_wanted() {
  std::ifstream file("/proc/self/cmdline");
  for (std::string argument; std::getline(file, argument, '\0');) {
    if (argument == "--rewrite") return true;
  }
  return false;
}

// Words are separated by spaces outside of parentheses.
std::vector<std::string> split_words(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  int depth = 0;
  for (const char c : line) {
    if (c == ' ' && depth == 0) {
      if (!word.empty()) words.push_back(std::move(word));
      word.clear();
      continue;
    }
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    word += c;
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

TranscriptCommand parse(const std::string& line, int number) {
  const std::string code = line.substr(0, line.find("  #"));
  TranscriptCommand command{.line = number};
  for (std::string& word : split_words(code)) {
    const auto equals = word.find('=');
    if (command.name.empty()) {
      command.name = std::move(word);
    } else if (equals == std::string::npos) {
      command.words.push_back(std::move(word));
    } else {
      std::string value = word.substr(equals + 1);
      if (value.starts_with('(') && value.ends_with(')')) value = value.substr(1, value.size() - 2);
      command.values[word.substr(0, equals)] = std::move(value);
    }
  }
  return command;
}

std::string trimmed(std::string text) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && line.back() == ' ') line.pop_back();
    if (!line.empty()) out += line + "\n";
  }
  return out;
}

}  // namespace

std::string TranscriptCommand::text(const std::string& key, std::string otherwise) const {
  const auto found = values.find(key);
  return found == values.end() ? otherwise : found->second;
}

long long TranscriptCommand::number(const std::string& key, long long otherwise) const {
  const auto found = values.find(key);
  return found == values.end() ? otherwise : std::stoll(found->second);
}

std::vector<std::string> TranscriptCommand::list(const std::string& key) const {
  return split_words(text(key));
}

std::vector<long long> TranscriptCommand::numbers(const std::string& key) const {
  std::vector<long long> found;
  for (const std::string& element : list(key)) found.push_back(std::stoll(element));
  return found;
}

void run_transcript(const std::string& path,
                    const std::function<std::string(const TranscriptCommand&)>& handle) {
  std::ifstream file(path);
  ASSERT_TRUE(file.good()) << path;
  std::string rewritten;
  std::vector<TranscriptCommand> commands;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    rewritten += line + "\n";
    if (line.empty() || line.starts_with("#")) continue;
    if (line != "----") {
      commands.push_back(parse(line, number));
      continue;
    }
    std::string actual;
    for (const TranscriptCommand& command : commands) actual += trimmed(handle(command));
    std::string expected;
    const int at = number;
    for (; std::getline(file, line) && !line.empty();) {
      ++number;
      expected += line + "\n";
    }
    ++number;
    if (!rewrite_wanted()) {
      EXPECT_EQ(actual, expected) << path << ":" << at << ", after: " << commands.back().name;
    }
    rewritten += actual + "\n";
    commands.clear();
  }
  EXPECT_TRUE(commands.empty()) << path << " ends with commands that expect nothing";
  while (rewritten.ends_with("\n\n")) rewritten.pop_back();
  if (rewrite_wanted()) std::ofstream(path) << rewritten;
}

}  // namespace millrace::tests
