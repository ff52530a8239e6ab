// `millrace cluster describe`.
#pragma once

#include <span>

#include "cli/command.h"

namespace millrace::cli {

std::span<const Command> cluster_commands();

}  // namespace millrace::cli
