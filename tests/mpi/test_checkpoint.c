/* A state that many ranks hold is saved as one checkpoint, of which each number comes back to the bit. */
#include "checkpoint/folder.h"
#include "mpi/compare_state.h"
#include "mpi/ranks.h"
#include "train/step.h"

enum { STEPS = 3 };

static rf_config tiny_config(rf_optimizer_kind kind) {
  rf_config c = small_config();
  c.model.vocab_size = 128; /* of the duplication task */
  c.data = (rf_data_config){.kind = RF_DATA_DUPLICATE, .length = 34};
  c.training = (rf_training_config){.steps = STEPS, .batch = 24, .accumulate = 2, .clip_norm = 1, .seed = 5};
  c.optimizer = small_optimizer(kind);
  return c;
}

/* One folder for all ranks, which rank 0 makes and removes. */
static const char *shared_folder(rf_mesh *mesh) {
  static char path[64];
  if (rf_mesh_rank(mesh) == 0) strcpy(path, folder_make());
  assert_ok(rf_broadcast(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 0, path, sizeof path));
  return path;
}

static rf_status save(rf_trainer *t, const char *path) {
  rf_store *store = rf_model_store(t->model);
  rf_state state;
  const rf_checkpoint_header header = {.config = "model: {}\n",
                                       .step = STEPS,
                                       .seed = 5,
                                       .mesh_sequence = rf_mesh_sequence_size(t->mesh),
                                       .mesh_data = rf_mesh_data_size(t->mesh),
                                       .eval_loss = NAN};
  assert_ok(rf_state_create(store, t->optimizer, &state));
  const rf_status status = rf_checkpoint_save(path, t->mesh, &header, rf_store_layout(store), &state);
  rf_state_destroy(&state);
  return status;
}

static void check_state(const char *path, rf_trainer *t, rf_optimizer_kind kind) {
  rf_checkpoint *checkpoint;
  int n_replicated = 0;
  assert_ok(rf_checkpoint_verify(path, NULL, NULL, NULL));
  assert_ok(rf_checkpoint_open(path, &checkpoint));
  const rf_checkpoint_info *info = rf_checkpoint_info_of(checkpoint);
  assert_int_equal(info->ranks, rf_mesh_size(t->mesh));
  assert_int_equal(info->header.step, STEPS);
  assert_int_equal(info->header.mesh_sequence, rf_mesh_sequence_size(t->mesh));
  assert_int_equal(info->header.mesh_data, rf_mesh_data_size(t->mesh));
  compare_parameters(checkpoint, rf_model_store(t->model));
  compare_moments(checkpoint, t, &n_replicated);
  assert_true((n_replicated > 0) == (kind == RF_ADAFACTOR));
  rf_checkpoint_close(checkpoint);
}

static void train(rf_mesh *mesh, rf_optimizer_kind kind, rf_trainer *t) {
  const rf_config config = tiny_config(kind);
  rf_step_result result;
  assert_ok(rf_trainer_create(&config, mesh, t));
  for (int64_t step = 1; step <= STEPS; step++) {
    assert_ok(rf_train_step(t, step, &result));
    assert_false(result.skipped);
  }
}

static void save_and_compare(rf_mesh *mesh) {
  for (int kind = RF_ADAM; kind <= RF_ADAFACTOR; kind++) {
    const char *folder = shared_folder(mesh);
    rf_trainer t;
    train(mesh, (rf_optimizer_kind)kind, &t);
    for (int turn = 0; turn < 2; turn++) { /* the second time over the first */
      const char *path = folder_path(folder, "deeper/step-1");
      arrive_late(mesh, turn);
      assert_ok(save(&t, path));
      check_state(path, &t, (rf_optimizer_kind)kind);
      assert_ok(rf_agree(mesh, RF_OK));
    }
    rf_trainer_destroy(&t);
    if (rf_mesh_rank(mesh) == 0) folder_remove(folder);
  }
}

static void test_every_number_comes_back_to_the_bit(void **state) {
  (void)state;
  on_every_mesh(save_and_compare);
}

static int entries_in(const char *path) {
  DIR *folder = opendir(path);
  assert_non_null(folder);
  int n = 0;
  for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) n += entry->d_name[0] != '.';
  closedir(folder);
  return n;
}

/* spoil: makes the second save fail on one rank, and returns what the message must say. */
static void check_failed_save(const char *(*spoil)(rf_trainer *t, const char *folder)) {
  rf_mesh *mesh;
  assert_ok(make_mesh(rf_mpi_size(), 0, &mesh));
  const char *folder = shared_folder(mesh), *path = folder_path(folder, "c");
  rf_trainer t;
  train(mesh, RF_ADAM, &t);
  assert_ok(save(&t, path));
  const char *expected = spoil(&t, folder);
  assert_int_equal(save(&t, path), RF_FAILED);
  if (!strstr(rf_error_message(), expected) || !strstr(rf_error_message(), "cannot be saved"))
    fail_msg("found '%s', expected '%s'", rf_error_message(), expected);
  assert_ok(rf_checkpoint_verify(path, NULL, NULL, NULL));
  assert_ok(rf_agree(mesh, RF_OK)); /* the mesh is as good as before */
  rf_trainer_destroy(&t);
  rf_mesh_destroy(mesh);
  rf_mesh *again;
  assert_ok(make_mesh(1, 0, &again));
  assert_ok(rf_agree(again, RF_OK)); /* all have looked */
  if (rf_mesh_rank(again) == 0) {
    assert_int_equal(entries_in(folder), 1);
    folder_remove(folder);
  }
  rf_mesh_destroy(again);
}

static const char *spoil_the_last_rank(rf_trainer *t, const char *folder) {
  (void)folder;
  static char expected[64];
  const int last = rf_mpi_size() - 1;
  if (rf_mpi_rank() == last) rf_store_shard(rf_model_store(t->model), 1).params[0] = (real)NAN;
  if (last > 0)
    snprintf(expected, sizeof expected, "cannot be saved: rank %d on host ", last);
  else
    snprintf(expected, sizeof expected, "parameters/layers.0");
  return expected;
}

static void test_a_number_that_is_not_finite_on_one_rank_fails_all(void **state) {
  (void)state;
  check_failed_save(spoil_the_last_rank);
}

/* A file where the parent folder should be: only rank 0 meets it. */
static void test_a_folder_that_rank_0_cannot_make_fails_all(void **state) {
  (void)state;
  rf_mesh *mesh;
  assert_ok(make_mesh(1, 0, &mesh));
  const char *folder = shared_folder(mesh);
  rf_trainer t;
  train(mesh, RF_ADAFACTOR, &t);
  const char *path = folder_path(folder, "file/c");
  if (rf_mesh_rank(mesh) == 0) file_write(folder_path(folder, "file"), "x", 1);
  assert_int_equal(save(&t, path), RF_FAILED);
  assert_non_null(strstr(rf_error_message(), "file"));
  rf_trainer_destroy(&t);
  rf_mesh_destroy(mesh);
  if (rf_mpi_rank() == 0) {
    assert_int_equal(entries_in(folder), 1);
    folder_remove(folder);
  }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_every_number_comes_back_to_the_bit),
    cmocka_unit_test(test_a_number_that_is_not_finite_on_one_rank_fails_all),
    cmocka_unit_test(test_a_folder_that_rank_0_cannot_make_fails_all),
};

RANKS_MAIN(tests)
