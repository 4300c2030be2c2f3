#include "reformer/store.h"

#include "base/integers.h"
#include "base/phase.h"
#include "comm/mesh.h"
#include "comm/segments.h"
#include "comm/span.h"
#include "model/loans.h"
#include "reformer/arena.h"
#include "reformer/rng.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Full vectors of blocks: parameters that come and are lent, or gradients that are lent and go. */
typedef struct vectors {
  rf_loans slots;
  real *full[RF_LOANS]; /* [largest block]; alone: none */
  rf_flight *flight[RF_LOANS];
} vectors;

/* On one rank the shard of a block is the block: lending is handing out a pointer, and whoever borrows a gradient adds
 * straight to the sum over micro-batches. On several, full vectors pass through the slots. */
struct rf_store {
  const rf_layout *layout; /* lent */
  rf_mesh *mesh;           /* lent; NULL: alone */
  rf_arena *arena;         /* holds all that follows */
  rf_shard *shards;        /* [blocks] */
  int64_t **cuts;          /* [blocks][ranks + 1] */
  vectors params, gradients;
};

static bool alone(const rf_store *store) { return rf_mesh_size(store->mesh) == 1; }

static rf_status create_shards(rf_store *store) {
  const rf_layout *layout = store->layout;
  const int ranks = rf_mesh_size(store->mesh), rank = rf_mesh_rank(store->mesh);
  RF_TRY(rf_arena_create("parameters", 0, &store->arena));
  RF_TRY(rf_arena_take_zero(store->arena, (size_t)layout->n_blocks, sizeof *store->shards, &store->shards));
  RF_TRY(rf_arena_take_zero(store->arena, (size_t)layout->n_blocks, sizeof *store->cuts, &store->cuts));
  for (int b = 0; b < layout->n_blocks; b++) {
    rf_shard *shard = &store->shards[b];
    RF_TRY(rf_arena_take(store->arena, (size_t)ranks + 1, sizeof **store->cuts, &store->cuts[b]));
    for (int r = 0; r <= ranks; r++) store->cuts[b][r] = rf_span_of(layout->blocks[b].size, ranks, r).first;
    shard->first = store->cuts[b][rank];
    shard->count = store->cuts[b][rank + 1] - shard->first;
    RF_TRY(rf_arena_take_zero(store->arena, (size_t)shard->count, sizeof(real), &shard->params));
    RF_TRY(rf_arena_take_zero(store->arena, (size_t)shard->count, sizeof(real), &shard->gradient));
  }
  return RF_OK;
}

static rf_status create_slots(rf_store *store) {
  int64_t largest = 0;
  for (int b = 0; b < store->layout->n_blocks; b++) largest = rf_max(largest, store->layout->blocks[b].size);
  store->params.slots = store->gradients.slots = rf_loans_empty();
  for (int i = 0; i < RF_LOANS && !alone(store); i++) {
    RF_TRY(rf_arena_take(store->arena, (size_t)largest, sizeof(real), &store->params.full[i]));
    RF_TRY(rf_arena_take(store->arena, (size_t)largest, sizeof(real), &store->gradients.full[i]));
  }
  return RF_OK;
}

rf_status rf_store_create(const rf_layout *layout, struct rf_mesh *mesh, rf_store **store_out) {
  *store_out = NULL;
  rf_store *store = calloc(1, sizeof *store);
  if (!store) return rf_fail(RF_FAILED, "parameter store: out of memory");
  store->layout = layout;
  store->mesh = mesh;
  rf_status status = create_shards(store);
  if (status == RF_OK) status = create_slots(store);
  if (status != RF_OK) {
    rf_store_destroy(store);
    return rf_error_pass(status, __FILE__, __LINE__);
  }
  *store_out = store;
  return RF_OK;
}

void rf_store_destroy(rf_store *store) {
  if (!store) return;
  assert(rf_loans_all_returned(&store->params.slots) && rf_loans_all_returned(&store->gradients.slots));
  rf_arena_destroy(store->arena);
  free(store);
}

const rf_layout *rf_store_layout(const rf_store *store) { return store->layout; }
struct rf_mesh *rf_store_mesh(const rf_store *store) {
  return store->mesh;
}

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
  rf_store_updated(store);
}

/* Starts to bring a block's parameters into a slot, unless they are there or on their way. */
static rf_status start_fetch(rf_store *store, int block, int slot) {
  vectors *v = &store->params;
  if (v->slots.block[slot] == block) return RF_OK;
  RF_TRY(rf_flight_wait(v->flight[slot]));
  v->flight[slot] = NULL;
  v->slots.block[slot] = block;
  const rf_shard *shard = &store->shards[block];
  memcpy(v->full[slot] + shard->first, shard->params, (size_t)shard->count * sizeof(real));
  return rf_all_gather_start(store->mesh, RF_TRAFFIC_PARAMETERS, store->cuts[block], v->full[slot], &v->flight[slot]);
}

static rf_status fetch(rf_store *store, int block, int slot) {
  RF_TRY_IN(rf_mesh_phases(store->mesh), RF_PHASE_PARAMETERS, start_fetch(store, block, slot));
  return RF_OK;
}

rf_status rf_store_prefetch(rf_store *store, int block) {
  if (alone(store) || block < 0 || block >= store->layout->n_blocks) return RF_OK;
  const int slot = rf_loans_for(&store->params.slots, block);
  return slot == RF_NO_LOAN ? RF_OK : fetch(store, block, slot);
}

static rf_status refuse_block(const rf_store *store, int block, const char *why) {
  return rf_fail(RF_FAILED, "parameter store: block %s: %s", store->layout->blocks[block].name, why);
}

static rf_status check_lendable(const rf_store *store, const rf_loans *slots, int block) {
  if (rf_loans_lent(slots, block) != RF_NO_LOAN) return refuse_block(store, block, "is lent already; return it first");
  for (int i = 0; i < RF_LOANS; i++)
    if (!slots->lent[i]) return RF_OK;
  return refuse_block(store, block, "two others are lent, and no more can be at a time; return one first");
}

rf_status rf_store_lend(rf_store *store, int block, const real **params) {
  vectors *v = &store->params;
  assert(block >= 0 && block < store->layout->n_blocks);
  RF_TRY(check_lendable(store, &v->slots, block));
  const int slot = rf_loans_for(&v->slots, block);
  if (alone(store)) {
    v->slots.block[slot] = block;
    *params = store->shards[block].params;
  } else {
    RF_TRY(fetch(store, block, slot));
    RF_TRY_IN(rf_mesh_phases(store->mesh), RF_PHASE_PARAMETERS, rf_flight_wait(v->flight[slot]));
    v->flight[slot] = NULL;
    *params = v->full[slot];
  }
  v->slots.lent[slot] = true;
  return RF_OK;
}

void rf_store_return(rf_store *store, int block) {
  const int slot = rf_loans_lent(&store->params.slots, block);
  assert(slot != RF_NO_LOAN);
  if (slot != RF_NO_LOAN) store->params.slots.lent[slot] = false;
}

void rf_store_updated(rf_store *store) {
  assert(rf_loans_all_returned(&store->params.slots));
  for (int i = 0; i < RF_LOANS; i++) {
    assert(!store->params.flight[i]);
    store->params.slots.block[i] = RF_NO_BLOCK;
  }
}

/* Waits for a gradient that is on its way to its owners and adds what came here to the shard's sum. */
static rf_status add_gradient(rf_store *store, int slot) {
  vectors *v = &store->gradients;
  RF_TRY(rf_flight_wait(v->flight[slot]));
  const rf_shard *shard = &store->shards[v->slots.block[slot]];
  const real *restrict own = v->full[slot] + shard->first;
  real *restrict sum = shard->gradient;
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < shard->count; i++) sum[i] += own[i];
  v->flight[slot] = NULL;
  v->slots.block[slot] = RF_NO_BLOCK;
  return RF_OK;
}

static rf_status land_gradient(rf_store *store, int slot) {
  if (store->gradients.slots.block[slot] == RF_NO_BLOCK) return RF_OK;
  RF_TRY_IN(rf_mesh_phases(store->mesh), RF_PHASE_GRADIENTS, add_gradient(store, slot));
  return RF_OK;
}

rf_status rf_store_borrow_gradient(rf_store *store, int block, real **gradient) {
  vectors *v = &store->gradients;
  assert(block >= 0 && block < store->layout->n_blocks);
  RF_TRY(check_lendable(store, &v->slots, block));
  const int slot = rf_loans_for_gradient(&v->slots);
  if (alone(store))
    *gradient = store->shards[block].gradient;
  else {
    RF_TRY(land_gradient(store, slot));
    *gradient = v->full[slot];
    const int64_t size = store->layout->blocks[block].size;
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < size; i++) v->full[slot][i] = 0;
  }
  v->slots.block[slot] = block;
  v->slots.lent[slot] = true;
  return RF_OK;
}

rf_status rf_store_hand_back(rf_store *store, int block) {
  vectors *v = &store->gradients;
  assert(block >= 0 && block < store->layout->n_blocks);
  const int slot = rf_loans_lent(&v->slots, block);
  if (slot == RF_NO_LOAN) return refuse_block(store, block, "its gradient is handed back, but is not borrowed");
  v->slots.lent[slot] = false;
  v->slots.last = slot;
  if (alone(store))
    v->slots.block[slot] = RF_NO_BLOCK;
  else
    RF_TRY_IN(rf_mesh_phases(store->mesh), RF_PHASE_GRADIENTS,
              rf_reduce_scatter_start(store->mesh, RF_TRAFFIC_GRADIENTS, store->cuts[block], v->full[slot],
                                      &v->flight[slot]));
  return RF_OK;
}

rf_status rf_store_finish_gradients(rf_store *store) {
  for (int i = 0; i < RF_LOANS; i++) RF_TRY(land_gradient(store, i));
  return RF_OK;
}

void rf_store_recall(rf_store *store) {
  for (int i = 0; i < RF_LOANS; i++) {
    store->params.slots.lent[i] = false;
    if (store->gradients.slots.lent[i]) store->gradients.slots.block[i] = RF_NO_BLOCK;
    store->gradients.slots.lent[i] = false;
  }
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
