#include "engine/log/file_cache.h"

namespace millrace::log {

void FileCache::Slot::reset() {
  if (cache_ == nullptr) return;
  cache_->used_.erase(cache_->used_.iterator_to(*this));
  cache_ = nullptr;
  file_.reset();
}

Result<std::shared_ptr<const io::OpenFile>> FileCache::open(Slot& slot, const std::string& path,
                                                            io::OpenOptions options) {
  while (used_.size() >= open_max_ && !used_.empty()) used_.front().reset();
  auto handle = proactor_.open(path, options);
  while (!handle && handle.error() == Errc::refused && !used_.empty()) {
    // The process has no handle left; ours that nobody reads from can go.
    used_.front().reset();
    handle = proactor_.open(path, options);
  }
  if (!handle) return fail(std::move(handle).error());
  slot.file_ = std::make_shared<const io::OpenFile>(proactor_, *handle);
  slot.cache_ = this;
  used_.push_back(slot);
  return slot.file_;
}

}  // namespace millrace::log
