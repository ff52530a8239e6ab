// For advice about names that were mistyped.
#pragma once

#include <cstddef>
#include <string_view>

namespace millrace {

// How many letters must be added, taken out or changed to get from one to the other.
std::size_t edit_distance(std::string_view from, std::string_view to);

}  // namespace millrace
