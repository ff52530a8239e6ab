// FileThreads: a few threads that wait for the disk in place of a shard, for the backend that has no ring.
//
// Shard:     submit(), cancel() and take_finished() on the owner's; the threads touch a job only between the two.
// Lifetime:  threads start with the first job. The destructor drops what has not begun and waits for what has.
#pragma once

#include <boost/intrusive/list.hpp>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "io/proactor.h"

namespace millrace::io {

struct FileJob : boost::intrusive::list_base_hook<> {
  enum class Work : std::uint8_t { read, write, sync, sync_names, write_back, remove, read_ahead };
  Work work = Work::read;
  int descriptor = -1;
  std::uint64_t position = 0;
  void* buffer = nullptr;  // remove: the path
  std::size_t bytes = 0;
  std::int64_t result = 0;
  bool begun = false;
};
using FileJobs = boost::intrusive::list<FileJob>;

class FileThreads {
 public:
  // `on_finished` is called by a thread when the list of finished jobs stops being empty.
  FileThreads(unsigned threads_max, std::function<void()> on_finished);
  ~FileThreads();
  FileThreads(const FileThreads&) = delete;

  void submit(FileJob& job);
  // Takes back a job no thread has begun; false when it is too late.
  bool cancel(FileJob& job);
  FileJobs take_finished();
  bool busy() const { return submitted_ > 0; }

 private:
  void work();
  FileJob* next_job();

  unsigned threads_max_;
  std::function<void()> on_finished_;
  std::size_t submitted_ = 0;  // and not yet taken back; the owner's

  std::mutex mutex_;
  std::condition_variable arrived_;
  FileJobs queue_;
  FileJobs background_;  // read-aheads: run when nothing else waits, and never by all threads
  FileJobs finished_;
  unsigned idle_ = 0;
  unsigned background_running_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace millrace::io
