/* A wave: the (sequence, head) pairs that attention works on at once, or, where memory does not allow a rank to have
 * all rows that it owns of one, a part of it. Its data and its size; what is done with it is in nn/attention_project.h,
 * nn/attention_rows.h, nn/attention_saved.h, and in order in nn/attention.c. */
#ifndef RF_NN_WAVE_H
#define RF_NN_WAVE_H

#include "comm/exchange.h"
#include "comm/expect.h"
#include "lsh/windows.h"
#include "nn/sublayer.h"

/* The arrays of a wave, at one of two places:
 *   home    by this rank's tokens: [sequences, tokens, heads, d_head] (row stride width) and [pairs, tokens]
 *   owner   by the rows whose slots this rank owns: [pairs][rows, d_head] (row stride d_head) and [pairs][rows]
 * With one sequence rank rows are tokens, and the owner's arrays are those at home. */
typedef struct rf_wave_arrays {
  real *q, *k, *v, *o; /* k is q where shared */
  real *m, *z;
  real *d_o, *delta, *dq, *dk, *dv; /* reverse; dk: of the scaled key */
  real *key_scale;                  /* owner, where shared: key = q * key_scale */
} rf_wave_arrays;

typedef struct rf_wave {
  const rf_sublayer *self;
  const rf_call *call;
  int64_t index;       /* among the waves of a call */
  int64_t parts, part; /* of what ranks own of it; parts share the arrays at home */
  int64_t first_sequence, n_sequences, first_head, n_heads;
  int64_t rows, width; /* at home: n_sequences * tokens, n_heads * d_head */
  bool shared_qk;
  int level; /* reverse: of what `saved` holds, to be used as it is; forward: 0 */
  rf_wave_arrays home, owner;
  rf_exchange *exchange;      /* between the two; made by the kind */
  rf_exchange_move *moves[3]; /* rows under way */
  int n_moves;
  rf_arena *messages; /* their buffers, given back when they have arrived */
  rf_mark messages_mark;
  rf_windows windows; /* over the owner's rows */
  /* Planning: what is expected to come to a pair. Arenas only count, no number is read or written, nothing travels.
   * NULL: a wave that is computed. */
  const rf_exchange_expectation *expected;
} rf_wave;

/* How a kind lays a wave's tokens into slots. */
typedef struct rf_slot_layout {
  int64_t rounds, chunk, chunks_before, chunks_after;
  int64_t n_buckets;          /* the padding bucket included */
  int bucket_bytes;           /* 2 or 4 */
  const void *const *buckets; /* [pairs] each [rounds, tokens]; NULL: all in bucket 0, so that slots are positions */
  bool rounds_travel;         /* rows bring their chunk and bucket of every round */
  bool spread;                /* a wave's pairs are cut over the ranks as one, not each alone (comm/owners.h) */
} rf_slot_layout;

/* What a kind of attention adds. */
typedef struct rf_attention_ops {
  rf_attention_kind kind;
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

enum { RF_WAVES_AT_ONCE = 2 }; /* on several ranks */

/* Whether keys are made of the queries. */
static inline bool rf_sublayer_shared_qk(const rf_sublayer *self) {
  return rf_shares_queries(self->config, self->ops->attention->kind);
}

/* Heads and sequences of a wave, its parts, and how many waves, or parts of one, go at once. */
typedef struct rf_wave_size {
  int64_t sequences, heads, parts;
  int at_once;
} rf_wave_size;

/* How many pairs are exchanged, and which of how many parts of what ranks own of them. */
typedef struct rf_wave_cut {
  int64_t pairs, parts, part;
} rf_wave_cut;

rf_exchange_shape rf_wave_exchange_shape(const rf_sublayer *self, const rf_call *call, const rf_slot_layout *layout,
                                         rf_wave_cut cut);

/* The same on all ranks, and of sizes alone: other waves would give other bits. */
rf_wave_size rf_wave_size_of(const rf_sublayer *self, const rf_call *call);
/* Wave `index` of a call. */
rf_wave rf_wave_at(const rf_sublayer *self, const rf_call *call, int64_t index, rf_wave_size size);

static inline int64_t rf_wave_pairs(const rf_wave *wave) { return wave->n_sequences * wave->n_heads; }
static inline rf_wave_cut rf_wave_cut_of(const rf_wave *wave) {
  return (rf_wave_cut){rf_wave_pairs(wave), wave->parts, wave->part};
}

/* Whether this rank is home to all of every sequence, so that rows are tokens. */
static inline bool rf_wave_alone(const rf_wave *wave) { return rf_mesh_sequence_size(wave->call->mesh) == 1; }
/* Whose messages travel while a wave is computed, so that it is polled now and then; NULL: none do. */
static inline rf_mesh *rf_wave_mesh(const rf_wave *wave) { return rf_wave_alone(wave) ? NULL : wave->call->mesh; }

/* Most rows that a rank may have of a part of a wave, whatever the buckets are; the same on all ranks and parts. */
int64_t rf_wave_most_rows(const rf_sublayer *self, const rf_call *call, int64_t pairs, int64_t parts);

/* Ranks to which a token's row of one head goes, its home not counted: expected over random buckets. Full attention's
 * ring is not counted. */
double rf_wave_owners(const rf_sublayer *self, const rf_call *call);

#endif
