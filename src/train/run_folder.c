#include "train/run_folder.h"
#include "base/file_error.h"
#include "base/run_names.h"
#include "checkpoint/bearer.h"
#include "checkpoint/commit.h"
#include "storage/files.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The longest path below a run's folder is shorter: a longer run would fail at its first checkpoint. */
enum { MOST_RUNS = 1000000, BELOW = 160 };

/* A disk that does not answer may do so at the next start: that is no fault of the command line. */
static rf_status refuse_run_folder(const char *folder, int error) {
  const bool passes = error == EIO || error == ESTALE;
  return rf_fail(passes ? RF_FAILED : RF_BAD_CONFIG,
                 "run folder %s: cannot be made or written to: %s; name another with --run DIR", folder,
                 strerror(error));
}

rf_status rf_run_folder_path(const char *folder, const char *name, char *path) {
  int length = snprintf(path, RF_MAX_PATH, "%s/%s", folder, name);
  if (length > 0 && length < RF_MAX_PATH) return RF_OK;
  return rf_fail(RF_BAD_CONFIG, "run folder %.64s...: the path is too long; name another with --run DIR", folder);
}

static rf_status make_parents(const char *path) {
  return rf_folder_make_parents(path) == RF_OK ? RF_OK : refuse_run_folder(path, errno);
}

/* Under another name first: what bears the name is whole. */
static rf_status write_run_config(const char *folder, const char *text) {
  char path[RF_MAX_PATH], temporary[RF_MAX_PATH];
  RF_TRY(rf_run_folder_path(folder, RF_RUN_CONFIG, path));
  RF_TRY(rf_run_folder_path(folder, "config.yaml.tmp", temporary));
  if (unlink(temporary) != 0 && errno != ENOENT) return refuse_run_folder(folder, errno);
  rf_status status = rf_file_store(temporary, text, (int64_t)strlen(text));
  if (status == RF_OK) status = rf_rename_synced(temporary, path);
  if (status == RF_OK) return RF_OK;
  (void)unlink(temporary);
  return rf_fail(RF_BAD_CONFIG, "run folder %s: %s; name another with --run DIR", folder, rf_error_message());
}

/* What cannot be looked at may be there: a run that is taken for none would be written over. */
static rf_status look_for(const char *folder, const char *name, bool *there) {
  char path[RF_MAX_PATH];
  struct stat about;
  RF_TRY(rf_run_folder_path(folder, name, path));
  *there = stat(path, &about) == 0;
  if (*there || rf_file_read_status(errno) == RF_BAD_DATA) return RF_OK;
  if (errno == EACCES) return refuse_run_folder(folder, errno);
  return rf_fail(RF_FAILED, "run folder %s: %s cannot be looked at: %s", folder, name, strerror(errno));
}

static rf_status lock_and_look(rf_run_folder *folder) {
  RF_TRY(rf_lock_take(folder->path, RF_LOCK_BEST, &folder->lock));
  RF_TRY(look_for(folder->path, RF_RUN_CONFIG, &folder->holds_run));
  return folder->holds_run ? RF_OK : look_for(folder->path, RF_RUN_CHECKPOINTS, &folder->holds_run);
}

static rf_status refuse_link(const char *folder) {
  char target[RF_MAX_PATH];
  const ssize_t length = readlink(folder, target, sizeof target - 1);
  target[length > 0 ? length : 0] = '\0';
  return rf_fail(
      RF_BAD_CONFIG,
      "run folder %s: is a symbolic link to %s, which is not there; make that folder, remove the link, or name "
      "another with --run DIR",
      folder, target);
}

rf_status rf_run_folder_open(const char *wanted, rf_run_folder *folder) {
  *folder = (rf_run_folder){0};
  if (!wanted) return RF_OK;
  size_t length = strlen(wanted);
  while (length > 1 && wanted[length - 1] == '/') length--;
  if (length == 0 || length > sizeof folder->path - BELOW)
    return rf_fail(RF_BAD_CONFIG, "--run: found a path of %zu bytes; allowed: 1 to %d", length, RF_MAX_PATH - BELOW);
  memcpy(folder->path, wanted, length);
  struct stat about;
  const int error = stat(folder->path, &about) == 0 ? 0 : errno;
  if (error == ENOENT) return lstat(folder->path, &about) != 0 ? RF_OK : refuse_link(folder->path);
  if (error) return refuse_run_folder(folder->path, error);
  if (!S_ISDIR(about.st_mode)) return refuse_run_folder(folder->path, ENOTDIR);
  bool is_checkpoint;
  RF_TRY(look_for(folder->path, RF_COMMIT_NAME, &is_checkpoint));
  if (is_checkpoint)
    return rf_fail(RF_BAD_CONFIG,
                   "run folder %s: is a checkpoint; name its run's folder, or begin from it: --resume %s", folder->path,
                   folder->path);
  return lock_and_look(folder);
}

/* The file's name without folder and ending. */
static void name_of_config(const char *file, char *name, size_t size) {
  const char *slash = strrchr(file, '/');
  (void)snprintf(name, size, "%s", slash ? slash + 1 : file);
  char *dot = strrchr(name, '.');
  if (dot && dot != name) *dot = '\0';
}

/* Whoever makes a folder owns it. */
static rf_status make_next(const char *config_file, char *folder) {
  char name[256];
  name_of_config(config_file, name, sizeof name);
  for (int n = 1; n <= MOST_RUNS; n++) {
    (void)snprintf(folder, RF_MAX_PATH, "runs/%s-%d", name, n);
    RF_TRY(make_parents(folder));
    if (mkdir(folder, 0777) == 0) return RF_OK;
    if (errno != EEXIST) return refuse_run_folder(folder, errno);
  }
  return rf_fail(RF_BAD_CONFIG, "run folder %s: that many runs exist already; name one with --run DIR", folder);
}

static rf_status make_wanted(const char *folder) {
  RF_TRY(make_parents(folder));
  return mkdir(folder, 0777) == 0 || errno == EEXIST ? RF_OK : refuse_run_folder(folder, errno);
}

rf_status rf_run_folder_make(rf_run_folder *folder, const char *config_file) {
  if (folder->lock) return RF_OK;
  RF_TRY(rf_bearer_check_parents(folder->path[0] != '\0' ? folder->path : "runs/"));
  RF_TRY(folder->path[0] != '\0' ? make_wanted(folder->path) : make_next(config_file, folder->path));
  folder->made = true;
  RF_TRY(lock_and_look(folder));
  if (!folder->holds_run) return RF_OK;
  return rf_fail(RF_BAD_CONFIG,
                 "run folder %s: another job has begun a run there meanwhile; start again to go on with it",
                 folder->path);
}

rf_status rf_run_folder_begin(const rf_run_folder *folder, const char *config_text) {
  return write_run_config(folder->path, config_text);
}

void rf_run_folder_close(rf_run_folder *folder) {
  rf_lock_release(folder->lock);
  folder->lock = NULL;
  if (folder->made) (void)rmdir(folder->path);
}
