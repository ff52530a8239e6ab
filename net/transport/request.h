// What a connection hands to whoever answers: the request, and how to be asked. net/ knows nothing
// of what the answer means.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/time.h"
#include "io/task.h"
#include "net/transport/log_limit.h"
#include "net/transport/receive_buffer.h"
#include "net/transport/response.h"
#include "net/transport/stack.h"
#include "net/wire/header.h"

namespace millrace::net {

// Told once, when its connection ends: see ConnectionInfo::ended. Who lets a request wait for news
// has one, so that a wait of any length ends with its client.
//
// Shard:     the connection's.
// Lifetime:  in the frame of whoever waits; leaves the connection's list when it goes.
class EndWatch
    : public boost::intrusive::list_base_hook<
          boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  EndWatch() = default;
  EndWatch(const EndWatch&) = delete;
  virtual void on_end() = 0;

 protected:
  ~EndWatch() = default;
};
using EndWatches = boost::intrusive::list<EndWatch, boost::intrusive::constant_time_size<false>>;

// What is known of a connection for as long as it lives; it outlives its requests.
struct ConnectionInfo {
  std::uint64_t id = 0;
  Address peer;
  std::string_view listener;  // its name in `listeners`
  // The peer sends nothing more: most likely it has gone. What it has asked is still answered, but
  // nothing is worth waiting for.
  bool ended = false;
  // No answer will be read any more: the peer has gone or we have given it up.
  bool closing = false;
  // What is said in the log of mistakes of clients, of all connections of the shard.
  LogLimit* complaints = nullptr;
  mutable EndWatches watches{};

  // Has `watch` told when the connection ends. Requires: !ended.
  void tell(EndWatch& watch) const { watches.push_back(watch); }
};

// One request, taken apart as far as its header.
//
// Lifetime:  the bytes live as long as `buffer` is held. Who lets them go early gives the shard its
// memory back early.
struct Request {
  wire::RequestHeader header;  // client_id points into the buffer
  Bytes body;                  // may be changed in place: nobody else looks at it
  const ConnectionInfo* connection = nullptr;
  Instant received;
  ReceiveBuffer buffer;
};

class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  // Called once per request, in the order in which they came; runs inline until it first waits, so
  // what it does before that is done in order too. Several of one connection run at once; their
  // answers are sent in the order of the requests, whichever is ready first. Must end by itself
  // when the broker stops: a connection waits for it.
  virtual io::Task<Response> handle(Request request) = 0;
};

}  // namespace millrace::net
