#include "net/wire/error_code.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace millrace::wire {
namespace {

// A name in capitals, made at compile time from its C++ spelling.
template <std::size_t N>
struct Capitals {
  std::array<char, N> letters{};
  constexpr explicit Capitals(const char (&name)[N]) {
    for (std::size_t i = 0; i < N; ++i) {
      letters[i] =
          name[i] >= 'a' && name[i] <= 'z' ? static_cast<char>(name[i] - 'a' + 'A') : name[i];
    }
  }
  constexpr std::string_view view() const { return {letters.data(), N - 1}; }
};

#define MILLRACE_ERROR_NAME(name, code, retriable, text) constexpr Capitals k_##name{#name};
MILLRACE_ERROR_CODES(MILLRACE_ERROR_NAME)
#undef MILLRACE_ERROR_NAME

constexpr ErrorInfo kErrors[] = {
#define MILLRACE_ERROR_ROW(name, code, retriable, text) \
  {ErrorCode::name, k_##name.view(), retriable, text},
    MILLRACE_ERROR_CODES(MILLRACE_ERROR_ROW)
#undef MILLRACE_ERROR_ROW
};

static_assert(std::ranges::is_sorted(kErrors, {}, &ErrorInfo::code));

}  // namespace

std::span<const ErrorInfo> all_errors() {
  return kErrors;
}

const ErrorInfo& error_info(ErrorCode code) {
  const auto* found = std::ranges::lower_bound(kErrors, code, {}, &ErrorInfo::code);
  if (found != std::end(kErrors) && found->code == code) return *found;
  return kErrors[0];
}

}  // namespace millrace::wire
