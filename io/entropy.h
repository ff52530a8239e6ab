// The kernel's random numbers: seeds for every Prng of a process, which are the only thing it must
// not be able to repeat.
#pragma once

#include <cstdint>

namespace millrace::io {

// Sixty-four random bits. Waits for the kernel's generator only while the machine boots.
std::uint64_t entropy();

}  // namespace millrace::io
