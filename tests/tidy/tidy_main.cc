// tidy [ROOT]: checks the tree under ROOT (default: the working directory). Exit code 1 when
// something is wrong.

#include <fmt/core.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/tidy/tidy.h"

namespace millrace::tidy {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

bool is_read(const fs::path& path) {
  static constexpr std::string_view kEndings[] = {
      ".h",    ".cc",   ".c",   ".sh",   ".py",      ".js",         ".txt",  ".md",
      ".json", ".html", ".css", ".yaml", ".service", ".properties", ".cmake"};
  for (const auto ending : kEndings) {
    if (path.extension() == ending) return true;
  }
  return path.extension().empty();  // Makefile, run, rules
}

// What the build, a package manager or a run leaves in the tree.
bool is_left_out(const fs::directory_entry& entry) {
  static constexpr std::string_view kNames[] = {"build",        "data",   ".git", ".cache",
                                                "node_modules", "corpus", "local"};
  for (const auto name : kNames) {
    if (entry.path().filename() == name) return true;
  }
  return entry.path().filename().string().starts_with("__");
}

std::vector<SourceFile> read_tree(const fs::path& root) {
  std::vector<SourceFile> files;
  for (auto it = fs::recursive_directory_iterator(root); it != fs::recursive_directory_iterator();
       ++it) {
    if (is_left_out(*it)) {
      if (it->is_directory()) it.disable_recursion_pending();
      continue;
    }
    if (!it->is_regular_file() || it->is_symlink() || !is_read(it->path())) continue;
    files.push_back({fs::relative(it->path(), root).generic_string(), read_file(it->path())});
  }
  return files;
}

int run(const fs::path& root) {
  const auto layers = Layers::parse(read_file(root / "tests/tidy/layers.txt"));
  const auto allowlist = parse_allowlist(read_file(root / "tests/tidy/allowlist.txt"));
  if (!layers || !allowlist) {
    fmt::print(stderr, "{}\n", !layers ? layers.error().message : allowlist.error().message);
    return 2;
  }
  const std::vector<SourceFile> files = read_tree(root);
  const std::vector<Finding> findings = check_tree(files, *layers, *allowlist);
  for (const Finding& finding : findings)
    fmt::print("{}:{}: {}\n", finding.path, finding.line, finding.message);
  fmt::print("tidy: {} files, {} findings\n", files.size(), findings.size());
  return findings.empty() ? 0 : 1;
}

}  // namespace
}  // namespace millrace::tidy

int main(int argc, char** argv) {
  return millrace::tidy::run(argc > 1 ? argv[1] : ".");
}
