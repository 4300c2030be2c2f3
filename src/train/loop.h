/* A whole run: train, evaluate, save, report. */
#ifndef RF_TRAIN_LOOP_H
#define RF_TRAIN_LOOP_H

#include "storage/lock.h"
#include "train/step.h"

typedef struct rf_train_options {
  const char *run_folder;  /* exists, writable */
  rf_lock *lock;           /* of it, on rank 0; lent */
  const char *config_text; /* YAML of the configuration, for checkpoints */
  const char *machine;     /* of rf_machine_describe, for them too */
  int64_t step;            /* steps that are done: the trainer holds the state after that many */
  bool resumed_here;       /* from a checkpoint of this very folder */
} rf_train_options;

/* How a run ended that did not fail. */
typedef struct rf_train_end {
  int64_t step;        /* steps that are done, and saved where there is one */
  const char *stopped; /* what stopped it (rf_stop_reason); NULL: it came to its end */
} rf_train_end;

/* Called by all ranks: from options->step on to training.steps, or to where it is stopped (rf_stop_listen comes
 * before). Writes metrics.jsonl, cut back to the resumed step, and checkpoints/step-NNNNNNNN. RF_FAILED where the last
 * checkpoint could not be written: one before it is warned about, and the next is tried. */
rf_status rf_train_run(const rf_train_options *options, rf_trainer *trainer, rf_train_end *end);

#endif
