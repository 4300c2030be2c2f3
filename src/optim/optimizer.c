#include "reformer/optimizer.h"

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

rf_status rf_optimizer_update(rf_optimizer *optimizer, int64_t step, double rate, double gradient_scale) {
  assert(step >= 1);
  const rf_optimizer_config *config = optimizer->config;
  rf_store *store = optimizer->store;
  if (config->kind == RF_ADAM) {
    rf_adam_update(&optimizer->adam, config, store, step, rate, gradient_scale);
    return RF_OK;
  }
  /* Where ranks own parts of a tensor, `sums` and then `squares` are summed over them in between. */
  rf_adafactor_collect(&optimizer->adafactor, store, gradient_scale);
  rf_adafactor_measure(&optimizer->adafactor, config, store, step, gradient_scale);
  rf_adafactor_apply(&optimizer->adafactor, config, store, rate, gradient_scale);
  return RF_OK;
}

size_t rf_optimizer_memory_used(const rf_optimizer *optimizer) {
  return sizeof *optimizer + rf_arena_memory_used(optimizer->arena);
}
