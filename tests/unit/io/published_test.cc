// A writer on shard 0 and readers on every shard, on real threads.
#include "io/published.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace millrace::io {
namespace {

struct Image {
  int first = 0;
  int second = 0;  // always first + 1
};

std::shared_ptr<const Image> image(int number) {
  return std::make_shared<const Image>(Image{number, number + 1});
}

Task<void> write_images(Published<Image>& published, int count) {
  for (int i = 1; i <= count; ++i) co_await published.publish(image(i));
}

Task<int> read_until(Published<Image>& published, int last) {
  int seen = 0;
  int changes = 0;
  while (seen < last) {
    const Image& now = published.get();
    CHECK(now.second == now.first + 1, "half a snapshot");
    CHECK(now.first >= seen, "a snapshot went back");
    if (now.first != seen) ++changes;
    seen = now.first;
    if (seen < last) co_await published.changed().wait();
  }
  co_return changes;
}

TEST(Published, every_shard_sees_whole_snapshots_that_never_go_back) {
  constexpr int kImages = 300;
  Shards shards(3);
  Published<Image> published(shards, image(0));
  std::vector<int> changes(3);
  ASSERT_TRUE(shards.start({.pin = false}));
  shards.run([&](ShardId shard) -> Task<void> {
    return [](Published<Image>& source, ShardId mine, std::vector<int>& out) -> Task<void> {
      if (mine == ShardId{0}) co_await write_images(source, kImages);
      else out[mine.value()] = co_await read_until(source, kImages);
    }(published, shard, changes);
  });
  EXPECT_GT(changes[1], 0);
  EXPECT_GT(changes[2], 0);
}

}  // namespace
}  // namespace millrace::io
