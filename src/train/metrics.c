#include "train/metrics.h"
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rf_metrics {
  FILE *file;
  char *path;
};

rf_status rf_metrics_open(const char *path, rf_metrics **metrics) {
  *metrics = NULL;
  rf_metrics *opened = calloc(1, sizeof *opened);
  if (opened) opened->path = strdup(path);
  if (!opened || !opened->path) {
    free(opened);
    return rf_fail(RF_FAILED, "out of memory while opening %s", path);
  }
  opened->file = fopen(path, "a");
  if (!opened->file) {
    rf_status status = rf_fail(RF_BAD_CONFIG, "cannot write %s: %s", path, strerror(errno));
    rf_metrics_close(opened);
    return status;
  }
  *metrics = opened;
  return RF_OK;
}

void rf_metrics_close(rf_metrics *metrics) {
  if (!metrics) return;
  if (metrics->file) (void)fclose(metrics->file);
  free(metrics->path);
  free(metrics);
}

/* JSON has neither NaN nor infinity. Takes over `object`'s reference on success only; false: no memory. */
static bool put_real(json_t *object, const char *name, double value) {
  return json_object_set_new(object, name, isfinite(value) ? json_real(value) : json_null()) == 0;
}

static bool put_int(json_t *object, const char *name, int64_t value) {
  return json_object_set_new(object, name, json_integer(value)) == 0;
}

static bool put_bytes(json_t *object, const int64_t *bytes) {
  json_t *traffic = json_object();
  if (json_object_set_new(object, "bytes", traffic) != 0) return false;
  for (int i = 0; i < RF_TRAFFIC_PURPOSES; i++) {
    if (!put_int(traffic, rf_traffic_name((rf_traffic)i), bytes[i])) return false;
  }
  return true;
}

/* {"0": loss of position 0, "1": of 1 and 2, "3": of 3 to 6, ...}: keys are where a class of positions starts. */
static bool put_positions(json_t *object, const double *losses) {
  json_t *positions = json_object();
  if (json_object_set_new(object, "eval_loss_by_position", positions) != 0) return false;
  for (int i = 0; i < RF_POSITION_CLASSES; i++) {
    char first[24];
    (void)snprintf(first, sizeof first, "%lld", (1LL << i) - 1);
    if (isfinite(losses[i]) && !put_real(positions, first, losses[i])) return false;
  }
  return true;
}

static bool put_record(json_t *object, const rf_metrics_record *record) {
  bool fine =
      put_int(object, "step", record->step) && put_real(object, "loss", record->loss) &&
      put_real(object, "bits_per_token", record->bits_per_token) && put_real(object, "accuracy", record->accuracy) &&
      put_real(object, "learning_rate", record->learning_rate) && put_real(object, "grad_norm", record->grad_norm) &&
      put_real(object, "tokens_per_second", record->tokens_per_second) &&
      put_real(object, "step_seconds", record->step_seconds) &&
      put_real(object, "wait_seconds", record->wait_seconds) && put_int(object, "ranks", record->ranks) &&
      put_int(object, "slowest_rank", record->slowest_rank) && put_bytes(object, record->bytes) &&
      put_int(object, "peak_rss_bytes", record->peak_rss_bytes) &&
      json_object_set_new(object, "skipped", json_boolean(record->skipped)) == 0;
  if (!fine || !record->evaluated) return fine;
  return put_real(object, "eval_loss", record->eval_loss) &&
         put_real(object, "eval_bits_per_token", record->eval_bits_per_token) &&
         put_real(object, "eval_accuracy", record->eval_accuracy) &&
         put_positions(object, record->eval_loss_by_position);
}

rf_status rf_metrics_write(rf_metrics *metrics, const rf_metrics_record *record) {
  json_t *object = json_object();
  char *line = object && put_record(object, record) ? json_dumps(object, JSON_COMPACT) : NULL;
  json_decref(object);
  if (!line) return rf_fail(RF_FAILED, "out of memory while writing %s", metrics->path);
  errno = 0;
  bool written = fputs(line, metrics->file) != EOF && fputc('\n', metrics->file) != EOF && fflush(metrics->file) == 0;
  free(line);
  if (written) return RF_OK;
  return rf_fail(RF_FAILED, "cannot write %s: %s; is the disk full?", metrics->path, strerror(errno));
}
