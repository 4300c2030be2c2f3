/* One sublayer with its parameters, alone; and its forward pass at buckets that are given. */
#ifndef TESTS_SUPPORT_SUBLAYER_CASE_H
#define TESTS_SUPPORT_SUBLAYER_CASE_H

#include "nn/sublayer.h"
#include "support/numbers.h"

typedef struct sublayer_case {
  rf_config config;
  rf_sublayer sublayer;
  rf_block block;
  rf_arena *arena, *plans;
  rf_call call;
  real *params;  /* [block.size] */
  void *saved;   /* as apply left it */
  size_t values; /* sequences * tokens * d_model */
} sublayer_case;

/* config: copied. The call has sequences, tokens, mask, ids of sequences, seed, step, training set by the caller. */
static inline sublayer_case *sublayer_case_create(const rf_config *config, const rf_sublayer_ops *ops,
                                                  const rf_call *call) {
  sublayer_case *c = NEW(sublayer_case, 1);
  c->config = *config;
  c->sublayer = (rf_sublayer){.ops = ops, .config = &c->config, .layer = 3};
  assert_ok(rf_arena_create("sublayer under test", 0, &c->arena));
  c->call = *call;
  c->call.scratch = c->arena;
  assert_ok(rf_arena_create("plans under test", 0, &c->plans));
  c->call.plans = c->plans;
  c->call.length = call->tokens;
  assert_ok(ops->describe(&c->sublayer, "layers.0", &c->block));
  c->params = NEW(real, c->block.size);
  c->saved = NEW(char, ops->saved_bytes(&c->sublayer, &c->call));
  c->values = (size_t)(call->sequences * call->tokens * config->model.d_model);
  return c;
}

static inline void sublayer_case_destroy(sublayer_case *c) {
  rf_arena_destroy(c->arena);
  rf_arena_destroy(c->plans);
  free(c->block.tensors);
  free(c->params);
  free(c->saved);
  free(c);
}

/* Norm scales near 1, weights with deviation 1 / sqrt(inputs) times `gain`, biases small: nothing is zero. */
static inline void sublayer_case_randomise(sublayer_case *c, dice *d, double gain) {
  for (int t = 0; t < c->block.n_tensors; t++) {
    const rf_tensor *tensor = &c->block.tensors[t];
    const bool matrix = tensor->n_dims > 1;
    const double deviation = matrix ? gain / sqrt((double)tensor->shape[tensor->n_dims - 1]) : 0.2;
    dice_fill(d, rf_tensor_count(tensor), tensor->init == RF_INIT_ONE ? 1 : 0, deviation, c->params + tensor->offset);
  }
}

/* y += sign F(x) at the buckets in `saved`, by the recomputation of apply_vjp. */
static inline void sublayer_forward_at(const rf_sublayer *s, const rf_call *call, const real *params, int64_t n_params,
                                       int64_t values, const real *x, real sign, real *y, const void *saved) {
  real *zero = NEW(real, values), *dx = NEW(real, values), *dparams = NEW(real, n_params), *f = NEW(real, values);
  const rf_sublayer_vjp task = {params, x, zero, f, dx, dparams, saved};
  assert_ok(s->ops->apply_vjp(s, call, &task));
  for (int64_t i = 0; i < values; i++) y[i] -= sign * f[i];
  free(zero);
  free(dx);
  free(dparams);
  free(f);
}

#endif
