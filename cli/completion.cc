#include "cli/completion.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "cli/option_checks.h"

namespace millrace::cli {
namespace {

// One node of the tree of commands: how it is reached, and what may stand after it.
struct Node {
  std::string path;  // "topic create"; empty for the root
  std::vector<const CLI::App*> children;
  std::vector<const CLI::Option*> options;
  std::vector<std::string> words;  // an argument may be one of them
  std::string_view live = {};  // prints names that may follow; empty where there are none
  // Words after which the names of one kind may follow, and what prints those.
  std::vector<std::pair<std::string_view, std::string_view>> kinds;
};

// Print the topics and groups there are, or nothing when no broker answers at once.
constexpr std::string_view kLiveTopics = "millrace topic list --names --timeout 500 2>/dev/null";
constexpr std::string_view kLiveGroups = "millrace group list --names --timeout 500 2>/dev/null";

void collect(const CLI::App& app, const std::string& path, std::vector<Node>& nodes) {
  Node node{.path = path};
  node.children = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::Option* option : app.get_options()) {
    if (option->nonpositional()) node.options.push_back(option);
    if (!option->get_positional() || path == "topic create") continue;
    std::ranges::copy(words_of(*option), std::back_inserter(node.words));
    if (option->get_name(true) == "TOPIC") node.live = kLiveTopics;
    if (option->get_name(true) == "GROUP") node.live = kLiveGroups;
    if (option->get_name(true) == "TYPE") node.kinds = {{"topic", kLiveTopics}, {"group", kLiveGroups}};
  }
  nodes.push_back(node);
  for (const CLI::App* child : node.children) {
    collect(*child, path.empty() ? child->get_name() : path + " " + child->get_name(), nodes);
  }
}

std::string offered_at(const Node& node) {
  std::vector<std::string> words = node.words;
  for (const CLI::App* child : node.children) words.push_back(child->get_name());
  for (const CLI::Option* option : node.options) {
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
  }
  return fmt::format("{}", fmt::join(words, " "));
}

// A case for each option of the command that has only so many values, and for each kind of names.
std::string value_cases(const Node& node) {
  std::string cases;
  for (const CLI::Option* option : node.options) {
    const std::vector<std::string> values = words_of(*option);
    if (values.empty()) continue;
    std::vector<std::string> patterns;
    for (const std::string& name : option->get_snames())
      patterns.push_back(fmt::format("'{} -{}'", node.path, name));
    for (const std::string& name : option->get_lnames())
      patterns.push_back(fmt::format("'{} --{}'", node.path, name));
    cases += fmt::format("    {}) words='{}' ;;\n", fmt::join(patterns, "|"),
                         fmt::join(values, " "));
  }
  for (const auto& [kind, live] : node.kinds) {
    cases += fmt::format("    '{} {}') words=\"$({})\" ;;\n", node.path, kind, live);
  }
  return cases;
}

// Follows the words before the cursor down the tree, then offers what may come next. Zsh runs the
// same script.
std::string bash_script(const std::vector<Node>& nodes) {
  std::string paths;
  std::string cases;
  std::string values;
  for (const Node& node : nodes) {
    values += value_cases(node);
    if (!node.path.empty()) paths += fmt::format("      '{}') command=$next ;;\n", node.path);
    const std::string live = node.live.empty() ? "" : fmt::format("\" $({})\"", node.live);
    cases += fmt::format("    '{}') words='{}'{} ;;\n", node.path, offered_at(node), live);
  }
  return fmt::format(
      "_millrace() {{\n"
      "  local command='' next words='' i current=\"${{COMP_WORDS[COMP_CWORD]}}\"\n"
      "  local previous=\"${{COMP_WORDS[COMP_CWORD-1]}}\"\n"
      "  if [[ \"$current\" == '=' ]]; then\n"  // bash parts --name=value into three words
      "    current=''\n"
      "  elif [[ \"$previous\" == '=' ]]; then\n"
      "    previous=\"${{COMP_WORDS[COMP_CWORD-2]}}\"\n"
      "  fi\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    next=\"${{command:+$command }}${{COMP_WORDS[i]}}\"\n"
      "    case \"$next\" in\n{}    esac\n"
      "  done\n"
      "  case \"$command\" in\n{}  esac\n"
      "  case \"$command $previous\" in\n{}  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "}}\n"
      "complete -o default -F _millrace millrace\n",
      paths, cases, values);
}

// Single quotes of a sentence, for a shell.
std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// The options of one command, with their values where there are only so many.
std::string fish_options(const Node& node) {
  std::string script;
  for (const CLI::Option* option : node.options) {
    script += "complete -c millrace -n " + shell_quoted("__millrace_in " + node.path);
    for (const std::string& name : option->get_lnames()) script += " -l " + name;
    for (const std::string& name : option->get_snames()) script += " -s " + name;
    const std::vector<std::string> values = words_of(*option);
    if (!values.empty()) script += fmt::format(" -x -a '{}'", fmt::join(values, " "));
    script += fmt::format(" -d {}\n", shell_quoted(option->get_description()));
  }
  return script;
}

std::string fish_script(const std::vector<Node>& nodes) {
  std::string script =
      "function __millrace_path\n"
      "  set -l words (commandline -opc | string match -v -- '-*')\n"
      "  string join ' ' -- $words[2..-1]\n"
      "end\n"
      "function __millrace_at\n"
      "  test \"$(__millrace_path)\" = \"$argv\"\n"
      "end\n"
      "function __millrace_in\n"
      "  string match -q -- \"$argv*\" \"$(__millrace_path)\"\n"
      "end\n"
      "complete -c millrace -f\n";
  for (const Node& node : nodes) {
    for (const CLI::App* child : node.children) {
      script += fmt::format("complete -c millrace -n {} -a {} -d {}\n",
                            shell_quoted("__millrace_at " + node.path), child->get_name(),
                            shell_quoted(child->get_description()));
    }
    if (!node.children.empty()) continue;
    if (!node.live.empty()) {
      script += fmt::format("complete -c millrace -n {} -a {}\n",
                            shell_quoted("__millrace_in " + node.path),
                            shell_quoted(fmt::format("({})", node.live)));
    }
    if (!node.words.empty()) {
      script += fmt::format("complete -c millrace -n {} -a '{}'\n",
                            shell_quoted("__millrace_in " + node.path), fmt::join(node.words, " "));
    }
    for (const auto& [kind, live] : node.kinds) {
      script += fmt::format("complete -c millrace -n {} -a {}\n",
                            shell_quoted(fmt::format("__millrace_at {} {}", node.path, kind)),
                            shell_quoted(fmt::format("({})", live)));
    }
    script += fish_options(node);
  }
  return script;
}

}  // namespace

Result<std::string> completion_script(const CLI::App& root, std::string_view shell) {
  std::vector<Node> nodes;
  collect(root, "", nodes);
  if (shell == "bash") return bash_script(nodes);
  if (shell == "zsh") return "autoload -U +X bashcompinit && bashcompinit\n" + bash_script(nodes);
  if (shell == "fish") return fish_script(nodes);
  return fail(Errc::invalid_argument,
              fmt::format("no completion for `{}`; there is bash, zsh and fish", shell));
}

}  // namespace millrace::cli
