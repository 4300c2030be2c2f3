/* Attention over windows of slots, for a wave of (sequence, head) pairs.
 *
 * The slots of all rounds are cut in chunks; a query attends to its own chunk and to its neighbours, in a ring over all
 * rounds. Rows (tokens) appear once in each round:
 *
 *   slots of a pair   | c0 | c1 | c2 | c3 |   round 0     | c4 | c5 | c6 | c7 |   round 1
 *   window of c2           '----^----'  (chunks_before 1)
 *   window of c0      '^                                                '----'    wraps across the round edge
 *
 * Local attention is the same with slots in token order, one round, and chunks of its own. */
#ifndef RF_LSH_WINDOWS_H
#define RF_LSH_WINDOWS_H

#include "kernel/attend.h"
#include "lsh/hash.h"
#include "reformer/arena.h"

/* One (sequence, head). Rows are the sequence's tokens; row strides are rf_windows.ld. */
typedef struct rf_pair {
  const real *q, *k, *v;        /* [tokens, d_head]; k may be q (shared queries and keys) */
  const real *key_scale;        /* [tokens] what a key is multiplied by; NULL: rf_windows.key_scale */
  const int32_t *token_of_slot; /* [rounds * tokens]; NULL: in token order */
  rf_buckets buckets;           /* [rounds, tokens] from entry first_bucket; read where the rule needs them */
  int64_t first_bucket;
  const int32_t *chunk_in_round, *bucket_in_round; /* [rounds, tokens], for duplicates; else NULL */
  const uint8_t *mask;                             /* [tokens] 0 = padding; NULL: none */
  uint32_t head, sequence;                         /* for the dropout draw */
  real *o, *m, *z; /* out: [tokens, d_head], [tokens], [tokens]: sum of exp(s - m) v, m, z over all rounds */
  /* reverse only */
  const real *d_o;    /* [tokens, d_head] */
  const real *delta;  /* [tokens] d_o . (o / z) */
  real *dq, *dk, *dv; /* [tokens, d_head], added to; dk is the gradient of the scaled key */
} rf_pair;

typedef struct rf_windows {
  int64_t tokens, d_head, ld;
  int64_t rounds, chunk; /* chunk divides tokens */
  int64_t chunks_before, chunks_after;
  bool causal, mask_padding_queries;
  real key_scale;
  int64_t n_buckets; /* ids of a round, the padding bucket included */
  rf_rule rule;
  int64_t n_pairs;
  rf_pair *pairs;
} rf_windows;

/* o, m, z of every pair; what they held before is overwritten. Scratch comes from the arena and is given back. */
rf_status rf_windows_attend(const rf_windows *windows, rf_arena *scratch);

/* dq, dk, dv of every pair, from d_o and delta at the combined (m, z). */
rf_status rf_windows_attend_vjp(const rf_windows *windows, rf_arena *scratch);

#endif
