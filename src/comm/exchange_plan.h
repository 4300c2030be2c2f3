/* The plan of an exchange: which rows are sent where, and where each stands at its owner (comm/exchange.h tells the
 * story; comm/destinations.h who needs a row).
 *
 * The plan is made once per hash, and serves forward, recomputation and backward. All ranks of a data group make the
 * same calls in the same order. */
#ifndef RF_COMM_EXCHANGE_PLAN_H
#define RF_COMM_EXCHANGE_PLAN_H

#include "comm/exchange_types.h"
#include "comm/expect.h"
#include "reformer/arena.h"
#include "reformer/mesh_view.h"

/* This rank's tokens of each pair. */
typedef struct rf_exchange_tokens {
  int bucket_bytes;           /* 2 or 4 */
  const void *const *buckets; /* [pairs] each [rounds, own tokens], of bucket_bytes */
  const uint8_t *const *mask; /* [pairs] each [own tokens], 0 = padding, or NULL; NULL: all real */
} rf_exchange_tokens;

/* This rank's tokens of L, before there is a plan. */
rf_span rf_exchange_home(const rf_mesh *mesh, const rf_exchange_shape *shape);

/* Collective over the sequence ranks; moves what else is under way while it waits. The plan lives in `arena`, so there
 * is nothing to destroy; `scratch` is another arena and is given back. tokens: read before the call returns. That
 * tokens, chunks and buckets of all rounds fit an int32_t the configuration sees to (config/settle.c). */
rf_status rf_exchange_create(rf_mesh *mesh, const rf_exchange_shape *shape, const rf_exchange_tokens *tokens,
                             rf_arena *arena, rf_arena *scratch, rf_exchange **exchange);
/* Takes from arenas that only count what rf_exchange_create takes and keeps in `arena`, and needs of `scratch` for a
 * while, where so much is expected at rank `rank` of `ranks`. */
rf_status rf_exchange_footprint(const rf_exchange_shape *shape, int ranks, int rank, int bucket_bytes,
                                const rf_exchange_expectation *expected, rf_arena *arena, rf_arena *scratch);
bool rf_exchange_is_valid(const rf_exchange *exchange);
size_t rf_exchange_memory_used(const rf_exchange *exchange);

const rf_exchange_pair *rf_exchange_pair_of(const rf_exchange *exchange, int64_t pair);
int64_t rf_exchange_rows(const rf_exchange *exchange); /* n_rows of all pairs */
rf_exchange_counts rf_exchange_count(const rf_exchange *exchange);

#endif
