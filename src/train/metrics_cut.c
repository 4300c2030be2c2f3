#include "checkpoint/files.h"
#include "reformer/config.h"
#include "train/metrics.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct cut {
  int64_t step;               /* the last that stays */
  int64_t kept, skipped_step; /* steps of lines: the newest, the newest that was skipped */
  int64_t skipped;            /* in a row, up to that one */
  int64_t dropped;            /* lines */
} cut;

/* Whether a line, with its end, stays. Steps only go up: what is out of order was appended by mistake. */
static bool stays(cut *c, const char *line, size_t length) {
  json_t *object = length > 0 && line[length - 1] == '\n' ? json_loadb(line, length, 0, NULL) : NULL;
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

static rf_status fail(const char *path) {
  return rf_fail(RF_FAILED, "%s cannot be cut back to the resumed step: %s", path, strerror(errno));
}

/* What stays of one file into the other. */
static rf_status copy(FILE *from, FILE *to, const char *path, cut *c) {
  char *line = NULL;
  size_t size = 0;
  bool written = true;
  errno = 0;
  for (ssize_t length; written && (length = getline(&line, &size, from)) >= 0;) {
    if (stays(c, line, (size_t)length))
      written = fwrite(line, 1, (size_t)length, to) == (size_t)length;
    else
      c->dropped++;
  }
  free(line);
  if (!written || ferror(from) || fflush(to) != 0 || fsync(fileno(to)) != 0) return fail(path);
  return RF_OK;
}

static rf_status copy_to(FILE *from, const char *path, const char *temporary, cut *c) {
  FILE *to = fopen(temporary, "w");
  if (!to) return fail(path);
  rf_status status = copy(from, to, path, c);
  if (fclose(to) != 0 && status == RF_OK) status = fail(path);
  if (status == RF_OK && c->dropped > 0) return rf_rename_synced(temporary, path);
  (void)unlink(temporary);
  return status;
}

rf_status rf_metrics_cut(const char *path, int64_t step, int64_t *skipped) {
  char temporary[RF_MAX_PATH];
  cut c = {.step = step, .skipped_step = -1};
  *skipped = 0;
  if (snprintf(temporary, sizeof temporary, "%s.tmp", path) >= (int)sizeof temporary)
    return rf_fail(RF_FAILED, "%.64s...: the path is too long", path);
  FILE *from = fopen(path, "r");
  if (!from) return errno == ENOENT ? RF_OK : fail(path);
  const rf_status status = copy_to(from, path, temporary, &c);
  (void)fclose(from);
  if (c.skipped_step == step) *skipped = c.skipped;
  return status;
}
