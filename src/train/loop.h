/* A whole run: train, evaluate, report. */
#ifndef RF_TRAIN_LOOP_H
#define RF_TRAIN_LOOP_H

#include "comm/mesh.h"
#include "reformer/config.h"
#include "reformer/error.h"
#include <stdbool.h>

typedef struct rf_train_options {
  const char *run_folder; /* exists, writable */
  bool verbose;
  const char *config_text; /* YAML of the configuration, for the checkpoint */
} rf_train_options;

/* config: resolved and checked. Writes metrics.jsonl and log.txt into the run folder, and the trained state as
 * checkpoints/step-NNNNNNNN. */
rf_status rf_train_run(const rf_config *config, rf_mesh *mesh, const rf_train_options *options);

#endif
