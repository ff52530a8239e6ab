// The rules of docs and review that a program can check: layering, purity, sizes, banned words,
// includes, and what must not stand in a public tree. Each finding says what to do instead.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tests/tidy/layers.h"

namespace millrace::tidy {

inline constexpr int kFileLinesMax = 800;
inline constexpr int kFunctionLinesMax = 70;

struct SourceFile {
  std::string path;  // from the root of the project
  std::string text;
};

struct Finding {
  std::string path;
  int line = 0;
  std::string message;
};

// What is over a cap: "path" or "path:function" and its number of lines.
using Allowlist = std::map<std::string, int, std::less<>>;
Result<Allowlist> parse_allowlist(std::string_view text);

// Everything that is wrong with `files`, which is the whole tree. Sorted by path and line.
std::vector<Finding> check_tree(std::span<const SourceFile> files, const Layers& layers,
                                const Allowlist& allowlist);

}  // namespace millrace::tidy
