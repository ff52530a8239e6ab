// `millrace group list|describe|lag|seek|delete|remove-member`.
#pragma once

#include <span>
#include <string>

#include "cli/command.h"
#include "cli/group_state.h"

namespace CLI {
class App;
}

namespace millrace::cli {

std::span<const Command> group_commands();

// The commands that change something (group_change.cc).
Action define_group_seek(CLI::App& app);
Action define_group_delete(CLI::App& app);
Action define_group_remove_member(CLI::App& app);

// Why a group with members cannot be changed from outside, and what to do about it.
std::string still_active(const GroupState& state);

}  // namespace millrace::cli
