/* The bucket-sorted exchange (DESIGN 3.1): rows of tokens travel from their home ranks to the owners of their slots,
 * and results travel back.
 *
 * For each pair (sequence, head) of a wave, the R * L items (round, token) are ordered by (round, bucket, position); an
 * item's place in that order is its slot, and the slots are cut in C = R * L / chunk chunks. Of S sequence ranks, rank
 * s is home to the tokens span(L, S, s) and owns the chunks span(C, S, s), whatever the buckets are.
 *
 *    tokens at home         | t0 t1 t2 t3 |            rank s
 *                               |   |
 *          scatter              v   v      ^ gather (each row travels once per owner that is not its home)
 *                               |   |
 *    rows at the owner      | own rows, by position | halo rows, by position |     of each pair
 *                               ^
 *    row_of_slot        | before | slots of the owned chunks | after |      halo rows are needed for before/after only
 *
 * A token with several slots at one owner has one row there. A token that an owner needs for its neighbours' chunks and
 * that has a row there already does not travel again. Rows whose home is their owner are copied. With one rank, rows
 * are the tokens, in order, and nothing travels.
 *
 * The plan is made once per hash. Scatter and gather are each other's transposes, so that it serves forward,
 * recomputation and backward. All ranks of a data group make the same calls in the same order. */
#ifndef RF_COMM_EXCHANGE_H
#define RF_COMM_EXCHANGE_H

#include "comm/histogram.h"
#include "comm/progress.h"
#include "reformer/arena.h"
#include "reformer/config.h"
#include "reformer/real.h"

typedef struct rf_exchange_shape {
  int64_t pairs, rounds;
  int64_t tokens; /* L, of the whole sequence, padded; a multiple of chunk */
  int64_t chunk, chunks_before, chunks_after;
  int64_t n_buckets;      /* ids of a round, the padding bucket included */
  bool rounds_travel;     /* rows bring their chunk and bucket in every round */
  rf_histogram histogram; /* RF_HISTOGRAM_AUTO but in tests */
  rf_wire wire;           /* of fields wider than 1; rows that stay at home are never rounded */
} rf_exchange_shape;

/* This rank's tokens of each pair. */
typedef struct rf_exchange_tokens {
  int bucket_bytes;           /* 2 or 4 */
  const void *const *buckets; /* [pairs] each [rounds, own tokens], of bucket_bytes */
  const uint8_t *const *mask; /* [pairs] each [own tokens], 0 = padding, or NULL; NULL: all real */
} rf_exchange_tokens;

/* What this rank owns of a pair. Rows 0 .. n_own - 1 have a slot in the owned chunks and stand by position; rows n_own
 * .. n_rows - 1 are halo and stand by position. Nothing where it owns no chunks. */
typedef struct rf_exchange_pair {
  int64_t n_rows, n_own;
  int32_t *position; /* [n_rows] in the sequence */
  uint8_t *mask;     /* [n_rows] 0 = padding */
  /* [rounds, n_rows], with rounds_travel, else NULL: chunk over all rounds; round * n_buckets + bucket */
  int32_t *chunk_in_round, *bucket_in_round;
  /* [(chunks_before + n_chunks + chunks_after) * chunk] row of each slot; entry 0 is the first slot of chunk
   * first_chunk - chunks_before, in a ring of C chunks. Halo slots may name own rows. */
  int32_t *row_of_slot;
} rf_exchange_pair;

typedef struct rf_exchange rf_exchange;

/* The tokens and chunks of this rank, before there is a plan. */
rf_span rf_exchange_home(const rf_mesh *mesh, const rf_exchange_shape *shape);  /* of L tokens */
rf_span rf_exchange_owned(const rf_mesh *mesh, const rf_exchange_shape *shape); /* of C chunks, of every pair */

/* Collective over the sequence ranks; moves what else is under way while it waits. The plan lives in `arena`, so there
 * is nothing to destroy; `scratch` is another arena and is given back. tokens: read before the call returns. */
rf_status rf_exchange_create(rf_mesh *mesh, const rf_exchange_shape *shape, const rf_exchange_tokens *tokens,
                             rf_arena *arena, rf_arena *scratch, rf_exchange **exchange);
bool rf_exchange_is_valid(const rf_exchange *exchange);
size_t rf_exchange_memory_used(const rf_exchange *exchange);

const rf_exchange_shape *rf_exchange_shape_of(const rf_exchange *exchange);
const rf_exchange_pair *rf_exchange_pair_of(const rf_exchange *exchange, int64_t pair);
int64_t rf_exchange_rows(const rf_exchange *exchange); /* n_rows of all pairs */

/* Which rows an operation moves. Queries live in own slots only; keys and values are needed in halos too. */
typedef enum rf_exchange_rows_kind { RF_ROWS_OWN, RF_ROWS_ALL } rf_exchange_rows_kind;

/* One of the arrays that travel together. */
typedef struct rf_exchange_field {
  int64_t width;       /* reals of a row */
  real *const *tokens; /* [pairs] each [own tokens, tokens_ld] */
  int64_t tokens_ld;   /* >= width */
  real *const *rows;   /* [pairs] each [n_rows, rows_ld] */
  int64_t rows_ld;
} rf_exchange_field;

enum { RF_EXCHANGE_FIELDS = 6 };

typedef struct rf_exchange_move rf_exchange_move;

/* The operations. Each is under way after start, moved by rf_progress, and over after rf_exchange_finish. Buffers come
 * from `arena`, whose scope must not close before. With one rank, where rows[p] == tokens[p] nothing is done.
 *
 * Scatter: rows = tokens. Tokens are read before start returns; rows are written until finish returns. */
rf_status rf_exchange_scatter_start(const rf_exchange *exchange, rf_exchange_rows_kind kind, int n_fields,
                                    const rf_exchange_field *fields, rf_arena *arena, rf_exchange_move **move);
/* Its transpose: tokens += sum over the token's rows, in a fixed order: its own row at home, those of the other owners
 * by rank; then halo rows, in the same order. Rows to other ranks are read before start returns, home rows and tokens
 * in finish. */
rf_status rf_exchange_gather_sum_start(const rf_exchange *exchange, rf_exchange_rows_kind kind, int n_fields,
                                       const rf_exchange_field *fields, rf_arena *arena, rf_exchange_move **move);
/* fields: o, m, z; m and z have width 1. tokens = own rows merged by rescaling to the larger m, in the same order; what
 * they held is overwritten. A row with z = 0 says nothing and weighs nothing. */
rf_status rf_exchange_gather_merge_start(const rf_exchange *exchange, const rf_exchange_field fields[3],
                                         rf_arena *arena, rf_exchange_move **move);
rf_status rf_exchange_finish(rf_exchange_move *move);

/* Rows of other ranks' tokens here, and of this rank's tokens elsewhere: distinct (pair, token, other rank). A scatter
 * of rows of w bytes (rf_wire_bytes) sends exactly sent * w bytes, a gather received * w; own rows are
 * counted as traffic under `rows`, halo rows under `halo`. */
typedef struct rf_exchange_counts {
  int64_t own_sent, halo_sent, own_received, halo_received;
} rf_exchange_counts;

rf_exchange_counts rf_exchange_count(const rf_exchange *exchange);
/* Bytes of a field of this width in a message. */
int64_t rf_wire_bytes(rf_wire wire, int64_t width);
/* Bytes that making the plan has sent for this, apart from the histogram. */
int64_t rf_exchange_plan_bytes(const rf_exchange *exchange);

#endif
