// Layers: the rule of layers.txt, that is which folder may include which.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::tidy {

struct Layer {
  std::string folder;
  std::vector<std::string> may_include;  // folders or single headers; "*" is everything
  bool pure = false;
};

class Layers {
 public:
  // One layer a line: its folder, what it may include, and `pure` when it is. `#` begins a comment.
  static Result<Layers> parse(std::string_view text);

  // The layer of the longest folder that `path` begins with; nullptr when there is none.
  const Layer* find(std::string_view path) const;
  bool may_include(const Layer& layer, std::string_view included) const;
  // Whether `path` begins with the first folder of some layer, so that it can name a file of the
  // project.
  bool is_project_path(std::string_view path) const;

 private:
  std::vector<Layer> layers_;
};

// Whether `path` is `prefix` itself or something inside of it.
bool is_inside(std::string_view path, std::string_view prefix);

}  // namespace millrace::tidy
