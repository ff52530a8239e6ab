// `millrace topic create|list|describe|analyze|alter|delete`.
#pragma once

#include <span>

#include "cli/command.h"

namespace millrace::cli {

std::span<const Command> topic_commands();

}  // namespace millrace::cli
