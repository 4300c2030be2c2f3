/* This rank's share of the sequences of one step: which sequences, and which of their tokens.
 *
 *   batch 8, accumulate 2, D = 2 data groups:      micro-batch 0   | 0 1 | 2 3 |     group 0 | group 1
 *                                                  micro-batch 1   | 4 5 | 6 7 |
 *   of each sequence, padded to L: rank s of S has the tokens [floor(s L / S), floor((s + 1) L / S))
 *
 * A micro-batch holds the same sequences whatever D is. */
#ifndef RF_TRAIN_BATCH_H
#define RF_TRAIN_BATCH_H

#include "comm/mesh.h"
#include "reformer/arena.h"
#include "reformer/config.h"
#include "reformer/dataset.h"
#include "reformer/model.h"

typedef struct rf_sequences {
  int64_t count, micro;   /* sequences of this rank's group: of a step, of a micro-batch */
  int64_t length, padded; /* of a sequence */
  rf_span tokens;         /* of each, on this rank */
  int32_t *ids, *labels;  /* [count, tokens.count]; padding: id 0, label RF_IGNORE */
  uint8_t *mask;          /* [count, tokens.count]; NULL where nothing is padded */
  uint32_t *index;        /* [count] index in the global batch */
  bool causal;            /* false: a token's label is the token itself */
} rf_sequences;

/* For a global batch of `batch` sequences in `accumulate` micro-batches. Takes the arrays from the arena. RF_BAD_CONFIG
 * where the batch does not divide. mesh NULL: alone. */
rf_status rf_sequences_take(const rf_config *config, const rf_mesh *mesh, int64_t batch, int64_t accumulate,
                            rf_arena *arena, rf_sequences *sequences);

/* Of the global batch that starts at sequence `first` of a split, the first n sequences; the rest is empty (id 0,
 * nothing counted). Labels of a causal model are the next tokens; those of one that is not are the tokens themselves,
 * unshifted, as a masked language model predicts what stands in a place. */
rf_status rf_sequences_read(rf_sequences *sequences, const rf_dataset *dataset, rf_split split, uint64_t first,
                            int64_t n);

/* Counted labels of this rank. */
int64_t rf_sequences_counted(const rf_sequences *sequences);

/* Micro-batch i for the model; step and seed as given. */
rf_batch rf_sequences_batch(const rf_sequences *sequences, int64_t i, uint64_t seed, uint32_t step);

#endif
