#include "tests/tidy/tidy.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <sstream>
#include <utility>

#include "tests/tidy/source_text.h"

namespace millrace::tidy {
namespace {

// A word that code may not hold, except in the folders and files named; `instead` is what to do.
struct BannedWord {
  std::string_view word;
  std::string_view except;  // prefixes of paths, separated by spaces
  std::string_view instead;
};

constexpr std::string_view kShared = "io/ base/logging tests/ bench/";
constexpr std::string_view kClocks =
    "io/ base/logging tests/sim/ tests/system/ tests/compat/ tests/support/ bench/ cli/clock";
constexpr std::string_view kInsteadOfLocks =
    "use io/mailbox, io/published.h (docs/architecture.md: shards)";
constexpr std::string_view kInsteadOfClocks =
    "take Instant now as an argument, from the shard's clock";
constexpr std::string_view kInsteadOfRandom = "take a Prng& (base/prng.h), seeded by whoever runs";

constexpr std::array kBannedWords = std::to_array<BannedWord>({
    {"std::mutex", kShared, kInsteadOfLocks},
    {"std::shared_mutex", kShared, kInsteadOfLocks},
    {"std::recursive_mutex", kShared, kInsteadOfLocks},
    {"std::condition_variable", kShared, kInsteadOfLocks},
    {"std::atomic", kShared, kInsteadOfLocks},
    {"std::atomic_ref", kShared, kInsteadOfLocks},
    {"thread_local", kShared, kInsteadOfLocks},
    {"std::thread", "io/ tests/ bench/", "run it on a shard, or give it to io/"},
    {"std::jthread", "io/ tests/ bench/", "run it on a shard, or give it to io/"},
    {"std::async", "io/ tests/ bench/", "run it on a shard, or give it to io/"},
    {"steady_clock::now", kClocks, kInsteadOfClocks},
    {"system_clock::now", kClocks, kInsteadOfClocks},
    {"clock_gettime", kClocks, kInsteadOfClocks},
    {"gettimeofday", kClocks, kInsteadOfClocks},
    {"rand", "", kInsteadOfRandom},
    {"srand", "", kInsteadOfRandom},
    {"std::random_device", "io/ tests/", kInsteadOfRandom},
    {"std::mt19937", "", kInsteadOfRandom},
    {"std::mt19937_64", "", kInsteadOfRandom},
    {"throw", "tests/", "return a Result; what cannot happen is a CHECK"},
});

constexpr std::array<std::string_view, 4> kSleeps = {
    "this_thread::sleep_for", "this_thread::sleep_until", "usleep", "nanosleep"};
constexpr std::array<std::string_view, 5> kPureBannedHeaders = {"thread", "random", "unistd.h",
                                                                "poll.h", "fcntl.h"};
constexpr std::array<std::string_view, 4> kPureBannedWords = {"co_await", "co_return", "co_yield",
                                                              "this_thread"};
constexpr std::array<std::string_view, 8> kBannedStems = {"util",    "utils",  "common", "misc",
                                                          "helpers", "helper", "types",  "stuff"};

// Written in halves so that this file does not hold what it looks for.
const std::array<std::pair<std::string, std::string_view>, 9> kLeaks = {{
    {std::string("/wo") + "rk/", "a path of a build machine: use a path relative to the project"},
    {std::string("/fa") + "rm/", "a path of a build machine: use a path relative to the project"},
    {std::string("/tmp") + "/w/", "a path of a build machine: use a path relative to the project"},
    {std::string("/home") + "/", "a path of a build machine: use a path relative to the project"},
    {std::string("deb.") + "debian.org", "the host of a registry: leave the choice to the machine"},
    {std::string("repo1.") + "maven", "the host of a registry: leave the choice to the machine"},
    {std::string("repo.") + "maven", "the host of a registry: leave the choice to the machine"},
    {std::string("registry.") + "npmjs", "the host of a registry: leave the choice to the machine"},
    {std::string("pypi.") + "org", "the host of a registry: leave the choice to the machine"},
}};

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

bool is_one_of(std::span<const std::string_view> words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

bool is_header(std::string_view path) {
  return path.ends_with(".h");
}
bool is_cpp(std::string_view path) {
  return is_header(path) || path.ends_with(".cc");
}

bool is_excepted(std::string_view path, std::string_view prefixes) {
  std::istringstream words{std::string(prefixes)};
  for (std::string prefix; words >> prefix;) {
    if (path.starts_with(prefix)) return true;
  }
  return false;
}

// Where `word` stands in `code` by itself, not as part of a longer name.
std::vector<std::size_t> find_word(std::string_view code, std::string_view word) {
  std::vector<std::size_t> found;
  for (auto at = code.find(word); at != std::string_view::npos; at = code.find(word, at + 1)) {
    const char before = at == 0 ? ' ' : code[at - 1];
    const std::size_t end = at + word.size();
    const char after = end == code.size() ? ' ' : code[end];
    const bool is_member = before == '.' || (at > 1 && before == '>' && code[at - 2] == '-');
    if (!is_word(before) && !is_word(after) && !is_member) found.push_back(at);
  }
  return found;
}

// The checks, sharing what they found and what they need to know of the tree.
class Checker {
 public:
  Checker(std::span<const SourceFile> files, const Layers& layers, const Allowlist& allowlist)
      : files_(files), layers_(layers), allowlist_(allowlist) {
    for (const SourceFile& file : files) paths_.insert(file.path);
  }

  std::vector<Finding> run() {
    for (const SourceFile& file : files_) {
      check_leaks(file);
      check_size(file);
      if (is_cpp(file.path)) check_cpp(file);
    }
    for (const auto& [what, lines] : allowlist_) {
      if (!allowlist_used_.contains(what)) {
        add("tests/tidy/allowlist.txt", 0,
            fmt::format("{} needs no exception any more: take the row out", what));
      }
    }
    std::ranges::sort(findings_, {},
                      [](const Finding& f) { return std::tie(f.path, f.line, f.message); });
    return std::move(findings_);
  }

 private:
  void add(std::string_view path, int line, std::string message) {
    findings_.push_back({std::string(path), line, std::move(message)});
  }

  void add_at(const SourceFile& file, std::size_t position, std::string message) {
    const auto before = std::string_view(file.text).substr(0, position);
    add(file.path, static_cast<int>(std::ranges::count(before, '\n')) + 1, std::move(message));
  }

  void check_leaks(const SourceFile& file) {
    for (const auto& [leak, instead] : kLeaks) {
      for (auto at = file.text.find(leak); at != std::string::npos;
           at = file.text.find(leak, at + 1)) {
        // A path begins where no name ends: the same letters inside of a relative path are something else.
        const bool inside_name =
            leak.front() == '/' && at > 0 &&
            (is_word(file.text[at - 1]) || std::string_view(".~}").contains(file.text[at - 1]));
        if (!inside_name) add_at(file, at, fmt::format("`{}` is {}", leak, instead));
      }
    }
  }

  // `lines` of `what` against its cap, unless the allowlist knows it with exactly this number.
  void check_cap(const SourceFile& file, int line, const std::string& what, int lines, int cap) {
    const auto allowed = allowlist_.find(what);
    if (lines <= cap) return;
    if (allowed == allowlist_.end()) {
      add(file.path, line,
          fmt::format("{} has {} lines, the cap is {}: split it by idea", what, lines, cap));
      return;
    }
    allowlist_used_.insert(what);
    if (lines > allowed->second) {
      add(file.path, line,
          fmt::format("{} has grown from {} to {} lines; it may only shrink", what, allowed->second,
                      lines));
    } else if (lines < allowed->second) {
      add(file.path, line,
          fmt::format("{} has shrunk to {} lines: write {} in tests/tidy/allowlist.txt", what,
                      lines, lines));
    }
  }

  void check_size(const SourceFile& file) {
    if (!is_cpp(file.path) && !file.path.ends_with(".sh") && !file.path.ends_with(".py") &&
        !file.path.ends_with(".js")) {
      return;
    }
    check_cap(file, 1, file.path, static_cast<int>(std::ranges::count(file.text, '\n')),
              kFileLinesMax);
  }

  void check_cpp(const SourceFile& file) {
    const std::string code = code_of(file.text);
    const std::vector<Include> includes = includes_of(file.text);
    check_name(file);
    if (is_header(file.path) && !file.text.contains("#pragma once\n"))
      add(file.path, 1, "no `#pragma once`");
    check_own_header_first(file, includes);
    for (const Function& function : functions_of(code)) {
      check_cap(file, function.line, file.path + ":" + function.name, function.lines,
                kFunctionLinesMax);
    }
    check_words(file, code);
    const Layer* layer = layers_.find(file.path);
    if (layer == nullptr) {
      add(file.path, 1, "belongs to no row of tests/tidy/layers.txt");
      return;
    }
    for (const Include& include : includes) check_include(file, *layer, include);
    if (layer->pure) check_pure(file, *layer, code, includes);
  }

  void check_name(const SourceFile& file) {
    const std::string_view path = file.path;
    const std::string_view name = path.substr(path.rfind('/') + 1);
    const std::string_view stem = name.substr(0, name.rfind('.'));
    const std::string_view last = stem.substr(stem.rfind('_') + 1);
    const bool whole = is_one_of(kBannedStems, stem);
    const bool ending = last != "types" && is_one_of(kBannedStems, last);
    if (whole || ending)
      add(path, 0, fmt::format("`{}` says nothing: name the file after its one idea", name));
  }

  void check_own_header_first(const SourceFile& file, std::span<const Include> includes) {
    if (!file.path.ends_with(".cc")) return;
    const std::string own = file.path.substr(0, file.path.size() - 2) + "h";
    if (!paths_.contains(own)) return;
    if (includes.empty() || includes.front().path != own) {
      add(file.path, 1,
          fmt::format("include \"{}\" first, so that it is known to compile alone", own));
    }
  }

  void check_include(const SourceFile& file, const Layer& layer, const Include& include) {
    const bool project = layers_.is_project_path(include.path);
    if (project && !include.quoted) {
      add(file.path, include.line,
          fmt::format("include our own headers with quotes: \"{}\"", include.path));
    }
    if (!project && include.quoted) {
      add(file.path, include.line,
          fmt::format("\"{}\": write the path from the root; a library's header is <{}>",
                      include.path, include.path));
    }
    if (!project) return;
    if (!layers_.may_include(layer, include.path)) {
      add(file.path, include.line,
          fmt::format("{} may not include {} (tests/tidy/layers.txt)", layer.folder, include.path));
    }
  }

  void check_pure(const SourceFile& file, const Layer& layer, const std::string& code,
                  std::span<const Include> includes) {
    const std::string why =
        fmt::format("{} is pure: no waiting, clock, thread or system call", layer.folder);
    for (const Include& include : includes) {
      const bool banned = !include.quoted && (include.path.starts_with("sys/") ||
                                              is_one_of(kPureBannedHeaders, include.path));
      if (banned) add(file.path, include.line, fmt::format("<{}>: {}", include.path, why));
    }
    // CO_TRY in base/result.h is text that becomes code in somebody else's coroutine.
    for (const std::string_view word : kPureBannedWords) {
      if (file.path == "base/result.h") continue;
      for (const std::size_t at : find_word(code, word))
        add_at(file, at, fmt::format("`{}`: {}", word, why));
    }
    for (auto at = code.find("::now("); at != std::string::npos; at = code.find("::now(", at + 1)) {
      add_at(file, at, fmt::format("`::now(`: {}; take Instant now as an argument", why));
    }
  }

  void check_words(const SourceFile& file, const std::string& code) {
    for (const BannedWord& banned : kBannedWords) {
      if (is_excepted(file.path, banned.except)) continue;
      for (const std::size_t at : find_word(code, banned.word)) {
        add_at(file, at, fmt::format("`{}`: {}", banned.word, banned.instead));
      }
    }
    check_mutable_statics(file, code);
    if (!file.path.starts_with("tests/unit/")) return;
    for (const std::string_view word : kSleeps) {
      for (const std::size_t at : find_word(code, word)) {
        add_at(file, at,
               fmt::format("`{}` in a unit test: wait for what should happen, on a virtual clock",
                           word));
      }
    }
  }

  // A `static` variable that is not const outlives every test and is seen by every shard.
  void check_mutable_statics(const SourceFile& file, const std::string& code) {
    if (is_excepted(file.path, kShared)) return;
    for (const std::size_t at : find_word(code, "static")) {
      const std::size_t end = code.find_first_of(";={(", at);
      if (end == std::string::npos || code[end] == '(') continue;
      const std::string_view declared = std::string_view(code).substr(at, end - at);
      const bool constant =
          !find_word(declared, "const").empty() || !find_word(declared, "constexpr").empty();
      if (!constant)
        add_at(file, at, "a mutable static: make it a member of who owns it, or const");
    }
  }

  std::span<const SourceFile> files_;
  const Layers& layers_;
  const Allowlist& allowlist_;
  std::set<std::string, std::less<>> paths_;
  std::set<std::string, std::less<>> allowlist_used_;
  std::vector<Finding> findings_;
};

}  // namespace

Result<Allowlist> parse_allowlist(std::string_view text) {
  Allowlist allowlist;
  std::istringstream lines{std::string(text)};
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const auto space = line.rfind(' ');
    if (line.empty() || line.front() == '#') continue;
    if (space == std::string::npos ||
        line.find_first_not_of("0123456789", space + 1) != std::string::npos) {
      return fail(Errc::malformed,
                  fmt::format("allowlist.txt:{}: want `path[:function] lines`", number));
    }
    allowlist[line.substr(0, space)] = std::stoi(line.substr(space + 1));
  }
  return allowlist;
}

std::vector<Finding> check_tree(std::span<const SourceFile> files, const Layers& layers,
                                const Allowlist& allowlist) {
  return Checker(files, layers, allowlist).run();
}

}  // namespace millrace::tidy
