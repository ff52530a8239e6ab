// `millrace format`: makes the directories of a server.properties a node's own, as `kafka-storage
// format` does.
#pragma once

#include <string>
#include <string_view>

#include "base/prng.h"
#include "base/result.h"
#include "cli/command.h"
#include "engine/storage_format.h"
#include "io/proactor.h"
#include "server/settings.h"

namespace millrace::server {

// The row of the command table.
cli::Command format_command();

// What the settings say about formatting. `standalone`: the node's controller becomes the only
// voter, under the address that its controller listener has. Errors: invalid_argument when there is
// no such listener.
Result<engine::FormatOptions> format_options(const Settings& settings, std::string cluster_id,
                                             bool standalone);

// The id of a cluster that was not told one: drawn, or with `ignore_formatted` that of the
// directories that are formatted already. Errors: as engine::read_storage.
Result<std::string> choose_cluster_id(io::Proactor& proactor, const Settings& settings,
                                      bool ignore_formatted, Prng& prng);

// For a start that finds nothing formatted in log.dirs: formats them under a cluster id of its own.
// When something is formatted, or an unformatted directory holds files, nothing is done: false.
// Errors: as engine::format_storage.
Result<bool> format_if_empty(io::Proactor& proactor, const Settings& settings, Prng& prng);

}  // namespace millrace::server
