#include "reformer/optimizer.h"

#include "comm/collective.h"
#include "comm/span.h"
#include "optim/adafactor.h"
#include "optim/adam.h"

#include <assert.h>
#include <stdlib.h>

struct rf_optimizer {
  const rf_optimizer_config *config; /* lent */
  rf_store *store;                   /* lent */
  rf_arena *arena;                   /* holds all that follows */
  rf_adam adam;
  rf_adafactor adafactor;
};

rf_status rf_optimizer_create(const rf_optimizer_config *config, rf_store *store, rf_optimizer **optimizer_out) {
  *optimizer_out = NULL;
  rf_optimizer *optimizer = calloc(1, sizeof *optimizer);
  if (!optimizer) return rf_fail(RF_FAILED, "optimizer: out of memory");
  optimizer->config = config;
  optimizer->store = store;
  rf_status status = rf_arena_create("optimizer", 0, &optimizer->arena);
  if (status == RF_OK)
    status = config->kind == RF_ADAM ? rf_adam_create(store, optimizer->arena, &optimizer->adam)
                                     : rf_adafactor_create(config, store, optimizer->arena, &optimizer->adafactor);
  if (status != RF_OK) {
    rf_optimizer_destroy(optimizer);
    return rf_error_pass(status, __FILE__, __LINE__);
  }
  *optimizer_out = optimizer;
  return RF_OK;
}

void rf_optimizer_destroy(rf_optimizer *optimizer) {
  if (!optimizer) return;
  rf_arena_destroy(optimizer->arena);
  free(optimizer);
}

/* Ranks own parts of tensors: what was summed over a rank's elements is summed over the ranks before it is used. */
static rf_status update_adafactor(rf_optimizer *optimizer, int64_t step, double rate, double gradient_scale) {
  rf_adafactor *a = &optimizer->adafactor;
  rf_mesh *mesh = rf_store_mesh(optimizer->store);
  rf_adafactor_collect(a, optimizer->store, gradient_scale);
  RF_TRY(rf_sum_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, a->n_sums, a->sums));
  rf_adafactor_update_moments(a, optimizer->config, optimizer->store, step, gradient_scale);
  RF_TRY(rf_sum_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, a->n_tensors, a->squares));
  rf_adafactor_apply(a, optimizer->config, optimizer->store, rate, gradient_scale);
  return RF_OK;
}

rf_status rf_optimizer_update(rf_optimizer *optimizer, int64_t step, double rate, double gradient_scale) {
  assert(step >= 1);
  const rf_optimizer_config *config = optimizer->config;
  rf_store *store = optimizer->store;
  if (config->kind == RF_ADAM)
    rf_adam_update(&optimizer->adam, config, store, step, rate, gradient_scale);
  else
    RF_TRY(update_adafactor(optimizer, step, rate, gradient_scale));
  rf_store_updated(store);
  return RF_OK;
}

size_t rf_optimizer_memory_used(const rf_optimizer *optimizer) {
  return sizeof *optimizer + rf_arena_memory_used(optimizer->arena);
}

size_t rf_optimizer_footprint(const rf_optimizer_config *config, const rf_layout *layout, int ranks, int rank) {
  const bool adam = config->kind == RF_ADAM;
  const int moments = adam ? 2 : config->beta1 > 0;
  size_t bytes = 0;
  int64_t most_columns = 1;
  for (int b = 0; b < layout->n_blocks; b++) {
    const rf_span shard = rf_span_of(layout->blocks[b].size, ranks, rank);
    const rf_shard own = {.first = shard.first, .count = shard.count};
    bytes += (size_t)moments * (size_t)shard.count * sizeof(real);
    for (int t = 0; t < layout->blocks[b].n_tensors; t++) {
      const rf_piece piece = rf_piece_of(&layout->blocks[b].tensors[t], b, &own);
      bytes += sizeof piece;
      if (adam) continue;
      bytes += sizeof(rf_adafactor_tensor) + 2 * sizeof(double);
      if (!rf_piece_is_matrix(&piece)) {
        bytes += (size_t)(piece.to - piece.from) * sizeof(real);
        continue;
      }
      bytes += (size_t)(piece.rows + piece.columns) * (2 * sizeof(real) + sizeof(double));
      most_columns = piece.columns > most_columns ? piece.columns : most_columns;
    }
  }
  if (!adam) bytes += (size_t)(RF_SLICES * most_columns) * sizeof(double);
  return bytes;
}

/* Where the next array goes; counts only where `arrays` is NULL. */
typedef struct state_list {
  int n;
  rf_state_array *arrays;
} state_list;

static void add_array(state_list *list, rf_state_array array) {
  if (list->arrays) list->arrays[list->n] = array;
  list->n++;
}

/* A moment of every parameter; moments: [blocks]. */
static void add_moment(state_list *list, const rf_store *store, const char *kind, real *const *moments) {
  const rf_layout *layout = rf_store_layout(store);
  for (int b = 0; b < layout->n_blocks; b++) {
    const rf_shard shard = rf_store_shard(store, b);
    add_array(list, (rf_state_array){.kind = kind,
                                     .block = b,
                                     .tensor = -1,
                                     .total = layout->blocks[b].size,
                                     .first = shard.first,
                                     .count = shard.count,
                                     .values = moments[b]});
  }
}

static void add_statistics(state_list *list, const rf_adafactor_tensor *t, int block, int tensor) {
  const rf_piece *piece = &t->piece;
  rf_state_array array = {.block = block, .tensor = tensor};
  if (!rf_piece_is_matrix(piece)) {
    array.kind = "optimizer/second";
    array.total = piece->columns;
    array.first = piece->from;
    array.count = piece->to - piece->from;
    array.values = t->second;
    add_array(list, array);
    return;
  }
  array.replicated = true;
  array.kind = "optimizer/row";
  array.total = array.count = piece->rows;
  array.values = t->row;
  add_array(list, array);
  array.kind = "optimizer/column";
  array.total = array.count = piece->columns;
  array.values = t->column;
  add_array(list, array);
}

int rf_optimizer_state(const rf_optimizer *optimizer, rf_state_array *arrays) {
  state_list list = {.arrays = arrays};
  if (optimizer->config->kind == RF_ADAM) {
    add_moment(&list, optimizer->store, "optimizer/first", optimizer->adam.first);
    add_moment(&list, optimizer->store, "optimizer/second", optimizer->adam.second);
    return list.n;
  }
  /* Pieces come one a tensor, in the order of the layout. */
  const rf_adafactor_tensor *next = optimizer->adafactor.tensors;
  const rf_layout *layout = rf_store_layout(optimizer->store);
  for (int b = 0; b < layout->n_blocks; b++)
    for (int t = 0; t < layout->blocks[b].n_tensors; t++) add_statistics(&list, next++, b, t);
  if (optimizer->adafactor.first) add_moment(&list, optimizer->store, "optimizer/first", optimizer->adafactor.first);
  return list.n;
}
