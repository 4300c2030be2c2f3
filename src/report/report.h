/* Curves of runs side by side, as one HTML file that needs nothing else. */
#ifndef RF_REPORT_REPORT_H
#define RF_REPORT_REPORT_H

#include "reformer/error.h"
#include <stdint.h>

typedef enum rf_curve {
  RF_CURVE_LOSS,
  RF_CURVE_EVAL_LOSS,
  RF_CURVE_SPEED,
  RF_CURVE_MEMORY,
  RF_CURVE_BYTES,
  RF_CURVE_GRAD_NORM,
  RF_CURVE_LEARNING_RATE,
  RF_CURVE_POSITION, /* of the last evaluation: x is where a class of positions starts */
  RF_CURVES
} rf_curve;

typedef struct rf_points {
  int n;
  double *x, *y; /* [n] owned; no point where a value is not finite */
} rf_points;

/* A run's folder as it was read. */
typedef struct rf_reported_run {
  const char *folder; /* lent */
  rf_points curve[RF_CURVES];
  int64_t steps; /* lines of metrics.jsonl, and the last step */
  int64_t last_step;
  int n_keys;
  char **keys; /* "section.key: value" of config.yaml, owned */
} rf_reported_run;

/* RF_BAD_DATA where the folder has no metrics.jsonl, an empty one, or one with a line that is no metrics. A last line
 * that is torn (the run was killed while it wrote) is passed over with a warning; so is a missing config.yaml. */
rf_status rf_report_read(const char *folder, rf_reported_run *run);
void rf_reported_run_destroy(rf_reported_run *run);

/* Writes the page of n runs (storage/output.h). */
rf_status rf_report_write(const rf_reported_run *runs, int n, const char *path);

#endif
