#include "reformer/store.h"

#include "reformer/arena.h"
#include "reformer/rng.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* One rank owns everything: its shard of a block is the block, lending is handing out a pointer, and
 * whoever borrows a gradient adds straight to the sum over micro-batches. */
struct rf_store {
  const rf_layout *layout; /* lent */
  rf_arena *arena;         /* holds all that follows */
  rf_shard *shards;        /* [blocks] */
};

int64_t rf_tensor_count(const rf_tensor *tensor) {
  int64_t count = 1;
  for (int d = 0; d < tensor->n_dims; d++) count *= tensor->shape[d];
  return count;
}

static rf_status create_shards(rf_store *store) {
  const rf_layout *layout = store->layout;
  RF_TRY(rf_arena_create("parameters", 0, &store->arena));
  RF_TRY(rf_arena_take_zero(store->arena, (size_t)layout->n_blocks, sizeof *store->shards, &store->shards));
  for (int b = 0; b < layout->n_blocks; b++) {
    rf_shard *shard = &store->shards[b];
    shard->count = layout->blocks[b].size;
    RF_TRY(rf_arena_take_zero(store->arena, (size_t)shard->count, sizeof(real), &shard->params));
    RF_TRY(rf_arena_take_zero(store->arena, (size_t)shard->count, sizeof(real), &shard->gradient));
  }
  return RF_OK;
}

rf_status rf_store_create(const rf_layout *layout, rf_store **store_out) {
  *store_out = NULL;
  rf_store *store = calloc(1, sizeof *store);
  if (!store) return rf_fail(RF_FAILED, "parameter store: out of memory");
  store->layout = layout;
  rf_status status = create_shards(store);
  if (status != RF_OK) {
    rf_store_destroy(store);
    return rf_error_pass(status, __FILE__, __LINE__);
  }
  *store_out = store;
  return RF_OK;
}

void rf_store_destroy(rf_store *store) {
  if (!store) return;
  rf_arena_destroy(store->arena);
  free(store);
}

const rf_layout *rf_store_layout(const rf_store *store) { return store->layout; }

/* Elements [from, to) of a tensor, at params. */
static void draw_normals(rf_draw draw, int64_t from, int64_t to, double deviation, real *params) {
#pragma omp parallel for schedule(static)
  for (int64_t group = from / 4; group < (to + 3) / 4; group++) {
    double normals[4];
    rf_draw_normal4(&draw, (uint64_t)group, normals);
    for (int64_t i = 4 * group < from ? from : 4 * group; i < 4 * group + 4 && i < to; i++)
      params[i - from] = R_(deviation * normals[i - 4 * group]);
  }
}

static void initialise_tensor(const rf_tensor *tensor, const rf_shard *shard, rf_draw draw, double init_std) {
  int64_t from = tensor->offset > shard->first ? tensor->offset : shard->first;
  int64_t to = tensor->offset + rf_tensor_count(tensor), end = shard->first + shard->count;
  if (to > end) to = end;
  if (from >= to) return;
  real *params = shard->params + (from - shard->first);
  if (tensor->init == RF_INIT_NORMAL)
    draw_normals(draw, from - tensor->offset, to - tensor->offset, init_std, params);
  else
    for (int64_t i = 0; i < to - from; i++) params[i] = tensor->init == RF_INIT_ONE ? R_(1) : R_(0);
}

void rf_store_initialise(rf_store *store, uint64_t seed, double init_std) {
  for (int b = 0; b < store->layout->n_blocks; b++) {
    const rf_block *block = &store->layout->blocks[b];
    for (int t = 0; t < block->n_tensors; t++) {
      rf_draw draw = {.seed = seed, .purpose = RF_RNG_INIT, .layer = (uint32_t)b, .head = (uint32_t)t};
      initialise_tensor(&block->tensors[t], &store->shards[b], draw, init_std);
    }
  }
}

rf_status rf_store_lend(rf_store *store, int block, const real **params) {
  assert(block >= 0 && block < store->layout->n_blocks);
  *params = store->shards[block].params;
  return RF_OK;
}

void rf_store_return(rf_store *store, int block) {
  assert(block >= 0 && block < store->layout->n_blocks);
  (void)store;
  (void)block;
}

rf_status rf_store_borrow_gradient(rf_store *store, int block, real **gradient) {
  assert(block >= 0 && block < store->layout->n_blocks);
  *gradient = store->shards[block].gradient;
  return RF_OK;
}

rf_status rf_store_hand_back(rf_store *store, int block) {
  assert(block >= 0 && block < store->layout->n_blocks);
  (void)store;
  (void)block;
  return RF_OK;
}

void rf_store_clear_gradients(rf_store *store) {
  for (int b = 0; b < store->layout->n_blocks; b++)
    memset(store->shards[b].gradient, 0, (size_t)store->shards[b].count * sizeof(real));
}

rf_shard rf_store_shard(const rf_store *store, int block) {
  assert(block >= 0 && block < store->layout->n_blocks);
  return store->shards[block];
}

size_t rf_store_memory_used(const rf_store *store) { return sizeof *store + rf_arena_memory_used(store->arena); }

int64_t rf_store_parameters(const rf_store *store) {
  int64_t count = 0;
  for (int b = 0; b < store->layout->n_blocks; b++)
    for (int t = 0; t < store->layout->blocks[b].n_tensors; t++)
      count += rf_tensor_count(&store->layout->blocks[b].tensors[t]);
  return count;
}
