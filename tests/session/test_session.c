/* What a program that links the library does: reformer/session.h alone, without MPI. What ends nothing on ranks:
 * mpi/session. */
#include "checkpoint/folder.h"
#include "reformer/config_file.h"
#include "reformer/log.h"
#include "reformer/session.h"

#include <math.h>
#include <string.h>

static const char text[] = "model: {vocab_size: 128, d_model: 16, n_layers: 2, n_heads: 2, d_head: 8, d_ff: 16,\n"
                           "        attention: [local, lsh], positions: learned}\n"
                           "lsh: {chunk: 8, n_hashes: 2}\n"
                           "local: {chunk: 8}\n"
                           "data: {kind: duplicate, length: 32}\n"
                           "training: {steps: 4, batch: 2, seed: 3, eval_batches: 1, memory_limit: 0}\n"
                           "optimizer: {warmup: 2}\n";

/* set: a key, or several with blanks between; NULL: none. */
static rf_session *session_of(const char *set) {
  char words[128] = "";
  const char *sets[4];
  int n = 0;
  rf_config config;
  rf_session *session;
  snprintf(words, sizeof words, "%s", set ? set : "");
  for (char *next = words, *word; (word = strtok_r(next, " ", &next)) != NULL;) sets[n++] = word;
  assert_int_equal(rf_config_parse("test", text, strlen(text), sets, n, &config), RF_OK);
  assert_int_equal(rf_session_create(&config, NULL, &session), RF_OK);
  return session;
}

static double step(rf_session *session) {
  rf_step_result result;
  assert_int_equal(rf_session_step(session, &result), RF_OK);
  assert_false(result.skipped);
  return rf_loss_mean(&result.loss);
}

static void test_a_session_that_is_saved_and_loaded_goes_on_to_the_last_bit(void **state) {
  const char *path = folder_path(*state, "saved");
  rf_session *straight = session_of(NULL), *first = session_of(NULL), *second = session_of(NULL);
  for (int i = 0; i < 2; i++) assert_true(step(straight) == step(first));
  rf_loss loss;
  assert_int_equal(rf_session_evaluate(first, RF_SPLIT_VALIDATION, &loss), RF_OK);
  assert_true(loss.counted > 0);
  assert_int_equal(rf_session_save(first, path), RF_OK);
  assert_int_equal(rf_session_load(second, path), RF_OK);
  assert_int_equal(rf_session_steps_done(second), 2);
  for (int i = 0; i < 2; i++) assert_true(step(straight) == step(second));
  rf_session_destroy(straight);
  rf_session_destroy(first);
  rf_session_destroy(second);
}

static void test_the_evaluation_of_the_saved_step_stands_in_the_checkpoint(void **state) {
  rf_loss loss;
  rf_checkpoint *checkpoint;
  rf_session *session = session_of(NULL);
  for (int evaluated = 1; evaluated >= 0; evaluated--) {
    const char *path = folder_path(*state, evaluated ? "evaluated" : "not");
    step(session);
    if (evaluated) assert_int_equal(rf_session_evaluate(session, RF_SPLIT_VALIDATION, &loss), RF_OK);
    assert_int_equal(rf_session_save(session, path), RF_OK);
    assert_int_equal(rf_checkpoint_open(path, &checkpoint), RF_OK);
    const double said = rf_checkpoint_info_of(checkpoint)->header.eval_loss;
    assert_true(evaluated ? said == rf_loss_mean(&loss) : isnan(said));
    rf_checkpoint_close(checkpoint);
  }
  rf_session_destroy(session);
}

static void test_an_evaluation_before_a_load_is_not_that_of_what_was_loaded(void **state) {
  rf_loss loss;
  rf_checkpoint *checkpoint;
  rf_session *one = session_of(NULL), *other = session_of("training.seed=4");
  step(one);
  step(other);
  assert_int_equal(rf_session_save(other, folder_path(*state, "other")), RF_OK);
  assert_int_equal(rf_session_evaluate(one, RF_SPLIT_VALIDATION, &loss), RF_OK);
  assert_int_equal(rf_session_load(one, folder_path(*state, "other")), RF_OK);
  assert_int_equal(rf_session_save(one, folder_path(*state, "again")), RF_OK);
  assert_int_equal(rf_checkpoint_open(folder_path(*state, "again"), &checkpoint), RF_OK);
  assert_true(isnan(rf_checkpoint_info_of(checkpoint)->header.eval_loss));
  rf_checkpoint_close(checkpoint);
  rf_session_destroy(one);
  rf_session_destroy(other);
}

/* Like an imported one. */
static void save_parameters(rf_session *session, const char *path) {
  rf_state parameters;
  rf_checkpoint_header header = {.mesh_sequence = 1, .mesh_data = 1, .eval_loss = NAN};
  rf_store *store = rf_model_store(rf_session_model(session));
  char *config;
  assert_int_equal(rf_config_emit(rf_session_config(session), &config), RF_OK);
  header.config = config;
  assert_int_equal(rf_state_create(store, NULL, &parameters), RF_OK);
  assert_int_equal(rf_checkpoint_save(path, NULL, &header, rf_store_layout(store), &parameters), RF_OK);
  rf_state_destroy(&parameters);
  free(config);
}

static void test_from_a_checkpoint_of_step_0_the_optimizer_starts_anew(void **state) {
  static const char *const optimizers[] = {"optimizer.kind=adam", "optimizer.kind=adafactor optimizer.beta1=0.9"};
  for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
    const char *parameters = folder_path(*state, i ? "b" : "a"), *whole = folder_path(*state, i ? "d" : "c");
    rf_session *straight = session_of(optimizers[i]), *back = session_of(optimizers[i]), *other = session_of(NULL);
    save_parameters(straight, parameters);
    assert_int_equal(rf_session_save(other, whole),
                     RF_OK); /* perhaps another optimizer's: after no step it is none's */
    const double first = step(straight), second = step(straight);
    for (int turn = 0; turn < 2; turn++) {
      for (int done = 0; done < 2; done++) step(back);
      assert_int_equal(rf_session_load(back, turn ? whole : parameters), RF_OK);
      assert_int_equal(rf_session_steps_done(back), 0);
      assert_true(step(back) == first && step(back) == second);
    }
    rf_session_destroy(straight);
    rf_session_destroy(back);
    rf_session_destroy(other);
  }
}

static void test_a_step_behind_the_last_is_refused(void **state) {
  (void)state;
  rf_step_result result;
  rf_session *session = session_of("training.steps=2");
  for (int i = 0; i < 2; i++) step(session);
  assert_int_equal(rf_session_step(session, &result), RF_BAD_CONFIG);
  assert_non_null(strstr(rf_error_message(), "all 2 steps of training.steps are done"));
  rf_session_destroy(session);
}

static void test_a_checkpoint_of_another_model_is_refused_by_its_key(void **state) {
  static const struct {
    const char *set, *says;
  } others[] = {{"model.d_ff=32", "model.d_ff 16"},
                {"lsh.n_hashes=1", "lsh.n_hashes 2"},
                {"optimizer.kind=adafactor", "optimizer.kind adam"}};
  const char *without = folder_path(*state, "without-momentum");
  const char *path = folder_path(*state, "of-one");
  rf_session *session = session_of(NULL);
  step(session);
  assert_int_equal(rf_session_save(session, path), RF_OK);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    rf_session *other = session_of(others[i].set);
    assert_int_equal(rf_session_load(other, path), RF_BAD_DATA);
    if (!strstr(rf_error_message(), others[i].says)) fail_msg("%s: %s", others[i].set, rf_error_message());
    step(other);
    rf_session_destroy(other);
  }
  rf_session_destroy(session);
  rf_session *with = session_of("optimizer.kind=adafactor optimizer.beta1=0.9");
  session = session_of("optimizer.kind=adafactor optimizer.beta1=0");
  step(session);
  assert_int_equal(rf_session_save(session, without), RF_OK);
  assert_int_equal(rf_session_load(with, without), RF_BAD_DATA);
  if (!strstr(rf_error_message(), "holds no optimizer/first")) fail_msg("%s", rf_error_message());
  rf_session_destroy(with);
  rf_session_destroy(session);
}

static void test_a_silent_log_writes_to_its_file_alone(void **state) {
  char line[64] = "";
  const char *path = folder_path(*state, "log.txt");
  rf_log_set_silent(true);
  assert_int_equal(rf_log_open(path), RF_OK);
  rf_log_info("a line");
  assert_int_equal(rf_log_close(), RF_OK);
  rf_log_set_silent(false);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  assert_non_null(fgets(line, sizeof line, file));
  assert_string_equal(line, "a line\n");
  (void)fclose(file);
}

static int make(void **state) {
  *state = (void *)(uintptr_t)folder_make();
  return 0;
}

static int clear(void **state) {
  folder_remove(*state);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_session_that_is_saved_and_loaded_goes_on_to_the_last_bit),
      cmocka_unit_test(test_the_evaluation_of_the_saved_step_stands_in_the_checkpoint),
      cmocka_unit_test(test_an_evaluation_before_a_load_is_not_that_of_what_was_loaded),
      cmocka_unit_test(test_from_a_checkpoint_of_step_0_the_optimizer_starts_anew),
      cmocka_unit_test(test_a_step_behind_the_last_is_refused),
      cmocka_unit_test(test_a_checkpoint_of_another_model_is_refused_by_its_key),
      cmocka_unit_test(test_a_silent_log_writes_to_its_file_alone),
  };
  return cmocka_run_group_tests(tests, make, clear);
}
