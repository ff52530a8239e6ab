#include "cli/completion.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <vector>

namespace millrace::cli {
namespace {

// One node of the tree of commands: how it is reached, and what may stand after it.
struct Node {
  std::string path;  // "topic create"; empty for the root
  std::vector<const CLI::App*> children;
  std::vector<const CLI::Option*> options;
  std::string_view live = {};  // prints names that may follow; empty where there are none
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
    if (option->get_name(true) == "TOPIC") node.live = kLiveTopics;
    if (option->get_name(true) == "GROUP") node.live = kLiveGroups;
  }
  nodes.push_back(node);
  for (const CLI::App* child : node.children) {
    collect(*child, path.empty() ? child->get_name() : path + " " + child->get_name(), nodes);
  }
}

std::string words_of(const Node& node) {
  std::string words;
  for (const CLI::App* child : node.children) words += child->get_name() + " ";
  for (const CLI::Option* option : node.options) {
    for (const std::string& name : option->get_lnames()) words += "--" + name + " ";
  }
  if (!words.empty()) words.pop_back();
  return words;
}

// Follows the words before the cursor down the tree, then offers what may come next. Zsh runs the
// same script.
std::string bash_script(const std::vector<Node>& nodes) {
  std::string paths;
  std::string cases;
  for (const Node& node : nodes) {
    if (!node.path.empty()) paths += fmt::format("      '{}') command=$next ;;\n", node.path);
    const std::string live = node.live.empty() ? "" : fmt::format("\" $({})\"", node.live);
    cases += fmt::format("    '{}') words='{}'{} ;;\n", node.path, words_of(node), live);
  }
  return fmt::format(
      "_millrace() {{\n"
      "  local command='' next words='' i current=\"${{COMP_WORDS[COMP_CWORD]}}\"\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    next=\"${{command:+$command }}${{COMP_WORDS[i]}}\"\n"
      "    case \"$next\" in\n{}    esac\n"
      "  done\n"
      "  case \"$command\" in\n{}  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "}}\n"
      "complete -o default -F _millrace millrace\n",
      paths, cases);
}

// Single quotes of a sentence, for a shell.
std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
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
    for (const CLI::Option* option : node.options) {
      for (const std::string& name : option->get_lnames()) {
        script += fmt::format("complete -c millrace -n {} -l {} -d {}\n",
                              shell_quoted("__millrace_in " + node.path), name,
                              shell_quoted(option->get_description()));
      }
    }
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
