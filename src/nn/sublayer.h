/* The contract of a sublayer (docs/design.md 3.1): a pure function F(LN(x)) of parameters and input, with two
 * operations that accumulate in place.
 *
 *     apply:      y += sign F(LN(x))
 *     apply_vjp:  y -= F(LN(x));   dx += F'(..)^T dy;   dparams += ..
 *
 * apply_vjp recomputes the forward pass, which is how the reversible stack gets its own input back. */
#ifndef RF_NN_SUBLAYER_H
#define RF_NN_SUBLAYER_H

#include "base/phase.h"
#include "nn/tensors.h"
#include "reformer/arena.h"
#include "reformer/config.h"
#include "reformer/rng.h"

struct rf_mesh;

/* What a call lends and a sublayer must not own. x, y, dx, dy are [sequences, tokens, d_model]: of each sequence the
 * tokens [first_token, first_token + tokens), which this rank is home to. */
typedef struct rf_call {
  int64_t sequences, tokens;
  int64_t length; /* of the whole sequence, padded: every chunk length in use divides it, or is not shorter */
  int64_t first_token;
  const uint8_t *mask;      /* [sequences, tokens] 1 = real, 0 = padding; NULL: all real */
  const uint32_t *sequence; /* [sequences] index in the step's global batch, for random keys */
  uint64_t seed;
  uint32_t step;      /* RF_EVAL_STEP in evaluation */
  bool training;      /* whether dropout acts */
  int level;          /* how much `saved` holds: see rf_sublayer_ops */
  int64_t wave_bytes; /* most bytes for the transients of one wave of attention; 0: attention's own choice */
  rf_arena *scratch;
  rf_arena *plans;       /* a second arena, where the plan of an exchange outlives the scratch of making it */
  rf_arena *messages[2]; /* for what is on its way between ranks, of each of two waves under way; NULL: scratch */
  struct rf_mesh *mesh;  /* for the attention kinds; NULL: this rank has every token */
  rf_phases *phases;     /* where time goes; NULL: not timed */
} rf_call;

typedef struct rf_sublayer rf_sublayer;

struct rf_attention_ops;

/* What apply_vjp works on. */
typedef struct rf_sublayer_vjp {
  const real *params, *x, *dy;
  real *y;            /* NULL: the stack has its activations still */
  real *dx, *dparams; /* added to; dx is not dy */
  const void *saved;  /* as apply left it */
} rf_sublayer_vjp;

typedef struct rf_sublayer_ops {
  /* Appends the sublayer's tensors to `block`, in the order of its flat parameter vector. prefix: e.g. "layers.3". */
  rf_status (*describe)(const rf_sublayer *self, const char *prefix, rf_block *block);
  /* How much is saved: levels 0 .. levels - 1. What apply writes to `saved` at a level, apply_vjp finds there instead
   * of computing it again; at the same x the results are the same to the last bit at every level. Each holds what the
   * one below holds, and more:
   *
   *     attention       0: hash buckets    1: the output before its projection, with (m, z)    2: queries, keys, values
   *     feed-forward    0: nothing         1: the hidden activations */
  int levels;
  /* Bytes of `saved` at call->level. On several sequence ranks an upper bound: how many rows come to a rank is known
   * when they are hashed. */
  size_t (*saved_bytes)(const rf_sublayer *self, const rf_call *call);
  /* x: input; y: added to; saved: out. */
  rf_status (*apply)(const rf_sublayer *self, const rf_call *call, const real *params, const real *x, real sign,
                     real *y, void *saved);
  /* For planning too: where the call's arenas only count (rf_arena_create_counting), it takes what it would take and
   * gives it back, and their high water tells; no number is read or written, nothing travels, and call->mesh may be
   * imagined. */
  rf_status (*apply_vjp)(const rf_sublayer *self, const rf_call *call, const rf_sublayer_vjp *task);
  const struct rf_attention_ops *attention; /* what the three kinds of attention do not share; else NULL */
} rf_sublayer_ops;

struct rf_sublayer {
  const rf_sublayer_ops *ops;
  const rf_config *config; /* lent */
  uint32_t layer;          /* for random keys */
  int64_t first;           /* of the sublayer's tensors in its block's flat vector */
  const real *rotations;   /* LSH: [H, d_head, rounds * columns] given from outside; NULL: drawn */
};

extern const rf_sublayer_ops rf_lsh_attention_ops, rf_local_attention_ops, rf_full_attention_ops, rf_feed_forward_ops;

/* Whether a kind's keys are made of its queries, so that it has one projection for both. */
static inline bool rf_shares_queries(const rf_config *config, rf_attention_kind kind) {
  return kind == RF_ATTENTION_LSH || (kind == RF_ATTENTION_FULL && config->full.shared_qk);
}

/* The draw of a call for one of its purposes; sequence, head and round to be filled in. */
static inline rf_draw rf_call_draw(const rf_call *call, const rf_sublayer *self, rf_purpose purpose) {
  return (rf_draw){.seed = call->seed, .purpose = purpose, .step = call->step, .layer = self->layer};
}

#endif
