// Server: one shard's part of every listener: it accepts, refuses what is over a limit, and runs
// the connections.
//
// Shard:     each has its own; all listen on the same ports, and the kernel spreads the connections
//            over them.
// Lifetime:  listen(), start(), and stop() awaited before destruction.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/gate.h"
#include "io/reactor.h"
#include "io/shard.h"
#include "io/task.h"
#include "net/transport/connection.h"
#include "net/transport/connection_limits.h"
#include "net/transport/stack.h"

namespace millrace::net {

struct ListenerOptions {
  std::string name;  // as in `listeners`: PLAINTEXT, INTERNAL, ...
  ListenOptions listen;
};

struct ServerOptions {
  std::vector<ListenerOptions> listeners;
  ConnectionOptions connection;
  ReceiveBuffers::Options buffers;  // of this shard
  Duration sweep_interval = std::chrono::seconds(1);
};

// How a Server asks the ConnectionLimits, wherever they are.
struct AdmissionPort {
  std::function<io::Task<Result<void>>(const std::string& listener, const std::string& host)> admit;
  std::function<io::Task<void>(const std::string& listener, const std::string& host)> release;
};
// The port to limits that live on this shard.
AdmissionPort local_admission(ConnectionLimits& limits);
// The port to limits that live on the shard `home`, from every shard.
AdmissionPort shared_admission(io::Shards& shards, ShardId home, ConnectionLimits& limits);

struct ServerCounts {
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;          // over a limit
  std::uint64_t accept_failures = 0;  // no handles left and the like
};

class Server {
 public:
  // An empty port admits everybody.
  Server(Stack& stack, RequestHandler& handler, AdmissionPort admission, ServerOptions options);
  ~Server();
  Server(const Server&) = delete;

  // Opens every listener, or none. Errors: those of Stack::listen, with the listener's name.
  Result<void> listen();
  // Where the listener of that number in the options listens; says which port was given for port 0.
  const Address& address(std::size_t listener) const;
  // Begins to accept.
  void start();

  // Stops accepting and reading; answers what is in flight; after `grace` gives up connections
  // whose peers do not read. Ends when every connection has ended, hence when every handler has:
  // whoever stops the broker ends those too.
  io::Task<void> stop(Duration grace);

  std::size_t connections() const { return connections_.size(); }
  const ServerCounts& counts() const { return counts_; }
  const ConnectionCounts& connection_counts() const { return share_.counts; }
  const ReceiveBuffers& buffers() const { return buffers_; }

 private:
  struct OpenListener {
    const ListenerOptions* options = nullptr;
    std::unique_ptr<Listener> listener;
  };

  io::Task<void> accept_from(OpenListener& from);
  io::Task<void> serve(std::unique_ptr<Stream> stream, const ListenerOptions& listener);
  void complain_about_accept(const ListenerOptions& listener, const Error& error);
  void sweep();

  Stack& stack_;
  AdmissionPort admission_;
  ServerOptions options_;
  ReceiveBuffers buffers_;
  ConnectionShare share_;
  ServerCounts counts_;
  LogLimit complaints_{10};
  std::vector<OpenListener> listeners_;
  boost::intrusive::list<Connection> connections_;
  std::uint64_t next_connection_id_ = 0;
  bool stopping_ = false;
  io::Timer sweep_timer_;
  io::Gate gate_;
};

}  // namespace millrace::net
