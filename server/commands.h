// The commands of the broker itself; main() puts them beside those of a client.
#pragma once

#include <span>

#include "cli/command.h"

namespace millrace::server {

std::span<const cli::Command> broker_commands();

}  // namespace millrace::server
