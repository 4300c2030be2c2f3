/* Checkpoints that are written beside the training, by many ranks. */
#include "checkpoint/folder.h"
#include "checkpoint/lock.h"
#include "comm/survey.h"
#include "mpi/ranks.h"
#include "reformer/saver.h"
#include <math.h>

enum { LONG = 1 << 20 };

/* A state of two arrays of one block, cut over the ranks, and one that all have. */
typedef struct small {
  rf_mesh *mesh;
  char folder[256];
  rf_tensor tensor;
  rf_block block;
  rf_layout layout;
  rf_state_array arrays[3];
  rf_state state;
  rf_saver *saver;
  rf_lock *lock;
} small;

static real value_of(int array, int64_t element, int64_t step) {
  return (real)(array + 1) * (real)step + (real)(element % 1000) / 1024;
}

static void set_state(small *s, int64_t step) {
  for (int a = 0; a < 3; a++)
    for (int64_t i = 0; i < s->arrays[a].count; i++) s->arrays[a].values[i] = value_of(a, s->arrays[a].first + i, step);
}

static void small_open(small *s, const rf_checkpoint_config *config, int64_t resumed) {
  rf_saver_options options = {
      .config = *config, .resumed_step = resumed, .folder = folder_path(s->folder, "checkpoints")};
  if (rf_mesh_rank(s->mesh) == 0) assert_ok(rf_lock_take(s->folder, RF_LOCK_BEST, &s->lock));
  options.lock = s->lock;
  assert_ok(rf_saver_create(&options, s->mesh, &s->layout, &s->state, &s->saver));
  assert_true(rf_saver_is_valid(s->saver));
}

static void small_close(small *s) {
  rf_saver_destroy(s->saver);
  rf_lock_release(s->lock);
  s->saver = NULL;
  s->lock = NULL;
}

static void small_make(small *s, rf_mesh *mesh, int64_t total) {
  *s = (small){.mesh = mesh};
  if (rf_mesh_rank(mesh) == 0) strcpy(s->folder, folder_make());
  assert_ok(rf_broadcast(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 0, s->folder, sizeof s->folder));
  s->tensor = (rf_tensor){.name = "block.weight", .n_dims = 1, .shape = {total}};
  s->block = (rf_block){.name = "block", .n_tensors = 1, .tensors = &s->tensor, .size = total};
  s->layout = (rf_layout){.n_blocks = 1, .blocks = &s->block};
  const int64_t first = total * rf_mesh_rank(mesh) / rf_mesh_size(mesh);
  const int64_t count = total * (rf_mesh_rank(mesh) + 1) / rf_mesh_size(mesh) - first;
  static const char *const kinds[] = {"parameters", "optimizer/first", "optimizer/row"};
  for (int a = 0; a < 3; a++) {
    s->arrays[a] = (rf_state_array){.kind = kinds[a], .tensor = -1, .total = total, .first = first, .count = count};
    if (a == 2) s->arrays[a] = (rf_state_array){.kind = kinds[a], .total = 77, .count = 77, .replicated = true};
    s->arrays[a].values = NEW(real, s->arrays[a].count + 1);
  }
  s->state = (rf_state){.n_arrays = 3, .arrays = s->arrays};
}

static void small_free(small *s) {
  assert_ok(rf_agree(s->mesh, RF_OK));
  if (rf_mesh_rank(s->mesh) == 0) folder_remove(s->folder);
  for (int a = 0; a < 3; a++) free(s->arrays[a].values);
}

static rf_checkpoint_header header_of(int64_t step, double loss) {
  return (rf_checkpoint_header){
      .config = "model: {}\n", .step = step, .mesh_sequence = 1, .mesh_data = 1, .eval_loss = loss};
}

static void begin(small *s, int64_t step, double loss) {
  const rf_checkpoint_header header = header_of(step, loss);
  set_state(s, step);
  assert_ok(rf_saver_begin(s->saver, &header));
}

static const char *path_of(const small *s, int64_t step) {
  char name[64];
  snprintf(name, sizeof name, "checkpoints/step-%08lld", (long long)step);
  return folder_path(s->folder, name);
}

/* Every rank reads all of it. */
static void check_saved(const small *s, int64_t step) {
  rf_checkpoint *checkpoint;
  assert_ok(rf_checkpoint_verify(path_of(s, step), NULL, NULL, NULL));
  assert_ok(rf_checkpoint_open(path_of(s, step), &checkpoint));
  assert_int_equal(rf_checkpoint_info_of(checkpoint)->header.step, step);
  for (int a = 0; a < 3; a++) {
    rf_state_array whole = s->arrays[a];
    whole.first = 0;
    whole.count = whole.total;
    whole.values = NEW(real, whole.total);
    assert_ok(rf_checkpoint_load(checkpoint, &s->layout, 1, &whole));
    for (int64_t i = 0; i < whole.total; i++)
      if (whole.values[i] != value_of(a, i, step))
        fail_msg("step %lld, array %d, element %lld: %g", (long long)step, a, (long long)i, (double)whole.values[i]);
    free(whole.values);
  }
  rf_checkpoint_close(checkpoint);
}

static const rf_checkpoint_config beside = {.every = 1, .async = true};

static void save_while_the_state_changes(rf_mesh *mesh) {
  small s;
  small_make(&s, mesh, 3 * LONG + 5);
  small_open(&s, &beside, -1);
  assert_true(rf_saver_memory_used(s.saver) >= (size_t)(s.arrays[0].count + s.arrays[1].count) * sizeof(real));
  for (int64_t step = 1; step <= 2; step++) {
    begin(&s, step, NAN);
    set_state(&s, 99); /* training goes on */
    arrive_late(mesh, (int)step);
    int polls = 0;
    while (rf_saver_report_of(s.saver).saved_step != step) {
      assert_ok(rf_saver_poll(s.saver));
      assert_true(++polls < 100000);
      (void)usleep(100);
    }
    assert_false(rf_saver_report_of(s.saver).failed);
    check_saved(&s, step);
  }
  const rf_saver_report report = rf_saver_report_of(s.saver);
  assert_true(report.bytes > (int64_t)(2 * (3 * LONG + 5) * sizeof(real)));
  assert_true(report.write_seconds > 0 && report.longest_seconds >= report.write_seconds);
  assert_true(report.stall_seconds > 0);
  assert_ok(rf_saver_poll(s.saver)); /* nothing is under way */
  small_close(&s);
  small_free(&s);
}

static void test_what_is_saved_is_the_state_at_begin_though_it_changes_right_after(void **state) {
  (void)state;
  on_every_mesh(save_while_the_state_changes);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_what_is_saved_is_the_state_at_begin_though_it_changes_right_after),
};

RANKS_MAIN(tests)
