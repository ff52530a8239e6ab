// Files, on every real backend, in a fresh directory.
#include <fcntl.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

#include "io/file.h"
#include "io/gate.h"
#include "io/shard.h"
#include "tests/unit/io/backends.h"

namespace millrace::io {
namespace {

std::vector<std::byte> pattern(std::size_t bytes, unsigned seed) {
  std::vector<std::byte> filled(bytes);
  for (std::size_t i = 0; i < bytes; ++i) filled[i] = static_cast<std::byte>((i * 31 + seed) & 0xff);
  return filled;
}

::iovec slice(std::vector<std::byte>& bytes) { return {bytes.data(), bytes.size()}; }

Task<std::int64_t> queued_read(Proactor& proactor, FileHandle file, std::uint64_t position, Bytes bytes) {
  co_return co_await Operation([&](Completion& done) { proactor.read(file, position, bytes, done); });
}
Task<std::int64_t> queued_write(Proactor& proactor, FileHandle file, std::uint64_t position, ConstBytes bytes) {
  co_return co_await Operation([&](Completion& done) { proactor.write(file, position, bytes, done); });
}
Task<std::int64_t> queued_sync(Proactor& proactor, FileHandle file) {
  co_return co_await Operation([&](Completion& done) { proactor.sync(file, done); });
}
Task<std::int64_t> queued_read_ahead(Proactor& proactor, FileHandle file, std::uint64_t position,
                                     std::uint64_t length) {
  co_return co_await Operation([&](Completion& done) { proactor.read_ahead(file, position, length, done); });
}
Task<std::int64_t> queued_write_back(Proactor& proactor, FileHandle file, std::uint64_t position,
                                     std::uint64_t length) {
  co_return co_await Operation(
      [&](Completion& done) { proactor.start_write_back(file, position, length, done); });
}

TEST_P(ProactorTest, inline_writes_of_many_slices_are_read_back) {
  const auto file = proactor().open(path("f"), {.write = true, .create = true});
  ASSERT_TRUE(file);
  std::vector<std::vector<std::byte>> parts;
  std::vector<::iovec> slices;
  std::vector<std::byte> whole;
  for (unsigned i = 0; i < 3000; ++i) {  // beyond what one system call takes
    parts.push_back(pattern(1 + i % 97, i));
    whole.insert(whole.end(), parts.back().begin(), parts.back().end());
  }
  for (auto& part : parts) slices.push_back(slice(part));
  ASSERT_TRUE(proactor().write_inline(*file, 100, slices));
  EXPECT_EQ(proactor().size(*file).value(), 100 + whole.size());
  std::vector<std::byte> back(whole.size() + 50);
  EXPECT_EQ(proactor().read_inline(*file, 100, back).value(), whole.size());
  EXPECT_EQ(std::memcmp(back.data(), whole.data(), whole.size()), 0);
  proactor().close(*file);
}

TEST_P(ProactorTest, queued_operations_give_counts_and_the_bytes_written) {
  const auto file = proactor().open(path("f"), {.write = true, .create = true});
  ASSERT_TRUE(file);
  const auto bytes = pattern(300'000, 7);
  EXPECT_EQ(run_task(proactor(), queued_write(proactor(), *file, 0, bytes)), 300'000);
  EXPECT_EQ(run_task(proactor(), queued_write_back(proactor(), *file, 0, 300'000)), 0);
  EXPECT_EQ(run_task(proactor(), queued_sync(proactor(), *file)), 0);
  std::vector<std::byte> back(bytes.size() + 10);
  EXPECT_EQ(run_task(proactor(), queued_read(proactor(), *file, 0, back)), 300'000);
  EXPECT_EQ(std::memcmp(back.data(), bytes.data(), bytes.size()), 0);
  EXPECT_EQ(run_task(proactor(), queued_read_ahead(proactor(), *file, 4096, 100'000)), 100'000);
  EXPECT_TRUE(proactor().resident(*file, 4096, 100'000));
  EXPECT_TRUE(proactor().resident(*file, 200'000, 1'000'000)) << "what lies beyond the end is not waited for";
  proactor().close(*file);
}

// As direct writes need it.
class Block {
 public:
  Block() : memory_(std::aligned_alloc(kBytes, kBytes)) { std::memset(memory_.get(), 1, kBytes); }
  ConstBytes bytes() const { return {static_cast<const std::byte*>(memory_.get()), kBytes}; }

 private:
  static constexpr std::size_t kBytes = 4096;
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<void, Free> memory_;
};

// Bytes of the file from `position` on that are in the page cache.
std::uint64_t resident_from(Proactor& proactor, FileHandle file, std::uint64_t position, std::uint64_t end) {
  constexpr std::uint64_t kStep = 4096;
  std::uint64_t resident = 0;
  for (; position < end; position += kStep) resident += proactor.resident(file, position, kStep) ? kStep : 0;
  return resident;
}

TEST_P(ProactorTest, beside_durable_writes_no_read_makes_the_kernel_read_ahead) {
  constexpr std::uint64_t kBytes = std::uint64_t{4} << 20;
  constexpr std::uint64_t kRead = 4096;
  auto bytes = pattern(kBytes, 3);
  const ::iovec all = slice(bytes);
  const auto durable = proactor().open(path("durable"), {.write = true, .create = true, .direct_sync = true});
  ASSERT_TRUE(durable);
  const Block block;
  std::vector<std::byte> into(kRead);
  // The second file has the first one's handle.
  for (const bool queued : {false, true}) {
    const auto file = proactor().open(path("old"), {.write = true, .create = true});
    ASSERT_TRUE(file);
    ASSERT_TRUE(proactor().write_inline(*file, 0, {&all, 1}));
    ASSERT_TRUE(proactor().sync_inline(*file));
    ::posix_fadvise(file->value(), 0, 0, POSIX_FADV_DONTNEED);
    if (proactor().resident(*file, kBytes / 2, kRead)) GTEST_SKIP() << "this file system's pages cannot be dropped";
    ASSERT_EQ(run_task(proactor(), queued_write(proactor(), *durable, 0, block.bytes())), static_cast<std::int64_t>(kRead));
    for (std::uint64_t at = 0; at < 4 * kRead; at += kRead) {
      if (queued) ASSERT_EQ(run_task(proactor(), queued_read(proactor(), *file, at, into)), static_cast<std::int64_t>(kRead));
      else ASSERT_EQ(proactor().read_inline(*file, at, into).value(), kRead);
    }
    EXPECT_EQ(resident_from(proactor(), *file, 0, kBytes), 4 * kRead) << (queued ? "queued" : "inline");
    proactor().close(*file);
  }
  proactor().close(*durable);
}

Task<bool> under_way_when_queued(Proactor& proactor, FileHandle file, ConstBytes bytes) {
  bool under_way = false;
  co_await Operation([&](Completion& done) {
    proactor.write(file, 0, bytes, done);
    under_way = proactor.durable_write_under_way();
  });
  co_return under_way;
}

TEST_P(ProactorTest, a_durable_write_is_under_way_until_it_completes_and_another_never_is) {
  const auto durable = proactor().open(path("durable"), {.write = true, .create = true, .direct_sync = true});
  const auto buffered = proactor().open(path("buffered"), {.write = true, .create = true});
  ASSERT_TRUE(durable && buffered);
  const Block block;
  EXPECT_FALSE(run_task(proactor(), under_way_when_queued(proactor(), *buffered, block.bytes())));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(run_task(proactor(), under_way_when_queued(proactor(), *durable, block.bytes())));
    EXPECT_FALSE(proactor().durable_write_under_way()) << i;
  }
  proactor().close(*durable);
  proactor().close(*buffered);
}

struct Forgotten : Completion {
  Forgotten() : Completion([](Completion&, std::int64_t) {}) {}
};

// Of one process: another shard asks while this one's backend is gone.
TEST_P(ProactorTest, a_durable_write_is_not_under_way_any_more_when_its_backend_has_ended) {
  const auto file = proactor().open(path("durable"), {.write = true, .create = true, .direct_sync = true});
  ASSERT_TRUE(file);
  const auto writes = std::make_shared<DurableWrites>();
  const Block block;
  std::array<Forgotten, 3> forgotten;
  {
    const auto other = make_proactor(GetParam() == std::string("epoll") ? Backend::epoll : Backend::io_uring, writes);
    ASSERT_TRUE(other);
    for (Forgotten& each : forgotten) (*other)->write(*file, 0, block.bytes(), each);
    EXPECT_TRUE(writes->under_way());
  }
  EXPECT_FALSE(writes->under_way());
  proactor().close(*file);
}

TEST_P(ProactorTest, queued_operations_report_negative_errno) {
  const auto file = proactor().open(path("f"), {.write = true, .create = true});
  ASSERT_TRUE(file);
  proactor().close(*file);
  const auto read_only = proactor().open(path("f"), {});
  ASSERT_TRUE(read_only);
  const auto bytes = pattern(10, 0);
  EXPECT_EQ(run_task(proactor(), queued_write(proactor(), *read_only, 0, bytes)), -EBADF);
  EXPECT_EQ(run_task(proactor(), queued_sync(proactor(), FileHandle{999'999})), -EBADF);
  proactor().close(*read_only);
}

Task<void> count_read_ahead(Proactor& proactor, FileHandle file, std::uint64_t position, std::uint64_t& sum) {
  sum += static_cast<std::uint64_t>(
      co_await Operation([&](Completion& done) { proactor.read_ahead(file, position, 8192, done); }));
}

Task<std::uint64_t> many_read_aheads(Proactor& proactor, FileHandle file, int count) {
  Gate gate;
  std::uint64_t sum = 0;
  for (int i = 0; i < count; ++i) {
    gate.spawn(count_read_ahead(proactor, file, static_cast<std::uint64_t>(i) * 8192, sum));
  }
  co_await gate.close();
  co_return sum;
}

TEST_P(ProactorTest, more_read_aheads_than_run_at_once_all_complete) {
  const auto file = proactor().open(path("f"), {.write = true, .create = true});
  ASSERT_TRUE(file);
  auto bytes = pattern(20 * 8192, 1);
  const ::iovec all = slice(bytes);
  ASSERT_TRUE(proactor().write_inline(*file, 0, {&all, 1}));
  EXPECT_EQ(run_task(proactor(), many_read_aheads(proactor(), *file, 20)), 20u * 8192u);
  proactor().close(*file);
}

TEST_P(ProactorTest, direct_and_synchronous_writes_of_aligned_buffers_work) {
  const auto file = proactor().open(path("wal"), {.write = true, .create = true, .direct_sync = true});
  ASSERT_TRUE(file);
  const std::unique_ptr<std::byte, void (*)(void*)> buffer(
      static_cast<std::byte*>(std::aligned_alloc(4096, 8192)), std::free);
  std::memset(buffer.get(), 'w', 8192);
  EXPECT_EQ(run_task(proactor(), queued_write(proactor(), *file, 4096, ConstBytes(buffer.get(), 8192))), 8192);
  std::memset(buffer.get(), 0, 8192);
  EXPECT_EQ(run_task(proactor(), queued_read(proactor(), *file, 8192, Bytes(buffer.get(), 4096))), 4096);
  EXPECT_EQ(buffer.get()[17], std::byte{'w'});
  proactor().close(*file);
}

TEST_P(ProactorTest, open_says_what_is_wrong) {
  EXPECT_EQ(proactor().open(path("none"), {}).error().code, Errc::not_found);
  const OpenOptions make{.write = true, .create = true, .exclusive = true};
  const auto first = proactor().open(path("f"), make);
  ASSERT_TRUE(first);
  EXPECT_EQ(proactor().open(path("f"), make).error().code, Errc::already_exists);
  proactor().close(*first);
}

TEST_P(ProactorTest, reserve_keeps_the_size_and_truncate_sets_it) {
  const auto file = proactor().open(path("f"), {.write = true, .create = true});
  ASSERT_TRUE(file);
  EXPECT_TRUE(proactor().reserve(*file, 0, 1 << 20));
  EXPECT_EQ(proactor().size(*file).value(), 0u);
  EXPECT_TRUE(proactor().truncate(*file, 12345));
  EXPECT_EQ(proactor().size(*file).value(), 12345u);
  EXPECT_TRUE(proactor().sync_inline(*file));
  proactor().close(*file);
}

TEST_P(ProactorTest, directories_are_made_listed_renamed_and_removed) {
  ASSERT_TRUE(proactor().make_directory(path("topic-0")));
  EXPECT_EQ(proactor().make_directory(path("topic-0")).error().code, Errc::already_exists);
  const auto file = proactor().open(path("topic-0/a"), {.write = true, .create = true});
  ASSERT_TRUE(file);
  proactor().close(*file);
  ASSERT_TRUE(proactor().rename(path("topic-0/a"), path("topic-0/b")));
  ASSERT_TRUE(proactor().sync_directory(path("topic-0")));
  const auto inside = proactor().list(path("topic-0")).value();
  ASSERT_EQ(inside.size(), 1u);
  EXPECT_EQ(inside[0].name, "b");
  EXPECT_FALSE(inside[0].is_directory);
  const auto outside = proactor().list(directory()).value();
  ASSERT_EQ(outside.size(), 1u);
  EXPECT_TRUE(outside[0].is_directory);
  EXPECT_FALSE(proactor().remove_directory(path("topic-0"))) << "it is not empty";
  ASSERT_TRUE(proactor().remove(path("topic-0/b")));
  EXPECT_EQ(proactor().remove(path("topic-0/b")).error().code, Errc::not_found);
  EXPECT_TRUE(proactor().remove_directory(path("topic-0")));
  EXPECT_EQ(proactor().list(path("topic-0")).error().code, Errc::not_found);
  EXPECT_GT(proactor().free_bytes(directory()).value(), 0u);
}

TEST_P(ProactorTest, a_file_is_removed_without_holding_the_shard_up) {
  const auto file = proactor().open(path("a"), {.write = true, .create = true});
  ASSERT_TRUE(file);
  EXPECT_TRUE(run_task(proactor(), remove_file(proactor(), path("a"))));
  EXPECT_TRUE(proactor().list(directory()).value().empty());
  EXPECT_TRUE(proactor().truncate(*file, 100)) << "who holds it open goes on with it";
  proactor().close(*file);
  EXPECT_EQ(run_task(proactor(), remove_file(proactor(), path("a"))).error().code, Errc::not_found);
  ASSERT_TRUE(proactor().make_directory(path("b")));
  EXPECT_FALSE(run_task(proactor(), remove_file(proactor(), path("b")))) << "a directory is no file";
}

TEST_P(ProactorTest, names_are_synced_through_a_directory_and_through_nothing_else) {
  const auto file = proactor().open(path("a"), {.write = true, .create = true});
  ASSERT_TRUE(file);
  proactor().close(*file);
  EXPECT_TRUE(run_task(proactor(), sync_directory(proactor(), directory())));
  EXPECT_FALSE(run_task(proactor(), sync_directory(proactor(), path("a"))));
  EXPECT_EQ(run_task(proactor(), sync_directory(proactor(), path("nowhere"))).error().code, Errc::not_found);
}

TEST_P(ProactorTest, a_small_file_is_replaced_without_holding_the_shard_up) {
  ASSERT_TRUE(run_task(proactor(), replace_small_file_queued(proactor(), path("a"), "first")));
  ASSERT_TRUE(run_task(proactor(), replace_small_file_queued(proactor(), path("a"), "second")));
  EXPECT_EQ(read_small_file(proactor(), path("a")).value(), "second");
  EXPECT_EQ(proactor().list(directory()).value().size(), 1u) << "the draft is gone";
}

INSTANTIATE_TEST_SUITE_P(File, ProactorTest, every_backend());

}  // namespace
}  // namespace millrace::io
