/* The bucket-sorted exchange (docs/design.md 3.3): rows of tokens travel from their home ranks to the owners of their
 * slots, and results travel back.
 *
 * For each pair (sequence, head) of a wave, the R * L items (round, token) are ordered by (round, bucket, position); an
 * item's place in that order is its slot, and the slots are cut in C = R * L / chunk chunks. Of S sequence ranks, rank
 * s is home to the tokens span(L, S, s) and owns a share of the chunks (comm/owners.h), whatever the buckets are.
 *
 *    tokens at home         | t0 t1 t2 t3 |            rank s
 *                               |   |
 *          scatter              v   v      ^ gather (each row travels once per owner that is not its home)
 *                               |   |
 *    rows at the owner      | own rows, by position | halo rows, by position |     of each pair
 *                               ^
 *    row_of_slot        | before | slots of the owned chunks | after |      of each round; halo rows are needed for
 *                                                                           before/after only
 *
 * A token with several slots at one owner has one row there. A token that an owner needs for its neighbours' chunks and
 * that has a row there already does not travel again. Rows whose home is their owner are copied. With one rank, rows
 * are the tokens, in order, and nothing travels.
 *
 * Which rows go where is planned once per hash (comm/exchange_plan.h). Scatter and gather are each other's transposes,
 * so that a plan serves forward, recomputation and backward. All ranks of a data group make the same calls in the same
 * order. */
#ifndef RF_COMM_EXCHANGE_H
#define RF_COMM_EXCHANGE_H

#include "comm/exchange_plan.h"
#include "comm/poll.h"
#include "reformer/real.h"

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

/* The operations. A scatter of rows of w bytes (rf_wire_bytes) sends exactly sent * w bytes (rf_exchange_count), a
 * gather, its transpose, received * w; own rows are counted as traffic under `rows`, halo rows under `halo`. */
typedef enum rf_exchange_kind {
  /* rows = tokens. Tokens are read before start returns; rows are written until finish returns. */
  RF_SCATTER,
  /* tokens += sum over the token's rows, in a fixed order: its own row at home, those of the other owners by rank; then
   * halo rows, in the same order. Rows to other ranks are read before start returns, home rows and tokens in finish. */
  RF_GATHER_SUM,
  /* Of own rows, with three fields: o, m, z; m and z have width 1. tokens = rows merged by rescaling to the larger m,
   * in the same order; what they held is overwritten. A row with z = 0 says nothing and weighs nothing. */
  RF_GATHER_MERGE,
  /* The same, merged with what tokens hold: of parts after the first. */
  RF_GATHER_MERGE_MORE
} rf_exchange_kind;

/* An operation is under way after start, moved by rf_mesh_poll, and over after finish. Buffers come from `arena`, whose
 * scope must not close before. With one rank, where rows[p] == tokens[p] nothing is done. */
rf_status rf_exchange_start(const rf_exchange *exchange, rf_exchange_kind kind, rf_exchange_rows_kind rows,
                            int n_fields, const rf_exchange_field *fields, rf_arena *arena, rf_exchange_move **move);
rf_status rf_exchange_finish(rf_exchange_move *move);
/* Takes from an arena that only counts what start takes of it, for fields of these widths. */
rf_status rf_exchange_move_footprint(const rf_exchange_shape *shape, int ranks, rf_exchange_kind kind,
                                     rf_exchange_rows_kind rows, int n_fields, const int64_t *widths,
                                     const rf_exchange_expectation *expected, rf_arena *arena);

#endif
