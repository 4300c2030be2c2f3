/* Windows of slots, for a wave of (sequence, head) pairs, in the chunks that this rank owns: what attention over them
 * (lsh/window_attention.h) works on.
 *
 * The slots of all rounds are cut in chunks; a query attends to its own chunk and to its neighbours, in a ring over all
 * rounds. A token has one slot in each round:
 *
 *   slots of a pair   | c0 | c1 | c2 | c3 |   round 0     | c4 | c5 | c6 | c7 |   round 1
 *   window of c2           '----'-^--'   (chunks_before 1)
 *   window of c0      '-^--'                                             '----'   wraps across the round edge
 *
 * Local attention is the same with slots in token order, one round, and chunks of its own. */
#ifndef RF_LSH_WINDOWS_H
#define RF_LSH_WINDOWS_H

#include "comm/owners.h"
#include "kernel/attend.h"
#include "reformer/mesh.h"

/* One (sequence, head), as far as this rank owns its slots. A row is a token that has a slot here, or that a
 * neighbouring chunk's window needs; row strides are rf_windows.ld. */
typedef struct rf_pair {
  int64_t n_rows;
  const real *q, *k, *v;   /* [rows, d_head]; k may be q (shared queries and keys) */
  const real *key_scale;   /* [rows] what a key is multiplied by; NULL: rf_windows.key_scale */
  const int32_t *position; /* [rows] the token's place in the sequence; NULL: row i is token i */
  const uint8_t *mask;     /* [rows] 0 = padding; NULL: none */
  /* [rf_owners_seen * chunk] of the chunks that are seen, one round's behind the other's (comm/owners.h) */
  const int32_t *row_of_slot;
  const int32_t *chunk_in_round, *bucket_in_round; /* [rounds, rows]; read where the rule needs them */
  uint32_t head, sequence;                         /* for the dropout draw */
  /* out: [rows, d_head], [rows], [rows]: sum of exp(s - m) v, m, z over the rounds; z = 0: no slot here */
  real *o, *m, *z;
  /* reverse only */
  const real *d_o;    /* [rows, d_head] */
  const real *delta;  /* [rows] d_o . (o / z) */
  real *dq, *dk, *dv; /* [rows, d_head], added to; dk is the gradient of the scaled key */
} rf_pair;

typedef struct rf_windows {
  int64_t tokens, d_head, ld;
  int64_t chunk;    /* divides tokens */
  rf_owners owners; /* of the chunks, among which this rank is number `rank` */
  int rank;
  bool causal, mask_padding_queries;
  real key_scale;
  rf_rule rule;
  int64_t n_pairs;
  rf_pair *pairs;
  rf_mesh *mesh; /* whose messages are under way, and moved meanwhile (rf_mesh_poll_within); NULL: none */
} rf_windows;

#endif
