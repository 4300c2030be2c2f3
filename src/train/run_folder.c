#include "train/run_folder.h"
#include "reformer/config.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_RUNS = 1000000 };

static rf_status refuse(const char *folder, int error) {
  return rf_fail(RF_BAD_CONFIG, "run folder %s: cannot be made or written to: %s; name another with --run DIR", folder,
                 strerror(error));
}

rf_status rf_run_folder_path(const char *folder, const char *name, char *path, size_t size) {
  int length = snprintf(path, size, "%s/%s", folder, name);
  if (length > 0 && (size_t)length < size) return RF_OK;
  return rf_fail(RF_BAD_CONFIG, "run folder %.64s...: the path is too long; name another with --run DIR", folder);
}

/* Makes every folder on the way to `path`, and not `path` itself. */
static rf_status make_parents(const char *path) {
  char parent[RF_MAX_PATH];
  (void)snprintf(parent, sizeof parent, "%s", path);
  for (char *slash = strchr(parent + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (mkdir(parent, 0777) != 0 && errno != EEXIST) return refuse(path, errno);
    *slash = '/';
  }
  return RF_OK;
}

/* Opens exclusively, so that of two runs pointed at one folder only one goes on. */
static rf_status write_config(const char *folder, const char *text) {
  char path[RF_MAX_PATH];
  RF_TRY(rf_run_folder_path(folder, "config.yaml", path, sizeof path));
  FILE *file = fopen(path, "wx");
  if (!file && errno == EEXIST) {
    return rf_fail(RF_BAD_CONFIG, "run folder %s: holds a run already; remove it or name another with --run DIR",
                   folder);
  }
  if (!file) return refuse(folder, errno);
  errno = 0;
  bool written = fputs(text, file) != EOF;
  written = fclose(file) == 0 && written;
  return written ? RF_OK : refuse(folder, errno);
}

static rf_status make_wanted(const char *wanted, char *folder, size_t size) {
  size_t length = strlen(wanted);
  while (length > 1 && wanted[length - 1] == '/') length--;
  if (length == 0 || length >= size || length >= RF_MAX_PATH) {
    return rf_fail(RF_BAD_CONFIG, "--run: found a path of %zu bytes; allowed: 1 to %d", length, RF_MAX_PATH - 1);
  }
  memcpy(folder, wanted, length);
  folder[length] = '\0';
  RF_TRY(make_parents(folder));
  if (mkdir(folder, 0777) == 0) return RF_OK;
  int error = errno;
  struct stat about;
  if (error == EEXIST && stat(folder, &about) == 0 && !S_ISDIR(about.st_mode)) error = ENOTDIR;
  return error == EEXIST ? RF_OK : refuse(folder, error);
}

/* The file's name without folder and ending. */
static void name_of(const char *file, char *name, size_t size) {
  const char *slash = strrchr(file, '/');
  (void)snprintf(name, size, "%s", slash ? slash + 1 : file);
  char *dot = strrchr(name, '.');
  if (dot && dot != name) *dot = '\0';
}

static rf_status make_next(const char *config_file, char *folder, size_t size) {
  char name[256];
  name_of(config_file, name, sizeof name);
  for (int n = 1; n <= MOST_RUNS; n++) {
    (void)snprintf(folder, size, "runs/%s-%d", name, n);
    RF_TRY(make_parents(folder));
    if (mkdir(folder, 0777) == 0) return RF_OK;
    if (errno != EEXIST) return refuse(folder, errno);
  }
  return rf_fail(RF_BAD_CONFIG, "run folder %s: that many runs exist already; name one with --run DIR", folder);
}

rf_status rf_run_folder_create(const char *wanted, const char *config_file, const char *config_text, char *folder,
                               size_t size) {
  if (wanted)
    RF_TRY(make_wanted(wanted, folder, size));
  else
    RF_TRY(make_next(config_file, folder, size));
  return write_config(folder, config_text);
}
