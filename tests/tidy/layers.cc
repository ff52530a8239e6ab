#include "tests/tidy/layers.h"

#include <fmt/core.h>

#include <algorithm>
#include <sstream>

namespace millrace::tidy {

bool is_inside(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return false;
  return path.size() == prefix.size() || path[prefix.size()] == '/';
}

Result<Layers> Layers::parse(std::string_view text) {
  Layers layers;
  std::istringstream lines{std::string(text)};
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::istringstream words(line.substr(0, line.find('#')));
    Layer layer;
    if (!(words >> layer.folder)) continue;
    for (std::string word; words >> word;) {
      if (word == "pure") {
        layer.pure = true;
      } else if (layer.pure) {
        return fail(Errc::malformed, fmt::format("layers.txt:{}: words after `pure`", number));
      } else {
        layer.may_include.push_back(word);
      }
    }
    if (std::ranges::any_of(layers.layers_,
                            [&](const Layer& other) { return other.folder == layer.folder; })) {
      return fail(Errc::malformed,
                  fmt::format("layers.txt:{}: second row of {}", number, layer.folder));
    }
    layers.layers_.push_back(std::move(layer));
  }
  return layers;
}

const Layer* Layers::find(std::string_view path) const {
  const Layer* found = nullptr;
  for (const Layer& layer : layers_) {
    if (!is_inside(path, layer.folder)) continue;
    if (found == nullptr || found->folder.size() < layer.folder.size()) found = &layer;
  }
  return found;
}

bool Layers::may_include(const Layer& layer, std::string_view included) const {
  if (is_inside(included, layer.folder)) return true;
  return std::ranges::any_of(layer.may_include, [&](const std::string& allowed) {
    return allowed == "*" || is_inside(included, allowed);
  });
}

bool Layers::is_project_path(std::string_view path) const {
  const auto slash = path.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view top = path.substr(0, slash);
  return std::ranges::any_of(layers_,
                             [&](const Layer& layer) { return is_inside(layer.folder, top); });
}

}  // namespace millrace::tidy
