#include "io/file.h"

#include <algorithm>

#include "io/completion.h"

namespace millrace::io {

Result<std::shared_ptr<const OpenFile>> OpenFile::open(Proactor& proactor, const std::string& path,
                                                       OpenOptions options) {
  TRY(handle, proactor.open(path, options));
  return std::make_shared<const OpenFile>(proactor, handle);
}

Task<Result<std::size_t>> read_once(Proactor& proactor, FileHandle file, std::uint64_t position, Bytes bytes) {
  while (true) {
    const std::int64_t got =
        co_await Operation([&](Completion& completion) { proactor.read(file, position, bytes, completion); });
    if (got == -EINTR || got == -EAGAIN) continue;
    if (got < 0) co_return fail(error_from_errno(static_cast<int>(got), "read"));
    co_return static_cast<std::size_t>(got);
  }
}

Task<Result<std::size_t>> read_all(Proactor& proactor, FileHandle file, std::uint64_t position,
                                   Bytes bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    CO_TRY(got, co_await read_once(proactor, file, position + done, bytes.subspan(done)));
    if (got == 0) break;
    done += got;
  }
  co_return done;
}

Task<Result<void>> write_all(Proactor& proactor, FileHandle file, std::uint64_t position,
                             ConstBytes bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const std::int64_t written = co_await Operation([&](Completion& completion) {
      proactor.write(file, position + done, bytes.subspan(done), completion);
    });
    if (written == -EINTR || written == -EAGAIN) continue;
    if (written < 0) co_return fail(error_from_errno(static_cast<int>(written), "write"));
    if (written == 0) co_return fail(Errc::io_error, "write: no bytes were taken");
    done += static_cast<std::size_t>(written);
  }
  co_return Result<void>{};
}

Task<Result<void>> sync(Proactor& proactor, FileHandle file) {
  // Never retried, whatever the error: the kernel forgets which pages it failed to write.
  const std::int64_t result =
      co_await Operation([&](Completion& completion) { proactor.sync(file, completion); });
  if (result < 0) co_return fail(error_from_errno(static_cast<int>(result), "fdatasync"));
  co_return Result<void>{};
}

Task<Result<void>> sync_directory(Proactor& proactor, std::string path) {
  CO_TRY(directory, OpenFile::open(proactor, path, {.directory = true}));
  const std::int64_t result = co_await Operation(
      [&](Completion& completion) { proactor.sync_names(directory->handle(), completion); });
  if (result < 0) co_return fail(error_from_errno(static_cast<int>(result), "fsync " + path));
  co_return Result<void>{};
}

Task<Result<void>> remove_file(Proactor& proactor, std::string path) {
  const std::int64_t result =
      co_await Operation([&](Completion& completion) { proactor.remove_queued(path, completion); });
  if (result < 0) co_return fail(error_from_errno(static_cast<int>(result), "remove " + path));
  co_return Result<void>{};
}

Task<Result<void>> read_ahead(Proactor& proactor, FileHandle file, std::uint64_t position,
                              std::uint64_t length) {
  const std::int64_t result = co_await Operation([&](Completion& completion) {
    proactor.read_ahead(file, position, length, completion);
  });
  if (result < 0) co_return fail(error_from_errno(static_cast<int>(result), "read ahead"));
  co_return Result<void>{};
}

Task<Result<void>> bring_in(Proactor& proactor, std::string path) {
  constexpr std::uint64_t kStep = std::uint64_t{1} << 20;
  CO_TRY(file, OpenFile::open(proactor, path, {}));
  CO_TRY(bytes, proactor.size(file->handle()));
  for (std::uint64_t position = 0; position < bytes; position += kStep) {
    const std::uint64_t length = std::min(kStep, bytes - position);
    if (proactor.resident(file->handle(), position, length)) continue;
    CO_TRY_DONE(co_await read_ahead(proactor, file->handle(), position, length));
  }
  co_return Result<void>{};
}

Task<Result<void>> start_write_back(Proactor& proactor, FileHandle file, std::uint64_t position,
                                    std::uint64_t length) {
  const std::int64_t result = co_await Operation([&](Completion& completion) {
    proactor.start_write_back(file, position, length, completion);
  });
  // Where it is not to be had the sync does all of it. What else went wrong the sync need not hear of any more.
  const bool refused = result == -ENOSYS || result == -EPERM || result == -EOPNOTSUPP || result == -EINVAL;
  if (result < 0 && !refused) co_return fail(error_from_errno(static_cast<int>(result), "sync_file_range"));
  co_return Result<void>{};
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<std::string> read_small_file(Proactor& proactor, const std::string& path,
                                    std::size_t bytes_max) {
  TRY(file, OpenFile::open(proactor, path, {}));
  TRY(bytes, proactor.size(file->handle()));
  if (bytes > bytes_max) return fail(Errc::too_large, path + " is larger than it may be");
  std::string contents(bytes, '\0');
  TRY(got, proactor.read_inline(file->handle(), 0, std::as_writable_bytes(std::span(contents))));
  contents.resize(got);
  return contents;
}

namespace {

std::string draft_of(const std::string& path) { return path + ".tmp"; }

Result<std::shared_ptr<const OpenFile>> write_draft(Proactor& proactor, const std::string& path,
                                                    ConstBytes contents) {
  TRY(file, OpenFile::open(proactor, draft_of(path), {.write = true, .create = true, .truncate = true}));
  const ::iovec slice{const_cast<std::byte*>(contents.data()), contents.size()};
  TRY_DONE(proactor.write_inline(file->handle(), 0, {&slice, 1}));
  return file;
}

}  // namespace

Result<void> replace_small_file(Proactor& proactor, const std::string& path, ConstBytes contents) {
  {
    TRY(file, write_draft(proactor, path, contents));
    TRY_DONE(proactor.sync_inline(file->handle()));
  }
  TRY_DONE(proactor.rename(draft_of(path), path));
  return proactor.sync_directory(directory_of(path));
}

Task<Result<void>> replace_small_file_queued(Proactor& proactor, std::string path, std::string contents) {
  {
    CO_TRY(file, write_draft(proactor, path, std::as_bytes(std::span(contents))));
    CO_TRY_DONE(co_await sync(proactor, file->handle()));
  }
  CO_TRY_DONE(proactor.rename(draft_of(path), path));
  co_return co_await sync_directory(proactor, directory_of(path));
}

}  // namespace millrace::io
