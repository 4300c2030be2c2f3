/* How far a run has come, for whoever watches it: a line that is redrawn on a terminal, plain lines every so many steps
 * in a batch log; plain lines go to the run's log.txt either way. */
#ifndef RF_TRAIN_STATUS_LINE_H
#define RF_TRAIN_STATUS_LINE_H

#include "train/metrics.h"

typedef struct rf_status_line {
  int64_t steps, first_step, log_every;
  double started, drawn; /* clock seconds */
} rf_status_line;

/* first_step: the first one that will be run, from 1. */
void rf_status_line_start(rf_status_line *line, int64_t first_step, int64_t steps, int64_t log_every);

/* Call after every step, logged or not. Takes what it shows from the record; an evaluated step gets a line of its own.
 */
void rf_status_line_show(rf_status_line *line, const rf_metrics_record *record);

/* Wipes the redrawn line. */
void rf_status_line_wipe(void);

#endif
