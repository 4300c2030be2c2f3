#include "storage/output.h"
#include "base/fault_io.h"
#include "base/file_error.h"
#include "base/plain_file.h"
#include "storage/attempt.h"
#include "storage/files.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { MOST_LINKS = 40, MOST_OWN = 128, MOST_NAME = 100 };

/* --- where a path leads ------------------------------------------------------------------------- */

static rf_status refuse_path(const char *path, const char *why) {
  return rf_fail(RF_BAD_CONFIG, "%s: %s; name another file", path, why);
}

/* target is a link: where it leads to takes its place. */
static bool follow_link(char target[RF_MAX_PATH]) {
  char text[RF_MAX_PATH], next[2 * RF_MAX_PATH];
  const ssize_t length = readlink(target, text, sizeof text);
  if (length < 0 || length == (ssize_t)sizeof text) return false;
  text[length] = '\0';
  const char *slash = strrchr(target, '/');
  const int folder = text[0] != '/' && slash ? (int)(slash - target) + 1 : 0;
  if (snprintf(next, sizeof next, "%.*s%s", folder, target, text) >= RF_MAX_PATH) return false;
  strcpy(target, next);
  return true;
}

/* Not realpath, which stops at a link that leads nowhere yet. Links of /proc name what no path leads to any more. */
static rf_status find_target(rf_output *o, const struct stat *about) {
  struct stat found;
  strcpy(o->target, o->path);
  for (int i = 0; lstat(o->target, &found) == 0 && S_ISLNK(found.st_mode); i++)
    if (i == MOST_LINKS || !follow_link(o->target)) return refuse_path(o->path, "its symbolic link cannot be followed");
  const bool same = about && stat(o->target, &found) == 0 && found.st_ino == about->st_ino;
  return same || !about ? RF_OK : refuse_path(o->path, "its symbolic link leads to a file without a name");
}

static bool is_standard(const struct stat *about) {
  for (int file = STDOUT_FILENO; file <= STDERR_FILENO; file++) {
    struct stat standard;
    if (fstat(file, &standard) == 0 && standard.st_ino == about->st_ino && standard.st_dev == about->st_dev)
      return true;
  }
  return false;
}

/* *there: the path leads to a plain file that is to be replaced. Fills streams. */
static rf_status look_at_target(rf_output *o, const rf_output_kind *kind, struct stat *about, bool *there) {
  *there = stat(o->path, about) == 0;
  if (!*there) return errno == ENOENT ? RF_OK : refuse_path(o->path, strerror(errno));
  const mode_t type = about->st_mode & S_IFMT;
  if (type == S_IFDIR) return rf_fail(RF_BAD_CONFIG, "%s: is a folder; name a file in it", o->path);
  const bool standard = type == S_IFREG && is_standard(about);
  if (type == S_IFREG && !standard) return RF_OK;
  *there = false;
  o->streams = kind->own && (standard || type == S_IFIFO || type == S_IFCHR);
  if (o->streams) return RF_OK;
  return rf_fail(RF_BAD_CONFIG, "%s: is %s; %s needs a plain file, or the name of a new one", o->path,
                 standard           ? "what standard output or error goes to"
                 : type == S_IFIFO  ? "a pipe"
                 : type == S_IFSOCK ? "a socket"
                                    : "a device",
                 kind->what);
}

/* The folder that a path is in, with a slash at its end; "./" for its own. */
static void folder_of(const char *path, char folder[RF_MAX_PATH + 32]) {
  const char *slash = strrchr(path, '/');
  if (slash)
    (void)snprintf(folder, RF_MAX_PATH + 32, "%.*s", (int)(slash - path) + 1, path);
  else
    strcpy(folder, "./");
}

static rf_status check_folder(const rf_output *o, const rf_output_kind *kind) {
  char folder[RF_MAX_PATH + 32];
  struct stat about;
  folder_of(o->target, folder);
  if (stat(folder, &about) != 0)
    return rf_fail(RF_BAD_CONFIG, "%s: cannot be made: folder %s: %s; make the folder, or name another", o->path,
                   folder, strerror(errno));
  if (access(folder, W_OK | X_OK) != 0)
    return rf_fail(RF_BAD_CONFIG, "%s: cannot be made: folder %s: %s; name a file in another folder", o->path, folder,
                   strerror(errno));
  return kind->check_folder(o->path, folder);
}

/* Empty, or the beginning that this program writes. */
static bool is_own(const char *target, const char *own) {
  char found[MOST_OWN];
  const size_t length = strlen(own);
  struct stat about;
  const int file = rf_plain_open(target, &about);
  const ssize_t n = file >= 0 ? pread(file, found, length, 0) : -1;
  if (file >= 0) (void)close(file);
  return n == 0 || (n == (ssize_t)length && memcmp(found, own, length) == 0);
}

static rf_status check_replaced(const rf_output *o, const rf_output_kind *kind, bool force) {
  if (access(o->target, W_OK) != 0)
    return rf_fail(RF_BAD_CONFIG, "%s: may not be replaced: %s", o->path, strerror(errno));
  if (force || (kind->own && is_own(o->target, kind->own))) return RF_OK;
  if (!kind->own)
    return rf_fail(RF_BAD_CONFIG, "%s: exists already; remove it, name another file, or add --force", o->path);
  return rf_fail(RF_BAD_CONFIG, "%s: exists already, and is not %s of this program; remove it, or name another file",
                 o->path, kind->what);
}

/* Fills all but file and temporary. */
static rf_status find_output(const char *path, const rf_output_kind *kind, bool force, rf_output *o,
                             struct stat *about) {
  bool there;
  const size_t length = strlen(path);
  assert(kind->check_folder);
  *o = (rf_output){.path = path, .file = -1};
  if (length == 0 || length >= sizeof o->target)
    return rf_fail(RF_BAD_CONFIG, "%s: found a path of %zu bytes; allowed: 1 to %d", kind->what, length,
                   RF_MAX_PATH - 1);
  RF_TRY(look_at_target(o, kind, about, &there));
  if (o->streams) return RF_OK;
  if (path[length - 1] == '/') return rf_fail(RF_BAD_CONFIG, "%s: names a folder; name a file in it", path);
  RF_TRY(find_target(o, there ? about : NULL));
  RF_TRY(check_folder(o, kind));
  o->replaces = there;
  return there ? check_replaced(o, kind, force) : RF_OK;
}

rf_status rf_output_check(const char *path, const rf_output_kind *kind, bool force) {
  rf_output output;
  struct stat about;
  return find_output(path, kind, force, &output, &about);
}

rf_status rf_output_differs(const char *path, const char *input, const char *what) {
  struct stat a, b;
  if (!input || stat(path, &a) != 0 || stat(input, &b) != 0 || a.st_ino != b.st_ino || a.st_dev != b.st_dev)
    return RF_OK;
  return rf_fail(RF_BAD_CONFIG, "%s: is what %s is read from; name another file", path, what);
}

/* --- making it ---------------------------------------------------------------------------------- */

static rf_status open_stream(rf_output *o) {
  (void)fflush(stdout); /* what was printed before comes before */
  do o->file = open(o->path, O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);
  while (o->file < 0 && errno == EINTR);
  return o->file >= 0 ? RF_OK : rf_fail(RF_FAILED, "%s: cannot be opened: %s", o->path, strerror(errno));
}

/* A name of its own, so that what a killed process left is in nobody's way, and short, so that a long one fits. */
static rf_status make_temporary(rf_output *o) {
  char folder[RF_MAX_PATH + 32], attempt[RF_ATTEMPT_LENGTH + 1];
  const char *slash = strrchr(o->target, '/'), *name = slash ? slash + 1 : o->target;
  folder_of(o->target, folder);
  rf_attempt_draw(attempt);
  (void)snprintf(o->temporary, sizeof o->temporary, "%.*s%.*s.tmp-%s", slash ? RF_MAX_PATH : 0, folder, MOST_NAME, name,
                 attempt);
  const rf_status status = rf_file_create(o->temporary, &o->file);
  if (status != RF_OK) o->temporary[0] = '\0';
  return status;
}

rf_status rf_output_open(const char *path, const rf_output_kind *kind, bool force, rf_output *output) {
  struct stat about;
  RF_TRY(find_output(path, kind, force, output, &about));
  if (output->streams) return open_stream(output);
  RF_TRY(make_temporary(output));
  if (!output->replaces) return RF_OK;
  /* Only root may give files away, and a file system may know no owners: its maker's then. */
  const bool kept =
      fchown(output->file, about.st_uid, about.st_gid) == 0 || fchown(output->file, (uid_t)-1, about.st_gid) == 0;
  (void)kept;
  (void)fchmod(output->file, about.st_mode & 0777);
  return RF_OK;
}

rf_status rf_output_reserve(const rf_output *output, int64_t bytes) {
  struct statvfs about;
  int failed;
  do failed = rf_io_fails() || fallocate(output->file, 0, 0, bytes) != 0 ? errno : 0;
  while (failed == EINTR);
  /* Who cannot promise room can say at least whether a file may become so long (FAT: 4 GiB). */
  if (failed == EOPNOTSUPP || failed == ENOSYS || failed == EINVAL)
    failed = ftruncate(output->file, bytes) != 0 ? errno : 0;
  if (failed == 0) return RF_OK;
  if (failed == ENOSPC && fstatvfs(output->file, &about) == 0)
    return rf_fail(RF_FAILED, "%s: cannot be written: %s: it needs %lld bytes, and %.0f are free", output->path,
                   strerror(failed), (long long)bytes, (double)about.f_bavail * (double)about.f_frsize);
  return rf_fail(RF_FAILED, "%s: cannot be written: %s; it needs %lld bytes", output->path, rf_file_error(failed),
                 (long long)bytes);
}

static rf_status close_stream(rf_output *o) {
  const int file = o->file;
  o->file = -1;
  return close(file) == 0 ? RF_OK : rf_fail(RF_FAILED, "%s: cannot be written: %s", o->path, strerror(errno));
}

/* What somebody else has made meanwhile is not replaced, where the file system can tell. */
static bool name_target(const rf_output *o) {
  if (rf_io_fails()) return false;
  if (!o->replaces) {
    if (renameat2(AT_FDCWD, o->temporary, AT_FDCWD, o->target, RENAME_NOREPLACE) == 0) return true;
    if (errno == EEXIST) return false;
  }
  return rename(o->temporary, o->target) == 0;
}

rf_status rf_output_finish(rf_output *output) {
  rf_output *o = output;
  if (o->streams) return close_stream(o);
  const int file = o->file;
  o->file = -1;
  rf_status status = rf_file_finish(file, o->path);
  if (status == RF_OK && !name_target(o))
    status = rf_fail(RF_FAILED, "%s: cannot be given its name: %s", o->path, strerror(errno));
  if (status != RF_OK) {
    rf_output_abandon(o);
    return status;
  }
  char folder[RF_MAX_PATH + 32];
  folder_of(o->target, folder);
  return rf_folder_sync(folder);
}

void rf_output_abandon(rf_output *output) {
  if (output->file >= 0) (void)close(output->file);
  output->file = -1;
  if (output->temporary[0] != '\0') (void)unlink(output->temporary);
  output->temporary[0] = '\0';
}

static rf_status write_stream(const rf_output *o, const char *text, int64_t size) {
  while (size > 0) {
    const ssize_t done = write(o->file, text, (size_t)size);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return rf_fail(RF_FAILED, "%s: cannot be written: %s", o->path, rf_file_error(errno));
    text += done;
    size -= done;
  }
  return RF_OK;
}

rf_status rf_output_store(const char *path, const rf_output_kind *kind, const char *text, int64_t size) {
  rf_output output;
  RF_TRY(rf_output_open(path, kind, false, &output));
  const rf_status status =
      output.streams ? write_stream(&output, text, size) : rf_file_write(output.file, path, 0, text, size);
  if (status == RF_OK) return rf_output_finish(&output);
  rf_output_abandon(&output);
  return status;
}
