// Each test plants one violation in a small tree and expects exactly the finding that names it.

#include "tests/tidy/tidy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tidy/source_text.h"

namespace millrace::tidy {
namespace {

using testing::HasSubstr;

constexpr std::string_view kLayers = R"(
base                                    pure
io          base
net         base io
engine/log/format  base                 pure
engine      base io net
tests       *
)";

std::vector<Finding> check(std::vector<SourceFile> files, const Allowlist& allowlist = {}) {
  const auto layers = Layers::parse(kLayers);
  EXPECT_TRUE(layers);
  return check_tree(files, *layers, allowlist);
}

std::vector<Finding> check_one(std::string path, std::string text) {
  return check({{std::move(path), std::move(text)}});
}

void expect_one(const std::vector<Finding>& findings, int line, std::string_view message) {
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].line, line);
  EXPECT_THAT(findings[0].message, HasSubstr(message));
}

std::string lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "x();\n";
  return text;
}

TEST(Tidy, accepts_a_file_that_keeps_the_rules) {
  EXPECT_TRUE(
      check({{"io/file.h", "#pragma once\n#include <vector>\n#include \"base/result.h\"\n"},
             {"io/file.cc", "#include \"io/file.h\"\n\n#include <mutex>\n\nstd::mutex m;\n"}})
          .empty());
}

TEST(Tidy, finds_an_include_against_the_layers) {
  expect_one(check_one("io/file.cc", "#include \"net/frame.h\"\n"), 1,
             "io may not include net/frame.h");
}

TEST(Tidy, a_nested_layer_does_not_inherit_what_its_parent_may_include) {
  expect_one(check_one("engine/log/format/record.cc", "#include \"io/file.h\"\n"), 1,
             "engine/log/format may not include io/file.h");
}

TEST(Tidy, finds_a_system_header_in_a_pure_folder) {
  expect_one(check_one("base/a.cc", "\n#include <sys/stat.h>\n"), 2, "base is pure");
}

TEST(Tidy, finds_waiting_and_clocks_in_a_pure_folder) {
  expect_one(check_one("engine/log/format/a.cc", "int f() { co_return 1; }\n"), 1, "co_return");
  expect_one(check_one("engine/log/format/a.cc", "auto t = Clock::now();\n"), 1,
             "take Instant now");
}

TEST(Tidy, finds_a_lock_outside_of_io_and_names_the_replacement) {
  expect_one(check_one("engine/a.cc", "\nstd::mutex m;\n"), 2, "io/mailbox");
}

TEST(Tidy, does_not_read_words_in_comments_and_literals) {
  EXPECT_TRUE(
      check_one("engine/a.cc", "// std::mutex\nauto s = \"std::mutex\"; /* rand( */\n").empty());
}

TEST(Tidy, does_not_take_a_longer_name_for_a_banned_word) {
  EXPECT_TRUE(check_one("engine/a.cc", "int operand = strand(1); prng.rand();\n").empty());
}

TEST(Tidy, finds_a_static_variable_that_is_not_const) {
  expect_one(check_one("engine/a.cc", "void f() { static int count = 0; }\n"), 1, "mutable static");
  EXPECT_TRUE(
      check_one("engine/a.cc",
                "static const int a = 0; static constexpr int b{1}; static int f(int x = 1);\n")
          .empty());
}

TEST(Tidy, finds_a_clock_and_a_random_number_outside_of_io) {
  expect_one(check_one("engine/a.cc", "auto t = std::chrono::steady_clock::now();\n"), 1,
             "take Instant now");
  expect_one(check_one("engine/a.cc", "int i = rand();\n"), 1, "base/prng.h");
}

TEST(Tidy, finds_a_sleep_in_a_unit_test) {
  expect_one(check_one("tests/unit/io/a_test.cc", "std::this_thread::sleep_for(1s);\n"), 1,
             "unit test");
  EXPECT_TRUE(check_one("tests/system/a_test.cc", "std::this_thread::sleep_for(1s);\n").empty());
}

TEST(Tidy, finds_a_file_name_that_says_nothing) {
  expect_one(check_one("engine/log_utils.cc", ""), 0, "name the file after its one idea");
  EXPECT_TRUE(check_one("engine/record_types.cc", "").empty());
}

TEST(Tidy, finds_a_header_without_pragma_once) {
  expect_one(check_one("io/a.h", "int a;\n"), 1, "#pragma once");
}

TEST(Tidy, finds_an_own_header_that_is_not_first) {
  expect_one(check({{"io/a.h", "#pragma once\n"},
                    {"io/a.cc", "#include <vector>\n#include \"io/a.h\"\n"}}),
             1, "include \"io/a.h\" first");
}

TEST(Tidy, finds_an_include_that_is_not_from_the_root) {
  expect_one(check_one("io/b.cc", "#include \"a.h\"\n"), 1, "write the path from the root");
  expect_one(check_one("io/b.cc", "#include <io/a.h>\n"), 1, "with quotes");
}

TEST(Tidy, finds_a_path_of_a_build_machine_in_any_file) {
  expect_one(check_one("docs/a.md", std::string("see /ho") + "me/shared\n"), 1, "build machine");
  EXPECT_TRUE(check_one("docs/a.md", "the net/home/ and ./home/ folders\n").empty());
}

TEST(Tidy, finds_a_file_over_the_cap) {
  EXPECT_TRUE(check_one("io/a.cc", lines(kFileLinesMax)).empty());
  expect_one(check_one("io/a.cc", lines(kFileLinesMax + 1)), 1, "801 lines");
}

TEST(Tidy, finds_a_function_over_the_cap) {
  EXPECT_TRUE(check_one("io/a.cc", "void f() {\n" + lines(kFunctionLinesMax - 2) + "}\n").empty());
  expect_one(check_one("io/a.cc", "\nvoid A::f() const {\n" + lines(kFunctionLinesMax - 1) + "}\n"),
             2, "io/a.cc:A::f has 71 lines");
}

TEST(Tidy, an_allowed_function_may_shrink_but_not_grow) {
  const SourceFile file{"io/a.cc", "void f() {\n" + lines(80) + "}\n"};
  EXPECT_TRUE(check({file}, {{"io/a.cc:f", 82}}).empty());
  expect_one(check({file}, {{"io/a.cc:f", 81}}), 1, "may only shrink");
  expect_one(check({file}, {{"io/a.cc:f", 83}}), 1, "write 82");
  expect_one(check({{"io/a.cc", "void f() {}\n"}}, {{"io/a.cc:f", 83}}), 0, "take the row out");
}

TEST(Tidy, finds_a_folder_without_a_layer) {
  expect_one(check_one("stuff/a.cc", ""), 1, "no row of tests/tidy/layers.txt");
}

TEST(SourceText, names_functions_as_they_are_written) {
  const auto functions = functions_of(code_of(R"(
namespace a {
class Log {
 public:
  Log(int size) : size_{size}, text_("{") { open(); }
  ~Log() {}
  bool operator==(const Log& other) const { return true; }
};
constexpr int kTable[] = {f(1), 2};
TEST(Log, opens) {
  if (x) { auto y = [] { return 1; }; }
}
template <class T>
Result<T> Log::append(T batch) noexcept {
}
}
)"));
  std::vector<std::string> names;
  for (const Function& function : functions) names.push_back(function.name);
  EXPECT_THAT(names,
              testing::ElementsAre("Log", "~Log", "operator==", "TEST(Log,opens)", "Log::append"));
}

TEST(SourceText, reads_raw_literals_and_digit_separators) {
  EXPECT_EQ(code_of("a = R\"x(})x\" + 1'000;"), "a =" + std::string(10, ' ') + "+ 1'000;");
  EXPECT_EQ(code_of("'{' \"\\\"{\" b"), "          b");
}

TEST(Layers, refuses_a_second_row_of_a_folder) {
  EXPECT_FALSE(Layers::parse("io base\nio net\n"));
}

}  // namespace
}  // namespace millrace::tidy
