// A blocking TCP connection that sends a frame and waits for one: all that a command which asks one
// question needs.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::cli {

class BrokerSocket {
 public:
  // `address` is host:port; the port may be left out (9092), an IPv6 host is in brackets.
  //
  // Errors: invalid_argument, refused, timed_out, not_found (the name does not resolve).
  static Result<BrokerSocket> connect(std::string_view address, Duration timeout);

  BrokerSocket(BrokerSocket&& other) noexcept;
  BrokerSocket& operator=(BrokerSocket&&) = delete;
  ~BrokerSocket();

  // Sends a whole frame and returns the next one, without its length. Errors: closed, timed_out,
  // too_large, io_error.
  Result<std::vector<std::byte>> exchange(ConstBytes frame);

  const std::string& address() const { return address_; }

 private:
  BrokerSocket(int descriptor, std::string address, Duration timeout)
      : descriptor_(descriptor), address_(std::move(address)), timeout_(timeout) {}
  Result<void> send_all(ConstBytes bytes, Instant deadline);
  Result<void> receive_all(Bytes bytes, Instant deadline);
  Result<void> wait_for(short events, Instant deadline);

  int descriptor_;
  std::string address_;
  Duration timeout_;
};

}  // namespace millrace::cli
