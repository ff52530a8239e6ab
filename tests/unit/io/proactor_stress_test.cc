// Many streams at once, sends and receives of random sizes, receives cancelled at random: every byte arrives once and in order,
// on every real backend. Under AddressSanitizer this is also the test of who owns a buffer when.
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/prng.h"
#include "io/gate.h"
#include "tests/unit/io/backends.h"

namespace millrace::io {
namespace {

constexpr int kStreams = 40;
constexpr std::size_t kBytesPerStream = 300'000;

std::byte byte_at(std::size_t position, int stream) {
  return static_cast<std::byte>((position * 131 + static_cast<std::size_t>(stream) * 7) & 0xff);
}

struct Totals {
  std::size_t received = 0;
  std::size_t wrong = 0;
  std::size_t cancelled = 0;
  std::size_t errors = 0;
};

Task<void> feed(Proactor& proactor, SocketHandle socket, int stream, Prng prng, Totals& totals) {
  std::size_t position = 0;
  while (position < kBytesPerStream) {
    // A buffer of its own for each send, freed right after: the kernel must be done with it.
    std::vector<std::byte> bytes(std::min(kBytesPerStream - position, 1 + prng.below(20'000)));
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = byte_at(position + i, stream);
    const std::size_t split = prng.below(bytes.size() + 1);
    const ::iovec slices[2] = {{bytes.data(), split}, {bytes.data() + split, bytes.size() - split}};
    const std::int64_t sent =
        co_await Operation([&](Completion& done) { proactor.send(socket, slices, false, done); });
    if (sent < 0) {
      ++totals.errors;
      co_return;
    }
    position += static_cast<std::size_t>(sent);
    // Now and then the reader is kept waiting.
    if (prng.chance(3)) co_await sleep_for(std::chrono::microseconds(prng.below(300)));
  }
}

// A receive that gives up after a while; the cancel may come too late.
struct Impatient {
  Impatient(Proactor& proactor, Completion& pending) : timer([&] { proactor.cancel(pending); }) {}
  Timer timer;
};

Task<std::int64_t> receive_for(Proactor& proactor, SocketHandle socket, Bytes bytes, Duration patience) {
  std::optional<Impatient> impatient;
  co_return co_await Operation([&](Completion& done) {
    proactor.receive(socket, bytes, done);
    impatient.emplace(proactor, done);
    impatient->timer.arm(Reactor::current().now() + patience);
  });
}

Task<void> drink(Proactor& proactor, SocketHandle socket, int stream, Prng prng, Totals& totals) {
  std::size_t position = 0;
  while (position < kBytesPerStream) {
    std::vector<std::byte> bytes(1 + prng.below(30'000));
    const auto patience = Duration(static_cast<std::int64_t>(prng.below(100'000)));
    const std::int64_t got = co_await receive_for(proactor, socket, bytes, patience);
    if (got == -ECANCELED) {
      ++totals.cancelled;
      continue;
    }
    if (got <= 0) {
      ++totals.errors;
      co_return;
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
      if (bytes[i] != byte_at(position + i, stream)) ++totals.wrong;
    }
    position += static_cast<std::size_t>(got);
    totals.received += static_cast<std::size_t>(got);
    if (prng.chance(20)) co_await sleep_for(std::chrono::microseconds(prng.below(300)));
  }
}

Task<Totals> run_streams(Proactor& proactor, std::vector<std::pair<SocketHandle, SocketHandle>>& pairs) {
  Totals totals;
  Gate gate;
  Prng prng(42);
  for (int i = 0; i < kStreams; ++i) {
    const auto [near, far] = pairs[static_cast<std::size_t>(i)];
    gate.spawn(feed(proactor, near, i, prng.split(), totals));
    gate.spawn(drink(proactor, far, i, prng.split(), totals));
  }
  co_await gate.close();
  co_return totals;
}

class ProactorStressTest : public ProactorTest {};

TEST_P(ProactorStressTest, every_byte_arrives_once_and_in_order_among_cancelled_receives) {
  std::vector<std::pair<SocketHandle, SocketHandle>> pairs;
  for (int i = 0; i < kStreams; ++i) {
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    pairs.emplace_back(pair[0], pair[1]);
  }
  const Totals totals = run_task(proactor(), run_streams(proactor(), pairs));
  EXPECT_EQ(totals.errors, 0u);
  EXPECT_EQ(totals.wrong, 0u);
  EXPECT_EQ(totals.received, kStreams * kBytesPerStream);
  EXPECT_GT(totals.cancelled, 0u);
  for (const auto& [near, far] : pairs) {
    proactor().close_socket(near);
    proactor().close_socket(far);
  }
}

INSTANTIATE_TEST_SUITE_P(Stress, ProactorStressTest, every_backend());

}  // namespace
}  // namespace millrace::io
