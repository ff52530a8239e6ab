#include "cli/command.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>

#include "cli/completion.h"
#include "cli/option_checks.h"
#include "cli/output.h"
#include "cli/usage_error.h"

namespace millrace::cli {
namespace {

constexpr std::string_view kExitCodes =
    "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no broker answered.";

// The parsed command line: which command was named, and what it returned from define().
struct Program {
  std::unique_ptr<CLI::App> app;
  std::map<CLI::App*, Action> actions;
};

CLI::App* find_or_add(CLI::App& parent, const std::string& word) {
  for (CLI::App* child : parent.get_subcommands([](CLI::App*) { return true; })) {
    if (child->get_name() == word) return child;
  }
  CLI::App* child = parent.add_subcommand(word);
  child->fallthrough(false);
  return child;
}

CLI::App& app_of(CLI::App& root, std::string_view path) {
  CLI::App* app = &root;
  while (!path.empty()) {
    const auto space = std::min(path.find(' '), path.size());
    app = find_or_add(*app, std::string(path.substr(0, space)));
    path.remove_prefix(std::min(space + 1, path.size()));
  }
  return *app;
}

std::string footer_of(const Command& command) {
  std::string footer;
  if (!command.examples.empty()) footer = fmt::format("\nExamples:\n{}\n", command.examples);
  return footer + "\n" + std::string(kExitCodes);
}

Program build(std::span<const Command> commands, std::string_view about) {
  Program program{std::make_unique<CLI::App>(std::string(about), "millrace"), {}};
  CLI::App& root = *program.app;
  root.footer("\n" + std::string(kExitCodes));
  root.set_version_flag("--version", std::string(about));
  root.require_subcommand(1);
  for (const Command& command : commands) {
    CLI::App& app = app_of(root, command.path);
    app.description(std::string(command.summary));
    app.footer(footer_of(command));
    if (command.define == nullptr) {
      app.require_subcommand(1);
    } else {
      program.actions[&app] = command.define(app);
    }
  }
  return program;
}

// Completion is a command like the others, but needs the table it stands in.
Exit print_completion(CLI::App& root, const std::string& shell) {
  const auto script = completion_script(root, shell);
  if (!script) {
    print_error(script.error().message);
    return Exit::usage;
  }
  write_out(*script);
  return Exit::done;
}

CLI::App* chosen(CLI::App& root) {
  CLI::App* app = &root;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  return app;
}

Exit obey(std::span<const Command> commands, std::string_view about, int argc,
          const char* const* argv) {
  Program program = build(commands, about);
  CLI::App& root = *program.app;
  std::string shell;
  CLI::App* completion = root.add_subcommand(
      "completion", "Print what a shell needs to complete this program's commands.");
  completion->add_option("SHELL", shell, "The shell that is to read it")
      ->required()
      ->transform(one_of({"bash", "zsh", "fish"}));
  completion->footer(
      "\nExamples:\n  source <(millrace completion bash)\n  millrace completion fish | source\n");
  std::ostringstream ignored;
  try {
    root.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (root.exit(error, std::cout, ignored) == 0) return Exit::done;
    print_error(describe_usage_error(root, error));
    return Exit::usage;
  }
  CLI::App* app = chosen(root);
  if (app == completion) return print_completion(root, shell);
  const auto action = program.actions.find(app);
  return action == program.actions.end() ? Exit::usage : action->second();
}

}  // namespace

Exit run(std::span<const Command> commands, std::string_view about, int argc,
         const char* const* argv) {
  const Exit exit = obey(commands, about, argc, argv);
  const auto printed = flush_output();
  if (printed) return exit;
  print_error(printed.error().message);
  return exit == Exit::done ? Exit::failed : exit;
}

Exit exit_of(const Error& error) {
  switch (error.code) {
    case Errc::invalid_argument:
      return Exit::usage;
    case Errc::refused:
    case Errc::closed:
    case Errc::timed_out:
      return Exit::unreachable;
    default:
      return Exit::failed;
  }
}

void print_error(std::string_view message) {
  const std::string line = fmt::format("millrace: {}\n", message);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

Exit finish(const Result<void>& result) {
  if (result) return Exit::done;
  print_error(result.error().message);
  return exit_of(result.error());
}

}  // namespace millrace::cli
