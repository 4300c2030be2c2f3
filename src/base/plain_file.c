#include "base/plain_file.h"
#include "base/file_error.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A read of more than 2 GiB is cut by the system. */
enum { MOST_AT_ONCE = 1 << 30 };

int rf_plain_open(const char *path, struct stat *about) {
  int file;
  do file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  while (file < 0 && errno == EINTR);
  if (file < 0) return -1;
  const int failed = fstat(file, about) != 0 ? errno : 0;
  if (!failed && S_ISREG(about->st_mode)) return file;
  (void)close(file);
  errno = failed ? failed : S_ISDIR(about->st_mode) ? EISDIR : ESPIPE;
  return -1;
}

rf_status rf_file_open(const char *path, int *file, int64_t *size) {
  struct stat about;
  *file = rf_plain_open(path, &about);
  if (*file >= 0) {
    *size = about.st_size;
    return RF_OK;
  }
  if (errno == EISDIR) return rf_fail(RF_BAD_DATA, "%s: is a directory, not a plain file", path);
  if (errno == ESPIPE) return rf_fail(RF_BAD_DATA, "%s: is not a plain file", path);
  return rf_fail(rf_file_read_status(errno), "%s: cannot be opened: %s", path, strerror(errno));
}

rf_status rf_file_read(int file, const char *path, int64_t offset, void *data, int64_t bytes) {
  for (char *to = data; bytes > 0;) {
    const ssize_t done = pread(file, to, (size_t)(bytes < MOST_AT_ONCE ? bytes : MOST_AT_ONCE), offset);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0)
      return rf_fail(RF_FAILED, "%s: cannot be read at byte %lld: %s", path, (long long)offset, strerror(errno));
    if (done == 0) return rf_fail(RF_BAD_DATA, "%s: ends at byte %lld", path, (long long)offset);
    to += done;
    offset += done;
    bytes -= done;
  }
  return RF_OK;
}
