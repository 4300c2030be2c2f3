#include "checkpoint/astray.h"
#include "base/recognise.h"
#include "base/run_names.h"
#include "checkpoint/catalog.h"
#include "checkpoint/commit.h"
#include "checkpoint/names.h"
#include "storage/files.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *write_advice(char *advice, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const char *write_advice(char *advice, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(advice, RF_MAX_ADVICE, format, arguments);
  va_end(arguments);
  return advice;
}

static bool has_entry(const char *folder, const char *name) {
  char path[RF_MAX_PATH];
  return rf_path_join(folder, name, path) == RF_OK && access(path, F_OK) == 0;
}

static const char *advise_of_folder(const char *path, char *advice) {
  char inner[RF_MAX_PATH], newest[RF_MAX_PATH];
  if (has_entry(path, RF_RUN_CHECKPOINTS) && rf_path_join(path, RF_RUN_CHECKPOINTS, inner) == RF_OK)
    return rf_catalog_newest(inner, newest)
               ? write_advice(advice, "it is a run's folder, whose newest checkpoint is %s", newest)
               : write_advice(advice, "it is the folder of a run that has no checkpoint");
  if (rf_catalog_newest(path, newest))
    return write_advice(advice, "it holds checkpoints, the newest of which is %s", newest);
  if (has_entry(path, RF_RUN_METRICS)) return write_advice(advice, "it is the folder of a run that has no checkpoint");
  if (strstr(path, RF_MARK_TEMPORARY)) return write_advice(advice, "it was never finished");
  if (has_entry(path, "model.safetensors"))
    return write_advice(
        advice, "it is a model of HuggingFace: reformer import %s/model.safetensors CONFIG -o CHECKPOINT", path);
  return NULL;
}

/* A file of a checkpoint, or one of another kind. */
static const char *advise_of_file(const char *path, char *advice) {
  char parent[RF_MAX_PATH];
  const char *slash = strrchr(path, '/');
  (void)snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
  if (has_entry(parent, RF_COMMIT_NAME))
    return write_advice(advice, "it is a file of the checkpoint %s, whose folder is wanted", parent);
  const rf_recognised *what = rf_recognise_file(path);
  return write_advice(advice, "it is %s, and a checkpoint is a folder that a run or reformer import has written",
                      what ? what->name : "a file");
}

static const char *advise_of_path(const char *path, char *advice) {
  struct stat about;
  if (stat(path, &about) != 0) return NULL;
  return S_ISDIR(about.st_mode) ? advise_of_folder(path, advice) : advise_of_file(path, advice);
}

rf_status rf_astray_refuse(const char *path, rf_status status) {
  char advice[RF_MAX_ADVICE];
  if (!advise_of_path(path, advice)) return status;
  return rf_fail(status, "%s is no checkpoint, or not a whole one: %s", path, advice);
}

const char *rf_astray_config_advice(const char *folder, char *advice) {
  if (has_entry(folder, RF_COMMIT_NAME))
    return write_advice(advice, "it is a checkpoint, which train takes as --resume %s", folder);
  if (has_entry(folder, RF_RUN_CONFIG)) return write_advice(advice, "its configuration is %s/" RF_RUN_CONFIG, folder);
  return NULL;
}
