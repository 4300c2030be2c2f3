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
  return c;
}

#endif
