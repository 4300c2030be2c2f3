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

static void test_an_unknown_split_is_refused_and_nothing_is_evaluated(void **state) {
  (void)state;
  rf_session *session = session_of(NULL);
  rf_loss loss = {.sum = -1};
  static const int unknown[] = {-1, 3, 1 << 20};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(rf_session_evaluate(session, (rf_split)unknown[i], &loss), RF_BAD_CONFIG);
    assert_non_null(strstr(rf_error_message(), "allowed: 0 (training), 1 (validation), 2 (test)"));
    assert_true(loss.sum == -1);
  }
  step(session);
  rf_session_destroy(session);
}

static void test_null_is_refused_with_the_name_of_what_it_is_given_for(void **state) {
  (void)state;
  rf_config config;
  rf_loss loss;
  rf_step_result result;
  rf_checkpoint *checkpoint;
  char text_of_it = 'x', *emitted = &text_of_it;
  rf_session *session = session_of(NULL), *other = session;
  static const char *const sets[] = {NULL};
#define REFUSED(call, says)                                                                                            \
  do {                                                                                                                 \
    assert_int_equal(call, RF_BAD_CONFIG);                                                                             \
    if (!strstr(rf_error_message(), says)) fail_msg("%s: %s", #call, rf_error_message());                              \
  } while (0)
  REFUSED(rf_session_create(NULL, NULL, &other), "rf_session_create: config: found NULL; a pointer is needed");
  assert_null(other);
  REFUSED(rf_session_create(rf_session_config(session), NULL, NULL), "rf_session_create: session");
  REFUSED(rf_session_step(NULL, &result), "rf_session_step: session");
  REFUSED(rf_session_step(session, NULL), "rf_session_step: result");
  REFUSED(rf_session_evaluate(NULL, RF_SPLIT_TEST, &loss), "rf_session_evaluate: session");
  REFUSED(rf_session_evaluate(session, RF_SPLIT_TEST, NULL), "rf_session_evaluate: loss");
  REFUSED(rf_session_save(session, NULL), "rf_session_save: folder");
  REFUSED(rf_session_load(session, NULL), "rf_session_load: folder");
  REFUSED(rf_session_load(NULL, "/nowhere"), "rf_session_load: session");
  REFUSED(rf_config_parse("test", NULL, 3, NULL, 0, &config), "test: text: found NULL");
  REFUSED(rf_config_parse(NULL, text, strlen(text), NULL, 0, &config), "file: found NULL");
  REFUSED(rf_config_parse("test", text, strlen(text), NULL, 1, &config), "sets: found NULL");
  REFUSED(rf_config_parse("test", text, strlen(text), sets, 1, &config), "one of sets: found NULL");
  REFUSED(rf_config_parse("test", text, strlen(text), sets, -1, &config), "n_sets -1");
  REFUSED(rf_config_parse("test", text, strlen(text), NULL, 0, NULL), "config: found NULL");
  REFUSED(rf_config_load(NULL, NULL, NULL, 0, &config), "file: found NULL");
  REFUSED(rf_config_load(NULL, "/nowhere", NULL, -2, &config), "n_sets -2");
  REFUSED(rf_config_emit(NULL, &emitted), "rf_config_emit: config: found NULL");
  assert_null(emitted);
  REFUSED(rf_config_emit(NULL, NULL), "rf_config_emit: config: found NULL");
  REFUSED(rf_config_emit(rf_session_config(session), NULL), "rf_config_emit: text: found NULL");
  REFUSED(rf_log_open(NULL), "rf_log_open: path: found NULL");
#undef REFUSED
  assert_int_equal(rf_checkpoint_open(NULL, &checkpoint), RF_BAD_DATA);
  assert_int_equal(rf_session_steps_done(NULL), 0);
  assert_true(!rf_session_config(NULL) && !rf_session_dataset(NULL) && !rf_session_model(NULL));
  step(session);
  rf_session_destroy(session);
}

/* A value that a program may have written into a field, and the key that must be named. */
#define FIELD(path, field, value)                                                                                      \
  { path, offsetof(rf_config, field), sizeof(((rf_config *)0)->field), &(value) }
static void test_a_struct_with_absurd_values_is_refused_by_the_key(void **state) {
  (void)state;
  static const int64_t zero = 0, negative = -3, huge = INT64_MAX;
  static const double nan = NAN, above = 1.5, infinite = INFINITY;
  static const int minus = -1, many = 1 << 20;
  static const unsigned char byte = 0x5a;
  static const int64_t hole[RF_MAX_FACTORS] = {4, 0, 4};
  static char endless[RF_MAX_PATH];
  const struct {
    const char *path;
    size_t offset, size;
    const void *value;
  } spoils[] = {
      FIELD("model.d_model", model.d_model, zero),
      FIELD("model.n_layers", model.n_layers, huge),
      FIELD("model.d_head", model.d_head, negative),
      FIELD("model.dropout", model.dropout, above),
      FIELD("model.dropout", model.dropout, nan),
      FIELD("model.activation", model.activation, many),
      FIELD("model.attention", model.n_attention, minus),
      FIELD("model.attention", model.n_attention, many),
      FIELD("model.attention", model.attention[1], many),
      FIELD("model.positions.kind", model.positions.kind, minus),
      FIELD("model.causal", model.causal, byte),
      FIELD("lsh.chunk", lsh.chunk, zero),
      FIELD("lsh.n_buckets", lsh.n_buckets, hole),
      FIELD("lsh.n_buckets", lsh.n_factors, many),
      FIELD("lsh.rotations", lsh.rotations, many),
      FIELD("data.kind", data.kind, minus),
      FIELD("data.path", data.path, endless),
      FIELD("data.token_bytes", data.token_bytes, many),
      FIELD("data.length", data.length, negative),
      FIELD("data.split", data.split[2], nan),
      FIELD("training.batch", training.batch, zero),
      FIELD("training.accumulate", training.accumulate, zero),
      FIELD("training.memory_limit", training.memory_limit, negative),
      FIELD("optimizer.lr", optimizer.lr, infinite),
      FIELD("mesh.sequence", mesh.sequence, negative),
      FIELD("output.sample_prompt", output.sample_prompt, endless),
  };
  rf_session *whole = session_of(NULL), *session;
  memset(endless, 'x', sizeof endless);
  for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++) {
    char key[64];
    rf_config config = *rf_session_config(whole);
    memcpy((char *)&config + spoils[i].offset, spoils[i].value, spoils[i].size);
    snprintf(key, sizeof key, "the configuration: %s: found ", spoils[i].path);
    session = whole;
    assert_int_equal(rf_session_create(&config, NULL, &session), RF_BAD_CONFIG);
    assert_null(session);
    if (strncmp(rf_error_message(), key, strlen(key)) != 0) fail_msg("%s: %s", spoils[i].path, rf_error_message());
  }
  rf_session_destroy(whole);
}

static void test_a_struct_whose_values_do_not_fit_each_other_is_refused_by_the_key(void **state) {
  (void)state;
  rf_session *whole = session_of(NULL), *session;
  rf_config config = *rf_session_config(whole);
  config.data.length = 1000;
  assert_int_equal(rf_session_create(&config, NULL, &session), RF_BAD_CONFIG);
  assert_non_null(strstr(rf_error_message(), "the configuration: model.positions.shape: found "));
  config = *rf_session_config(whole);
  config.training.accumulate = 7;
  assert_int_equal(rf_session_create(&config, NULL, &session), RF_BAD_CONFIG);
  assert_non_null(strstr(rf_error_message(), "training.accumulate: found 7"));
  rf_session_destroy(whole);
}

static void test_what_a_struct_leaves_automatic_is_resolved(void **state) {
  (void)state;
  rf_session *whole = session_of("model.d_ff=auto"), *filled;
  rf_config config = *rf_session_config(whole);
  config.model.d_head = config.model.d_ff = 0;
  config.lsh.n_factors = 0;
  memset(config.lsh.n_buckets, 0, sizeof config.lsh.n_buckets);
  assert_int_equal(rf_session_create(&config, NULL, &filled), RF_OK);
  assert_int_equal(rf_session_config(filled)->model.d_ff, 64);
  assert_true(step(whole) == step(filled));
  rf_session_destroy(whole);
  rf_session_destroy(filled);
}

/* What include/reformer/config_file.h says to set back, against the same change by `sets`. */
static void test_what_was_resolved_and_is_set_back_follows_a_change(void **state) {
  (void)state;
  static const char *const before[] = {"model.d_head=auto", "model.d_ff=auto", "model.positions.kind=axial"};
  static const char *const after[] = {"model.d_head=auto", "model.d_ff=auto", "model.positions.kind=axial",
                                      "model.d_model=32",  "data.length=64",  "optimizer.kind=adafactor"};
  rf_config config, wanted;
  rf_session *session;
  assert_int_equal(rf_config_parse("test", text, strlen(text), before, 3, &config), RF_OK);
  assert_int_equal(rf_config_parse("test", text, strlen(text), after, 6, &wanted), RF_OK);
  config.model.d_model = 32;
  config.data.length = 64;
  config.optimizer.kind = RF_ADAFACTOR;
  assert_int_equal(rf_session_create(&config, NULL, &session), RF_BAD_CONFIG);
  if (!strstr(rf_error_message(), "model.positions.dims: found ") ||
      !strstr(rf_error_message(), "a sum of d_model = 32; in a struct auto is zeros"))
    fail_msg("%s", rf_error_message());
  config.model.d_head = config.model.d_ff = 0;
  memset(config.model.positions.dims, 0, sizeof config.model.positions.dims);
  memset(config.model.positions.shape, 0, sizeof config.model.positions.shape);
  config.lsh.n_factors = 0;
  memset(config.lsh.n_buckets, 0, sizeof config.lsh.n_buckets);
  config.optimizer.beta1 = NAN;
  assert_int_equal(rf_session_create(&config, NULL, &session), RF_OK);
  const rf_config *found = rf_session_config(session);
  assert_int_equal(found->model.d_head, wanted.model.d_head);
  assert_int_equal(found->model.d_ff, wanted.model.d_ff);
  assert_memory_equal(&found->model.positions, &wanted.model.positions, sizeof wanted.model.positions);
  assert_int_equal(found->lsh.n_factors, wanted.lsh.n_factors);
  assert_memory_equal(found->lsh.n_buckets, wanted.lsh.n_buckets, sizeof wanted.lsh.n_buckets);
  assert_true(found->optimizer.beta1 == wanted.optimizer.beta1);
  config.model.d_head = -3;
  assert_int_equal(rf_session_create(&config, NULL, &(rf_session *){NULL}), RF_BAD_CONFIG);
  assert_non_null(strstr(rf_error_message(), "or auto; in a struct auto is 0"));
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
      cmocka_unit_test(test_an_unknown_split_is_refused_and_nothing_is_evaluated),
      cmocka_unit_test(test_null_is_refused_with_the_name_of_what_it_is_given_for),
      cmocka_unit_test(test_a_struct_with_absurd_values_is_refused_by_the_key),
      cmocka_unit_test(test_a_struct_whose_values_do_not_fit_each_other_is_refused_by_the_key),
      cmocka_unit_test(test_what_a_struct_leaves_automatic_is_resolved),
      cmocka_unit_test(test_what_was_resolved_and_is_set_back_follows_a_change),
      cmocka_unit_test(test_a_silent_log_writes_to_its_file_alone),
  };
  return cmocka_run_group_tests(tests, make, clear);
}
