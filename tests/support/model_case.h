/* A small model with random parameters and a random batch. */
#ifndef TESTS_SUPPORT_MODEL_CASE_H
#define TESTS_SUPPORT_MODEL_CASE_H

#include "reformer/dataset.h"
#include "reformer/model.h"
#include "support/numbers.h"
#include "support/small_config.h"

typedef struct model_case {
  rf_model *model;
  rf_batch batch;
  int32_t *ids, *labels;
  uint8_t *mask;
  uint32_t *places;
  int64_t counted;
} model_case;

/* Norm scales near 1, all else with deviation `deviation`; nothing is zero, so that every gradient is tried. */
static inline void model_case_randomise(rf_model *model, dice *d, double deviation) {
  const rf_layout *layout = rf_store_layout(rf_model_store(model));
  for (int b = 0; b < layout->n_blocks; b++)
    for (int t = 0; t < layout->blocks[b].n_tensors; t++) {
      const rf_tensor *tensor = &layout->blocks[b].tensors[t];
      dice_fill(d, rf_tensor_count(tensor), tensor->init == RF_INIT_ONE ? 1 : 0, deviation,
                rf_store_shard(rf_model_store(model), b).params + tensor->offset);
    }
}

/* Labels are the next ids; a few are not counted. padding: the last tokens of the last sequence are. */
static inline model_case *model_case_create(const rf_config *config, int64_t sequences, int64_t tokens, bool padding,
                                            uint64_t seed) {
  model_case *c = NEW(model_case, 1);
  dice d = {.seed = seed};
  assert_ok(rf_model_create(config, NULL, &c->model));
  assert_true(rf_model_is_valid(c->model));
  model_case_randomise(c->model, &d, 0.3);
  const int64_t n = sequences * tokens;
  c->ids = NEW(int32_t, n);
  c->labels = NEW(int32_t, n);
  c->mask = padding ? NEW(uint8_t, n) : NULL;
  c->places = NEW(uint32_t, sequences);
  for (int64_t i = 0; i < n; i++) c->ids[i] = (int32_t)dice_below(&d, config->model.vocab_size);
  for (int64_t i = 0; i < n; i++) {
    const bool real_token = !padding || i < n - tokens / 3;
    const bool ignored = !real_token || i % tokens == tokens - 1 || i % 11 == 4;
    c->labels[i] = ignored ? RF_IGNORE : c->ids[i + 1];
    c->counted += !ignored;
    if (padding) c->mask[i] = real_token;
  }
  for (int64_t s = 0; s < sequences; s++) c->places[s] = (uint32_t)(5 + 2 * s);
  c->batch = (rf_batch){.sequences = sequences,
                        .tokens = tokens,
                        .ids = c->ids,
                        .labels = c->labels,
                        .mask = c->mask,
                        .sequence = c->places,
                        .seed = seed,
                        .step = 3};
  return c;
}

static inline void model_case_destroy(model_case *c) {
  rf_model_destroy(c->model);
  free(c->ids);
  free(c->labels);
  free(c->mask);
  free(c->places);
  free(c);
}

/* Reals of all blocks, padding included. */
static inline int64_t model_case_size(const model_case *c) {
  const rf_layout *layout = rf_store_layout(rf_model_store(c->model));
  int64_t n = 0;
  for (int b = 0; b < layout->n_blocks; b++) n += layout->blocks[b].size;
  return n;
}

/* The loss, and a copy of all gradients, of one call from cleared ones. The caller frees. */
static inline real *model_case_gradients(model_case *c, double scale, rf_loss *loss) {
  rf_store *store = rf_model_store(c->model);
  *loss = (rf_loss){0};
  rf_store_clear_gradients(store);
  assert_ok(rf_model_gradients(c->model, &c->batch, scale, loss));
  real *all = NEW(real, model_case_size(c)), *to = all;
  for (int b = 0; b < rf_store_layout(store)->n_blocks; b++) {
    const rf_shard shard = rf_store_shard(store, b);
    memcpy(to, shard.gradient, (size_t)shard.count * sizeof *to);
    to += shard.count;
  }
  return all;
}

#endif
