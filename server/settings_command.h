// `millrace config check`: whether a server.properties can be served, without serving it.
#pragma once

#include "cli/command.h"

namespace millrace::server {

cli::Command settings_check_command();

}  // namespace millrace::server
