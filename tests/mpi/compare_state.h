/* Whether what the ranks hold together is what a checkpoint holds, to the bit. */
#ifndef TESTS_MPI_COMPARE_STATE_H
#define TESTS_MPI_COMPARE_STATE_H

#include "reformer/checkpoint.h"
#include "support/numbers.h"
#include "train/step.h"

/* Every rank loads all parameters into a store of its own. */
static inline void compare_parameters(rf_checkpoint *checkpoint, rf_store *store) {
  const rf_layout *layout = rf_store_layout(store);
  rf_store *whole;
  assert_ok(rf_store_create(layout, NULL, &whole));
  assert_ok(rf_checkpoint_load_parameters(checkpoint, whole));
  for (int b = 0; b < layout->n_blocks; b++) {
    const real *gathered;
    assert_ok(rf_store_lend(store, b, &gathered));
    assert_same_bits(layout->blocks[b].name, layout->blocks[b].size, rf_store_shard(whole, b).params, gathered);
    rf_store_return(store, b);
  }
  rf_store_destroy(whole);
}

/* Every array is loaded whole, and holds this rank's part of it where it belongs. */
static inline void compare_moments(rf_checkpoint *checkpoint, const rf_trainer *t, int *n_replicated) {
  const rf_layout *layout = rf_store_layout(rf_model_store(t->model));
  const int n = rf_optimizer_state(t->optimizer, NULL);
  rf_state_array *own = NEW(rf_state_array, n);
  (void)rf_optimizer_state(t->optimizer, own);
  assert_true(n > 0);
  for (int i = 0; i < n; i++) {
    rf_state_array whole = own[i];
    whole.first = 0;
    whole.count = whole.total;
    whole.values = NEW(real, whole.total);
    assert_ok(rf_checkpoint_load(checkpoint, layout, 1, &whole));
    assert_same_bits(own[i].kind, own[i].count, own[i].values, whole.values + own[i].first);
    *n_replicated += own[i].replicated;
    free(whole.values);
  }
  free(own);
}

#endif
