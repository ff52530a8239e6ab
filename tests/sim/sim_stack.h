// SimNetwork and SimStack: SEAM 2 in virtual time: connections between the shards of simulated
// nodes, in one process.
//
// What TCP promises is kept: bytes arrive in order, once, or the connection ends. What it does not
// promise is drawn from the seed: how long they take, in what pieces they come, when a connection
// is reset, how much a sender can be ahead of a receiver that does not read. One direction between
// two hosts can be cut: what is underway arrives when it is healed.
//
// Shard:     one SimStack for each simulated shard; the network is shared by all of a World.
// Lifetime:  the network outlives its stacks, the stacks their streams; the World outlives all.
#pragma once

#include <coroutine>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "io/reactor.h"
#include "net/transport/stack.h"
#include "tests/sim/world.h"

namespace millrace::sim {

// Chances are "one in so many"; 0 is never.
struct NetworkFaults {
  Duration delay_min = std::chrono::microseconds(20);
  Duration delay_max = std::chrono::microseconds(200);
  bool split = true;  // bytes sent at once arrive in pieces, and a receive gets less than there is
  std::uint64_t reset_one_in = 0;        // sends that end the connection for both sides
  std::uint64_t refuse_one_in = 0;       // connects that find nobody
  std::size_t window_bytes = 64 * 1024;  // how much may be underway or unread before a sender waits
};

namespace detail {

// One direction of a connection.
struct Pipe {
  Pipe(io::Reactor& from_reactor, io::Reactor& to_reactor, std::string from_host,
       std::string to_host)
      : sender(from_reactor),
        receiver(to_reactor),
        from(std::move(from_host)),
        to(std::move(to_host)) {}

  void wake_sender();
  void wake_receiver();
  void reset();

  io::Reactor& sender;
  io::Reactor& receiver;
  std::string from;
  std::string to;
  std::deque<std::vector<std::byte>> underway;  // an empty one is the end of the stream
  std::size_t bytes_underway = 0;
  std::size_t held = 0;  // deliveries that were due while the direction was cut
  std::deque<std::byte> arrived;
  Instant last_due{};
  bool end_sent = false;
  bool end_arrived = false;
  bool receiver_gone = false;
  bool broken = false;
  std::coroutine_handle<> waiting_sender;
  std::coroutine_handle<> waiting_receiver;
};

class SimListener;

}  // namespace detail

class SimNetwork {
 public:
  explicit SimNetwork(World& world) : world_(world), prng_(world.stream("network")) {}
  SimNetwork(const SimNetwork&) = delete;

  NetworkFaults faults;
  // Sends that said more would follow at once, and nothing did: a kernel keeps their last bytes back.
  std::uint64_t sends_left_open = 0;

  // What `from` sends to `to` does not arrive until heal(); connecting in either direction times
  // out.
  void cut(const std::string& from, const std::string& to) { cuts_.insert({from, to}); }
  void heal(const std::string& from, const std::string& to);
  // Ends every connection of a host, as when its power goes.
  void reset_host(const std::string& host);

 private:
  friend class SimStack;
  friend class SimStream;
  friend class detail::SimListener;

  using Pipe = detail::Pipe;

  bool is_cut(const std::string& from, const std::string& to) const {
    return cuts_.contains({from, to});
  }
  Duration draw_delay();
  // Queues bytes that have a place in the window, in pieces; an empty span is the end of the
  // stream.
  void send(const std::shared_ptr<Pipe>& pipe, ConstBytes bytes);
  void queue(const std::shared_ptr<Pipe>& pipe, std::vector<std::byte> piece);
  void deliver(Pipe& pipe);
  detail::SimListener* find(const net::Address& address);

  World& world_;
  Prng prng_;
  std::set<std::pair<std::string, std::string>> cuts_;
  std::vector<std::weak_ptr<Pipe>> pipes_;
  std::vector<detail::SimListener*> listeners_;
  std::uint16_t next_port_ = 30000;
};

class SimStack final : public net::Stack {
 public:
  SimStack(SimNetwork& network, io::Reactor& reactor, std::string host)
      : network_(network), reactor_(reactor), host_(std::move(host)) {}

  Result<std::unique_ptr<net::Listener>> listen(const net::ListenOptions& options) override;
  io::Task<Result<std::unique_ptr<net::Stream>>> connect(const net::Address& address) override;

  // The next `count` accepts that find a connection fail for want of a handle; the connection
  // waits.
  void fail_accepts(std::uint32_t count) { failing_accepts_ = count; }

 private:
  friend class detail::SimListener;

  SimNetwork& network_;
  io::Reactor& reactor_;
  std::string host_;
  std::uint32_t failing_accepts_ = 0;
};

class SimStream final : public net::Stream {
 public:
  SimStream(SimNetwork& network, std::shared_ptr<detail::Pipe> in,
            std::shared_ptr<detail::Pipe> out, net::Address peer)
      : network_(network), in_(std::move(in)), out_(std::move(out)), peer_(std::move(peer)) {}
  ~SimStream() override { shutdown(); }
  SimStream(const SimStream&) = delete;

  const net::Address& peer() const override { return peer_; }
  io::Task<Result<void>> readable() override;
  io::Task<Result<std::size_t>> receive(Bytes bytes) override;
  Result<std::size_t> try_receive(Bytes bytes) override;
  io::Task<Result<void>> send(std::span<const ::iovec> slices, bool more) override;
  io::Task<Result<void>> send_file(io::FileHandle file, std::uint64_t position,
                                   std::uint64_t length, bool more) override;
  bool peer_ended() const override { return in_->broken || in_->end_arrived; }
  std::uint64_t bytes_sent() const override { return bytes_sent_; }
  void shutdown_receive() override;
  void shutdown() override;

 private:
  io::Task<Result<void>> send_bytes(ConstBytes bytes);

  SimNetwork& network_;
  std::shared_ptr<detail::Pipe> in_;
  std::shared_ptr<detail::Pipe> out_;
  net::Address peer_;
  std::uint64_t bytes_sent_ = 0;
  bool ended_ = false;
  bool receive_ended_ = false;
  io::Timer left_open_{[this] { ++network_.sends_left_open; }};
};

}  // namespace millrace::sim
