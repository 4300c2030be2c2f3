#include "reformer/state.h"
#include <stdlib.h>

rf_status rf_state_create(rf_store *store, const rf_optimizer *optimizer, rf_state *state) {
  const rf_layout *layout = rf_store_layout(store);
  const int moments = optimizer ? rf_optimizer_state(optimizer, NULL) : 0;
  *state = (rf_state){.n_arrays = layout->n_blocks + moments};
  state->arrays = calloc((size_t)state->n_arrays, sizeof *state->arrays);
  if (!state->arrays) return rf_fail(RF_FAILED, "out of memory: table of %d arrays", state->n_arrays);
  for (int b = 0; b < layout->n_blocks; b++) {
    const rf_shard shard = rf_store_shard(store, b);
    state->arrays[b] = (rf_state_array){.kind = "parameters",
                                        .block = b,
                                        .tensor = -1,
                                        .total = layout->blocks[b].size,
                                        .first = shard.first,
                                        .count = shard.count,
                                        .values = shard.params};
  }
  if (optimizer) (void)rf_optimizer_state(optimizer, state->arrays + layout->n_blocks);
  return RF_OK;
}

void rf_state_destroy(rf_state *state) {
  free(state->arrays);
  *state = (rf_state){0};
}
