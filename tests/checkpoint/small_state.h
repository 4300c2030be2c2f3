/* A state of a few arrays, cut over the ranks, and a saver of it. */
#ifndef TESTS_CHECKPOINT_SMALL_STATE_H
#define TESTS_CHECKPOINT_SMALL_STATE_H

#include "checkpoint/folder.h"
#include "comm/mesh.h"
#include "reformer/saver.h"
#include "storage/lock.h"
#include <math.h>

enum { SMALL_ARRAYS = 3 };

/* Two arrays of one block, cut over the ranks, and one that all have. */
typedef struct small {
  rf_mesh *mesh;
  const char *folder; /* lent; the run's */
  rf_tensor tensor;
  rf_block block;
  rf_layout layout;
  rf_state_array arrays[SMALL_ARRAYS];
  rf_state state;
  rf_saver *saver;
  rf_lock *lock;
} small;

static inline void small_make(small *s, rf_mesh *mesh, const char *folder, int64_t total) {
  static const char *const kinds[] = {"parameters", "optimizer/first", "optimizer/row"};
  *s = (small){.mesh = mesh, .folder = folder};
  s->tensor = (rf_tensor){.name = "block.weight", .n_dims = 1, .shape = {total}};
  s->block = (rf_block){.name = "block", .n_tensors = 1, .tensors = &s->tensor, .size = total};
  s->layout = (rf_layout){.n_blocks = 1, .blocks = &s->block};
  const int64_t first = total * rf_mesh_rank(mesh) / rf_mesh_size(mesh);
  const int64_t count = total * (rf_mesh_rank(mesh) + 1) / rf_mesh_size(mesh) - first;
  for (int a = 0; a < SMALL_ARRAYS; a++) {
    s->arrays[a] = (rf_state_array){.kind = kinds[a], .tensor = -1, .total = total, .first = first, .count = count};
    if (a == 2) s->arrays[a] = (rf_state_array){.kind = kinds[a], .total = 77, .count = 77, .replicated = true};
    s->arrays[a].values = NEW(real, s->arrays[a].count + 1);
  }
  s->state = (rf_state){.n_arrays = SMALL_ARRAYS, .arrays = s->arrays};
}

static inline void small_free(small *s) {
  for (int a = 0; a < SMALL_ARRAYS; a++) free(s->arrays[a].values);
}

static inline real small_value(int array, int64_t element, int64_t step) {
  return (real)(array + 1) * (real)step + (real)(element % 1000) / 1024;
}

static inline void small_set(small *s, int64_t step) {
  for (int a = 0; a < SMALL_ARRAYS; a++)
    for (int64_t i = 0; i < s->arrays[a].count; i++)
      s->arrays[a].values[i] = small_value(a, s->arrays[a].first + i, step);
}

static inline void small_open(small *s, const rf_checkpoint_config *config, int64_t resumed) {
  rf_saver_options options = {
      .config = *config, .resumed_step = resumed, .folder = folder_path(s->folder, "checkpoints")};
  if (rf_mesh_rank(s->mesh) == 0) assert_ok(rf_lock_take(s->folder, RF_LOCK_BEST, &s->lock));
  options.lock = s->lock;
  assert_ok(rf_saver_create(&options, s->mesh, &s->layout, &s->state, &s->saver));
  assert_true(rf_saver_is_valid(s->saver));
}

static inline void small_close(small *s) {
  rf_saver_destroy(s->saver);
  rf_lock_release(s->lock);
  s->saver = NULL;
  s->lock = NULL;
}

static inline rf_status small_begin(small *s, int64_t step, double loss) {
  const rf_checkpoint_header header = {
      .config = "model: {}\n", .step = step, .mesh_sequence = 1, .mesh_data = 1, .eval_loss = loss};
  return rf_saver_begin(s->saver, &header);
}

static inline void small_save(small *s, int64_t step, double loss) {
  small_set(s, step);
  assert_ok(small_begin(s, step, loss));
  assert_ok(rf_saver_finish(s->saver));
}

static inline const char *small_path(const small *s, int64_t step) {
  char name[64];
  snprintf(name, sizeof name, "checkpoints/step-%08lld", (long long)step);
  return folder_path(s->folder, name);
}

static inline bool small_verifies(const small *s, int64_t step) {
  return rf_checkpoint_verify(small_path(s, step), NULL, NULL, NULL) == RF_OK;
}

/* All of it is read, and is the state of its step. */
static inline void small_check(const small *s, int64_t step) {
  rf_checkpoint *checkpoint;
  assert_ok(rf_checkpoint_verify(small_path(s, step), NULL, NULL, NULL));
  assert_ok(rf_checkpoint_open(small_path(s, step), &checkpoint));
  assert_int_equal(rf_checkpoint_info_of(checkpoint)->header.step, step);
  for (int a = 0; a < SMALL_ARRAYS; a++) {
    rf_state_array whole = s->arrays[a];
    whole.first = 0;
    whole.count = whole.total;
    whole.values = NEW(real, whole.total);
    assert_ok(rf_checkpoint_load(checkpoint, &s->layout, 1, &whole));
    for (int64_t i = 0; i < whole.total; i++)
      if (whole.values[i] != small_value(a, i, step))
        fail_msg("step %lld, array %d, element %lld: %g", (long long)step, a, (long long)i, (double)whole.values[i]);
    free(whole.values);
  }
  rf_checkpoint_close(checkpoint);
}

/* Entries of the folder of checkpoints whose name holds `part`. */
static inline int small_entries(const small *s, const char *part) {
  int n = 0;
  DIR *folder = opendir(folder_path(s->folder, "checkpoints"));
  for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;)
    n += entry->d_name[0] != '.' && strstr(entry->d_name, part);
  if (folder) closedir(folder);
  return n;
}

#endif
