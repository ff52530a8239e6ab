// Which broker a command talks to.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace millrace::cli {

struct ConnectionOptions {
  std::string bootstrap = "127.0.0.1:9092";  // host:port,...
  int timeout_ms = 10'000;                   // for an answer
};
// --bootstrap-server (or MILLRACE_BOOTSTRAP) and --timeout.
void add_connection_options(CLI::App& app, ConnectionOptions& options);

}  // namespace millrace::cli
