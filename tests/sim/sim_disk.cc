#include "tests/sim/sim_disk.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <string_view>

#include "base/check.h"

namespace millrace::sim {
namespace {

constexpr std::uint64_t kRoot = 1;
constexpr std::uint64_t kBlockBytes = 4096;
constexpr std::uint64_t kDirectBytes = 4096;

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    if (!part.empty() && part != ".") parts.push_back(part);
    begin = end + 1;
  }
  return parts;
}

std::unexpected<Error> fail_with(int number, const std::string& what) {
  return fail(error_from_errno(number, what));
}

bool is_aligned(std::uint64_t position, ConstBytes bytes) {
  return position % kDirectBytes == 0 && bytes.size() % kDirectBytes == 0 &&
         reinterpret_cast<std::uintptr_t>(bytes.data()) % kDirectBytes == 0;
}

int errno_of(const Error& error) {
  return error.code == Errc::disk_full ? ENOSPC : EIO;
}

}  // namespace

SimDisk::SimDisk(Prng prng, std::uint64_t capacity_bytes) : capacity_(capacity_bytes), prng_(prng) {
  CHECK(add_inode(true).id == kRoot);
  durable_names_[kRoot];
}

SimDisk::~SimDisk() = default;

SimDisk::Inode& SimDisk::inode(InodeId id) const {
  const auto found = inodes_.find(id);
  CHECK(found != inodes_.end(), "inode {} is gone", id);
  return *found->second;
}

Result<const SimDisk::OpenEntry*> SimDisk::entry(io::FileHandle handle) const {
  const auto found = handles_.find(handle.value());
  if (found == handles_.end()) return fail_with(EBADF, "handle " + std::to_string(handle.value()));
  return &found->second;
}

std::optional<SimDisk::InodeId> SimDisk::find(const std::string& path) const {
  InodeId at = kRoot;
  for (const std::string& part : parts_of(path)) {
    const Inode& directory = inode(at);
    const auto found = directory.names.find(part);
    if (!directory.is_directory || found == directory.names.end()) return std::nullopt;
    at = found->second;
  }
  return at;
}

Result<SimDisk::Name> SimDisk::parent_of(const std::string& path) const {
  std::vector<std::string> parts = parts_of(path);
  if (parts.empty()) return fail_with(EINVAL, "path '" + path + "'");
  const std::string name = parts.back();
  parts.pop_back();
  std::string parent;
  for (const std::string& part : parts) parent += "/" + part;
  const auto directory = find(parent);
  if (!directory || !inode(*directory).is_directory) return fail_with(ENOENT, path);
  return Name{*directory, name};
}

SimDisk::Inode& SimDisk::add_inode(bool is_directory) {
  auto made = std::make_unique<Inode>();
  made->id = next_inode_++;
  made->is_directory = is_directory;
  Inode& added = *made;
  inodes_.emplace(added.id, std::move(made));
  return added;
}

SimDisk::Inode& SimDisk::create(const Name& name, bool is_directory) {
  Inode& added = add_inode(is_directory);
  inode(name.directory).names[name.name] = added.id;
  note_change({.removed = std::nullopt, .added = name, .inode = added.id});
  return added;
}

void SimDisk::changing() const {
  if (before_change_) before_change_();
}

bool SimDisk::strikes(std::uint64_t one_in, const std::string& path) {
  if (one_in == 0) return false;
  if (!faults.only.empty() && path.find(faults.only) == std::string::npos) return false;
  return prng_.chance(one_in);
}

void SimDisk::account(Inode& file) {
  const std::uint64_t bytes = file.removed ? 0 : std::max(file.file.size(), file.reserved);
  const std::uint64_t allocated = (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
  used_ = used_ - file.allocated + allocated;
  file.allocated = allocated;
}

void SimDisk::drop_name(InodeId id) {
  inode(id).removed = true;
  removed_.insert(id);
  free_if_unused(id);
}

void SimDisk::free_if_unused(InodeId id) {
  Inode& file = inode(id);
  if (!file.removed) return;
  for (const auto& [handle, open] : handles_) {
    if (open.inode == id) return;
  }
  account(file);
  // The bytes stay for as long as a power cut could bring the name back.
  for (const auto& [directory, names] : durable_names_) {
    for (const auto& [name, inode_id] : names) {
      if (inode_id == id) return;
    }
  }
  for (const NameChange& change : changes_) {
    if (change.inode == id) return;
  }
  durable_names_.erase(id);
  removed_.erase(id);
  inodes_.erase(id);
}

// ---- Files

Result<io::FileHandle> SimDisk::open(const std::string& path, io::OpenOptions options) {
  if (strikes(faults.open_error_one_in, path)) return fail_with(EMFILE, "open " + path);
  std::optional<InodeId> found = find(path);
  if (options.directory) {
    if (!found) return fail_with(ENOENT, "open " + path);
    if (!inode(*found).is_directory) return fail_with(ENOTDIR, "open " + path);
  } else if (found && inode(*found).is_directory) {
    return fail_with(EISDIR, "open " + path);
  }
  if (found && options.create && options.exclusive) return fail_with(EEXIST, "open " + path);
  if (!found) {
    if (!options.write || !options.create) return fail_with(ENOENT, "open " + path);
    TRY(name, parent_of(path));
    if (strikes(faults.name_error_one_in, path)) return fail_with(EIO, "open " + path);
    if (free_bytes() < kBlockBytes) return fail_with(ENOSPC, "open " + path);
    changing();
    found = create(name, false).id;
  } else if (options.truncate && options.write) {
    changing();
    inode(*found).file.truncate(0);
    inode(*found).reserved = 0;
    account(inode(*found));
  }
  const std::int32_t handle = next_handle_++;
  handles_.emplace(handle, OpenEntry{*found, path, options});
  return io::FileHandle{handle};
}

void SimDisk::close(io::FileHandle handle) {
  const auto found = handles_.find(handle.value());
  CHECK(found != handles_.end(), "handle {} closed twice", handle.value());
  const InodeId id = found->second.inode;
  handles_.erase(found);
  free_if_unused(id);
}

Result<std::uint64_t> SimDisk::size(io::FileHandle handle) const {
  TRY(open, entry(handle));
  return inode(open->inode).file.size();
}

Result<void> SimDisk::write_to(const std::string& path, Inode& file, bool direct,
                               std::uint64_t position, ConstBytes bytes) {
  if (bytes.empty()) return {};
  const bool strike = strikes(faults.write_error_one_in, path);
  ConstBytes part = strike ? bytes.first(prng_.below(bytes.size() + 1)) : bytes;
  // What the file has already, and what the disk still has.
  const std::uint64_t room = file.allocated + free_bytes() / kBlockBytes * kBlockBytes;
  const bool full = position + part.size() > room;
  if (full) part = part.first(room > position ? room - position : 0);
  changing();
  if (!part.empty()) {
    if (direct) file.file.write_durably(position, part, prng_);
    else file.file.write(position, part, prng_);
    account(file);
  }
  if (strike) return fail_with(EIO, "write " + path);
  if (full) return fail_with(ENOSPC, "write " + path);
  return {};
}

Result<void> SimDisk::write(io::FileHandle handle, std::uint64_t position, ConstBytes bytes) {
  TRY(open, entry(handle));
  if (!open->options.write) return fail_with(EBADF, "write " + open->path);
  const OpenEntry opened = *open;
  return write_to(opened.path, inode(opened.inode), opened.options.direct_sync, position, bytes);
}

Result<std::size_t> SimDisk::read(io::FileHandle handle, std::uint64_t position, Bytes bytes) {
  TRY(open, entry(handle));
  if (strikes(faults.read_error_one_in, open->path)) return fail_with(EIO, "read " + open->path);
  const ConstBytes contents = inode(open->inode).file.bytes();
  if (position >= contents.size()) return std::size_t{0};
  const std::size_t count = std::min<std::uint64_t>(bytes.size(), contents.size() - position);
  if (count == 0) return count;
  std::memcpy(bytes.data(), contents.data() + position, count);
  if (strikes(faults.read_flip_one_in, open->path)) {
    bytes[prng_.below(count)] ^= static_cast<std::byte>(1U << prng_.below(8));
  }
  return count;
}

Result<void> SimDisk::truncate(io::FileHandle handle, std::uint64_t size) {
  TRY(open, entry(handle));
  if (!open->options.write) return fail_with(EINVAL, "truncate " + open->path);
  if (strikes(faults.write_error_one_in, open->path)) return fail_with(EIO, "truncate " + open->path);
  Inode& file = inode(open->inode);
  changing();
  file.file.truncate(size);
  file.reserved = std::min(file.reserved, size);
  account(file);
  return {};
}

Result<void> SimDisk::reserve(io::FileHandle handle, std::uint64_t position, std::uint64_t length) {
  TRY(open, entry(handle));
  Inode& file = inode(open->inode);
  if (position + length > file.allocated + free_bytes()) {
    return fail_with(ENOSPC, "reserve " + open->path);
  }
  file.reserved = std::max(file.reserved, position + length);
  account(file);
  return {};
}

Result<void> SimDisk::sync(io::FileHandle handle) {
  const QueuedSync queued = begin_sync(handle);
  const std::int64_t result = end_sync(queued);
  if (result < 0) return fail_with(static_cast<int>(-result), "sync " + queued.path);
  return {};
}

bool SimDisk::resident(io::FileHandle handle) {
  const auto open = entry(handle);
  return !open || !strikes(faults.cold_one_in, (*open)->path);
}

bool SimDisk::writes_durably(io::FileHandle handle) const {
  const auto open = entry(handle);
  return open && (*open)->options.direct_sync;
}

// ---- Names

Result<void> SimDisk::rename(const std::string& from, const std::string& to) {
  TRY(old_name, parent_of(from));
  TRY(new_name, parent_of(to));
  const auto moved = find(from);
  if (!moved) return fail_with(ENOENT, "rename " + from);
  const auto replaced = find(to);
  if (replaced == moved) return {};
  if (replaced && inode(*replaced).is_directory && !inode(*replaced).names.empty()) {
    return fail_with(ENOTEMPTY, "rename " + from + " to " + to);
  }
  if (strikes(faults.name_error_one_in, from)) return fail_with(EIO, "rename " + from);
  changing();
  inode(old_name.directory).names.erase(old_name.name);
  inode(new_name.directory).names[new_name.name] = *moved;
  note_change({.removed = old_name, .added = new_name, .inode = *moved});
  if (replaced) drop_name(*replaced);
  return {};
}

Result<void> SimDisk::remove(const std::string& path) {
  TRY(name, parent_of(path));
  const auto found = find(path);
  if (!found) return fail_with(ENOENT, "remove " + path);
  if (inode(*found).is_directory) return fail_with(EISDIR, "remove " + path);
  if (strikes(faults.name_error_one_in, path)) return fail_with(EIO, "remove " + path);
  changing();
  inode(name.directory).names.erase(name.name);
  note_change({.removed = name, .added = std::nullopt, .inode = *found});
  drop_name(*found);
  return {};
}

Result<void> SimDisk::make_directory(const std::string& path) {
  TRY(name, parent_of(path));
  if (find(path)) return fail_with(EEXIST, "make directory " + path);
  if (free_bytes() < kBlockBytes) return fail_with(ENOSPC, "make directory " + path);
  changing();
  create(name, true);
  return {};
}

Result<void> SimDisk::remove_directory(const std::string& path) {
  TRY(name, parent_of(path));
  const auto found = find(path);
  if (!found) return fail_with(ENOENT, "remove directory " + path);
  if (!inode(*found).is_directory) return fail_with(ENOTDIR, "remove directory " + path);
  if (!inode(*found).names.empty()) return fail_with(ENOTEMPTY, "remove directory " + path);
  changing();
  inode(name.directory).names.erase(name.name);
  note_change({.removed = name, .added = std::nullopt, .inode = *found});
  drop_name(*found);
  return {};
}

Result<std::vector<io::DirectoryEntry>> SimDisk::list(const std::string& path) const {
  const auto found = find(path);
  if (!found) return fail_with(ENOENT, "list " + path);
  if (!inode(*found).is_directory) return fail_with(ENOTDIR, "list " + path);
  std::vector<io::DirectoryEntry> entries;
  for (const auto& [name, id] : inode(*found).names) entries.push_back({name, inode(id).is_directory});
  return entries;
}

void SimDisk::apply(const NameChange& change, std::map<InodeId, Names>& names) {
  if (change.removed) names[change.removed->directory].erase(change.removed->name);
  if (change.added) names[change.added->directory][change.added->name] = change.inode;
}

Result<void> SimDisk::sync_directory(const std::string& path) {
  const auto found = find(path);
  if (!found) return fail_with(ENOENT, "sync directory " + path);
  if (strikes(faults.sync_error_one_in, path)) return fail_with(EIO, "sync directory " + path);
  changing();
  settle_names(*found, last_change_);
  return {};
}

void SimDisk::note_change(NameChange change) {
  change.sequence = ++last_change_;
  changes_.push_back(std::move(change));
}

// Makes the directory's changes durable that were made up to `through`.
void SimDisk::settle_names(InodeId directory, std::uint64_t through) {
  // A rename between directories drags along what came before it in the other one.
  std::set<InodeId> directories{directory};
  std::vector<bool> chosen(changes_.size(), false);
  for (std::size_t i = changes_.size(); i > 0; --i) {
    const NameChange& change = changes_[i - 1];
    const bool touched = std::ranges::any_of(
        directories, [&](InodeId each) { return change.touches(each); });
    if (!touched || change.sequence > through) continue;
    chosen[i - 1] = true;
    if (change.removed) directories.insert(change.removed->directory);
    if (change.added) directories.insert(change.added->directory);
  }
  std::vector<NameChange> left;
  std::vector<InodeId> settled;
  for (std::size_t i = 0; i < changes_.size(); ++i) {
    if (chosen[i]) {
      apply(changes_[i], durable_names_);
      settled.push_back(changes_[i].inode);
    } else {
      left.push_back(changes_[i]);
    }
  }
  changes_ = std::move(left);
  for (auto next = removed_.begin(); next != removed_.end();) {
    const InodeId id = *next++;
    free_if_unused(id);
  }
}

// ---- Queued operations

std::uint64_t SimDisk::begin_write(io::FileHandle handle, std::uint64_t position, ConstBytes bytes) {
  QueuedWrite write{.handle = handle, .position = position};
  const auto open = entry(handle);
  if (!open || !(*open)->options.write) {
    write.error = EBADF;
  } else {
    write.inode = (*open)->inode;
    write.path = (*open)->path;
    write.direct = (*open)->options.direct_sync;
    if ((write.direct || (*open)->options.direct) && !is_aligned(position, bytes)) write.error = EINVAL;
  }
  if (write.error == 0) write.bytes.assign(bytes.begin(), bytes.end());
  const std::uint64_t id = next_write_++;
  queued_.emplace(id, std::move(write));
  return id;
}

std::int64_t SimDisk::end_write(std::uint64_t id) {
  auto node = queued_.extract(id);
  CHECK(!node.empty(), "write {} ended twice", id);
  const QueuedWrite& write = node.mapped();
  if (write.error != 0) return -write.error;
  if (!inodes_.contains(write.inode)) return -EBADF;
  ConstBytes bytes = write.bytes;
  if (bytes.size() > kDirectBytes && strikes(faults.short_transfer_one_in, write.path)) {
    bytes = bytes.first((1 + prng_.below(bytes.size() / kDirectBytes)) * kDirectBytes);
  }
  const auto written =
      write_to(write.path, inode(write.inode), write.direct, write.position, bytes);
  if (!written) return -errno_of(written.error());
  return static_cast<std::int64_t>(bytes.size());
}

void SimDisk::abandon_write(std::uint64_t id) {
  if (prng_.chance(2)) (void)end_write(id);
  else queued_.erase(id);
}

SimDisk::QueuedSync SimDisk::begin_sync(io::FileHandle handle) const {
  const auto open = entry(handle);
  if (!open) return {.error = EBADF};
  return {.inode = (*open)->inode,
          .path = (*open)->path,
          .sync = inode((*open)->inode).file.begin_sync()};
}

std::int64_t SimDisk::end_sync(const QueuedSync& queued) {
  if (queued.error != 0) return -queued.error;
  if (!inodes_.contains(queued.inode)) return 0;
  changing();
  SimFile& file = inode(queued.inode).file;
  if (strikes(faults.sync_error_one_in, queued.path)) {
    file.fail_sync(queued.sync, prng_);
    return -EIO;
  }
  file.end_sync(queued.sync);
  return 0;
}

SimDisk::QueuedNames SimDisk::begin_sync_names(io::FileHandle handle) const {
  const auto open = entry(handle);
  if (!open || !(*open)->options.directory) return {.error = EBADF};
  return {.inode = (*open)->inode, .path = (*open)->path, .through = last_change_};
}

std::int64_t SimDisk::end_sync_names(const QueuedNames& queued) {
  if (queued.error != 0) return -queued.error;
  if (!inodes_.contains(queued.inode)) return 0;
  if (strikes(faults.sync_error_one_in, queued.path)) return -EIO;
  changing();
  settle_names(queued.inode, queued.through);
  return 0;
}

std::int64_t SimDisk::queued_read(io::FileHandle handle, std::uint64_t position, Bytes bytes) {
  const auto open = entry(handle);
  if (!open) return -EBADF;
  const bool direct = (*open)->options.direct;
  if (direct && !is_aligned(position, bytes)) return -EINVAL;
  if (direct && bytes.size() > kDirectBytes && strikes(faults.short_transfer_one_in, (*open)->path)) {
    bytes = bytes.first((1 + prng_.below(bytes.size() / kDirectBytes - 1)) * kDirectBytes);
  } else if (!direct && bytes.size() > 1 && strikes(faults.short_transfer_one_in, (*open)->path)) {
    bytes = bytes.first(1 + prng_.below(bytes.size() - 1));
  }
  const auto got = read(handle, position, bytes);
  if (!got) return -EIO;
  return static_cast<std::int64_t>(*got);
}

std::int64_t SimDisk::end_write_back(const QueuedSync& queued) {
  if (queued.error != 0) return -queued.error;
  if (!inodes_.contains(queued.inode)) return 0;
  changing();
  SimFile& file = inode(queued.inode).file;
  if (strikes(faults.sync_error_one_in, queued.path)) {
    file.fail_sync(queued.sync, prng_);
    return -EIO;
  }
  file.write_back(prng_);
  return 0;
}

void SimDisk::flip_bit(const std::string& path, std::uint64_t position, unsigned bit) {
  const auto found = find(path);
  CHECK(found.has_value(), "no file {}", path);
  inode(*found).file.flip_bit(position, bit);
}

// ---- Crashes

std::unique_ptr<SimDisk> SimDisk::image(std::map<InodeId, Names> names, Prng& prng) const {
  auto after = std::make_unique<SimDisk>(prng.split(), capacity_);
  after->faults = faults;
  after->next_inode_ = next_inode_;
  after->next_handle_ = next_handle_ + 1000;  // an old handle used on the image is a mistake that shows
  std::vector<InodeId> reached{kRoot};
  while (!reached.empty()) {
    const InodeId id = reached.back();
    reached.pop_back();
    Names& mine = names[id];
    after->inode(id).names = mine;
    after->durable_names_[id] = mine;
    for (const auto& [name, child] : mine) {
      const Inode& original = inode(child);
      auto copy = std::make_unique<Inode>();
      copy->id = child;
      copy->is_directory = original.is_directory;
      copy->reserved = original.reserved;
      after->inodes_[child] = std::move(copy);
      if (original.is_directory) reached.push_back(child);
    }
  }
  return after;
}

std::unique_ptr<SimDisk> SimDisk::power_cut(Prng& prng) const {
  std::map<InodeId, Names> names = durable_names_;
  std::set<InodeId> ended;  // directories of which a change was lost, and so all later ones
  for (const NameChange& change : changes_) {
    const bool blocked = std::ranges::any_of(
        ended, [&](InodeId directory) { return change.touches(directory); });
    if (!blocked && !prng.chance(3)) {
      apply(change, names);
      continue;
    }
    if (change.removed) ended.insert(change.removed->directory);
    if (change.added) ended.insert(change.added->directory);
  }
  auto after = image(std::move(names), prng);
  const CutMood mood = CutMood::draw(prng);
  for (const auto& [id, file] : after->inodes_) {
    if (file->is_directory) continue;
    std::vector<SimFile::Arriving> arriving;
    for (const auto& [number, write] : queued_) {
      if (write.inode == id && write.direct && write.error == 0) {
        arriving.push_back({write.position, write.bytes});
      }
    }
    file->file = inode(id).file.power_cut(mood, arriving, prng);
    after->account(*file);
  }
  return after;
}

std::unique_ptr<SimDisk> SimDisk::process_kill(Prng& prng) const {
  std::map<InodeId, Names> names;
  for (const auto& [id, one] : inodes_) {
    if (one->is_directory) names[id] = one->names;
  }
  auto after = image(std::move(names), prng);
  // What is not yet durable stays so.
  after->durable_names_ = durable_names_;
  after->changes_ = changes_;
  after->last_change_ = last_change_;
  for (const auto& [id, original] : inodes_) {
    if (!after->inodes_.contains(id)) {
      // Reached by no name now, and perhaps by one again after a power cut.
      after->inodes_[id] = std::make_unique<Inode>();
      after->inodes_[id]->id = id;
      after->inodes_[id]->is_directory = original->is_directory;
      after->inodes_[id]->names = original->names;
      after->inodes_[id]->removed = true;
      after->removed_.insert(id);
    }
    after->inodes_[id]->file = original->file;
    after->account(*after->inodes_[id]);
  }
  for (const auto& [number, write] : queued_) {
    // Either the kernel had it or it had not.
    if (write.error != 0 || !after->inodes_.contains(write.inode) || prng.chance(2)) continue;
    SimFile& file = after->inodes_[write.inode]->file;
    if (write.direct) file.write_durably(write.position, write.bytes, prng);
    else file.write(write.position, write.bytes, prng);
    after->account(*after->inodes_[write.inode]);
  }
  return after;
}

}  // namespace millrace::sim
