/* A whole run: train, evaluate, report. */
#ifndef RF_TRAIN_LOOP_H
#define RF_TRAIN_LOOP_H

#include "reformer/config.h"
#include "reformer/error.h"
#include <stdbool.h>

typedef struct rf_train_options {
  const char *run_folder; /* exists, writable */
  bool verbose;
  /* After training, evaluate the trained model on the validation and the test split under this configuration too (other
   * data or hash rounds, the same shapes of parameters) and say the results; NULL: no. */
  const rf_config *evaluate;
} rf_train_options;

/* config: resolved and checked. Writes metrics.jsonl and log.txt into the run folder. */
rf_status rf_train_run(const rf_config *config, const rf_train_options *options);

#endif
