/* A small configuration whose sizes divide by nothing convenient, as a base for tests. */
#ifndef TESTS_SUPPORT_SMALL_CONFIG_H
#define TESTS_SUPPORT_SMALL_CONFIG_H

#include "reformer/config.h"

static inline rf_config small_config(void) {
  rf_config c = {0};
  c.model = (rf_model_config){.vocab_size = 19,
                              .d_model = 10,
                              .n_layers = 2,
                              .n_heads = 2,
                              .d_head = 6,
                              .d_ff = 21,
                              .activation = RF_GELU,
                              .n_attention = 1,
                              .attention = {RF_ATTENTION_LSH},
                              .causal = true,
                              .positions = {.kind = RF_POSITIONS_AXIAL, .n_axes = 2, .shape = {5, 7}, .dims = {4, 6}},
                              .residual = RF_RESIDUAL_REVERSIBLE,
                              .init_std = 0.3,
                              .norm_eps = 1e-12};
  c.lsh = (rf_lsh_config){
      .chunk = 8, .n_hashes = 2, .n_factors = 1, .n_buckets = {4}, .chunks_before = 1, .attend_across_buckets = true};
  c.local = (rf_local_config){.chunk = 8, .chunks_before = 1};
  c.mesh = (rf_mesh_config){.sequence = 1, .wave_memory = (int64_t)1 << 30};
  return c;
}

/* A layer of each kind of attention, with dropout in all places. */
static inline rf_config small_mixed_config(void) {
  rf_config c = small_config();
  c.model.n_layers = 3;
  c.model.n_attention = 3;
  c.model.attention[1] = RF_ATTENTION_LOCAL;
  c.model.attention[2] = RF_ATTENTION_FULL;
  c.model.dropout = c.model.attention_dropout = 0.1;
  c.local = (rf_local_config){.chunk = 12, .chunks_before = 1};
  return c;
}

/* With a first moment, whatever the kind. */
static inline rf_optimizer_config small_optimizer(rf_optimizer_kind kind) {
  return (rf_optimizer_config){.kind = kind,
                               .lr = 0.01,
                               .beta1 = 0.9,
                               .beta2 = 0.99,
                               .eps = 1e-8,
                               .decay_exponent = -0.8,
                               .clip_threshold = 1,
                               .factor_eps = 1e-30,
                               .scale_eps = 1e-3};
}

#endif
