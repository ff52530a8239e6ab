// CHECK: what cannot happen in a correct program. On in every build: it prints the condition and the values given and
// ends the process. Input from a network or a disk is never CHECKed but parsed.
#pragma once

#include <fmt/core.h>

#include <string>

namespace millrace {

[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               const std::string& values);

namespace detail {
inline std::string check_values() { return {}; }
template <class... Args>
std::string check_values(fmt::format_string<Args...> format, Args&&... args) {
  return fmt::format(format, std::forward<Args>(args)...);
}
}  // namespace detail
}  // namespace millrace

// CHECK(condition) or CHECK(condition, "format {}", values...).
#define CHECK(condition, ...)                                                \
  do {                                                                       \
    if (!(condition)) [[unlikely]]                                           \
      ::millrace::check_failed(__FILE__, __LINE__, #condition,               \
                               ::millrace::detail::check_values(__VA_ARGS__)); \
  } while (false)
