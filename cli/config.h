// `millrace config describe|alter`: configurations of topics, of groups, of one broker, or of all brokers.
#pragma once

#include <span>

#include "cli/command.h"

namespace millrace::cli {

std::span<const Command> config_commands();

}  // namespace millrace::cli
