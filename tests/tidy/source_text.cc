#include "tests/tidy/source_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

namespace millrace::tidy {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}
bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// Where the literal or comment that begins at `at` ends; `at` itself when none begins there.
std::size_t end_of_blank(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at);
  const bool starts_word = at == 0 || !is_word(text[at - 1]);
  if (rest.starts_with("//")) return std::min(text.find('\n', at), text.size());
  if (rest.starts_with("/*")) {
    const auto end = text.find("*/", at + 2);
    return end == std::string_view::npos ? text.size() : end + 2;
  }
  if (rest.starts_with("R\"") && starts_word) {
    const auto open = text.find('(', at);
    if (open == std::string_view::npos) return text.size();
    const std::string closing = ")" + std::string(text.substr(at + 2, open - at - 2)) + "\"";
    const auto end = text.find(closing, open);
    return end == std::string_view::npos ? text.size() : end + closing.size();
  }
  const char quote = rest.front();
  // A single quote after a digit separates digits.
  if (quote != '"' && (quote != '\'' || !starts_word)) return at;
  std::size_t end = at + 1;
  while (end < text.size() && text[end] != quote && text[end] != '\n')
    end += text[end] == '\\' ? 2 : 1;
  return std::min(end + 1, text.size());
}

bool starts_with_word(std::string_view text, std::string_view word) {
  return text.starts_with(word) && (text.size() == word.size() || !is_word(text[word.size()]));
}

// The first `wanted` of a statement that stands outside of every parenthesis.
std::size_t find_outside(std::string_view statement, char wanted) {
  int depth = 0;
  for (std::size_t i = 0; i < statement.size(); ++i) {
    if (statement[i] == wanted && depth == 0) return i;
    if (statement[i] == '(') ++depth;
    if (statement[i] == ')') --depth;
  }
  return std::string_view::npos;
}

// The name of the function whose text up to its opening brace is `statement`; nothing when it opens
// something else.
std::optional<std::string> function_name(std::string_view statement) {
  static constexpr std::array<std::string_view, 16> kOthers = {
      "namespace", "class", "struct", "enum",  "union", "if",     "for",    "while",
      "switch",    "do",    "else",   "catch", "try",   "return", "extern", "case"};
  statement = trim(statement);
  for (const std::string_view other : kOthers) {
    if (starts_with_word(statement, other)) return std::nullopt;
  }
  if (statement.empty() ||
      !(is_word(statement.back()) || std::string_view(")>]&*").contains(statement.back()))) {
    return std::nullopt;
  }
  const auto operator_at = statement.find("operator");
  const std::size_t search_from =
      operator_at == std::string_view::npos ? 0 : statement.find('(', operator_at + 10);
  const auto open = statement.find('(', search_from == std::string_view::npos ? 0 : search_from);
  if (open == std::string_view::npos) return std::nullopt;
  if (operator_at == std::string_view::npos) {
    const auto equals = find_outside(statement, '=');
    if (equals != std::string_view::npos) return std::nullopt;
  }
  std::size_t begin = open;
  while (begin > 0 && is_space(statement[begin - 1])) --begin;
  const std::size_t end = begin;
  while (begin > 0 && (is_word(statement[begin - 1]) || statement[begin - 1] == ':' ||
                       statement[begin - 1] == '~')) {
    --begin;
  }
  std::string name(operator_at == std::string_view::npos
                       ? statement.substr(begin, end - begin)
                       : trim(statement.substr(operator_at, end - operator_at)));
  if (name.starts_with("TEST") || name.starts_with("RC_GTEST")) {
    name += statement.substr(open, statement.find(')', open) - open + 1);
    name.erase(std::remove_if(name.begin(), name.end(), is_space), name.end());
  }
  if (name.empty()) return std::nullopt;
  return name;
}

// Whether the brace after `statement` initialises a member in a constructor's list, as in `) :
// size_{`.
bool is_member_initialiser(std::string_view statement) {
  if (statement.empty() || !(is_word(statement.back()) || statement.back() == '>')) return false;
  const auto close = statement.find(')');
  if (close == std::string_view::npos) return false;
  const std::string_view after = trim(statement.substr(close + 1));
  const auto colon = after.find(':');
  return colon != std::string_view::npos && !after.substr(colon).starts_with("::");
}

std::size_t end_of_block(std::string_view code, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < code.size(); ++i) {
    if (code[i] == '{') ++depth;
    if (code[i] == '}' && --depth == 0) return i;
  }
  return code.size() - 1;
}

}  // namespace

std::vector<Include> includes_of(std::string_view text) {
  std::vector<Include> includes;
  int line_number = 1;
  for (std::size_t at = 0; at < text.size(); ++line_number) {
    const auto end = std::min(text.find('\n', at), text.size());
    std::string_view line = trim(text.substr(at, end - at));
    at = end + 1;
    if (!line.starts_with("#")) continue;
    line = trim(line.substr(1));
    if (!line.starts_with("include")) continue;
    line = trim(line.substr(7));
    if (line.size() < 2 || (line.front() != '"' && line.front() != '<')) continue;
    const auto close = line.find(line.front() == '"' ? '"' : '>', 1);
    if (close == std::string_view::npos) continue;
    includes.push_back({line_number, std::string(line.substr(1, close - 1)), line.front() == '"'});
  }
  return includes;
}

std::string code_of(std::string_view text) {
  std::string code(text);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = end_of_blank(text, at);
    if (end == at) {
      ++at;
      continue;
    }
    for (; at < end; ++at) {
      if (code[at] != '\n') code[at] = ' ';
    }
  }
  return code;
}

std::vector<Function> functions_of(std::string_view code) {
  std::vector<Function> functions;
  std::size_t statement_from = 0;
  for (std::size_t i = 0; i < code.size(); ++i) {
    const bool directive = code[i] == '#' && (i == 0 || code[i - 1] == '\n');
    if (directive) {
      do {
        i = std::min(code.find('\n', i + 1), code.size());
      } while (i < code.size() && code[i - 1] == '\\');
      statement_from = i;
      continue;
    }
    if (code[i] == ';' || code[i] == '}') statement_from = i + 1;
    if (code[i] != '{') continue;
    const std::string_view statement = code.substr(statement_from, i - statement_from);
    const auto name = function_name(statement);
    if (name && is_member_initialiser(statement)) {
      i = end_of_block(code, i);  // still in the same statement
      continue;
    }
    if (name) {
      const std::size_t close = end_of_block(code, i);
      const auto lines_before =
          std::count(code.begin(), code.begin() + static_cast<std::ptrdiff_t>(i), '\n');
      const auto lines_inside = std::count(code.begin() + static_cast<std::ptrdiff_t>(i),
                                           code.begin() + static_cast<std::ptrdiff_t>(close), '\n');
      functions.push_back(
          {*name, static_cast<int>(lines_before) + 1, static_cast<int>(lines_inside) + 1});
      i = close;
    }
    statement_from = i + 1;
  }
  return functions;
}

}  // namespace millrace::tidy
