#include "cli/command.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio_ext.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>

#include "cli/config.h"
#include "cli/option_checks.h"
#include "cli/output.h"

namespace millrace::cli {
namespace {

using testing::HasSubstr;

int seen_number = 0;

Action define_sample(CLI::App& app) {
  auto number = std::make_shared<int>(0);
  auto words = std::make_shared<std::array<std::string, 2>>();
  app.add_option("-n,--number", *number, "a number")->required();
  app.add_option("-z,--codec", words->front(), "a codec")->transform(one_of({"gzip", "lz4"}));
  app.add_option("LENGTH", words->back(), "a length")->transform(one_of({"long", "short"}));
  return [number, words] {
    seen_number = *number;
    return Exit::failed;
  };
}

constexpr Command kCommands[] = {
    {"group", "A group."},
    {"group sample", "A sample.", define_sample, "  millrace group sample -n 1"},
};

struct Outcome {
  Exit exit;
  std::string out;
  std::string err;
};

Outcome run_line(std::vector<const char*> words, std::span<const Command> commands = kCommands) {
  words.insert(words.begin(), "millrace");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const Exit exit = run(commands, "Millrace 0", static_cast<int>(words.size()), words.data());
  std::fflush(stdout);
  return {exit, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

TEST(Command, a_command_of_two_words_gets_its_options_and_its_exit_is_returned) {
  EXPECT_EQ(run_line({"group", "sample", "-n", "7"}).exit, Exit::failed);
  EXPECT_EQ(seen_number, 7);
}

TEST(Command, wrong_usage_is_two_and_says_what_is_missing) {
  const Outcome outcome = run_line({"group", "sample"});
  EXPECT_EQ(outcome.exit, Exit::usage);
  EXPECT_THAT(outcome.err, HasSubstr("--number is required"));
  EXPECT_EQ(run_line({"group"}).exit, Exit::usage);
  EXPECT_EQ(run_line({"nonsense"}).exit, Exit::usage);
}

Action define_talk(CLI::App& app) {
  auto lines = std::make_shared<int>(1);
  app.add_option("--lines", *lines, "how many");
  return [lines] {
    for (int i = 0; i < *lines; ++i) print_out("line {}\n", i);
    return Exit::done;
  };
}

// Runs a line while standard output is a device that is always full.
Outcome run_on_full_output(std::vector<const char*> words) {
  constexpr Command kTalk[] = {{"talk", "Prints.", define_talk}};
  words.insert(words.begin(), "millrace");
  std::fflush(stdout);
  const int kept = ::dup(STDOUT_FILENO);
  const int full = ::open("/dev/full", O_WRONLY);
  ::dup2(full, STDOUT_FILENO);
  testing::internal::CaptureStderr();
  const Exit exit = run(kTalk, "Millrace 0", static_cast<int>(words.size()), words.data());
  __fpurge(stdout);
  std::clearerr(stdout);
  std::cout.clear();
  ::dup2(kept, STDOUT_FILENO);
  ::close(full);
  ::close(kept);
  return {exit, "", testing::internal::GetCapturedStderr()};
}

std::string first_line_of_error(std::vector<const char*> words) {
  const Outcome outcome = run_line(std::move(words));
  EXPECT_EQ(outcome.exit, Exit::usage);
  return outcome.err.substr(0, outcome.err.find('\n'));
}

TEST(Command, a_word_that_is_no_command_is_named_with_the_nearest_one_that_is) {
  EXPECT_EQ(first_line_of_error({"group", "smaple"}),
            "millrace: there is no command `millrace group smaple`; did you mean `millrace group sample`?");
  EXPECT_EQ(first_line_of_error({"groop", "sample", "-n", "1"}),
            "millrace: there is no command `millrace groop`; did you mean `millrace group`?");
  EXPECT_EQ(first_line_of_error({"frobnicate"}),
            "millrace: there is no command `millrace frobnicate`; there are group, completion");
  EXPECT_EQ(first_line_of_error({"group"}), "millrace: which command? There are sample");
}

TEST(Command, an_option_that_is_none_is_named_with_the_nearest_one_that_is) {
  EXPECT_EQ(first_line_of_error({"group", "sample", "--nubmer=7"}),
            "millrace: `millrace group sample` has no option --nubmer; did you mean --number?");
  EXPECT_EQ(first_line_of_error({"group", "sample", "-n", "7", "-x"}),
            "millrace: `millrace group sample` has no option -x");
}

TEST(Command, what_cannot_be_printed_is_a_failure_with_one_line) {
  for (const auto& words : std::vector<std::vector<const char*>>{
           {"talk"}, {"talk", "--lines", "50000"}, {"talk", "--help"}, {"completion", "bash"}}) {
    const Outcome outcome = run_on_full_output(words);
    EXPECT_EQ(outcome.exit, Exit::failed) << words.back();
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("standard output"));
  }
}

TEST(Command, help_names_options_examples_and_exit_codes) {
  const Outcome outcome = run_line({"group", "sample", "--help"});
  EXPECT_EQ(outcome.exit, Exit::done);
  EXPECT_THAT(outcome.out, HasSubstr("--number"));
  EXPECT_THAT(outcome.out, HasSubstr("millrace group sample -n 1"));
  EXPECT_THAT(outcome.out, HasSubstr("Exit codes"));
}

TEST(Command, completion_knows_every_command_and_option) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Outcome outcome = run_line({"completion", shell});
    EXPECT_EQ(outcome.exit, Exit::done);
    EXPECT_THAT(outcome.out, HasSubstr("sample"));
    EXPECT_THAT(outcome.out, HasSubstr("number"));
  }
  EXPECT_EQ(run_line({"completion", "tcsh"}).exit, Exit::usage);
}

// What bash offers for the last of the words, by the script we give it.
std::string completed(const std::string& words, int last, std::span<const Command> commands = kCommands) {
  const std::string path = testing::TempDir() + "millrace_completion.bash";
  // Stands for the binary, which the script asks for names.
  std::ofstream(path) << "millrace() { echo \"names_of_$1\"; }\n"
                      << run_line({"completion", "bash"}, commands).out << "COMP_WORDS=(" << words << ")\nCOMP_CWORD=" << last
                      << "\n_millrace\necho \"${COMPREPLY[@]}\"\n";
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> bash(::popen(("bash " + path).c_str(), "r"), ::pclose);
  std::string text(1000, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), bash.get()));
  return text.substr(0, text.find('\n'));
}

TEST(Command, completion_offers_the_values_of_options_and_arguments_that_have_only_so_many) {
  EXPECT_EQ(completed("millrace group sample --codec ''", 4), "gzip lz4");
  EXPECT_EQ(completed("millrace group sample -z l", 4), "lz4");
  EXPECT_EQ(completed("millrace group sample --codec = g", 5), "gzip");
  EXPECT_EQ(completed("millrace group sample --codec =", 4), "gzip lz4");
  EXPECT_EQ(completed("millrace group sample lo", 3), "long");
  EXPECT_EQ(completed("millrace completion ''", 2), "bash zsh fish --help");
  const std::string fish = run_line({"completion", "fish"}).out;
  EXPECT_THAT(fish, HasSubstr("-l codec -s z -x -a 'gzip lz4'"));
  EXPECT_THAT(fish, HasSubstr("'__millrace_in group sample' -a 'long short'"));
}

TEST(Command, completion_offers_the_names_of_the_kind_whose_configurations_are_meant) {
  const auto commands = config_commands();
  EXPECT_THAT(completed("millrace config describe ''", 3, commands), testing::StartsWith("topic broker group "));
  EXPECT_EQ(completed("millrace config describe group ''", 4, commands), "names_of_group");
  EXPECT_EQ(completed("millrace config alter topic ''", 4, commands), "names_of_topic");
  EXPECT_THAT(run_line({"completion", "fish"}, commands).out,
              HasSubstr("'__millrace_at config alter group' -a '(millrace group list"));
}

TEST(Command, configurations_of_a_group_need_its_name) {
  const Outcome outcome = run_line({"config", "describe", "group"}, config_commands());
  EXPECT_EQ(outcome.exit, Exit::usage);
  EXPECT_THAT(outcome.err, HasSubstr("which group? Write `config ... group NAME`"));
}

TEST(Command, errors_end_in_the_exit_code_of_their_kind) {
  EXPECT_EQ(exit_of({Errc::invalid_argument, ""}), Exit::usage);
  EXPECT_EQ(exit_of({Errc::timed_out, ""}), Exit::unreachable);
  EXPECT_EQ(exit_of({Errc::not_found, ""}), Exit::failed);
  EXPECT_EQ(finish({}), Exit::done);
}

}  // namespace
}  // namespace millrace::cli
