/* How much memory of a rank the stash may take (training.memory_limit), and what is in it. */
#ifndef RF_TRAIN_MEMORY_H
#define RF_TRAIN_MEMORY_H

#include "train/trainer.h"

/* Tells the model what to stash, after everything else of the trainer has been made. Collective. Fills
 * trainer->stash.
 *
 *   limit    | parameters, gradients, moments, sequences | a checkpoint's copy | activations, transients | stash |
 *   auto     the same, with what is there already and four fifths of what the machine has free in place of the limit
 *
 * A limit below what the run needs anyway stashes nothing, with a warning. */
rf_status rf_trainer_choose_stash(rf_trainer *trainer);

/* One line for the log: what is stashed; no line where nothing is. */
void rf_trainer_say_stash(const rf_trainer *trainer);

#endif
