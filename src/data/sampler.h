/* Which part of a file of tokens is sequence `index`: splits, epochs and windows.
 *
 *   file     |========= train =========|== validation ==|== test ==|
 *   epoch e  |phase|--w0--|--w1--|--w2--|  |  evaluation: |--0--|--1--| |
 *
 * Training cuts its split anew each epoch, at a phase of its own, and visits the windows in an order
 * of its own; evaluation takes the windows one after another from the start of the split. */
#ifndef RF_DATA_SAMPLER_H
#define RF_DATA_SAMPLER_H

#include "reformer/split.h"
#include <stdint.h>

typedef struct rf_sampler {
  uint64_t seed;
  int64_t length;   /* tokens of a window */
  int64_t edges[4]; /* split s is tokens [edges[s], edges[s + 1]) of the file */
} rf_sampler;

/* fractions: non-negative, their sum at most 1. */
rf_sampler rf_sampler_create(int64_t tokens, const double fractions[3], int64_t length, uint64_t seed);

/* Windows of a split: of an epoch in training. 0 where the split is shorter than one. */
int64_t rf_sampler_sequences(const rf_sampler *sampler, rf_split split);

/* The token of the file at which window `index` starts; the split has at least one. */
int64_t rf_sampler_start(const rf_sampler *sampler, rf_split split, uint64_t index);

#endif
