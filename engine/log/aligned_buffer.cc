#include "engine/log/aligned_buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace millrace::log {
namespace {

constexpr std::size_t kBytesFirst = std::size_t{256} << 10;

}  // namespace

AlignedBuffer::~AlignedBuffer() {
  if (data_ != nullptr) ::munmap(data_, capacity_);
}

void AlignedBuffer::swap(AlignedBuffer& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
}

void AlignedBuffer::resize(std::size_t size) {
  if (size > capacity_) {
    const std::size_t wanted = blocks_above(std::max({size, capacity_ * 2, kBytesFirst}));
    void* memory = ::mmap(nullptr, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED, "no memory for a buffer of {} bytes", wanted);
    if (size_ > 0) std::memcpy(memory, data_, size_);
    if (data_ != nullptr) ::munmap(data_, capacity_);
    data_ = static_cast<std::byte*>(memory);
    capacity_ = wanted;
  }
  size_ = size;
}

void AlignedBuffer::append(ConstBytes bytes) {
  if (bytes.empty()) return;
  const std::size_t before = size_;
  resize(before + bytes.size());
  std::memcpy(data_ + before, bytes.data(), bytes.size());
}

void AlignedBuffer::drop_front(std::size_t bytes) {
  if (bytes == 0) return;
  std::memmove(data_, data_ + bytes, size_ - bytes);
  size_ -= bytes;
}

}  // namespace millrace::log
