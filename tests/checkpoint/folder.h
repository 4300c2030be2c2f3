/* A small model to save in a temporary folder. */
#ifndef TESTS_CHECKPOINT_FOLDER_H
#define TESTS_CHECKPOINT_FOLDER_H

#include "reformer/checkpoint.h"
#include "reformer/model.h"
#include "support/files.h"
#include "support/small_config.h"

/* A model with random parameters, and an optimizer after two steps of random gradients. */
typedef struct trained {
  rf_config config;
  rf_model *model;
  rf_store *store;
  rf_optimizer *optimizer;
} trained;

static inline void trained_step(trained *t, dice *d, int64_t step) {
  const rf_layout *layout = rf_store_layout(t->store);
  for (int b = 0; b < layout->n_blocks; b++) {
    const rf_shard shard = rf_store_shard(t->store, b);
    for (int i = 0; i < layout->blocks[b].n_tensors; i++) {
      const rf_tensor *tensor = &layout->blocks[b].tensors[i];
      dice_fill(d, rf_tensor_count(tensor), 0, 1, shard.gradient + tensor->offset);
    }
  }
  assert_ok(rf_optimizer_update(t->optimizer, step, 0.01, 1));
}

/* Fills in place: the optimizer keeps a pointer to the configuration. */
static inline void trained_make(trained *t, rf_optimizer_kind kind, uint64_t seed) {
  dice d = {.seed = seed};
  *t = (trained){.config = small_config()};
  t->config.optimizer = small_optimizer(kind);
  assert_ok(rf_model_create(&t->config, NULL, &t->model));
  t->store = rf_model_store(t->model);
  rf_store_initialise(t->store, seed, t->config.model.init_std);
  assert_ok(rf_optimizer_create(&t->config.optimizer, t->store, &t->optimizer));
  for (int64_t step = 1; step <= 2; step++) trained_step(t, &d, step);
}

static inline void trained_destroy(trained *t) {
  rf_optimizer_destroy(t->optimizer);
  rf_model_destroy(t->model);
}

static inline rf_checkpoint_header some_header(void) {
  return (rf_checkpoint_header){.config = "model: {vocab_size: 19}\n",
                                .step = 1000,
                                .seed = UINT64_MAX - 3,
                                .mesh_sequence = 1,
                                .mesh_data = 1,
                                .eval_loss = 0.75};
}

static inline void trained_save(const trained *t, bool moments, const char *folder) {
  rf_state state;
  const rf_checkpoint_header header = some_header();
  assert_ok(rf_state_create(t->store, moments ? t->optimizer : NULL, &state));
  assert_ok(rf_checkpoint_save(folder, NULL, &header, rf_store_layout(t->store), &state));
  rf_state_destroy(&state);
}

/* Such a model and a folder in which its checkpoint is, or will be. */
typedef struct trained_place {
  const char *folder;
  char path[256]; /* FOLDER/c, of the checkpoint */
  trained t;
} trained_place;

static inline void place_make(trained_place *p) {
  p->folder = folder_make();
  snprintf(p->path, sizeof p->path, "%s/c", p->folder);
  trained_make(&p->t, RF_ADAM, 1);
}

static inline void place_destroy(trained_place *p) {
  trained_destroy(&p->t);
  folder_remove(p->folder);
}

#endif
