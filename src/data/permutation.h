/* A permutation of [0, size) as a pure function: a Feistel network on the counter-based generator,
 * so that nothing is stored and any element can be asked for alone. */
#ifndef RF_DATA_PERMUTATION_H
#define RF_DATA_PERMUTATION_H

#include "reformer/rng.h"

enum { RF_PERMUTATION_ROUNDS = 6 };

/* Where i < size goes; size <= 2^62. draw: seed, purpose and step choose the permutation; its round
 * field is the network's round, and positions are halves of the value. */
uint64_t rf_permutation_at(const rf_draw *draw, uint64_t size, uint64_t i);

#endif
