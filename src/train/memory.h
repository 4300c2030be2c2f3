/* How much memory of a rank may keep activations (training.memory_limit), and what is kept in it. */
#ifndef RF_TRAIN_MEMORY_H
#define RF_TRAIN_MEMORY_H

#include "model/measure.h"
#include "train/step.h"
#include <stddef.h>

/* Tells the model what to keep, after everything else of the trainer has been made. Collective. Fills trainer->keeping.
 *
 *   limit    | parameters, gradients, moments, sequences | a checkpoint's copy | activations, transients | kept |
 *   auto     the same, with what is there already and four fifths of what the machine has free in place of the limit
 *
 * A limit below what the run needs anyway keeps nothing, with a warning. */
rf_status rf_memory_plan(rf_trainer *trainer);

/* Most bytes of a step that keeps nothing, of what was measured. On several ranks transients are measured as expected
 * of random buckets: others may bring up to half as much more. */
int64_t rf_memory_step(const rf_model_sizes *sizes, int64_t sequence_ranks);

/* One line for the log: what is kept; no line where nothing is. */
void rf_memory_say(const rf_trainer *trainer);

/* "attention outputs of 6, second streams of 4", or "nothing". Returns buffer. */
const char *rf_memory_describe(const rf_keeping *keeping, char *buffer, size_t size);

#endif
