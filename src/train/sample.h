/* A model goes on with what it is given, one token at a time, each by a full forward pass over what stands before it.
 */
#ifndef RF_TRAIN_SAMPLE_H
#define RF_TRAIN_SAMPLE_H

#include "reformer/model.h"
#include "train/stop.h"

/* ids: [*length + tokens], the first *length (1 or more) given. Adds `tokens` of them, drawn at `temperature` (0: the
 * most likely) from the seed, to *length. The model sees at most the last data.length tokens. Called by all ranks of
 * the model's mesh; all get the same ids. stop: before each token the ranks look for a reason to stop, and the sample
 * ends there; NULL: nothing stops it. */
rf_status rf_sample(rf_model *model, int64_t tokens, double temperature, uint64_t seed, rf_stop *stop, int32_t *ids,
                    int64_t *length);

#endif
