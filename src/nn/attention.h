/* What the three kinds of attention share: layer norm, projections to heads and back, waves of (sequence, head) pairs.
 *
 *   x [tokens, d] --LN--> xn --Wq,Wk,Wv--> q, k, v [tokens, heads of the wave, d_head]
 *                                             | attend (lsh, local or full)
 *   y [tokens, d] <--- Wo ---  o / z  <--- (o, m, z)
 *
 * A kind only says which keys a query meets: from q, k, v to (o, m, z), and from d_o to dq, dk, dv. Work goes in waves
 * of a few pairs, so that transients stay small whatever the number of heads. */
#ifndef RF_NN_ATTENTION_H
#define RF_NN_ATTENTION_H

#include "lsh/windows.h"
#include "nn/sublayer.h"

/* The arrays of a wave, on one of two sides:
 *   home    by this rank's tokens: [sequences, tokens, heads, d_head] (row stride width) and [pairs, tokens]
 *   owner   by the rows whose slots this rank owns: [pairs][rows, d_head] (row stride d_head) and [pairs][rows]
 * With one sequence rank rows are tokens, and the owner's arrays are those at home. */
typedef struct rf_side {
  real *q, *k, *v, *o; /* k is q where shared */
  real *m, *z;
  real *d_o, *delta, *dq, *dk, *dv; /* reverse; dk: of the scaled key */
  real *key_scale;                  /* owner, where shared: key = q * key_scale */
} rf_side;

typedef struct rf_wave {
  const rf_sublayer *self;
  const rf_call *call;
  int64_t first_sequence, n_sequences, first_head, n_heads;
  int64_t rows, width; /* at home: n_sequences * tokens, n_heads * d_head */
  bool shared_qk;
  int kept; /* reverse: the level of what `saved` holds, to be used as it is; forward: 0 */
  rf_side home, owner;
  struct rf_exchange *exchange;      /* between the two; made by the kind */
  struct rf_exchange_move *moves[3]; /* rows under way */
  int n_moves;
  rf_arena *messages; /* their buffers, given back when they have arrived */
  rf_mark messages_mark;
  rf_windows windows; /* over the owner's rows */
} rf_wave;

/* How a kind lays a wave's tokens into slots. */
typedef struct rf_slot_layout {
  int64_t rounds, chunk, chunks_before, chunks_after;
  int64_t n_buckets;          /* the padding bucket included */
  int bucket_bytes;           /* 2 or 4 */
  const void *const *buckets; /* [pairs] each [rounds, tokens]; NULL: all in bucket 0, so that slots are positions */
  bool rounds_travel;         /* rows bring their chunk and bucket of every round */
} rf_slot_layout;

/* What a kind of attention adds. */
typedef struct rf_attention_ops {
  bool (*shared_qk)(const rf_sublayer *self);
  size_t (*bucket_bytes)(const rf_sublayer *self, const rf_call *call); /* of all buckets of a call */
  /* How a call's tokens are laid into slots, without the buckets. */
  rf_slot_layout (*layout)(const rf_sublayer *self, const rf_call *call);
  /* When q, k, v are at home: makes the exchange and fills wave->windows (rf_wave_plan). buckets: written by the
   * forward pass and read when `reverse`. */
  rf_status (*prepare)(rf_wave *wave, void *buckets, bool reverse);
  /* o, m, z from q, k, v; then dq, dk, dv (cleared by the caller) from d_o and delta, at the normalised o. */
  rf_status (*attend)(const rf_windows *windows, rf_arena *scratch);
  rf_status (*attend_vjp)(const rf_windows *windows, rf_arena *scratch);
} rf_attention_ops;

/* The sublayer operations of every kind; self->ops->attention says which. */
rf_status rf_attention_describe(const rf_sublayer *self, const char *prefix, rf_block *block);
rf_status rf_attention_apply(const rf_sublayer *self, const rf_call *call, const real *params, const real *x, real sign,
                             real *y, void *saved);
rf_status rf_attention_apply_vjp(const rf_sublayer *self, const rf_call *call, const real *params, const real *x,
                                 const real *dy, real *y, real *dx, real *dparams, const void *saved);

/* For planning (nn/attention_measure.c). */
rf_status rf_attention_measure(const rf_sublayer *self, const rf_call *call);

/* Heads and sequences of a wave, and how many waves go at once. */
typedef struct rf_wave_size {
  int64_t sequences, heads;
  int at_once;
} rf_wave_size;

rf_wave_size rf_wave_size_of(const rf_sublayer *self, const rf_call *call);
/* Wave `index` of a call. */
rf_wave rf_wave_at(const rf_sublayer *self, const rf_call *call, int64_t index, rf_wave_size size);

static inline int64_t rf_wave_pairs(const rf_wave *wave) { return wave->n_sequences * wave->n_heads; }

#endif
