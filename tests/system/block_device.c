/* block_device MOUNTPOINT [FUSE OPTION]...: a disk whose power can be cut, as a file system in user
 * space.
 *
 * MOUNTPOINT/disk is one file to be loop-mounted; what is written to it is volatile until it is
 * flushed, as in a drive with a write cache. MOUNTPOINT/control takes commands, one a write:
 *
 *   cut 1           from now on writes and flushes are lost without an error; cut 0 ends that
 *   drop SEED       forget every block that was not flushed
 *   tear SEED       forget about half of them, keep some whole and some only in part (a random
 * sector run) fail_writes N, fail_reads N, fail_flushes N      answer EIO while N is not 0 delay_us
 * N      take so much longer for every operation
 *
 * Reading it gives counters. The order for a power cut: stop the writer, cut 1, drop or tear, kill
 * the writer, unmount, cut 0, mount again. */

#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { kBlockBytes = 4096, kSectorBytes = 512, kCommandMax = 128 };
static const size_t kDiskBytes = (size_t)1 << 30;

/* What a reader sees, and what a power cut leaves. Both are sparse; one lock guards all that
 * follows. */
static char* visible;
static char* durable;
static unsigned char* dirty;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool cut;
static long fail_writes, fail_reads, fail_flushes, delay_us;
static long writes, reads, flushes, lost_blocks, torn_blocks, kept_blocks;

static bool is(const char* path, const char* name) {
  return strcmp(path, name) == 0;
}

static int disk_getattr(const char* path, struct stat* out, struct fuse_file_info* info) {
  (void)info;
  memset(out, 0, sizeof *out);
  if (is(path, "/")) {
    out->st_mode = S_IFDIR | 0755;
    out->st_nlink = 2;
    return 0;
  }
  if (!is(path, "/disk") && !is(path, "/control")) return -ENOENT;
  out->st_mode = S_IFREG | 0600;
  out->st_nlink = 1;
  out->st_size = is(path, "/disk") ? (off_t)kDiskBytes : 0;
  out->st_blocks = out->st_size / kSectorBytes;
  return 0;
}

static int disk_readdir(const char* path, void* buffer, fuse_fill_dir_t fill, off_t offset,
                        struct fuse_file_info* info, enum fuse_readdir_flags flags) {
  (void)path, (void)offset, (void)info, (void)flags;
  fill(buffer, "disk", NULL, 0, 0);
  fill(buffer, "control", NULL, 0, 0);
  return 0;
}

static int disk_open(const char* path, struct fuse_file_info* info) {
  (void)path;
  info->direct_io = 1; /* every read and write comes here, nothing stays in the page cache */
  return 0;
}

static int disk_truncate(const char* path, off_t size, struct fuse_file_info* info) {
  (void)path, (void)size, (void)info;
  return 0;
}

static void wait_delay(void) {
  if (delay_us > 0) usleep((useconds_t)delay_us);
}

static int read_counters(char* buffer, size_t size, off_t offset) {
  char text[kCommandMax * 2];
  const int length =
      snprintf(text, sizeof text, "writes %ld reads %ld flushes %ld lost %ld torn %ld kept %ld\n",
               writes, reads, flushes, lost_blocks, torn_blocks, kept_blocks);
  if (offset >= length) return 0;
  if (size > (size_t)(length - offset)) size = (size_t)(length - offset);
  memcpy(buffer, text + offset, size);
  return (int)size;
}

static int disk_read(const char* path, char* buffer, size_t size, off_t offset,
                     struct fuse_file_info* info) {
  (void)info;
  if (is(path, "/control")) return read_counters(buffer, size, offset);
  if ((size_t)offset >= kDiskBytes) return 0;
  if ((size_t)offset + size > kDiskBytes) size = kDiskBytes - (size_t)offset;
  wait_delay();
  pthread_mutex_lock(&lock);
  ++reads;
  const bool fail = fail_reads != 0;
  if (!fail) memcpy(buffer, visible + offset, size);
  pthread_mutex_unlock(&lock);
  return fail ? -EIO : (int)size;
}

/* Ends the life of one unflushed block. Called with the lock held. */
static void lose_block(size_t block, bool tear) {
  char* const now = visible + block * kBlockBytes;
  char* const before = durable + block * kBlockBytes;
  const int fate = tear ? rand() % 4 : 0;
  if (fate <= 1) {
    memcpy(now, before, kBlockBytes);
    ++lost_blocks;
  } else if (fate == 2) {
    const int from = kSectorBytes * (1 + rand() % (kBlockBytes / kSectorBytes - 1));
    memcpy(now + from, before + from, (size_t)(kBlockBytes - from));
    ++torn_blocks;
  } else {
    ++kept_blocks;
  }
  memcpy(before, now, kBlockBytes);
  dirty[block] = 0;
}

static void command(const char* name, long value) {
  if (is(name, "cut"))
    cut = value != 0;
  else if (is(name, "fail_writes"))
    fail_writes = value;
  else if (is(name, "fail_reads"))
    fail_reads = value;
  else if (is(name, "fail_flushes"))
    fail_flushes = value;
  else if (is(name, "delay_us"))
    delay_us = value;
  else if (is(name, "drop") || is(name, "tear")) {
    srand((unsigned)value);
    for (size_t block = 0; block < kDiskBytes / kBlockBytes; ++block) {
      if (dirty[block]) lose_block(block, is(name, "tear"));
    }
  }
}

static int write_control(const char* buffer, size_t size) {
  char text[kCommandMax] = {0};
  char name[kCommandMax] = {0};
  long value = 0;
  memcpy(text, buffer, size < sizeof text - 1 ? size : sizeof text - 1);
  if (sscanf(text, "%31s %ld", name, &value) < 1) return -EINVAL;
  pthread_mutex_lock(&lock);
  command(name, value);
  pthread_mutex_unlock(&lock);
  return (int)size;
}

static int disk_write(const char* path, const char* buffer, size_t size, off_t offset,
                      struct fuse_file_info* info) {
  (void)info;
  if (is(path, "/control")) return write_control(buffer, size);
  if ((size_t)offset >= kDiskBytes) return -ENOSPC;
  if ((size_t)offset + size > kDiskBytes) size = kDiskBytes - (size_t)offset;
  wait_delay();
  pthread_mutex_lock(&lock);
  const bool fail = fail_writes != 0;
  if (!fail && !cut) {
    ++writes;
    memcpy(visible + offset, buffer, size);
    const size_t last = ((size_t)offset + size - 1) / kBlockBytes;
    for (size_t block = (size_t)offset / kBlockBytes; block <= last; ++block) dirty[block] = 1;
  }
  pthread_mutex_unlock(&lock);
  return fail ? -EIO : (int)size;
}

static int disk_fsync(const char* path, int data_only, struct fuse_file_info* info) {
  (void)data_only, (void)info;
  if (!is(path, "/disk")) return 0;
  wait_delay();
  pthread_mutex_lock(&lock);
  const bool fail = fail_flushes != 0;
  if (!fail && !cut) {
    ++flushes;
    for (size_t block = 0; block < kDiskBytes / kBlockBytes; ++block) {
      if (!dirty[block]) continue;
      memcpy(durable + block * kBlockBytes, visible + block * kBlockBytes, kBlockBytes);
      dirty[block] = 0;
    }
  }
  pthread_mutex_unlock(&lock);
  return fail ? -EIO : 0;
}

static int disk_fallocate(const char* path, int mode, off_t offset, off_t length,
                          struct fuse_file_info* info) {
  (void)path, (void)mode, (void)offset, (void)length, (void)info;
  return -EOPNOTSUPP;
}

static void* reserve(size_t bytes) {
  void* memory =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    perror("block_device");
    exit(2);
  }
  return memory;
}

int main(int argc, char** argv) {
  static const struct fuse_operations operations = {
      .getattr = disk_getattr,
      .readdir = disk_readdir,
      .open = disk_open,
      .truncate = disk_truncate,
      .read = disk_read,
      .write = disk_write,
      .fsync = disk_fsync,
      .fallocate = disk_fallocate,
  };
  visible = reserve(kDiskBytes);
  durable = reserve(kDiskBytes);
  dirty = reserve(kDiskBytes / kBlockBytes);
  return fuse_main(argc, argv, &operations, NULL);
}
