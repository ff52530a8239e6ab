// `millrace doctor`: whether this machine lets Millrace be quick and safe, and what to do where it
// does not.
#pragma once

#include "cli/command.h"

namespace millrace::cli {

extern const Command kDoctorCommand;

}  // namespace millrace::cli
