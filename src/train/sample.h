/* Text from a model of bytes, one token at a time, each by a full forward pass over what stands before it. */
#ifndef RF_TRAIN_SAMPLE_H
#define RF_TRAIN_SAMPLE_H

#include "reformer/model.h"
#include "train/stop.h"

/* Continues `prompt` (bytes; empty: one newline) by `tokens` bytes, drawn at `temperature` (0: the most likely) from
 * the seed. text: [strlen(prompt) + 1 + tokens + 1], prompt included, zero-ended; a token outside 1 .. 255 becomes '?'.
 * The model sees at most the last data.length tokens. Called by all ranks of the model's mesh; all get the same text.
 * stop: before each token the ranks look for a reason to stop, and the text ends there; NULL: nothing stops it. */
rf_status rf_sample_text(rf_model *model, const char *prompt, int64_t tokens, double temperature, uint64_t seed,
                         rf_stop *stop, char *text);

#endif
