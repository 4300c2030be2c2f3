/* metrics.jsonl: one JSON object a line for every logged step, on disk as soon as it is written. */
#ifndef RF_TRAIN_METRICS_H
#define RF_TRAIN_METRICS_H

#include "comm/traffic.h"
#include "reformer/error.h"
#include "reformer/model.h"
#include <stdbool.h>
#include <stdint.h>

/* A logged step. Numbers that are not finite are written as null. */
typedef struct rf_metrics_record {
  int64_t step;          /* from 1 */
  double loss;           /* nats a counted token, training batch */
  double bits_per_token; /* the same in bits */
  double accuracy;       /* share of counted tokens guessed right, training batch; NaN: not known */
  double learning_rate, grad_norm;
  double tokens_per_second, step_seconds;
  double wait_seconds; /* of the step that rank 0 stood waiting for other ranks */
  int64_t ranks;
  int64_t slowest_rank;               /* the one that computed longest in the step */
  int64_t bytes[RF_TRAFFIC_PURPOSES]; /* sent since the last record, by all ranks together */
  int64_t peak_rss_bytes;             /* largest over the ranks */
  bool skipped;                       /* loss or gradient were not finite: parameters are as before */
  bool evaluated;                     /* the next four are given */
  double eval_loss, eval_bits_per_token, eval_accuracy;
  double eval_loss_by_position[RF_POSITION_CLASSES]; /* by powers of two, see rf_loss; NaN: no such positions */
} rf_metrics_record;

typedef struct rf_metrics rf_metrics;

/* Appends to `path`. RF_BAD_CONFIG where it cannot be opened. */
rf_status rf_metrics_open(const char *path, rf_metrics **metrics);
/* RF_FAILED where the line could not be written whole. */
rf_status rf_metrics_write(rf_metrics *metrics, const rf_metrics_record *record);
void rf_metrics_close(rf_metrics *metrics);

#endif
