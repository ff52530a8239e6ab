#include "io/entropy.h"

#include <sys/random.h>

#include "base/check.h"

namespace millrace::io {

std::uint64_t entropy() {
  std::uint64_t bits = 0;
  const auto got = ::getrandom(&bits, sizeof bits, 0);
  CHECK(got == sizeof bits, "getrandom gave {} bytes", got);
  return bits;
}

}  // namespace millrace::io
