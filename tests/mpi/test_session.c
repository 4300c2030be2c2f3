/* Sessions on every mesh of the world: as on one rank, and what is refused or fails to be saved or loaded ends nothing.
 */
#include "checkpoint/folder.h"
#include "mpi/ranks.h"
#include "reformer/config_file.h"
#include "reformer/session.h"

enum { STEPS = 4 };

static const char text[] = "model: {vocab_size: 128, d_model: 16, n_layers: 2, n_heads: 2, d_head: 8, d_ff: 16,\n"
                           "        attention: [local, lsh], positions: learned}\n"
                           "lsh: {chunk: 8, n_hashes: 2}\n"
                           "local: {chunk: 8}\n"
                           "data: {kind: duplicate, length: 32}\n"
                           "training: {steps: 4, batch: 4, seed: 3, eval_batches: 1, memory_limit: 0}\n"
                           "optimizer: {kind: adafactor, warmup: 2}\n";
static const char with_momentum[] = "optimizer.beta1=0.9", without_momentum[] = "optimizer.beta1=0";
static const double tolerance = sizeof(real) == 8 ? 1e-8 : 1e-4;

/* mesh NULL: alone. */
static rf_session *session_of(rf_mesh *mesh, const char *momentum) {
  char sequence[64], data[64];
  const char *const sets[] = {momentum, sequence, data};
  rf_config config;
  rf_session *session;
  snprintf(sequence, sizeof sequence, "mesh.sequence=%d", rf_mesh_sequence_size(mesh));
  snprintf(data, sizeof data, "mesh.data=%d", rf_mesh_data_size(mesh));
  assert_ok(rf_config_parse("test", text, strlen(text), sets, 3, &config));
  assert_ok(rf_session_create(&config, mesh, &session));
  return session;
}

static double step(rf_session *session) {
  rf_step_result result;
  assert_ok(rf_session_step(session, &result));
  assert_false(result.skipped);
  return rf_loss_mean(&result.loss);
}

static double evaluate(rf_session *session) {
  rf_loss loss;
  assert_ok(rf_session_evaluate(session, RF_SPLIT_VALIDATION, &loss));
  assert_true(loss.counted > 0);
  return rf_loss_mean(&loss);
}

/* Of each step, and of an evaluation at the end. */
static void train(rf_session *session, double *losses) {
  for (int i = 0; i < STEPS; i++) losses[i] = step(session);
  losses[STEPS] = evaluate(session);
}

/* The next loss is that of a session that nothing happened to, to the last bit. */
static void goes_on(rf_session *session, const double *losses) {
  assert_int_equal(rf_mesh_has_failed(rf_store_mesh(rf_model_store(rf_session_model(session)))), false);
  const int64_t done = rf_session_steps_done(session);
  const double loss = step(session);
  if (loss != losses[done]) fail_msg("step %d: loss %.17g, straight on %.17g", (int)done + 1, loss, losses[done]);
}

/* All ranks have the status, the message and the mesh. */
static void refused(rf_mesh *mesh, rf_status found, rf_status wanted, const char *says) {
  char first[512] = "", own[512] = "";
  if (found != wanted || !strstr(rf_error_message(), says))
    fail_msg("status %d, wanted %d, '%s' in: %s", (int)found, (int)wanted, says, rf_error_message());
  snprintf(own, sizeof own, "%s", rf_error_message());
  memcpy(first, own, sizeof first);
  assert_ok(rf_share(mesh, first, sizeof first));
  assert_string_equal(own, first);
  assert_ok(rf_agree(mesh, RF_OK));
}

static const char *shared_folder(rf_mesh *mesh) {
  static char folder[64];
  if (rf_mesh_rank(mesh) == 0) snprintf(folder, sizeof folder, "%s", folder_make());
  assert_ok(rf_share(mesh, folder, sizeof folder));
  return folder;
}

/* One byte in the middle of the last rank's shard: the others find theirs whole. */
static void damage(rf_mesh *mesh, const char *checkpoint) {
  char name[64];
  int64_t size;
  const int ranks = rf_mesh_size(mesh);
  snprintf(name, sizeof name, "shard-%05d-of-%05d.h5", ranks - 1, ranks);
  if (rf_mesh_rank(mesh) == 0) {
    const char *path = folder_path(checkpoint, name);
    unsigned char *bytes = file_read(path, &size);
    bytes[size / 2] ^= 1;
    file_write(path, bytes, size);
    free(bytes);
  }
  assert_ok(rf_agree(mesh, RF_OK));
}

static void fail_to_save(rf_mesh *mesh, rf_session *session, const char *folder) {
  refused(mesh, rf_session_save(session, "/proc/nowhere/saved"), RF_FAILED, "cannot be saved");
  real *number = rf_store_shard(rf_model_store(rf_session_model(session)), 1).params;
  const bool last = rf_mesh_rank(mesh) == rf_mesh_size(mesh) - 1;
  const real kept = *number;
  if (last) *number = (real)NAN;
  refused(mesh, rf_session_save(session, folder_path(folder, "one")), RF_FAILED, "cannot be saved");
  if (last) *number = kept;
}

static void fail_with_folders_that_differ(rf_mesh *mesh, rf_session *session) {
  char folder[64];
  snprintf(folder, sizeof folder, "/proc/nowhere/%d", rf_mesh_rank(mesh));
  refused(mesh, rf_session_save(session, folder), RF_FAILED, "checkpoint /proc/nowhere/0 cannot be saved");
  refused(mesh, rf_session_load(session, folder), RF_BAD_DATA, "/proc/nowhere/0");
}

/* What is there is refused by rank 0, and replaced where it is a checkpoint. */
static void save_onto(rf_mesh *mesh, rf_session *session, const char *folder) {
  const char *path = folder_path(folder, "mine"), *checkpoint = folder_path(folder, "twice");
  if (rf_mesh_rank(mesh) == 0) {
    assert_int_equal(mkdir(path, 0777), 0);
    file_write(folder_path(path, "letter"), "x", 1);
  }
  refused(mesh, rf_session_save(session, path), RF_BAD_CONFIG, "mine exists already and holds letter");
  if (rf_mesh_rank(mesh) == 0) assert_int_equal(access(folder_path(path, "letter"), F_OK), 0);
  assert_ok(rf_session_save(session, checkpoint));
  assert_ok(rf_session_save(session, checkpoint));
  assert_ok(rf_session_load(session, checkpoint));
}

static void fail_to_load(rf_mesh *mesh, rf_session *session, const char *folder) {
  const char *path = folder_path(folder, "other");
  rf_session *other = session_of(mesh, without_momentum);
  (void)step(other);
  assert_ok(rf_session_save(other, path));
  rf_session_destroy(other);
  refused(mesh, rf_session_load(session, "/nowhere"), RF_BAD_DATA, "/nowhere");
  refused(mesh, rf_session_load(session, path), RF_BAD_DATA, "holds no optimizer/first");
}

static void fail_to_load_numbers(rf_mesh *mesh, rf_session *session, const char *folder) {
  static const char *const says = "could not be loaded";
  const char *whole = folder_path(folder, "whole"), *damaged = folder_path(folder, "damaged");
  rf_step_result result;
  rf_loss loss;
  assert_ok(rf_session_save(session, whole));
  assert_ok(rf_session_save(session, damaged));
  damage(mesh, damaged);
  refused(mesh, rf_session_load(session, damaged), RF_BAD_DATA, "shard-");
  refused(mesh, rf_session_step(session, &result), RF_BAD_DATA, says);
  refused(mesh, rf_session_evaluate(session, RF_SPLIT_VALIDATION, &loss), RF_BAD_DATA, says);
  refused(mesh, rf_session_save(session, damaged), RF_BAD_DATA, says);
  assert_ok(rf_session_load(session, whole));
}

static void check_mesh(rf_mesh *mesh) {
  double alone[STEPS + 1], losses[STEPS + 1];
  rf_step_result result;
  const char *folder = shared_folder(mesh);
  rf_session *one = session_of(NULL, with_momentum), *straight = session_of(mesh, with_momentum);
  train(one, alone);
  train(straight, losses);
  for (int i = 0; i <= STEPS; i++)
    if (!(fabs(losses[i] - alone[i]) <= tolerance * alone[i]))
      fail_msg("loss %d is %.15g, on one rank %.15g", i, losses[i], alone[i]);
  rf_session_destroy(one);
  rf_session_destroy(straight);

  rf_session *session = session_of(mesh, with_momentum);
  goes_on(session, losses);
  fail_to_save(mesh, session, folder);
  fail_with_folders_that_differ(mesh, session);
  save_onto(mesh, session, folder);
  goes_on(session, losses);
  fail_to_load(mesh, session, folder);
  goes_on(session, losses);
  fail_to_load_numbers(mesh, session, folder);
  goes_on(session, losses);
  refused(mesh, rf_session_step(session, &result), RF_BAD_CONFIG, "all 4 steps of training.steps are done");
  assert_true(evaluate(session) == losses[STEPS]);
  rf_session_destroy(session);
  assert_ok(rf_agree(mesh, RF_OK)); /* all have looked */
  if (rf_mesh_rank(mesh) == 0) folder_remove(folder);
}

static void test_what_fails_to_be_saved_or_loaded_ends_nothing(void **state) {
  (void)state;
  on_every_mesh(check_mesh);
}

/* --- ranks that do not do the same ------------------------------------------------------------------ */

static rf_config config_of(const char *set) {
  rf_config config;
  assert_ok(rf_config_parse("test", text, strlen(text), &set, 1, &config));
  return config;
}

/* Each turn takes a mesh, as none of those that failed is of any more use. The last rank is given another value. */
static void test_configurations_that_differ_are_refused_by_rank_and_key(void **state) {
  static const struct {
    const char *all, *last, *says;
  } turns[] = {
      {"training.seed=3", "training.seed=4", "training.seed: found 4, there 3; allowed: the same on all ranks"},
      {"model.attention=[local, lsh]", "model.attention=[lsh, local]",
       "model.attention: found [lsh, local], there [lo"},
      {"optimizer.lr=0.001", "optimizer.lr=0.0010000000000000002",
       "optimizer.lr: found 0.0010000000000000002, there 0.001"},
      {"output.log_every=1", "output.log_every=2", "output.log_every: found 2, there 1"}};
  (void)state;
  for (size_t i = 0; i < sizeof turns / sizeof *turns && rf_mpi_size() > 1; i++) {
    char says[256];
    rf_mesh *mesh;
    rf_session *session;
    const int last = rf_mpi_size() - 1;
    assert_ok(make_mesh(1, 0, &mesh));
    const rf_config config = config_of(rf_mesh_rank(mesh) == last ? turns[i].last : turns[i].all);
    assert_int_equal(rf_session_create(&config, mesh, &session), RF_BAD_CONFIG);
    assert_null(session);
    snprintf(says, sizeof says, "rank %d on host %s: its configuration is not that of rank 0 on host %s: %s", last,
             rf_host_name(mesh, last), rf_host_name(mesh, 0), turns[i].says);
    if (!strstr(rf_error_message(), says)) fail_msg("found: %s\nwanted: %s", rf_error_message(), says);
    rf_mesh_destroy(mesh);
  }
}

static void test_a_session_of_another_arrangement_is_refused_and_ends_nothing(void **state) {
  static const char says[] = "lives on this mesh as 1 x ";
  rf_mesh *mesh;
  rf_session *other;
  double alone[STEPS + 1];
  const int ranks = rf_mpi_size();
  (void)state;
  if (ranks == 1) skip();
  assert_ok(make_mesh(1, 0, &mesh));
  rf_session *session = session_of(mesh, with_momentum), *same = session_of(mesh, with_momentum);
  train(same, alone);
  goes_on(session, alone);
  rf_config config = *rf_session_config(session);
  config.mesh.sequence = ranks;
  for (config.mesh.data = 0; config.mesh.data < 2; config.mesh.data++) {
    refused(mesh, rf_session_create(&config, mesh, &other), RF_BAD_CONFIG, says);
    assert_null(other);
    goes_on(session, alone);
  }
  rf_session_destroy(same);
  rf_session_destroy(session);
  config.mesh.data = 1;
  assert_ok(rf_session_create(&config, mesh, &other));
  assert_int_equal(rf_mesh_sequence_size(mesh), ranks);
  (void)step(other);
  assert_ok(rf_mesh_arrange(mesh, ranks, 0));
  (void)step(other);
  const rf_status arranged = rf_mesh_arrange(mesh, 1, 0);
  if (arranged != RF_BAD_CONFIG || !strstr(rf_error_message(), "sequence 1 x data"))
    fail_msg("status %d: %s", (int)arranged, rf_error_message());
  rf_session_destroy(other);
  rf_mesh_destroy(mesh);
}

static void test_the_same_data_may_lie_elsewhere(void **state) {
  (void)state;
  rf_mesh *mesh;
  rf_session *session;
  char path[64];
  assert_ok(make_mesh(1, 0, &mesh));
  rf_config config = config_of("model.vocab_size=256");
  snprintf(path, sizeof path, "%s", folder_path(folder_make(), "data"));
  FILE *file = fopen(path, "w");
  for (int i = 0; i < 4000; i++) (void)fputc('a' + i % 17, file);
  (void)fclose(file);
  config.data.kind = RF_DATA_BYTES;
  snprintf(config.data.path, sizeof config.data.path, "%s", path);
  assert_ok(rf_session_create(&config, mesh, &session));
  (void)step(session);
  rf_session_destroy(session);
  assert_ok(rf_agree(mesh, RF_OK));
  rf_mesh_destroy(mesh);
  (void)unlink(path);
  *strrchr(path, '/') = '\0';
  folder_remove(path);
}

typedef enum act { STEP, STEP_OTHER, VALIDATE, TEST, SAVE, LOAD, CREATE, AGREE } act;

static rf_status do_act(rf_mesh *mesh, rf_session *session, rf_session *other, act what) {
  rf_step_result result;
  rf_loss loss;
  rf_session *made;
  const rf_config config = config_of("training.seed=3");
  switch (what) {
  case STEP: return rf_session_step(session, &result);
  case STEP_OTHER: return rf_session_step(other, &result);
  case VALIDATE: return rf_session_evaluate(session, RF_SPLIT_VALIDATION, &loss);
  case TEST: return rf_session_evaluate(session, RF_SPLIT_TEST, &loss);
  case SAVE: return rf_session_save(session, "/proc/nowhere/saved");
  case LOAD: return rf_session_load(session, "/nowhere");
  case CREATE: return rf_session_create(&config, mesh, &made);
  default: return rf_agree(mesh, RF_OK);
  }
}

/* The last rank does another thing than all before it. Sessions of a mesh that has failed stay, and addresses end: each
 * turn makes as few as it needs. */
static void test_ranks_that_call_different_functions_are_told_which(void **state) {
  static const char *const names[] = {"rf_session_step of session 1",
                                      "rf_session_step of session 2",
                                      "rf_session_evaluate (validation split) of session 1",
                                      "rf_session_evaluate (test split) of session 1",
                                      "rf_session_save of session 1",
                                      "rf_session_load of session 1",
                                      "rf_session_create of session 2",
                                      "something else (rf_agree, rf_config_load, ...)"};
  static const act pairs[][2] = {{STEP, VALIDATE}, {VALIDATE, STEP}, {SAVE, STEP},       {STEP, AGREE},
                                 {AGREE, STEP},    {STEP, CREATE},   {STEP, STEP_OTHER}, {VALIDATE, TEST},
                                 {TEST, SAVE},     {SAVE, LOAD},     {LOAD, CREATE},     {AGREE, SAVE}};
  const int n = rf_mpi_size(), last = n - 1;
  (void)state;
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs && n > 1; i++) {
    char says[512];
    rf_mesh *mesh;
    const act first = pairs[i][0], odd = pairs[i][1];
    assert_ok(make_mesh(1, 0, &mesh));
    rf_session *session = session_of(mesh, with_momentum);
    rf_session *other = odd == STEP_OTHER ? session_of(mesh, without_momentum) : NULL;
    (void)step(session);
    const rf_status status = do_act(mesh, session, other, rf_mesh_rank(mesh) == last ? odd : first);
    snprintf(says, sizeof says, "ranks call different functions: rank 0 on host %s calls %s, rank %d on host %s %s;",
             rf_host_name(mesh, 0), names[first], last, rf_host_name(mesh, last), names[odd]);
    if (status != RF_FAILED || !strstr(rf_error_message(), says))
      fail_msg("%s, %s: status %d: %s", names[first], names[odd], (int)status, rf_error_message());
    assert_true(rf_mesh_has_failed(mesh));
    rf_session_destroy(session);
    rf_session_destroy(other);
    rf_mesh_destroy(mesh);
  }
}

/* What a rank meets by itself between two calls it brings to the next agreement, and that is what all are told. */
static void test_a_rank_that_fails_between_two_calls_is_heard_in_the_next(void **state) {
  rf_step_result result;
  rf_mesh *mesh;
  (void)state;
  assert_ok(make_mesh(1, 0, &mesh));
  rf_session *session = session_of(mesh, with_momentum);
  const bool last = rf_mesh_rank(mesh) == rf_mesh_size(mesh) - 1;
  const rf_status status = last ? rf_agree(mesh, rf_fail(RF_BAD_DATA, "no ink")) : rf_session_step(session, &result);
  assert_int_equal(status, RF_BAD_DATA);
  assert_non_null(strstr(rf_error_message(), "no ink"));
  rf_session_destroy(session);
  rf_mesh_destroy(mesh);
}

/* Where a rank waits long for one that does something by itself, it tells where; that ends nothing. */
static void test_a_rank_that_comes_late_ends_nothing(void **state) {
  rf_mesh *mesh;
  (void)state;
  assert_ok(make_mesh(1, 0, &mesh));
  rf_session *session = session_of(mesh, with_momentum);
  for (int i = 0; i < 2; i++) {
    if (rf_mesh_rank(mesh) == i % rf_mesh_size(mesh)) (void)sleep(2);
    assert_true(evaluate(session) > 0);
    (void)step(session);
  }
  rf_session_destroy(session);
  assert_ok(rf_agree(mesh, RF_OK));
  rf_mesh_destroy(mesh);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_what_fails_to_be_saved_or_loaded_ends_nothing),
    cmocka_unit_test(test_a_session_of_another_arrangement_is_refused_and_ends_nothing),
    cmocka_unit_test(test_the_same_data_may_lie_elsewhere),
    cmocka_unit_test(test_a_rank_that_comes_late_ends_nothing),
    cmocka_unit_test(test_configurations_that_differ_are_refused_by_rank_and_key),
    cmocka_unit_test(test_ranks_that_call_different_functions_are_told_which),
    cmocka_unit_test(test_a_rank_that_fails_between_two_calls_is_heard_in_the_next),
};

RANKS_MAIN(tests)
