/* A step as metrics.jsonl has it: what the step gave, what it cost, and what an evaluation at it gave. */
#ifndef RF_TRAIN_METRICS_RECORD_H
#define RF_TRAIN_METRICS_RECORD_H

#include "train/metrics.h"
#include "train/step.h"

/* tokens: of the step; seconds: that it took. */
rf_metrics_record rf_metrics_of_step(const rf_step_result *result, int64_t step, int64_t tokens, double seconds);

/* What the step cost: the slowest rank sets the pace, by the time it did not spend waiting for others. Called by all
 * ranks; waited: seconds of this rank since the step began. Traffic is counted anew from here. */
rf_status rf_metrics_measure(rf_mesh *mesh, double waited, rf_metrics_record *record);

/* Where nothing was counted there was no evaluation. */
void rf_metrics_add_evaluation(const rf_loss *loss, rf_metrics_record *record);

#endif
