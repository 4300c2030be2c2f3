/* For LD_PRELOAD: the first BAD_TIMES calls of `open`, `pread` or `stat` (BAD_CALL) on a file whose path ends in
 * BAD_PATH fail with the errno BAD_ERROR, after BAD_SKIP of them that do not. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static int number(const char *name) {
  const char *text = getenv(name);
  return text ? atoi(text) : 0;
}

static int fails(const char *call, const char *path) {
  static int calls;
  const char *bad = getenv("BAD_PATH"), *which = getenv("BAD_CALL");
  if (!bad || !which || strcmp(which, call) != 0 || strlen(path) < strlen(bad)) return 0;
  if (strcmp(path + strlen(path) - strlen(bad), bad) != 0) return 0;
  const int mine = calls++ - number("BAD_SKIP");
  if (mine < 0 || mine >= number("BAD_TIMES")) return 0;
  errno = number("BAD_ERROR");
  return 1;
}

static int open_as(const char *name, const char *path, int flags, int mode) {
  int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, name);
  return fails("open", path) ? -1 : real(path, flags, mode);
}

int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, int) : 0;
  va_end(more);
  return open_as("open", path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, int) : 0;
  va_end(more);
  return open_as("open64", path, flags, mode);
}

static ssize_t read_as(const char *name, int file, void *data, size_t bytes, off_t offset) {
  ssize_t (*real)(int, void *, size_t, off_t) = (ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, name);
  char link[64], path[4096];
  (void)snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  path[length > 0 ? length : 0] = '\0';
  return fails("pread", path) ? -1 : real(file, data, bytes, offset);
}

ssize_t pread(int file, void *data, size_t bytes, off_t offset) { return read_as("pread", file, data, bytes, offset); }

ssize_t pread64(int file, void *data, size_t bytes, off_t offset) {
  return read_as("pread64", file, data, bytes, offset);
}

int stat(const char *path, struct stat *about) {
  int (*real)(const char *, struct stat *) = (int (*)(const char *, struct stat *))dlsym(RTLD_NEXT, "stat");
  return fails("stat", path) ? -1 : real(path, about);
}
