#include "engine/metadata/persistent_map.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <vector>

namespace millrace::engine {
namespace {

std::map<int, int> contents(const PersistentMap<int, int>& map) {
  std::map<int, int> found;
  map.for_each([&](int key, int value) { found.emplace_hint(found.end(), key, value); });
  return found;
}

// A key and the value it gets; without one it is erased.
using Step = std::pair<int, rc::Maybe<int>>;

RC_GTEST_PROP(PersistentMapProperty, does_what_a_map_does_and_never_changes_an_older_copy, ()) {
  const auto few_keys = rc::gen::pair(rc::gen::inRange(0, 40), rc::gen::maybe(rc::gen::arbitrary<int>()));
  const auto steps = *rc::gen::container<std::vector<Step>>(few_keys);
  PersistentMap<int, int> map;
  std::map<int, int> model;
  std::vector<std::pair<PersistentMap<int, int>, std::map<int, int>>> older;
  for (const auto& [key, value] : steps) {
    older.emplace_back(map, model);
    if (value) {
      map.set(key, *value);
      model[key] = *value;
    } else {
      RC_ASSERT(map.erase(key) == (model.erase(key) == 1));
    }
    RC_ASSERT(map.size() == model.size());
  }
  RC_ASSERT(contents(map) == model);
  for (const auto& [copy, then] : older) RC_ASSERT(contents(copy) == then);
}

TEST(PersistentMap, finds_what_it_holds) {
  PersistentMap<std::string, int> map;
  map.set("b", 2);
  map.set("a", 1);
  ASSERT_NE(map.find(std::string_view("a")), nullptr);
  EXPECT_EQ(*map.find("a"), 1);
  EXPECT_EQ(map.find("c"), nullptr);
}

TEST(PersistentMap, equal_contents_are_equal_whatever_the_order_they_came_in) {
  PersistentMap<int, int> up;
  PersistentMap<int, int> down;
  for (int i = 0; i < 500; ++i) up.set(i, i);
  for (int i = 499; i >= 0; --i) down.set(i, i);
  down.set(900, 1);
  EXPECT_FALSE(up == down);
  down.erase(900);
  EXPECT_TRUE(up == down);
  down.set(7, 0);
  EXPECT_FALSE(up == down);
}

TEST(PersistentMap, walks_from_a_key_until_told_to_stop) {
  PersistentMap<int, int> map;
  for (int i = 0; i < 100; i += 2) map.set(i, i);
  std::vector<int> seen;
  map.for_each_from(31, [&](int key, int) {
    seen.push_back(key);
    return seen.size() < 3;
  });
  EXPECT_EQ(seen, (std::vector<int>{32, 34, 36}));
}

TEST(PersistentMap, stays_shallow_for_consecutive_integers) {
  // 100,000 sets of keys in order: quadratic when the tree degrades to a list, and a stack overflow
  // on the way.
  PersistentMap<int, int> map;
  for (int i = 0; i < 100000; ++i) map.set(i, i);
  EXPECT_EQ(map.size(), 100000u);
  EXPECT_EQ(*map.find(77777), 77777);
}

}  // namespace
}  // namespace millrace::engine
