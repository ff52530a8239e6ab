#include "cli/connection_options.h"

#include <CLI/CLI.hpp>

namespace millrace::cli {

void add_connection_options(CLI::App& app, ConnectionOptions& options) {
  app.add_option("-b,--bootstrap-server", options.bootstrap,
                 "Brokers to ask first, as host:port,...")
      ->envname("MILLRACE_BOOTSTRAP")
      ->capture_default_str();
  app.add_option("--timeout", options.timeout_ms, "Longest wait for an answer, in milliseconds")
      ->check(CLI::Range(1, 3'600'000))
      ->capture_default_str();
}

}  // namespace millrace::cli
