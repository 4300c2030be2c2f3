/* The sequences of one step, read and padded to the model's length; micro-batches are slices of it. */
#ifndef RF_TRAIN_BATCH_H
#define RF_TRAIN_BATCH_H

#include "reformer/arena.h"
#include "reformer/config.h"
#include "reformer/dataset.h"
#include "reformer/model.h"
#include <stdbool.h>

typedef struct rf_sequences {
  int64_t count, length, padded; /* sequences, tokens read of each, tokens with padding */
  int32_t *ids, *labels;         /* [count, padded]; padding: id 0, label RF_IGNORE */
  uint8_t *mask;                 /* [count, padded]; NULL where nothing is padded */
  uint32_t *index;               /* [count] index in the global batch */
  bool causal;                   /* false: a token's label is the token itself */
} rf_sequences;

/* Takes the arrays from the arena. */
rf_status rf_sequences_take(const rf_config *config, int64_t count, rf_arena *arena, rf_sequences *sequences);

/* Sequences [first, first + n) of a split into the first n places. Labels of a causal model are the next tokens; those
 * of one that is not are the tokens themselves, unshifted, as a masked language model predicts what stands in a place.
 */
rf_status rf_sequences_read(rf_sequences *sequences, const rf_dataset *dataset, rf_split split, uint64_t first,
                            int64_t n);

/* Counted labels of the first n sequences. */
int64_t rf_sequences_counted(const rf_sequences *sequences, int64_t n);

/* Sequences [first, first + n) as a batch for the model; step and seed as given. */
rf_batch rf_sequences_batch(const rf_sequences *sequences, int64_t first, int64_t n, uint64_t seed, uint32_t step);

#endif
