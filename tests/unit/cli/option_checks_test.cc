#include "cli/option_checks.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <limits>

#include "cli/output.h"

namespace millrace::cli {
namespace {

// What is wrong with `text` as the value of the option; empty if nothing is.
std::string parse(CLI::App& app, const std::string& text) {
  try {
    app.parse(std::vector<std::string>{text, "--option"});
  } catch (const CLI::ParseError& error) {
    return error.what();
  }
  return "";
}

TEST(OptionChecks, a_word_is_taken_in_any_case_and_anything_else_is_answered_with_the_words) {
  CLI::App app;
  std::string chosen;
  const CLI::Option* option =
      app.add_option("--option", chosen, "help")->transform(one_of({"gzip", "lz4"}));
  EXPECT_EQ(parse(app, "LZ4"), "");
  EXPECT_EQ(chosen, "lz4");
  EXPECT_EQ(parse(app, "brotli"), "--option: `brotli` is none of gzip, lz4");
  EXPECT_EQ(words_of(*option), (std::vector<std::string>{"gzip", "lz4"}));
}

TEST(OptionChecks, a_word_is_handed_on_as_its_command_writes_it) {
  CLI::App app;
  std::string chosen;
  app.add_option("--option", chosen, "help")->transform(one_of({"Stable", "Empty"}));
  EXPECT_EQ(parse(app, "stable"), "");
  EXPECT_EQ(chosen, "Stable");
  EXPECT_EQ(parse(app, "EMPTY"), "");
  EXPECT_EQ(chosen, "Empty");
}

TEST(OptionChecks, a_name_that_is_empty_is_refused) {
  CLI::App app;
  std::string name;
  app.add_option("--option", name, "help")->check(not_empty());
  EXPECT_EQ(parse(app, "a"), "");
  EXPECT_EQ(parse(app, ""), "--option: it is empty");
}

TEST(OptionChecks, a_number_that_is_too_small_or_too_large_is_answered_with_the_range) {
  CLI::App app;
  std::int16_t number = -1;
  const CLI::Option* option =
      app.add_option("--option", number, "help")
          ->check(whole_number({.least = 1, .most = std::numeric_limits<std::int16_t>::max()}));
  EXPECT_EQ(parse(app, "7"), "");
  EXPECT_EQ(number, 7);
  for (const std::string text : {"0", "-1", "32768", "x", "1.5", ""}) {
    EXPECT_EQ(parse(app, text), "--option: `" + text + "` is not a whole number from 1 to 32767");
  }
  EXPECT_TRUE(words_of(*option).empty());
}

TEST(OptionChecks, a_format_is_a_word_and_never_a_number) {
  CLI::App app;
  OutputFormat format = OutputFormat::table;
  add_format_option(app, format);
  app.get_option("--format")->required();
  const auto given = [&](const std::string& text) {
    try {
      app.parse(std::vector<std::string>{text, "--format"});
    } catch (const CLI::ParseError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(given("json"), "");
  EXPECT_EQ(format, OutputFormat::json);
  EXPECT_EQ(given("yaml"), "--format: `yaml` is none of table, json");
  EXPECT_EQ(given("0"), "--format: `0` is none of table, json");
}

}  // namespace
}  // namespace millrace::cli
