#include "train/metrics.h"
#include "base/log.h"
#include "base/run_names.h"
#include "checkpoint/bearer.h"
#include "storage/files.h"
#include "storage/output.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct cut {
  int64_t step;               /* the last that stays */
  int64_t kept, skipped_step; /* steps of lines: the newest, the newest that was skipped */
  int64_t skipped;            /* in a row, up to that one */
  int64_t dropped;            /* lines */
  int64_t lines;              /* so far */
} cut;

/* Whether a line, with its end, stays. Steps only go up: what is out of order was appended by mistake. What a kill left
 * torn has no end; a whole line that is no record was damaged later. */
static bool line_stays(cut *c, const char *path, const char *line, size_t length) {
  const bool ended = length > 0 && line[length - 1] == '\n';
  json_t *object = ended ? json_loadb(line, length, 0, NULL) : NULL;
  c->lines++;
  if (ended && !json_is_integer(json_object_get(object, "step")))
    rf_log_warn("%s: line %lld is damaged, and is left out", path, (long long)c->lines);
  const json_t *number = json_object_get(object, "step");
  const int64_t step = json_integer_value(number);
  const bool fits = json_is_integer(number) && step > c->kept && step <= c->step;
  if (fits) {
    c->kept = step;
    if (json_is_true(json_object_get(object, "skipped"))) {
      c->skipped = step == c->skipped_step + 1 ? c->skipped + 1 : 1;
      c->skipped_step = step;
    }
  }
  json_decref(object);
  return fits;
}

static rf_status fail_to_cut(const char *path, const char *why) {
  return rf_fail(RF_FAILED, "%s cannot be cut back to the resumed step: %s", path, why);
}

/* What stays of one file into the other. */
static rf_status copy_lines(FILE *from, const rf_output *to, cut *c) {
  char *line = NULL;
  size_t size = 0;
  int64_t at = 0;
  rf_status status = RF_OK;
  errno = 0;
  for (ssize_t length; status == RF_OK && (length = getline(&line, &size, from)) >= 0;) {
    if (!line_stays(c, to->path, line, (size_t)length)) {
      c->dropped++;
      continue;
    }
    status = rf_file_write(to->file, to->path, at, line, length);
    at += length;
  }
  free(line);
  if (status == RF_OK && ferror(from)) status = fail_to_cut(to->path, strerror(errno));
  return status;
}

static rf_status replace_metrics(FILE *from, const char *path, cut *c) {
  static const rf_output_kind kind = {.what = RF_RUN_METRICS, .check_folder = rf_bearer_check_file};
  rf_output to;
  RF_TRY(rf_output_open(path, &kind, true, &to));
  const rf_status status = copy_lines(from, &to, c);
  if (status == RF_OK && c->dropped > 0) return rf_output_finish(&to);
  rf_output_abandon(&to);
  return status;
}

/* A pipe would be waited for, and a device (/dev/null) has no lines. */
rf_status rf_metrics_cut(const char *path, int64_t step, int64_t *skipped) {
  struct stat about;
  cut c = {.step = step, .skipped_step = -1};
  *skipped = 0;
  if (stat(path, &about) != 0) return errno == ENOENT ? RF_OK : fail_to_cut(path, strerror(errno));
  if (S_ISCHR(about.st_mode)) return RF_OK;
  if (!S_ISREG(about.st_mode)) return fail_to_cut(path, "it is not a plain file");
  FILE *from = fopen(path, "re");
  if (!from) return errno == ENOENT ? RF_OK : fail_to_cut(path, strerror(errno));
  const rf_status status = replace_metrics(from, path, &c);
  (void)fclose(from);
  if (status != RF_OK) return rf_fail(RF_FAILED, "%s", rf_error_message());
  if (c.skipped_step == step) *skipped = c.skipped;
  return RF_OK;
}
