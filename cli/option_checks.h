// What the value of an option may be. Errors say it in words, and completion offers the words.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace CLI {
class Option;
class Validator;
}  // namespace CLI

namespace millrace::cli {

// One of these words, in any case; the command gets it as it is written here. For transform().
CLI::Validator one_of(std::vector<std::string> words);

// The words that one_of() lets the option have; none where it may be anything.
std::vector<std::string> words_of(const CLI::Option& option);

struct WholeNumbers {
  std::int64_t least = 0;
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
};
CLI::Validator whole_number(WholeNumbers numbers);


// Something: a name that is empty is a variable that was not set, more often than not.
CLI::Validator not_empty();

}  // namespace millrace::cli
