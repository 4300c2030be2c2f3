/* Temporary folders and a small model to save in them. */
#ifndef TESTS_CHECKPOINT_FOLDER_H
#define TESTS_CHECKPOINT_FOLDER_H

#include "reformer/checkpoint.h"
#include "reformer/model.h"
#include "support/numbers.h"
#include "support/small_config.h"
#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

/* In memory where the system has such a file system: there a sync takes no time. */
static inline const char *folder_make(void) {
  static char path[64];
  strcpy(path, access("/dev/shm", W_OK) == 0 ? "/dev/shm/reformer-test-XXXXXX" : "/tmp/reformer-test-XXXXXX");
  assert_non_null(mkdtemp(path));
  return path;
}

static inline int folder_remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk) {
  (void)about, (void)kind, (void)walk;
  return remove(path);
}

static inline void folder_remove(const char *path) {
  assert_int_equal(nftw(path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* "FOLDER/NAME"; good until the fourth call after. */
static inline const char *folder_path(const char *folder, const char *name) {
  static char paths[4][512];
  static int next;
  char path[sizeof paths[0]];
  snprintf(path, sizeof path, "%s/%s", folder, name); /* folder may be one of these */
  return strcpy(paths[next++ % 4], path);
}

static inline int folder_entries(const char *folder) {
  int n = 0;
  DIR *entries = opendir(folder);
  assert_non_null(entries);
  while (readdir(entries)) n++;
  closedir(entries);
  return n - 2;
}

static inline unsigned char *file_read(const char *path, int64_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file) fail_msg("%s: cannot be opened", path);
  fseek(file, 0, SEEK_END);
  *size = ftell(file);
  rewind(file);
  unsigned char *bytes = NEW(unsigned char, *size + 1);
  assert_int_equal(fread(bytes, 1, (size_t)*size, file), *size);
  fclose(file);
  return bytes;
}

static inline void file_write(const char *path, const void *bytes, int64_t size) {
  FILE *file = fopen(path, "wb");
  if (!file) fail_msg("%s: cannot be written", path);
  assert_int_equal(fwrite(bytes, 1, (size_t)size, file), size);
  assert_int_equal(fclose(file), 0);
}

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

#endif
