/* metrics.jsonl: one JSON object a line for every logged step, in the file as soon as it is written. */
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
  bool saved;                         /* the next four are given: a checkpoint was committed since the last record */
  int64_t checkpoint_step, checkpoint_bytes;
  double checkpoint_stall_seconds; /* that training stood still for it, on rank 0 */
  double checkpoint_write_seconds; /* from its begin to its commit */
  bool evaluated;                  /* the next four are given */
  double eval_loss, eval_bits_per_token, eval_accuracy;
  double eval_loss_by_position[RF_POSITION_CLASSES]; /* by powers of two, see rf_loss; NaN: no such positions */
} rf_metrics_record;

typedef struct rf_metrics rf_metrics;

/* Appends to `path`. RF_BAD_CONFIG where it cannot be opened. */
rf_status rf_metrics_open(const char *path, rf_metrics **metrics);
/* A line that the disk does not take waits in memory for the next call; the first time in a row it is warned about.
 * RF_FAILED for memory. */
rf_status rf_metrics_write(rf_metrics *metrics, const rf_metrics_record *record);
/* Onto the disk, so that a checkpoint that is written now does not outlive its lines; warns as above. */
void rf_metrics_sync(rf_metrics *metrics);
/* RF_FAILED where lines still wait. */
rf_status rf_metrics_close(rf_metrics *metrics);

/* Brings a file that is not open back to what it was after `step`: lines of later steps go, and what a kill left torn.
 * The file is replaced as a whole, or stays. *skipped: the steps in a row, up to `step`, that were skipped. A file that
 * is not there is fine. RF_FAILED where it cannot be read or written. */
rf_status rf_metrics_cut(const char *path, int64_t step, int64_t *skipped);

#endif
