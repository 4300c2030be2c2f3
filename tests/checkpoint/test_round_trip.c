/* What was saved is what is loaded, to the bit. */
#include "checkpoint/commit.h"
#include "checkpoint/folder.h"
#include "checkpoint/manifest.h"
#include "checkpoint/shard.h"
#include "storage/files.h"
#include <hdf5.h>

/* Every array of two states, to the bit. */
static void assert_same_state(const trained *a, const trained *b, bool moments) {
  rf_state x, y;
  assert_ok(rf_state_create(a->store, moments ? a->optimizer : NULL, &x));
  assert_ok(rf_state_create(b->store, moments ? b->optimizer : NULL, &y));
  assert_int_equal(x.n_arrays, y.n_arrays);
  for (int i = 0; i < x.n_arrays; i++) {
    assert_string_equal(x.arrays[i].kind, y.arrays[i].kind);
    assert_int_equal(x.arrays[i].count, y.arrays[i].count);
    assert_memory_equal(x.arrays[i].values, y.arrays[i].values, (size_t)x.arrays[i].count * sizeof(real));
  }
  rf_state_destroy(&x);
  rf_state_destroy(&y);
}

static void load_all(rf_checkpoint *c, const trained *t) {
  rf_state state;
  assert_ok(rf_state_create(t->store, t->optimizer, &state));
  assert_ok(rf_checkpoint_load(c, rf_store_layout(t->store), state.n_arrays, state.arrays));
  rf_state_destroy(&state);
}

/* Saves one state, loads it over another, and goes on a step with both. */
static void check_optimizer(rf_optimizer_kind kind, double beta1) {
  const char *folder = folder_make();
  trained saved, loaded;
  trained_make(&saved, kind, 1);
  trained_make(&loaded, kind, 2);
  if (beta1 == 0) {
    trained *both[] = {&saved, &loaded};
    for (int i = 0; i < 2; i++) {
      rf_optimizer_destroy(both[i]->optimizer);
      both[i]->config.optimizer.beta1 = 0;
      assert_ok(rf_optimizer_create(&both[i]->config.optimizer, both[i]->store, &both[i]->optimizer));
      dice d = {.seed = 5 + (uint64_t)i};
      trained_step(both[i], &d, 1);
    }
  }
  trained_save(&saved, true, folder_path(folder, "runs/a/step-1"));
  rf_checkpoint *c;
  assert_ok(rf_checkpoint_open(folder_path(folder, "runs/a/step-1"), &c));
  assert_true(rf_checkpoint_is_valid(c));
  load_all(c, &loaded);
  rf_checkpoint_close(c);
  assert_same_state(&saved, &loaded, true);
  dice same = {.seed = 3}, again = {.seed = 3};
  trained_step(&saved, &same, 3);
  trained_step(&loaded, &again, 3);
  assert_same_state(&saved, &loaded, true);
  trained_destroy(&saved);
  trained_destroy(&loaded);
  folder_remove(folder);
}

static void test_adam_goes_on_from_a_checkpoint_to_the_bit(void **state) {
  (void)state;
  check_optimizer(RF_ADAM, 0.9);
}

static void test_adafactor_goes_on_from_a_checkpoint_to_the_bit(void **state) {
  (void)state;
  check_optimizer(RF_ADAFACTOR, 0);
  check_optimizer(RF_ADAFACTOR, 0.9);
}

static void test_a_checkpoint_tells_what_was_told_to_it(void **state) {
  (void)state;
  const char *folder = folder_make();
  trained t;
  trained_make(&t, RF_ADAM, 1);
  trained_save(&t, true, folder_path(folder, "c/")); /* a slash at the end is no other folder */
  rf_checkpoint *c;
  int64_t bytes;
  assert_ok(rf_checkpoint_verify(folder_path(folder, "c"), NULL, NULL, &bytes));
  assert_ok(rf_checkpoint_open(folder_path(folder, "c"), &c));
  const rf_checkpoint_info *info = rf_checkpoint_info_of(c);
  const rf_checkpoint_header told = some_header();
  assert_string_equal(info->header.config, told.config);
  assert_int_equal(info->header.step, told.step);
  assert_true(info->header.seed == told.seed);
  assert_int_equal(info->header.mesh_sequence, 1);
  assert_int_equal(info->header.mesh_data, 1);
  assert_true(info->header.eval_loss == told.eval_loss);
  assert_int_equal(info->version, RF_CHECKPOINT_VERSION);
  assert_int_equal(info->ranks, 1);
  assert_int_equal(info->real_bytes, sizeof(real));
  assert_int_equal(info->bytes, bytes);
  assert_int_equal(info->n_kinds, 3);
  const rf_layout *layout = rf_store_layout(t.store);
  assert_int_equal(info->layout->n_blocks, layout->n_blocks);
  for (int b = 0; b < layout->n_blocks; b++) {
    assert_int_equal(info->layout->blocks[b].n_tensors, layout->blocks[b].n_tensors);
    for (int i = 0; i < layout->blocks[b].n_tensors; i++)
      assert_string_equal(info->layout->blocks[b].tensors[i].name, layout->blocks[b].tensors[i].name);
  }
  rf_checkpoint_close(c);
  trained_destroy(&t);
  folder_remove(folder);
}

static void check_kinds(const char *path, int wanted) {
  rf_checkpoint *c;
  assert_ok(rf_checkpoint_open(path, &c));
  assert_int_equal(rf_checkpoint_info_of(c)->n_kinds, wanted);
  rf_checkpoint_close(c);
  assert_ok(rf_checkpoint_verify(path, NULL, NULL, NULL));
  assert_int_equal(folder_entries(path), 3);
}

static void test_a_checkpoint_is_replaced_and_nothing_else_is_left(void **state) {
  (void)state;
  trained_place p;
  place_make(&p);
  for (int i = 0; i < 4; i++) {
    trained_save(&p.t, i % 2 == 1, p.path);
    assert_int_equal(folder_entries(p.folder), 1);
    check_kinds(p.path, i % 2 == 1 ? 3 : 1);
  }
  place_destroy(&p);
}

static void test_an_empty_folder_becomes_the_checkpoint(void **state) {
  (void)state;
  trained_place p;
  place_make(&p);
  assert_int_equal(mkdir(p.path, 0777), 0);
  trained_save(&p.t, true, p.path);
  assert_int_equal(folder_entries(p.folder), 1);
  check_kinds(p.path, 3);
  place_destroy(&p);
}

/* Each `harm` leaves names of a checkpoint's files alone. */
static void cut_commit(const char *path) { assert_int_equal(truncate(folder_path(path, "COMMIT"), 40), 0); }
static void lose_commit(const char *path) { assert_int_equal(unlink(folder_path(path, "COMMIT")), 0); }
static void lose_shard(const char *path) { assert_int_equal(unlink(folder_path(path, "shard-00000-of-00001.h5")), 0); }
static void cut_shard(const char *path) {
  assert_int_equal(truncate(folder_path(path, "shard-00000-of-00001.h5"), 100), 0);
}
static void add_shard(const char *path) { file_write(folder_path(path, "shard-00001-of-00002.h5"), "x", 1); }

static void test_a_damaged_checkpoint_is_kept_beside_the_new_one(void **state) {
  (void)state;
  static void (*const harms[])(const char *) = {cut_commit, lose_commit, lose_shard, cut_shard, add_shard};
  for (size_t i = 0; i < sizeof harms / sizeof *harms; i++) {
    trained_place p;
    place_make(&p);
    trained_save(&p.t, false, p.path);
    harms[i](p.path);
    trained_save(&p.t, true, p.path);
    assert_int_equal(folder_entries(p.folder), 2);
    check_kinds(p.path, 3);
    trained_save(&p.t, false, p.path);
    assert_int_equal(folder_entries(p.folder), 2);
    place_destroy(&p);
  }
}

static void test_what_is_no_checkpoint_is_refused_and_left_as_it_is(void **state) {
  (void)state;
  const char *folder = folder_make();
  trained t;
  rf_state s;
  char path[256];
  const rf_checkpoint_header header = some_header();
  trained_make(&t, RF_ADAM, 1);
  assert_ok(rf_state_create(t.store, NULL, &s));
  assert_int_equal(mkdir(folder_path(folder, "thesis"), 0777), 0);
  file_write(folder_path(folder, "thesis/chapter.tex"), "x", 1);
  trained_save(&t, false, folder_path(folder, "noted"));
  file_write(folder_path(folder, "noted/NOTES"), "x", 1);
  assert_int_equal(mkdir(folder_path(folder, "cut"), 0777), 0);
  file_write(folder_path(folder, "cut/shard-1-of-2.h5"), "x", 1);
  file_write(folder_path(folder, "file"), "x", 1);
  assert_int_equal(symlink("noted", folder_path(folder, "link")), 0);
  static const char *const others[][2] = {{"thesis", "holds chapter.tex, which is no part of a checkpoint"},
                                          {"thesis/", "holds chapter.tex, which is no part of a checkpoint"},
                                          {"noted", "holds NOTES, which is no part of a checkpoint"},
                                          {"cut", "holds shard-1-of-2.h5, which is no part of a checkpoint"},
                                          {"file", "is no folder"},
                                          {"link", "is a symbolic link"}};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, others[i][0]);
    assert_int_equal(rf_checkpoint_save(path, NULL, &header, rf_store_layout(t.store), &s), RF_BAD_CONFIG);
    if (!strstr(rf_error_message(), others[i][1])) fail_msg("%s: %s", others[i][0], rf_error_message());
    assert_int_equal(folder_entries(folder), 5);
  }
  assert_int_equal(folder_entries(folder_path(folder, "thesis")), 1);
  assert_int_equal(folder_entries(folder_path(folder, "cut")), 1);
  assert_int_equal(folder_entries(folder_path(folder, "noted")), 4);
  assert_ok(rf_checkpoint_verify(folder_path(folder, "noted"), NULL, NULL, NULL));
  assert_int_equal(rf_checkpoint_save(NULL, NULL, &header, rf_store_layout(t.store), &s), RF_BAD_CONFIG);
  rf_state_destroy(&s);
  trained_destroy(&t);
  folder_remove(folder);
}

static void test_a_state_that_is_not_finite_is_not_saved_over_a_good_one(void **state) {
  (void)state;
  trained_place p;
  place_make(&p);
  trained_save(&p.t, true, p.path);
  rf_store_shard(p.t.store, 1).params[7] = (real)NAN;
  rf_state s;
  const rf_checkpoint_header header = some_header();
  assert_ok(rf_state_create(p.t.store, p.t.optimizer, &s));
  assert_int_equal(rf_checkpoint_save(p.path, NULL, &header, rf_store_layout(p.t.store), &s), RF_FAILED);
  assert_non_null(strstr(rf_error_message(), "parameters/layers.0"));
  assert_int_equal(folder_entries(p.folder), 1);
  assert_ok(rf_checkpoint_verify(p.path, NULL, NULL, NULL));
  rf_state_destroy(&s);
  place_destroy(&p);
}

static void test_a_checkpoint_that_cannot_be_written_leaves_nothing_behind(void **state) {
  (void)state;
  const char *folder = folder_make();
  trained t;
  trained_make(&t, RF_ADAM, 1);
  rf_state s;
  const rf_checkpoint_header header = some_header();
  assert_ok(rf_state_create(t.store, NULL, &s));
  file_write(folder_path(folder, "file"), "x", 1);
  char path[256];
  snprintf(path, sizeof path, "%s/file/c", folder);
  assert_int_equal(rf_checkpoint_save(path, NULL, &header, rf_store_layout(t.store), &s), RF_FAILED);
  assert_non_null(strstr(rf_error_message(), "file"));
  assert_int_equal(rf_checkpoint_save("", NULL, &header, rf_store_layout(t.store), &s), RF_FAILED);
  assert_int_equal(folder_entries(folder), 1);
  rf_state_destroy(&s);
  trained_destroy(&t);
  folder_remove(folder);
}

/* As a user has who looks at a checkpoint from within it. */
static void test_a_checkpoint_is_read_whatever_the_working_folder_holds(void **state) {
  (void)state;
  trained_place p;
  char before[512];
  place_make(&p);
  trained_save(&p.t, true, p.path);
  assert_non_null(getcwd(before, sizeof before));
  assert_int_equal(chdir(p.path), 0);
  check_kinds(".", 3);
  assert_int_equal(chdir(p.folder), 0);
  file_write("manifest.h5", "x", 1);
  check_kinds(p.path, 3);
  assert_int_equal(remove("manifest.h5"), 0);
  assert_int_equal(mkdir("manifest.h5", 0777), 0);
  check_kinds(p.path, 3);
  assert_int_equal(chdir(before), 0);
  place_destroy(&p);
}

static void test_a_model_of_another_shape_is_refused_with_the_tensor(void **state) {
  (void)state;
  trained_place p;
  place_make(&p);
  trained_save(&p.t, false, p.path);
  rf_checkpoint *c;
  assert_ok(rf_checkpoint_open(p.path, &c));
  const struct {
    int64_t vocab, layers;
    const char *message;
  } others[] = {{20, 2, "embedding.token.weight: found shape (19, 10); the configuration asks for (20, 10)"},
                {19, 3, "no tensor layers.2.attention.norm.scale"},
                {19, 1, "a tensor layers.1.attention.norm.scale, for which"}};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    rf_config config = small_config();
    rf_model *model;
    config.model.vocab_size = others[i].vocab;
    config.model.n_layers = others[i].layers;
    assert_ok(rf_model_create(&config, NULL, &model));
    assert_int_equal(rf_checkpoint_load_parameters(c, rf_model_store(model)), RF_BAD_DATA);
    if (!strstr(rf_error_message(), others[i].message)) fail_msg("%s", rf_error_message());
    rf_model_destroy(model);
  }
  /* Parameters only: there are no moments to be had. */
  rf_state s;
  assert_ok(rf_state_create(p.t.store, p.t.optimizer, &s));
  assert_int_equal(rf_checkpoint_load(c, rf_store_layout(p.t.store), s.n_arrays, s.arrays), RF_BAD_DATA);
  assert_non_null(strstr(rf_error_message(), "optimizer/first of embedding"));
  rf_state_destroy(&s);
  rf_checkpoint_close(c);
  place_destroy(&p);
}

/* --- as many ranks would write and read it ---------------------------------------------------------- */

/* Rank `rank` of `ranks`: blocks cut evenly, anywhere. */
static rf_state cut_state(const rf_state *whole, int rank, int ranks) {
  rf_state part = {.n_arrays = whole->n_arrays, .arrays = NEW(rf_state_array, whole->n_arrays)};
  for (int i = 0; i < whole->n_arrays; i++) {
    rf_state_array *a = &part.arrays[i];
    *a = whole->arrays[i];
    if (a->replicated) continue;
    a->first = a->total * rank / ranks;
    a->count = a->total * (rank + 1) / ranks - a->first;
    a->values += a->first;
  }
  return part;
}

/* Writes a checkpoint as `ranks` ranks would, one after another. */
static void save_as(const rf_layout *layout, const rf_state *whole, int ranks, const char *folder) {
  rf_segment *segments = NEW(rf_segment, ranks * whole->n_arrays);
  rf_commit commit = {.attempt = "0123456789abcdef",
                      .digest_block_bytes = RF_DIGEST_BLOCK_BYTES,
                      .n_files = ranks + 1,
                      .files = NEW(rf_file_digest, ranks + 1)};
  int n_segments = 0;
  const rf_checkpoint_header header = some_header();
  assert_ok(rf_folder_make(folder));
  for (int rank = 0; rank < ranks; rank++) {
    rf_state part = cut_state(whole, rank, ranks);
    rf_shard_file shard;
    assert_ok(rf_shard_lay_out(folder, rank, ranks, layout, &part, &shard));
    assert_ok(rf_shard_write(&shard, NULL));
    memcpy(segments + n_segments, shard.segments, (size_t)shard.n * sizeof *segments);
    n_segments += shard.n;
    commit.files[rank + 1] = shard.digest;
    shard.digest = (rf_file_digest){0};
    rf_shard_file_free(&shard);
    free(part.arrays);
  }
  rf_memory_file manifest;
  assert_ok(rf_manifest_make(&header, ranks, layout, n_segments, segments, &manifest));
  assert_ok(rf_manifest_write(folder, &manifest, &commit.files[0]));
  rf_memory_file_close(&manifest);
  char *text;
  int64_t length;
  assert_ok(rf_commit_emit(&commit, &text, &length));
  assert_ok(rf_file_store(folder_path(folder, "COMMIT"), text, length));
  free(text);
  free(segments);
  rf_commit_free(&commit);
}

static void check_ranks(const trained *t, const trained *other, int writers, int readers) {
  const char *folder = folder_make();
  char path[256];
  snprintf(path, sizeof path, "%s/c", folder);
  rf_state whole, wanted;
  assert_ok(rf_state_create(t->store, t->optimizer, &whole));
  assert_ok(rf_state_create(other->store, other->optimizer, &wanted));
  save_as(rf_store_layout(t->store), &whole, writers, path);
  assert_ok(rf_checkpoint_verify(path, NULL, NULL, NULL));
  rf_checkpoint *c;
  assert_ok(rf_checkpoint_open(path, &c));
  for (int rank = 0; rank < readers; rank++) {
    rf_state part = cut_state(&wanted, rank, readers);
    for (int i = 0; i < part.n_arrays; i++)
      memset(part.arrays[i].values, 0, (size_t)part.arrays[i].count * sizeof(real));
    assert_ok(rf_checkpoint_load(c, rf_store_layout(other->store), part.n_arrays, part.arrays));
    free(part.arrays);
  }
  rf_checkpoint_close(c);
  rf_state_destroy(&whole);
  rf_state_destroy(&wanted);
  assert_same_state(t, other, true);
  folder_remove(folder);
}

static void test_any_number_of_ranks_reads_what_any_other_number_wrote(void **state) {
  (void)state;
  static const int counts[] = {1, 2, 3, 4, 6};
  static const rf_optimizer_kind kinds[] = {RF_ADAM, RF_ADAFACTOR};
  for (size_t k = 0; k < 2; k++) {
    trained t, other;
    trained_make(&t, kinds[k], 1);
    trained_make(&other, kinds[k], 2);
    for (size_t i = 0; i < 5; i++)
      for (size_t j = 0; j < 5; j++) check_ranks(&t, &other, counts[i], counts[j]);
    check_ranks(&t, &other, 150, 1); /* some ranks hold nothing of some blocks */
    trained_destroy(&t);
    trained_destroy(&other);
  }
}

/* Opens the manifest with HDF5 as anyone would, and reads whole tensors through the views. */
static void check_views(int ranks) {
  const char *folder = folder_make();
  char path[256];
  snprintf(path, sizeof path, "%s/c", folder);
  trained t;
  rf_state whole;
  trained_make(&t, RF_ADAFACTOR, 1);
  assert_ok(rf_state_create(t.store, t.optimizer, &whole));
  save_as(rf_store_layout(t.store), &whole, ranks, path);
  const hid_t file = H5Fopen(folder_path(path, "manifest.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
  assert_true(file >= 0);
  const rf_layout *layout = rf_store_layout(t.store);
  for (int i = 0; i < whole.n_arrays; i++) {
    const rf_state_array *a = &whole.arrays[i];
    const rf_block *block = &layout->blocks[a->block];
    const int from = a->tensor < 0 ? 0 : a->tensor, to = a->tensor < 0 ? block->n_tensors : a->tensor + 1;
    for (int n = from; n < to; n++) {
      char link[RF_MAX_LINK];
      rf_segment_link(layout, a->kind, a->block, n, link);
      const hid_t set = H5Dopen2(file, link, H5P_DEFAULT), space = set >= 0 ? H5Dget_space(set) : -1;
      if (set < 0) fail_msg("no view %s", link);
      const int64_t count = a->tensor < 0 ? rf_tensor_count(&block->tensors[n]) : a->total;
      assert_int_equal(H5Sget_simple_extent_npoints(space), count);
      if (a->tensor < 0) assert_int_equal(H5Sget_simple_extent_ndims(space), block->tensors[n].n_dims);
      real *values = NEW(real, count);
      const hid_t native = sizeof(real) == 8 ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT;
      assert_true(H5Dread(set, native, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
      assert_memory_equal(values, a->values + (a->tensor < 0 ? block->tensors[n].offset : 0),
                          (size_t)count * sizeof(real));
      free(values);
      H5Sclose(space);
      H5Dclose(set);
    }
  }
  H5Fclose(file);
  rf_state_destroy(&whole);
  trained_destroy(&t);
  folder_remove(folder);
}

static void test_views_show_whole_tensors_in_their_own_shapes(void **state) {
  (void)state;
  check_views(1);
  check_views(3);
  check_views(7);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_adam_goes_on_from_a_checkpoint_to_the_bit),
      cmocka_unit_test(test_adafactor_goes_on_from_a_checkpoint_to_the_bit),
      cmocka_unit_test(test_a_checkpoint_tells_what_was_told_to_it),
      cmocka_unit_test(test_a_checkpoint_is_replaced_and_nothing_else_is_left),
      cmocka_unit_test(test_an_empty_folder_becomes_the_checkpoint),
      cmocka_unit_test(test_a_damaged_checkpoint_is_kept_beside_the_new_one),
      cmocka_unit_test(test_what_is_no_checkpoint_is_refused_and_left_as_it_is),
      cmocka_unit_test(test_a_state_that_is_not_finite_is_not_saved_over_a_good_one),
      cmocka_unit_test(test_a_checkpoint_that_cannot_be_written_leaves_nothing_behind),
      cmocka_unit_test(test_a_checkpoint_is_read_whatever_the_working_folder_holds),
      cmocka_unit_test(test_a_model_of_another_shape_is_refused_with_the_tensor),
      cmocka_unit_test(test_any_number_of_ranks_reads_what_any_other_number_wrote),
      cmocka_unit_test(test_views_show_whole_tensors_in_their_own_shapes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
