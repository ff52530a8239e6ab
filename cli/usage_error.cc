#include "cli/usage_error.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <vector>

#include "base/edit_distance.h"

namespace millrace::cli {
namespace {

// The word of `known` that was probably meant by `word`.
std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& known) {
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  std::optional<std::string> found;
  for (const std::string& each : known) {
    const std::size_t distance = edit_distance(word, each);
    // As many changes as there are letters make any word of any other.
    if (distance >= least || distance >= std::max(word.size(), each.size())) continue;
    least = distance;
    found = each;
  }
  return found;
}

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(child->get_name());
  }
  return names;
}

std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// "millrace topic create".
std::string full_name(const CLI::App& app) {
  const CLI::App* const parent = app.get_parent();
  return parent == nullptr ? app.get_name() : full_name(*parent) + " " + app.get_name();
}

std::string unknown_option(const CLI::App& app, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  const std::string text = fmt::format("`{}` has no option {}", full_name(app), name);
  const auto meant = name.starts_with("--") ? nearest(name, options_of(app)) : std::nullopt;
  return meant ? fmt::format("{}; did you mean {}?", text, *meant) : text;
}

std::string unknown_command(const CLI::App& app, const std::string& word) {
  const std::vector<std::string> commands = commands_of(app);
  const std::string text = fmt::format("there is no command `{} {}`", full_name(app), word);
  const auto meant = nearest(word, commands);
  return meant ? fmt::format("{}; did you mean `{} {}`?", text, full_name(app), *meant)
               : fmt::format("{}; there are {}", text, fmt::join(commands, ", "));
}

// What is wrong at `app`, one of the commands on the way that the line took.
std::optional<std::string> wrong_word(const CLI::App& app) {
  const std::vector<std::string> left = app.remaining(false);
  if (left.empty()) return std::nullopt;
  const std::string& word = left.front();
  if (word.size() > 1 && word.starts_with('-') && word != "--") return unknown_option(app, word);
  if (commands_of(app).empty()) return std::nullopt;
  return unknown_command(app, word);
}

}  // namespace

std::string describe_usage_error(const CLI::App& root, const CLI::ParseError& error) {
  const CLI::App* app = &root;
  std::string text = error.what();
  // A word that was mistyped is often found out by the absence of what it should have been.
  const bool may_be_a_word = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr ||
                             dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  while (true) {
    const auto wrong = may_be_a_word ? wrong_word(*app) : std::nullopt;
    if (wrong) {
      text = *wrong;
      break;
    }
    const auto below = app->get_subcommands();
    if (below.empty()) {
      const std::vector<std::string> commands = commands_of(*app);
      if (may_be_a_word && !commands.empty()) {
        text = fmt::format("which command? There are {}", fmt::join(commands, ", "));
      }
      break;
    }
    app = below.front();
  }
  return fmt::format("{}\n`{} --help` says more", text, full_name(*app));
}

}  // namespace millrace::cli
