// millrace_docs [--rewrite] [ROOT]: whether the files written from tables are fresh; --rewrite
// makes them so. Exit code 1 when one is stale.

#include <fmt/core.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "net/wire/protocol_docs.h"
#include "server/settings_docs.h"

namespace millrace::server {
namespace {

struct Generated {
  std::string_view path;
  std::string (*render)();
};
constexpr Generated kGenerated[] = {
    {"docs/protocol.md", wire::protocol_reference},
    {"docs/settings.md", settings_reference},
    {"packaging/millrace.properties", sample_properties},
};

std::string read_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

int run(const std::filesystem::path& root, bool rewrite) {
  int stale = 0;
  for (const Generated& generated : kGenerated) {
    const auto path = root / generated.path;
    const std::string text = generated.render();
    if (read_file(path) == text) continue;
    if (rewrite) {
      std::filesystem::create_directories(path.parent_path());
      std::ofstream(path, std::ios::binary) << text;
      fmt::print("wrote {}\n", generated.path);
    } else {
      fmt::print("{} is stale: run millrace_docs --rewrite\n", generated.path);
      ++stale;
    }
  }
  return stale == 0 ? 0 : 1;
}

}  // namespace
}  // namespace millrace::server

int main(int argc, char** argv) {
  bool rewrite = false;
  std::filesystem::path root = ".";
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--rewrite") {
      rewrite = true;
    } else {
      root = argv[i];
    }
  }
  return millrace::server::run(root, rewrite);
}
