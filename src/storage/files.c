#include "storage/files.h"
#include "base/fault_io.h"
#include "base/file_error.h"
#include "base/plain_file.h"
#include "base/write_signals.h"
#include "reformer/config.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A write of more than 2 GiB is cut by the system. */
enum { MOST_AT_ONCE = 1 << 30 };

rf_status rf_path_join(const char *folder, const char *name, char *path) {
  const int length = snprintf(path, RF_MAX_PATH, "%s/%s", folder, name);
  if (length > 0 && length < RF_MAX_PATH) return RF_OK;
  return rf_fail(RF_FAILED, "%.64s.../%.64s: the path is longer than %d bytes", folder, name, RF_MAX_PATH - 1);
}

rf_status rf_file_create(const char *path, int *file) {
  *file = rf_io_fails() ? -1 : open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (*file < 0) return rf_fail(RF_FAILED, "%s: cannot be made: %s", path, strerror(errno));
  return RF_OK;
}

bool rf_file_is_named(int file, const char *path) {
  struct stat opened, named;
  return fstat(file, &opened) == 0 && stat(path, &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
}

static rf_status write_all(int file, const char *path, int64_t offset, const void *data, int64_t bytes) {
  for (const char *from = data; bytes > 0;) {
    const size_t part = (size_t)(bytes < MOST_AT_ONCE ? bytes : MOST_AT_ONCE);
    const ssize_t done = rf_io_fails() ? -1 : pwrite(file, from, part, offset);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0)
      return rf_fail(RF_FAILED, "%s: cannot be written: %s", path,
                     done < 0 ? rf_file_error(errno) : "nothing was taken");
    from += done;
    offset += done;
    bytes -= done;
  }
  return RF_OK;
}

rf_status rf_file_write(int file, const char *path, int64_t offset, const void *data, int64_t bytes) {
  const sigset_t before = rf_write_signals_hold();
  const rf_status status = write_all(file, path, offset, data, bytes);
  rf_write_signals_release(&before);
  return status;
}

void rf_file_write_back(int file, int64_t offset, int64_t bytes) {
  (void)sync_file_range(file, offset, bytes, SYNC_FILE_RANGE_WRITE);
}

/* 0, or errno. A signal may interrupt it on file systems that ask another host. */
static int sync_open(int file) {
  int failed;
  do failed = rf_io_fails() || fsync(file) != 0 ? errno : 0;
  while (failed == EINTR);
  return failed;
}

rf_status rf_file_finish(int file, const char *path) {
  const int failed = sync_open(file);
  if (close(file) != 0 && errno != EINTR && !failed)
    return rf_fail(RF_FAILED, "%s: cannot be closed: %s", path, rf_file_error(errno));
  return failed ? rf_fail(RF_FAILED, "%s: cannot be written to the disk: %s", path, rf_file_error(failed)) : RF_OK;
}

rf_status rf_file_load(const char *path, int64_t most, char **data, int64_t *size) {
  int file;
  *data = NULL;
  RF_TRY(rf_file_open(path, &file, size));
  rf_status status = RF_OK;
  if (*size > most)
    status =
        rf_fail(RF_BAD_DATA, "%s: found %lld bytes; allowed: at most %lld", path, (long long)*size, (long long)most);
  if (status == RF_OK && !(*data = malloc((size_t)*size + 1))) status = rf_fail(RF_FAILED, "%s: out of memory", path);
  if (status == RF_OK) status = rf_file_read(file, path, 0, *data, *size);
  (void)close(file);
  if (status == RF_OK) {
    (*data)[*size] = '\0';
    return RF_OK;
  }
  free(*data);
  *data = NULL;
  return status;
}

rf_status rf_file_store(const char *path, const void *data, int64_t size) {
  int file;
  RF_TRY(rf_file_create(path, &file));
  const rf_status status = rf_file_write(file, path, 0, data, size);
  if (status == RF_OK) return rf_file_finish(file, path);
  (void)close(file);
  return status;
}

rf_status rf_folder_make_parents(const char *path) {
  char parent[RF_MAX_PATH];
  if (strlen(path) >= sizeof parent) {
    errno = ENAMETOOLONG;
    return rf_fail(RF_FAILED, "%.64s...: the path is too long", path);
  }
  strcpy(parent, path);
  for (char *slash = parent[0] ? strchr(parent + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if ((rf_io_fails() || mkdir(parent, 0777) != 0) && errno != EEXIST) {
      const int failed = errno;
      (void)rf_fail(RF_FAILED, "folder %s: cannot be made: %s", parent, strerror(failed));
      errno = failed;
      return RF_FAILED;
    }
    *slash = '/';
  }
  return RF_OK;
}

rf_status rf_folder_make(const char *path) {
  if (!rf_io_fails() && mkdir(path, 0777) == 0) return RF_OK;
  return rf_fail(RF_FAILED, "folder %s: cannot be made: %s", path, strerror(errno));
}

rf_status rf_folder_sync(const char *path) {
  const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0 && errno == EACCES) return RF_OK; /* one that may be written to but not read cannot be synced */
  if (folder < 0) return rf_fail(RF_FAILED, "folder %s: cannot be opened: %s", path, strerror(errno));
  int failed = sync_open(folder);
  (void)close(folder);
  if (failed == EINVAL || failed == ENOSYS || failed == EOPNOTSUPP) failed = 0; /* some file systems sync no folders */
  return failed ? rf_fail(RF_FAILED, "folder %s: cannot be written to the disk: %s", path, strerror(failed)) : RF_OK;
}

/* The folder that a path is in. */
static void parent_of(const char *path, char *parent) {
  const char *slash = strrchr(path, '/');
  const size_t length = slash ? (size_t)(slash - path) : 0;
  memcpy(parent, path, length);
  parent[length] = '\0';
  if (!slash)
    strcpy(parent, ".");
  else if (length == 0)
    strcpy(parent, "/");
}

rf_status rf_rename_synced(const char *from, const char *to) {
  char parent[RF_MAX_PATH];
  struct stat replaced;
  if (strlen(to) >= sizeof parent) return rf_fail(RF_FAILED, "%.64s...: the path is too long", to);
  const bool replaces = lstat(to, &replaced) == 0;
  if (rf_io_fails() || rename(from, to) != 0)
    return rf_fail(RF_FAILED, "%s: cannot be renamed to %s: %s", from, to, strerror(errno));
  parent_of(to, parent);
  const rf_status status = rf_folder_sync(parent);
  if (status != RF_OK && !replaces) (void)rename(to, from);
  return status;
}

bool rf_names_swap(const char *a, const char *b) {
  return !rf_io_fails() && renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0;
}

bool rf_folder_remove(const char *path) {
  DIR *folder = opendir(path);
  char file[RF_MAX_PATH];
  for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    const int length = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
    if (length > 0 && length < (int)sizeof file && !rf_io_fails()) (void)unlink(file);
  }
  if (folder) (void)closedir(folder);
  return !rf_io_fails() && rmdir(path) == 0;
}
