// PersistentMap<Key, Value>: a sorted map whose copies share what they have in common. A copy is
// one pointer; a change makes about log2(n) new nodes and leaves every older copy as it was. This
// is what lets a new image be published for one changed partition among 10,000 without copying the
// rest.
//
// Shard:      a map may be read on any shard; nodes and values are never changed once they are in a
//             map.
// Invariant:  a treap: ordered by key, and by hash of the key as a heap, so its shape depends on its
//             keys alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace millrace::engine {

template <class Key, class Value>
class PersistentMap {
 public:
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Null when there is none. Valid as long as this map or a copy that still has the same value.
  template <class Wanted>
  const Value* find(const Wanted& key) const {
    const Node* node = find_node(key);
    return node == nullptr ? nullptr : node->value.get();
  }
  // The same, shared: valid for as long as it is held.
  template <class Wanted>
  std::shared_ptr<const Value> share(const Wanted& key) const {
    const Node* node = find_node(key);
    return node == nullptr ? nullptr : node->value;
  }

  // Adds or replaces.
  void set(const Key& key, Value value) {
    set(key, std::make_shared<const Value>(std::move(value)));
  }
  void set(const Key& key, std::shared_ptr<const Value> value) {
    bool added = false;
    root_ = inserted(root_, key, priority(key), std::move(value), added);
    if (added) ++size_;
  }
  // Returns whether it was there.
  template <class Wanted>
  bool erase(const Wanted& key) {
    if (find_node(key) == nullptr) return false;
    root_ = erased(root_, key);
    --size_;
    return true;
  }

  // Calls visit(key, value) in order of the keys.
  template <class Visit>
  void for_each(Visit&& visit) const {
    walk(root_.get(), [&](const Node& node) {
      visit(node.key, *node.value);
      return true;
    });
  }
  // From the first key that is not less than `from`, for as long as visit(key, value) returns true.
  template <class Wanted, class Visit>
  void for_each_from(const Wanted& from, Visit&& visit) const {
    walk_from(root_.get(), from, [&](const Node& node) { return visit(node.key, *node.value); });
  }

  bool operator==(const PersistentMap& other) const {
    return size_ == other.size_ && equal(root_.get(), other.root_.get());
  }
  // True only when nothing was changed since one was copied from the other; cheap, may miss equal
  // contents.
  bool shares_all_with(const PersistentMap& other) const { return root_ == other.root_; }

 private:
  struct Node;
  using NodePointer = std::shared_ptr<const Node>;
  struct Node {
    Key key;
    std::size_t priority;
    std::shared_ptr<const Value> value;
    NodePointer left;
    NodePointer right;
  };

  // std::hash of an integer is the integer: it has to be spread, or the treap degrades to a list.
  static std::size_t priority(const Key& key) {
    std::uint64_t mixed = std::hash<Key>{}(key) + 0x9e3779b97f4a7c15ULL;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
    return mixed ^ (mixed >> 31);
  }
  // Ties are broken by key, so that equal contents have equal shape.
  static bool above(std::size_t priority_a, const Key& a, const Node& b) {
    return priority_a != b.priority ? priority_a > b.priority : a < b.key;
  }
  static NodePointer with_children(const Node& node, NodePointer left, NodePointer right) {
    return std::make_shared<const Node>(
        Node{node.key, node.priority, node.value, std::move(left), std::move(right)});
  }

  template <class Wanted>
  const Node* find_node(const Wanted& key) const {
    const Node* node = root_.get();
    while (node != nullptr) {
      if (key < node->key)
        node = node->left.get();
      else if (node->key < key)
        node = node->right.get();
      else
        break;
    }
    return node;
  }

  static NodePointer inserted(const NodePointer& node, const Key& key, std::size_t priority,
                              std::shared_ptr<const Value> value, bool& added) {
    if (node == nullptr) {
      added = true;
      return std::make_shared<const Node>(Node{key, priority, std::move(value), nullptr, nullptr});
    }
    if (key < node->key) {
      auto left = inserted(node->left, key, priority, std::move(value), added);
      if (above(left->priority, left->key, *node)) {
        return with_children(*left, left->left, with_children(*node, left->right, node->right));
      }
      return with_children(*node, std::move(left), node->right);
    }
    if (node->key < key) {
      auto right = inserted(node->right, key, priority, std::move(value), added);
      if (above(right->priority, right->key, *node)) {
        return with_children(*right, with_children(*node, node->left, right->left), right->right);
      }
      return with_children(*node, node->left, std::move(right));
    }
    return std::make_shared<const Node>(
        Node{node->key, node->priority, std::move(value), node->left, node->right});
  }
  template <class Wanted>
  static NodePointer erased(const NodePointer& node, const Wanted& key) {
    if (key < node->key) return with_children(*node, erased(node->left, key), node->right);
    if (node->key < key) return with_children(*node, node->left, erased(node->right, key));
    return joined(node->left, node->right);
  }
  // Everything in `left` is less than everything in `right`.
  static NodePointer joined(const NodePointer& left, const NodePointer& right) {
    if (left == nullptr) return right;
    if (right == nullptr) return left;
    if (above(left->priority, left->key, *right)) {
      return with_children(*left, left->left, joined(left->right, right));
    }
    return with_children(*right, joined(left, right->left), right->right);
  }

  template <class Visit>
  static bool walk(const Node* node, const Visit& visit) {
    if (node == nullptr) return true;
    return walk(node->left.get(), visit) && visit(*node) && walk(node->right.get(), visit);
  }
  template <class Wanted, class Visit>
  static bool walk_from(const Node* node, const Wanted& from, const Visit& visit) {
    if (node == nullptr) return true;
    if (node->key < from) return walk_from(node->right.get(), from, visit);
    return walk_from(node->left.get(), from, visit) && visit(*node) &&
           walk(node->right.get(), visit);
  }
  static bool equal(const Node* a, const Node* b) {
    if (a == b) return true;
    if (a == nullptr || b == nullptr) return false;
    if (!(a->key == b->key)) return false;
    if (a->value != b->value && !(*a->value == *b->value)) return false;
    return equal(a->left.get(), b->left.get()) && equal(a->right.get(), b->right.get());
  }

  NodePointer root_;
  std::size_t size_ = 0;
};

}  // namespace millrace::engine
