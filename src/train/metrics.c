#include "train/metrics.h"
#include "base/append.h"
#include "base/file_error.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct rf_metrics {
  rf_append append;
  char *path;
  char *waiting; /* what is not in the file yet, [n_waiting]: a disk may be full for a while */
  size_t n_waiting;
  bool failing;
};

rf_status rf_metrics_open(const char *path, rf_metrics **metrics) {
  *metrics = NULL;
  rf_metrics *opened = calloc(1, sizeof *opened);
  if (opened) opened->path = strdup(path);
  if (!opened || !opened->path) {
    free(opened);
    return rf_fail(RF_FAILED, "out of memory while opening %s", path);
  }
  const rf_status status = rf_append_open(path, &opened->append);
  if (status != RF_OK) {
    (void)rf_metrics_close(opened);
    return status;
  }
  *metrics = opened;
  return RF_OK;
}

/* What was in a file that is gone is gone with it; a report draws what there is. */
static void renew_metrics(rf_metrics *metrics) {
  if (rf_append_renew(&metrics->append))
    rf_log_warn("%s was removed or replaced while it was written to: steps from here on are in a new one",
                metrics->path);
}

/* As much as the disk takes, from the byte on where it took no more. */
static bool write_waiting(rf_metrics *metrics) {
  size_t done = 0;
  while (done < metrics->n_waiting) {
    const ssize_t n = write(metrics->append.file, metrics->waiting + done, metrics->n_waiting - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += (size_t)n;
  }
  metrics->n_waiting -= done;
  if (metrics->n_waiting > 0) memmove(metrics->waiting, metrics->waiting + done, metrics->n_waiting);
  return metrics->n_waiting == 0;
}

/* Says so at the first of several failures. */
static void note_failure(rf_metrics *metrics, bool fine) {
  if (!fine && !metrics->failing)
    rf_log_warn("%s cannot be written: %s; its lines wait in memory", metrics->path, rf_file_error(errno));
  metrics->failing = !fine;
}

rf_status rf_metrics_close(rf_metrics *metrics) {
  rf_status status = RF_OK;
  if (!metrics) return RF_OK;
  if (metrics->append.file >= 0 && !write_waiting(metrics))
    status = rf_fail(RF_FAILED, "cannot write %s: %s", metrics->path, rf_file_error(errno));
  const rf_status closed = rf_append_close(&metrics->append);
  if (status == RF_OK) status = closed;
  free(metrics->waiting);
  free(metrics->path);
  free(metrics);
  return status;
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
  if (fine && record->saved)
    fine = put_int(object, "checkpoint_step", record->checkpoint_step) &&
           put_int(object, "checkpoint_bytes", record->checkpoint_bytes) &&
           put_real(object, "checkpoint_stall_seconds", record->checkpoint_stall_seconds) &&
           put_real(object, "checkpoint_write_seconds", record->checkpoint_write_seconds);
  if (!fine || !record->evaluated) return fine;
  return put_real(object, "eval_loss", record->eval_loss) &&
         put_real(object, "eval_bits_per_token", record->eval_bits_per_token) &&
         put_real(object, "eval_accuracy", record->eval_accuracy) &&
         put_positions(object, record->eval_loss_by_position);
}

/* Takes the line over. */
static bool append_line(rf_metrics *metrics, char *line) {
  const size_t length = strlen(line);
  char *more = realloc(metrics->waiting, metrics->n_waiting + length + 1);
  if (more) {
    memcpy(more + metrics->n_waiting, line, length + 1);
    more[metrics->n_waiting + length] = '\n'; /* in the place of its end */
    metrics->waiting = more;
    metrics->n_waiting += length + 1;
  }
  free(line);
  return more != NULL;
}

rf_status rf_metrics_write(rf_metrics *metrics, const rf_metrics_record *record) {
  json_t *object = json_object();
  char *line = object && put_record(object, record) ? json_dumps(object, JSON_COMPACT) : NULL;
  json_decref(object);
  if (!line || !append_line(metrics, line)) return rf_fail(RF_FAILED, "out of memory while writing %s", metrics->path);
  renew_metrics(metrics);
  note_failure(metrics, write_waiting(metrics));
  return RF_OK;
}

void rf_metrics_sync(rf_metrics *metrics) {
  renew_metrics(metrics);
  const bool fine = write_waiting(metrics) &&
                    (fdatasync(metrics->append.file) == 0 || errno == EINVAL); /* of a device, say /dev/null */
  note_failure(metrics, fine);
}
