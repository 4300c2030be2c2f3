#include "checkpoint/bearer.h"
#include "checkpoint/commit.h"
#include "checkpoint/opened.h"
#include "checkpoint/shard.h"
#include "storage/files.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static rf_status refuse_bearer(const char *folder, const char *what) {
  return rf_fail(
      RF_BAD_CONFIG,
      "%s exists already and %s, so it is not replaced; allowed: the name of a checkpoint, of an empty folder, "
      "or a new one",
      folder, what);
}

static bool is_shard_name(const char *name) {
  int rank, ranks;
  char written[RF_MAX_FILE_NAME];
  if (sscanf(name, "shard-%d-of-%d", &rank, &ranks) != 2 || rank < 0 || rank >= ranks) return false;
  rf_shard_name(rank, ranks, written);
  return strcmp(name, written) == 0; /* others may be somebody's */
}

static bool is_own_name(const char *name) {
  return strcmp(name, RF_COMMIT_NAME) == 0 || strcmp(name, RF_MANIFEST_NAME) == 0 || is_shard_name(name);
}

static rf_status check_names(const char *folder, int *n) {
  char what[RF_MAX_PATH];
  DIR *entries = opendir(folder);
  *n = 0;
  if (!entries) return rf_fail(RF_FAILED, "folder %s: cannot be read: %s", folder, strerror(errno));
  rf_status status = RF_OK;
  for (const struct dirent *entry; status == RF_OK && (entry = readdir(entries)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    (*n)++;
    if (is_own_name(entry->d_name)) continue;
    (void)snprintf(what, sizeof what, "holds %.256s, which is no part of a checkpoint", entry->d_name);
    status = refuse_bearer(folder, what);
  }
  (void)closedir(entries);
  return status;
}

static bool has_size(const char *folder, const rf_file_digest *digest) {
  char path[RF_MAX_PATH];
  struct stat about;
  return rf_path_join(folder, digest->name, path) == RF_OK && stat(path, &about) == 0 && S_ISREG(about.st_mode) &&
         about.st_size == digest->size;
}

/* n: entries of the folder. */
static bool has_all_files(const char *folder, const rf_commit *commit, int n) {
  bool whole = n == commit->n_files + 1;
  for (int i = 0; whole && i < commit->n_files; i++) whole = has_size(folder, &commit->files[i]);
  return whole;
}

rf_status rf_bearer_find(const char *folder, rf_bearer *bearer) {
  struct stat about;
  rf_commit commit;
  int n;
  bool there;
  *bearer = RF_BEARER_NONE;
  if (lstat(folder, &about) != 0) return RF_OK; /* what else may be wrong shows when it is made */
  if (!S_ISDIR(about.st_mode))
    return refuse_bearer(folder, S_ISLNK(about.st_mode) ? "is a symbolic link" : "is no folder");
  RF_TRY(check_names(folder, &n));
  if (n == 0) return RF_OK;
  const rf_status status = rf_opened_commit(folder, &commit, &there);
  if (status != RF_OK && status != RF_BAD_DATA) return status; /* it cannot be read now, which says nothing */
  *bearer = status == RF_OK && has_all_files(folder, &commit, n) ? RF_BEARER_CHECKPOINT : RF_BEARER_DAMAGED;
  rf_commit_free(&commit);
  return RF_OK;
}

/* Of any state: with other files in it none could be replaced any more. */
static bool is_checkpoint(const char *folder) {
  static const char *const names[] = {RF_COMMIT_NAME, RF_MANIFEST_NAME};
  char path[RF_MAX_PATH];
  bool all = true;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    all = all && rf_path_join(folder, names[i], path) == RF_OK && access(path, F_OK) == 0;
  return all;
}

static rf_status check_parent(const char *folder, const char *parent) {
  if (!is_checkpoint(parent)) return RF_OK;
  return rf_fail(RF_BAD_CONFIG, "%s lies in the checkpoint %s; allowed: a name outside of checkpoints", folder, parent);
}

rf_status rf_bearer_check_parents(const char *folder) {
  char parent[RF_MAX_PATH];
  (void)snprintf(parent, sizeof parent, "%s", folder);
  if (parent[0] != '/') RF_TRY(check_parent(folder, "."));
  for (char *slash = parent[0] ? strchr(parent + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    RF_TRY(check_parent(folder, parent));
    *slash = '/';
  }
  return RF_OK;
}

rf_status rf_bearer_check_file(const char *path, const char *folder) {
  char commit[2 * RF_MAX_PATH];
  struct stat about;
  (void)snprintf(commit, sizeof commit, "%s" RF_COMMIT_NAME, folder);
  if (stat(commit, &about) != 0) return RF_OK;
  return rf_fail(RF_BAD_CONFIG,
                 "%s: lies in a checkpoint's folder, which holds what its COMMIT lists and nothing else; name another "
                 "file",
                 path);
}
