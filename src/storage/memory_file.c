#include "storage/memory_file.h"
#include "base/file_error.h"
#include "base/write_signals.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Others write there too: what is free now need not be later, and so more is asked for than is ever written. */
static bool has_room(const char *folder, int64_t bytes) {
  struct statvfs about;
  if (statvfs(folder, &about) != 0) return false;
  if (about.f_blocks == 0) return true; /* a file system in memory without a limit */
  return (double)about.f_bavail * (double)about.f_frsize >= (double)bytes;
}

/* The file system in memory, or, where there is none or it is full, one for what does not stay. (HDF5 wants a path
 * of its own: a nameless file by /proc/self/fd is a link to it, which it does not follow.) */
static rf_status make_file(const char *name, int64_t bytes, rf_memory_file *memory) {
  const char *const folders[] = {"/dev/shm", getenv("TMPDIR"), "/tmp"};
  int error = ENOSPC;
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    if (!folders[i] || folders[i][0] == '\0' || !has_room(folders[i], bytes)) continue;
    const int length = snprintf(memory->path, sizeof memory->path, "%s/reformer-XXXXXX", folders[i]);
    if (length >= (int)sizeof memory->path) continue;
    memory->file = mkstemp(memory->path);
    memory->open = memory->file >= 0;
    if (memory->open) return RF_OK;
    error = errno;
  }
  return rf_fail(RF_FAILED, "%s: no file of %lld bytes can be made in /dev/shm, TMPDIR or /tmp: %s", name,
                 (long long)bytes, strerror(error));
}

/* A limit of the process that HDF5 would run into is met here first. */
rf_status rf_memory_file_create(const char *name, int64_t size, int64_t written, rf_memory_file *memory) {
  *memory = (rf_memory_file){0};
  RF_TRY(make_file(name, written, memory));
  const sigset_t before = rf_write_signals_hold();
  const int error = ftruncate(memory->file, size) == 0 ? 0 : errno;
  rf_write_signals_release(&before);
  if (error == 0) return RF_OK;
  rf_memory_file_close(memory);
  return rf_fail(RF_FAILED, "%s: there can be no file of up to %lld bytes: %s", name, (long long)size,
                 rf_file_error(error));
}

void rf_memory_file_hide(rf_memory_file *memory) {
  if (memory->path[0] != '\0') (void)unlink(memory->path);
  memory->path[0] = '\0';
}

rf_status rf_memory_file_size(const rf_memory_file *memory, int64_t *size) {
  struct stat about;
  if (fstat(memory->file, &about) != 0)
    return rf_fail(RF_FAILED, "a file in memory: its size cannot be told: %s", strerror(errno));
  *size = about.st_size;
  return RF_OK;
}

void rf_memory_file_close(rf_memory_file *memory) {
  rf_memory_file_hide(memory);
  if (memory->open) (void)close(memory->file);
  *memory = (rf_memory_file){0};
}
