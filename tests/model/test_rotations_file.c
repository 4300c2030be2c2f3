/* lsh.rotations: FILE.h5: what is in the file is what hashes, and every fault of a file has its message. */
#include "support/files.h"
#include "support/model_case.h"
#include <hdf5.h>
#include <unistd.h>

enum { TOKENS = 48, ROUNDS = 2, COLUMNS = 2, HEADS = 2, D_HEAD = 6, COUNT = HEADS * D_HEAD * ROUNDS * COLUMNS };

static char path[] = "/tmp/reformer-rotations-XXXXXX";

static int make_path(void **state) {
  (void)state;
  const int descriptor = mkstemp(path);
  return descriptor < 0 || close(descriptor) != 0;
}

static int remove_path(void **state) {
  (void)state;
  return unlink(path);
}

static rf_config config_of(void) {
  rf_config c = small_config(); /* two layers, both LSH */
  c.model.positions = (rf_positions_config){.kind = RF_POSITIONS_LEARNED, .shape = {TOKENS}};
  c.lsh.rotations = RF_ROTATIONS_FILE;
  snprintf(c.lsh.rotations_file, sizeof c.lsh.rotations_file, "%s", path);
  return c;
}

/* A file with one data set a layer; the last one with `n_dims` sizes of its own. */
static void write_file(int layers, int n_dims, const hsize_t *last, hid_t type, const void *values) {
  const hsize_t right[] = {HEADS, D_HEAD, ROUNDS, COLUMNS};
  const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t group = H5Gcreate2(file, "rotations", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(file >= 0 && group >= 0);
  for (int i = 0; i < layers; i++) {
    const bool own = last && i == layers - 1;
    const hid_t space = H5Screate_simple(own ? n_dims : 4, own ? last : right, NULL);
    const char name[] = {(char)('0' + i), '\0'};
    const hid_t dataset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(dataset >= 0);
    if (values) assert_true(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    assert_true(H5Dclose(dataset) >= 0 && H5Sclose(space) >= 0);
  }
  assert_true(H5Gclose(group) >= 0 && H5Fclose(file) >= 0);
}

static void draw(double values[COUNT]) {
  dice d = {.seed = 401};
  for (int i = 0; i < COUNT; i++) values[i] = dice_normal(&d);
}

static double loss_of(rf_model *model, const model_case *c) {
  rf_loss loss = {0};
  assert_ok(rf_model_evaluate(model, &c->batch, &loss));
  return loss.sum;
}

static void test_rotations_of_a_file_hash_as_those_that_a_caller_sets(void **state) {
  (void)state;
  double values[COUNT];
  real given[COUNT];
  draw(values);
  for (int i = 0; i < COUNT; i++) given[i] = (real)values[i];
  write_file(2, 0, NULL, H5T_NATIVE_DOUBLE, values);
  const rf_config from_file = config_of();
  rf_config drawn = from_file;
  drawn.lsh.rotations = RF_ROTATIONS_PER_HEAD;
  model_case *a = model_case_create(&from_file, 2, TOKENS, false, 402);
  model_case *b = model_case_create(&drawn, 2, TOKENS, false, 402);
  const double own = loss_of(b->model, b);
  assert_true(loss_of(a->model, a) != own);
  assert_ok(rf_model_set_rotations(b->model, 0, given));
  assert_true(loss_of(b->model, b) != loss_of(a->model, a)); /* one layer of two */
  assert_ok(rf_model_set_rotations(b->model, 1, given));
  memset(given, 0, sizeof given); /* copied */
  assert_true(loss_of(b->model, b) == loss_of(a->model, a));
  assert_ok(rf_model_set_rotations(b->model, 0, NULL));
  assert_ok(rf_model_set_rotations(b->model, 1, NULL));
  assert_true(loss_of(b->model, b) == own);
  assert_int_equal(rf_model_set_rotations(b->model, 2, given), RF_BAD_CONFIG);
  assert_int_equal(rf_model_set_rotations(b->model, -1, given), RF_BAD_CONFIG);
  model_case_destroy(a);
  model_case_destroy(b);
}

/* They would be read past their end. */
static void test_a_configuration_of_other_rounds_is_refused_while_rotations_are_given(void **state) {
  (void)state;
  double values[COUNT];
  draw(values);
  write_file(2, 0, NULL, H5T_NATIVE_DOUBLE, values);
  rf_config config = config_of();
  model_case *c = model_case_create(&config, 2, TOKENS, false, 404);
  assert_ok(rf_model_set_config(c->model, &config));
  config.lsh.n_hashes = ROUNDS + 1;
  assert_int_equal(rf_model_set_config(c->model, &config), RF_BAD_CONFIG);
  assert_int_equal(rf_model_config_of(c->model)->lsh.n_hashes, ROUNDS);
  assert_ok(rf_model_set_rotations(c->model, 0, NULL));
  assert_int_equal(rf_model_set_config(c->model, &config), RF_BAD_CONFIG);
  assert_ok(rf_model_set_rotations(c->model, 1, NULL));
  assert_ok(rf_model_set_config(c->model, &config));
  assert_true(isfinite(loss_of(c->model, c)));
  model_case_destroy(c);
}

static void assert_refused(const char *const *words) {
  const rf_config config = config_of();
  rf_model *model;
  assert_int_equal(rf_model_create(&config, NULL, &model), RF_BAD_DATA);
  assert_null(model);
  for (; *words; words++)
    if (!strstr(rf_error_message(), *words)) fail_msg("no \"%s\" in: %s", *words, rf_error_message());
}

static void test_faults_of_the_file_are_named(void **state) {
  (void)state;
  double values[COUNT];
  draw(values);
  write_file(1, 0, NULL, H5T_NATIVE_DOUBLE, values);
  assert_refused((const char *[]){path, "rotations/1", "there is none", "(2, 6, 2, 2)", NULL});

  const hsize_t other[] = {HEADS, D_HEAD, COLUMNS, ROUNDS + 1}, flat[] = {COUNT};
  write_file(2, 4, other, H5T_NATIVE_DOUBLE, NULL);
  assert_refused((const char *[]){path, "rotations/1", "(2, 6, 2, 3)", "(2, 6, 2, 2)", NULL});
  write_file(2, 1, flat, H5T_NATIVE_DOUBLE, NULL);
  assert_refused((const char *[]){path, "rotations/1", "(48)", "(2, 6, 2, 2)", NULL});

  values[17] = NAN;
  write_file(2, 0, NULL, H5T_NATIVE_DOUBLE, values);
  assert_refused((const char *[]){path, "rotations/0", "value 17", "nan", NULL});
  values[17] = -INFINITY;
  write_file(2, 0, NULL, H5T_NATIVE_DOUBLE, values);
  assert_refused((const char *[]){path, "rotations/0", "value 17", "-inf", NULL});

  const hid_t text = H5Tcopy(H5T_C_S1);
  write_file(2, 0, NULL, text, NULL);
  assert_refused((const char *[]){path, "rotations/0", "not numbers", NULL});
  assert_true(H5Tclose(text) >= 0);
}

static void test_a_file_that_is_missing_or_no_hdf5_is_named(void **state) {
  (void)state;
  static const char text[] = "not a file of HDF5\n";
  file_write(path, text, sizeof text - 1);
  assert_refused((const char *[]){path, "HDF5", "lsh.rotations", NULL});
  rf_config config = config_of();
  snprintf(config.lsh.rotations_file, sizeof config.lsh.rotations_file, "/nowhere/rotations.h5");
  rf_model *model;
  assert_int_equal(rf_model_create(&config, NULL, &model), RF_BAD_DATA);
  assert_non_null(strstr(rf_error_message(), "/nowhere/rotations.h5"));
}

static void test_integers_and_floats_are_numbers_too(void **state) {
  (void)state;
  float single[COUNT];
  int whole[COUNT];
  for (int i = 0; i < COUNT; i++) single[i] = 0.5F * (float)(whole[i] = i * 7 % 11 - 5);
  const rf_config config = config_of();
  write_file(2, 0, NULL, H5T_NATIVE_FLOAT, single);
  model_case *a = model_case_create(&config, 2, TOKENS, false, 403);
  write_file(2, 0, NULL, H5T_NATIVE_INT, whole);
  model_case *b = model_case_create(&config, 2, TOKENS, false, 403);
  assert_true(loss_of(a->model, a) == loss_of(b->model, b)); /* half the rotation, the same buckets */
  model_case_destroy(a);
  model_case_destroy(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rotations_of_a_file_hash_as_those_that_a_caller_sets),
      cmocka_unit_test(test_a_configuration_of_other_rounds_is_refused_while_rotations_are_given),
      cmocka_unit_test(test_faults_of_the_file_are_named),
      cmocka_unit_test(test_a_file_that_is_missing_or_no_hdf5_is_named),
      cmocka_unit_test(test_integers_and_floats_are_numbers_too),
  };
  return cmocka_run_group_tests(tests, make_path, remove_path);
}
