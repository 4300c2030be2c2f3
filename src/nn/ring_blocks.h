/* Blocks of queries against blocks of keys, for the ring: what one thread does. */
#ifndef RF_NN_RING_BLOCKS_H
#define RF_NN_RING_BLOCKS_H

#include "base/integers.h"
#include "lsh/windows.h"
#include "reformer/arena.h"

enum { RF_RING_BLOCK = 256 };

/* The keys and values that are passing by: of one rank, for every pair. */
typedef struct rf_ring_keys {
  int64_t n;         /* rows of a pair; rows stand by position */
  int32_t *order;    /* [pairs, n] position, or RF_ORDER_PADDING */
  int32_t *position; /* [pairs, n] */
  real *k, *v;       /* [pairs, n, d_head], keys scaled */
  real *dk, *dv;     /* reverse: [pairs, n, d_head], their gradients so far */
} rf_ring_keys;

typedef struct rf_ring_buffers rf_ring_buffers; /* of one thread */

/* Of all threads. */
rf_status rf_ring_buffers_take(const rf_windows *windows, bool reverse, rf_arena *arena, rf_ring_buffers **all);

static inline int64_t rf_ring_blocks(int64_t rows) { return rf_ceil_div(rows, RF_RING_BLOCK); }

/* A block of queries of a pair against all keys that pass by. */
void rf_ring_queries(const rf_windows *windows, const rf_ring_keys *keys, int64_t pair, int64_t block,
                     rf_ring_buffers *buffers);

/* The reverse of one block of queries against one block of keys. */
void rf_ring_tile_vjp(const rf_windows *windows, const rf_ring_keys *keys, int64_t pair, int64_t query_block,
                      int64_t key_block, rf_ring_buffers *buffers);

rf_ring_buffers *rf_ring_buffers_of(rf_ring_buffers *all, int thread);

#endif
