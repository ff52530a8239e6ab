#include "io/file_threads.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "io/posix_proactor.h"

namespace millrace::io {
namespace {

std::int64_t result_of(long answer) { return answer < 0 ? -errno : answer; }

std::int64_t run_read_ahead(const FileJob& job, ReadAheadSink& sink) {
  const auto position = static_cast<off_t>(job.position);
  const auto slices = sink.slices(job.bytes);
  const std::int64_t got = result_of(
      ::preadv(job.descriptor, slices.data(), static_cast<int>(slices.size()), position));
  return std::min(got, static_cast<std::int64_t>(job.bytes));
}

std::int64_t run_job(const FileJob& job, ReadAheadSink& sink) {
  const auto position = static_cast<off_t>(job.position);
  switch (job.work) {
    case FileJob::Work::read:
      return result_of(::pread(job.descriptor, job.buffer, job.bytes, position));
    case FileJob::Work::write:
      return result_of(::pwrite(job.descriptor, job.buffer, job.bytes, position));
    case FileJob::Work::sync: return result_of(::fdatasync(job.descriptor));
    // A directory's names are no data to fdatasync.
    case FileJob::Work::sync_names: return result_of(::fsync(job.descriptor));
    case FileJob::Work::write_back:
      return result_of(::sync_file_range(job.descriptor, position, static_cast<off_t>(job.bytes),
                                         SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
    case FileJob::Work::remove: return result_of(::unlink(static_cast<const char*>(job.buffer)));
    case FileJob::Work::read_ahead: return run_read_ahead(job, sink);
  }
  return -EINVAL;
}

}  // namespace

FileThreads::FileThreads(unsigned threads_max, std::function<void()> on_finished)
    : threads_max_(threads_max), on_finished_(std::move(on_finished)) {}

FileThreads::~FileThreads() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
    background_.clear();
  }
  arrived_.notify_all();
  for (auto& thread : threads_) thread.join();
  finished_.clear();
}

void FileThreads::submit(FileJob& job) {
  ++submitted_;
  job.begun = false;
  bool start = false;
  {
    const std::lock_guard lock(mutex_);
    (job.work == FileJob::Work::read_ahead ? background_ : queue_).push_back(job);
    start = idle_ < queue_.size() + background_.size() && threads_.size() < threads_max_;
  }
  if (start) {
    // Signals are for the threads that asked for them.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    threads_.emplace_back([this] { work(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  arrived_.notify_one();
}

bool FileThreads::cancel(FileJob& job) {
  const std::lock_guard lock(mutex_);
  if (job.begun || !job.is_linked()) return false;
  FileJobs& list = job.work == FileJob::Work::read_ahead ? background_ : queue_;
  list.erase(list.iterator_to(job));
  --submitted_;
  return true;
}

FileJobs FileThreads::take_finished() {
  FileJobs taken;
  const std::lock_guard lock(mutex_);
  taken.swap(finished_);
  submitted_ -= taken.size();
  return taken;
}

FileJob* FileThreads::next_job() {
  if (!queue_.empty()) {
    FileJob& job = queue_.front();
    queue_.pop_front();
    return &job;
  }
  const unsigned background_max = std::max(1U, threads_max_ - 1);
  if (!background_.empty() && background_running_ < background_max) {
    FileJob& job = background_.front();
    background_.pop_front();
    ++background_running_;
    return &job;
  }
  return nullptr;
}

void FileThreads::work() {
  ::pthread_setname_np(::pthread_self(), "shard-files");
  ReadAheadSink sink;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    FileJob* const job = next_job();
    if (job == nullptr) {
      ++idle_;
      arrived_.wait(lock);
      --idle_;
      continue;
    }
    job->begun = true;
    lock.unlock();
    const std::int64_t result = run_job(*job, sink);
    lock.lock();
    job->result = result;
    if (job->work == FileJob::Work::read_ahead) {
      --background_running_;
      if (!background_.empty()) arrived_.notify_one();
    }
    const bool first = finished_.empty();
    finished_.push_back(*job);
    if (first) {
      lock.unlock();
      on_finished_();
      lock.lock();
    }
  }
}

}  // namespace millrace::io
