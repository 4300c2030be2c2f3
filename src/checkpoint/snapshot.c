#include "checkpoint/snapshot.h"
#include "checkpoint/shard.h"
#include "kernel/copy.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 4096 };

static size_t place_of(const rf_state_array *array) {
  const size_t bytes = (size_t)array->count * sizeof(real);
  return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* To each array its place; the copies are touched by the threads that will fill them. */
static void place_arrays(rf_snapshot *s) {
  char *next = s->memory;
  assert(s->state.arrays);
  for (int i = 0; i < s->state.n_arrays; i++) {
    rf_state_array *a = &s->state.arrays[i];
    a->values = (real *)(void *)next;
    next += place_of(a);
    rf_fill_zero(a->count, a->values);
  }
}

rf_status rf_snapshot_create(const rf_state *state, int rank, rf_snapshot *snapshot) {
  *snapshot = (rf_snapshot){.state.n_arrays = state->n_arrays};
  snapshot->state.arrays = calloc((size_t)state->n_arrays + 1, sizeof *state->arrays);
  for (int i = 0; snapshot->state.arrays && i < state->n_arrays; i++) {
    rf_state_array *a = &snapshot->state.arrays[i];
    *a = state->arrays[i];
    if (!rf_shard_holds(a, rank)) a->count = 0;
    snapshot->bytes += place_of(a);
  }
  if (snapshot->state.arrays) snapshot->memory = aligned_alloc(ALIGNMENT, snapshot->bytes + ALIGNMENT);
  if (!snapshot->memory) {
    const size_t bytes = snapshot->bytes;
    rf_snapshot_destroy(snapshot);
    return rf_fail(RF_FAILED, "out of memory: a copy of %zu bytes of the state", bytes);
  }
  place_arrays(snapshot);
  return RF_OK;
}

void rf_snapshot_destroy(rf_snapshot *snapshot) {
  free(snapshot->memory);
  rf_state_destroy(&snapshot->state);
  *snapshot = (rf_snapshot){0};
}

static rf_status refuse_array(const rf_layout *layout, const rf_state_array *array) {
  char link[RF_MAX_LINK];
  rf_segment_link(layout, array->kind, array->block, array->tensor, link);
  return rf_fail(RF_FAILED, "%s: not all of its numbers are finite; such a state is not saved", link);
}

rf_status rf_snapshot_take(rf_snapshot *snapshot, const rf_layout *layout, const rf_state *state) {
  for (int i = 0; i < state->n_arrays; i++) {
    const rf_state_array *to = &snapshot->state.arrays[i];
    if (!rf_copy_finite(to->count, state->arrays[i].values, to->values)) return refuse_array(layout, to);
  }
  return RF_OK;
}

rf_status rf_snapshot_check(const rf_layout *layout, const rf_state *state, int rank) {
  for (int i = 0; i < state->n_arrays; i++) {
    const rf_state_array *a = &state->arrays[i];
    if (rf_shard_holds(a, rank) && !rf_copy_finite(a->count, a->values, NULL)) return refuse_array(layout, a);
  }
  return RF_OK;
}
