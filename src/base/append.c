#include "base/append.h"
#include "base/every_processor.h"
#include "base/file_error.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of the file under its name; -1: errno, 0 where it is of another kind. */
static int open_named(const rf_append *append) {
  struct stat about;
  const int file =
      openat(append->folder, append->name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
  if (file < 0) return -1;
  if (fstat(file, &about) == 0 && (S_ISREG(about.st_mode) || S_ISCHR(about.st_mode))) return file;
  (void)close(file);
  errno = 0;
  return -1;
}

static rf_status refuse_append(const char *path, int error) {
  return rf_fail(RF_BAD_CONFIG, "cannot write %s: %s", path, error ? rf_file_error(error) : "it is not a plain file");
}

/* A pipe that nobody reads is refused by ENXIO. */
static bool is_pipe(const rf_append *append) {
  struct stat about;
  return fstatat(append->folder, append->name, &about, 0) == 0 && S_ISFIFO(about.st_mode);
}

static rf_status open_folder(const char *path, rf_append *append) {
  char folder[PATH_MAX];
  const char *slash = strrchr(path, '/');
  const int length = slash == path ? 1 : slash ? (int)(slash - path) : 0;
  const int written = snprintf(folder, sizeof folder, "%.*s", slash ? length : 1, slash ? path : ".");
  const int named = snprintf(append->name, sizeof append->name, "%s", slash ? slash + 1 : path);
  if (written >= (int)sizeof folder || named >= (int)sizeof append->name) return refuse_append(path, ENAMETOOLONG);
  append->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return append->folder < 0 ? refuse_append(path, errno) : RF_OK;
}

rf_status rf_append_open(const char *path, rf_append *append) {
  *append = (rf_append){.file = -1, .folder = -1};
  RF_TRY(open_folder(path, append));
  append->file = open_named(append);
  if (append->file >= 0) return RF_OK;
  const int error = errno == ENXIO && is_pipe(append) ? 0 : errno;
  (void)rf_append_close(append);
  return refuse_append(path, error);
}

bool rf_append_renew(rf_append *append) {
  struct stat opened, named;
  if (append->file < 0 || fstat(append->file, &opened) != 0) return false;
  if (fstatat(append->folder, append->name, &named, 0) == 0) {
    if (opened.st_ino == named.st_ino && opened.st_dev == named.st_dev) return false;
  } else if (errno != ENOENT) {
    return false; /* it may be there */
  }
  const int file = open_named(append);
  if (file < 0) return false;
  const bool renewed = dup3(file, append->file, O_CLOEXEC) >= 0;
  (void)close(file);
  return renewed;
}

rf_status rf_append_close(rf_append *append) {
  const int failed = append->file >= 0 && close(append->file) != 0 ? errno : 0;
  if (append->folder >= 0) (void)close(append->folder);
  append->file = append->folder = -1;
  return failed ? rf_fail(RF_FAILED, "cannot write %s: %s", append->name, rf_file_error(failed)) : RF_OK;
}
