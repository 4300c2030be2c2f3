/* A step as metrics.jsonl has it: what the step gave, what it cost, and what an evaluation at it gave. */
#ifndef RF_TRAIN_RECORD_H
#define RF_TRAIN_RECORD_H

#include "train/metrics.h"
#include "train/step.h"

/* tokens: of the step; seconds: that it took. */
rf_metrics_record rf_record_of(const rf_step_result *result, int64_t step, int64_t tokens, double seconds);

/* What the step cost: the slowest rank sets the pace, by the time it did not spend waiting for others. Called by all
 * ranks; seconds, waited: of this rank in this step. Traffic is counted anew from here. */
rf_status rf_record_measure(rf_mesh *mesh, double seconds, double waited, rf_metrics_record *record);

/* Where nothing was counted there was no evaluation. */
void rf_record_evaluate(const rf_loss *loss, rf_metrics_record *record);

#endif
