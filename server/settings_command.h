// `millrace config check`: whether a server.properties can be served, without serving it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "server/settings.h"

namespace millrace::server {

cli::Command settings_check_command();

// What `serve` starts with, and what `config check` checks: the settings of a file and the command line, where they also
// fit this machine. Errors: as load_settings() and request_bytes_per_shard().
Result<Settings> load_for_serving(const std::string& file, std::span<const std::string> overrides);

// `--override key=value`, several times, for the commands that read a file of settings.
void add_override_option(CLI::App& app, std::vector<std::string>& overrides);

}  // namespace millrace::server
