/* Whatever happens to the bytes of a checkpoint is noticed before HDF5 or a parameter sees them. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif
#include "checkpoint/commit.h"
#include "checkpoint/folder.h"
#include <dlfcn.h>
#include <hdf5.h>
#include <limits.h>

/* Stands before the library's own function and counts: with which file did HDF5 begin to read? */
static int opened;

hid_t H5Fopen(const char *name, unsigned flags, hid_t access) {
  hid_t (*real_open)(const char *, unsigned, hid_t);
  *(void **)&real_open = dlsym(RTLD_NEXT, "H5Fopen");
  if (strlen(name) <= NAME_MAX) fail_msg("HDF5 opens %s", name); /* an image in memory has a name that no file has */
  opened++;
  return real_open(name, flags, access);
}

#define SHARD "shard-00000-of-00001.h5"
static const char *const files[] = {"manifest.h5", SHARD, "COMMIT"};

/* A checkpoint of several blocks, another of the same shape, and a place to load into. */
typedef struct scene {
  const char *folder;
  trained t, target;
  rf_state saved, loaded;
  unsigned char *bytes[3]; /* of the files, as they should be */
  int64_t size[3];
  unsigned char *other[3]; /* of a checkpoint of other numbers */
  int64_t other_size[3];
} scene;

static void make_big(trained *t, uint64_t seed) {
  *t = (trained){.config = small_config()};
  t->config.model.vocab_size = 60000;
  t->config.optimizer = (rf_optimizer_config){.kind = RF_ADAM, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8};
  assert_ok(rf_model_create(&t->config, NULL, &t->model));
  t->store = rf_model_store(t->model);
  rf_store_initialise(t->store, seed, 0.3);
  assert_ok(rf_optimizer_create(&t->config.optimizer, t->store, &t->optimizer));
  dice d = {.seed = seed};
  trained_step(t, &d, 1);
}

static const char *path_of(const scene *s, int file) { return folder_path(folder_path(s->folder, "c"), files[file]); }

static void open_scene(scene *s) {
  s->folder = folder_make();
  make_big(&s->target, 2);
  trained_save(&s->target, true, folder_path(s->folder, "c"));
  for (int i = 0; i < 3; i++) s->other[i] = file_read(path_of(s, i), &s->other_size[i]);
  make_big(&s->t, 1);
  trained_save(&s->t, true, folder_path(s->folder, "c"));
  for (int i = 0; i < 3; i++) s->bytes[i] = file_read(path_of(s, i), &s->size[i]);
  assert_true(s->size[1] > 2 * RF_DIGEST_BLOCK_BYTES);
  assert_ok(rf_state_create(s->t.store, s->t.optimizer, &s->saved));
  assert_ok(rf_state_create(s->target.store, s->target.optimizer, &s->loaded));
}

static void close_scene(scene *s) {
  rf_state_destroy(&s->saved);
  rf_state_destroy(&s->loaded);
  trained_destroy(&s->t);
  trained_destroy(&s->target);
  for (int i = 0; i < 3; i++) {
    free(s->bytes[i]);
    free(s->other[i]);
  }
  folder_remove(s->folder);
}

static void repair(const scene *s, int file) { file_write(path_of(s, file), s->bytes[file], s->size[file]); }

/* A damage: what was done, and to which files. */
typedef struct damage {
  int file, second; /* second: -1, or another file that was touched */
  bool foreign;     /* the file is a good one, of another checkpoint: a foreign COMMIT finds fault with the others */
  char text[96];
} damage;

static void flip(const scene *s, dice *d, damage *done) {
  const int64_t at = dice_below(d, s->size[done->file]);
  const int bit = (int)dice_below(d, 8);
  FILE *file = fopen(path_of(s, done->file), "r+b");
  assert_non_null(file);
  fseek(file, at, SEEK_SET);
  fputc(s->bytes[done->file][at] ^ 1 << bit, file);
  fclose(file);
  snprintf(done->text, sizeof done->text, "bit %d of byte %lld flipped", bit, (long long)at);
}

/* A run of bytes that a lost write leaves as zeros, where they are not zeros anyway. */
static bool zero(const scene *s, dice *d, damage *done) {
  const int64_t at = dice_below(d, s->size[done->file]), most = s->size[done->file] - at;
  const int64_t n = 1 + dice_below(d, most < 5000 ? most : 5000);
  bool changes = false;
  for (int64_t i = at; i < at + n; i++) changes = changes || s->bytes[done->file][i] != 0;
  FILE *file = fopen(path_of(s, done->file), "r+b");
  assert_non_null(file);
  fseek(file, at, SEEK_SET);
  for (int64_t i = 0; i < n; i++) fputc(0, file);
  fclose(file);
  snprintf(done->text, sizeof done->text, "%lld zeros from byte %lld", (long long)n, (long long)at);
  return changes;
}

static void resize(const scene *s, dice *d, damage *done, bool longer) {
  const int64_t size = longer ? s->size[done->file] + 1 + dice_below(d, 5000) : dice_below(d, s->size[done->file]);
  assert_int_equal(truncate(path_of(s, done->file), size), 0);
  snprintf(done->text, sizeof done->text, "%lld bytes long instead of %lld", (long long)size,
           (long long)s->size[done->file]);
}

static void swap(const scene *s, dice *d, damage *done) {
  done->second = (done->file + 1 + (int)dice_below(d, 2)) % 3;
  const char *a = path_of(s, done->file), *b = path_of(s, done->second), *c = folder_path(s->folder, "moved");
  assert_int_equal(rename(a, c) | rename(b, a) | rename(c, b), 0);
  snprintf(done->text, sizeof done->text, "%s and %s swapped", files[done->file], files[done->second]);
}

/* False: the bytes are as they were. */
static bool do_damage(const scene *s, dice *d, damage *done) {
  *done = (damage){.file = (int)dice_below(d, 3), .second = -1};
  switch (dice_below(d, 8)) {
  case 0: resize(s, d, done, false); return true;
  case 1: resize(s, d, done, true); return true;
  case 2: return zero(s, d, done);
  case 3: swap(s, d, done); return true;
  case 4:
    assert_int_equal(unlink(path_of(s, done->file)), 0);
    snprintf(done->text, sizeof done->text, "deleted");
    return true;
  case 5:
    file_write(path_of(s, done->file), s->other[done->file], s->other_size[done->file]);
    snprintf(done->text, sizeof done->text, "taken from another checkpoint");
    done->foreign = true;
    /* Two manifests may be the same: they hold no numbers. */
    return s->size[done->file] != s->other_size[done->file] ||
           memcmp(s->bytes[done->file], s->other[done->file], (size_t)s->size[done->file]) != 0;
  default: flip(s, d, done); return true;
  }
}

/* Loading may succeed where no number was touched; then every one of them is right. */
static void check_load(scene *s, const damage *done) {
  rf_checkpoint *c;
  for (int i = 0; i < s->loaded.n_arrays; i++)
    memset(s->loaded.arrays[i].values, 0, (size_t)s->loaded.arrays[i].count * sizeof(real));
  rf_status status = rf_checkpoint_open(folder_path(s->folder, "c"), &c);
  if (status == RF_OK)
    status = rf_checkpoint_load(c, rf_store_layout(s->target.store), s->loaded.n_arrays, s->loaded.arrays);
  rf_checkpoint_close(c);
  if (status != RF_OK && status != RF_BAD_DATA)
    fail_msg("%s: %s: load status %d", files[done->file], done->text, status);
  for (int i = 0; status == RF_OK && i < s->saved.n_arrays; i++)
    if (memcmp(s->saved.arrays[i].values, s->loaded.arrays[i].values,
               (size_t)s->saved.arrays[i].count * sizeof(real)) != 0)
      fail_msg("%s: %s: wrong numbers were loaded", files[done->file], done->text);
}

static void test_random_damage_is_noticed_before_hdf5_sees_it(void **state) {
  (void)state;
  scene s;
  open_scene(&s);
  dice d = {.seed = 20240607};
  for (int round = 0; round < 400; round++) {
    damage done;
    if (do_damage(&s, &d, &done)) {
      opened = 0;
      const rf_status status = rf_checkpoint_verify(folder_path(s.folder, "c"), NULL, NULL, NULL);
      const char *message = rf_error_message();
      if (status != RF_BAD_DATA) fail_msg("round %d: %s: %s: status %d", round, files[done.file], done.text, status);
      const bool foreign = done.file == 2 && done.foreign;
      if (!foreign && !strstr(message, files[done.file]) && (done.second < 0 || !strstr(message, files[done.second])))
        fail_msg("round %d: %s: %s: the message does not name it: %s", round, files[done.file], done.text, message);
      const bool readable = done.file == 1 && done.second < 0; /* manifest and COMMIT are whole */
      if (foreign ? opened > 1 : opened != readable)
        fail_msg("round %d: %s: %s: HDF5 opened a file", round, files[done.file], done.text);
      check_load(&s, &done);
    }
    repair(&s, done.file);
    if (done.second >= 0) repair(&s, done.second);
  }
  assert_ok(rf_checkpoint_verify(folder_path(s.folder, "c"), NULL, NULL, NULL));
  close_scene(&s);
}

static void count_line(void *context, const char *line) {
  (void)line;
  ++*(int *)context;
}

static void test_damage_is_told_by_bytes_and_by_the_tensors_that_lie_there(void **state) {
  (void)state;
  scene s;
  open_scene(&s);
  char folder[256]; /* paths of folder_path do not last */
  snprintf(folder, sizeof folder, "%s/c", s.folder);
  /* The last number of the file: a second moment of the head, in the last block. */
  int64_t at = s.size[1] - 1;
  while (s.bytes[1][at] == 0) at--;
  unsigned char *bytes = NEW(unsigned char, s.size[1]);
  memcpy(bytes, s.bytes[1], (size_t)s.size[1]);
  bytes[at] ^= 4;
  file_write(path_of(&s, 1), bytes, s.size[1]);
  int lines = 0;
  assert_int_equal(rf_checkpoint_verify(folder, count_line, &lines, NULL), RF_BAD_DATA);
  assert_int_equal(lines, 1);
  char wanted[128];
  snprintf(wanted, sizeof wanted, "bytes %lld to %lld are damaged",
           (long long)(s.size[1] / RF_DIGEST_BLOCK_BYTES * RF_DIGEST_BLOCK_BYTES), (long long)s.size[1] - 1);
  if (!strstr(rf_error_message(), wanted) || !strstr(rf_error_message(), "optimizer/second of "))
    fail_msg("%s", rf_error_message());
  bytes[0] ^= 1; /* the first block too, and not those between */
  file_write(path_of(&s, 1), bytes, s.size[1]);
  lines = 0;
  assert_int_equal(rf_checkpoint_verify(folder, count_line, &lines, NULL), RF_BAD_DATA);
  assert_int_equal(lines, 2);
  assert_non_null(strstr(rf_error_message(), "parameters of embedding.token.weight"));
  assert_non_null(strstr(rf_error_message(), "and 1 more"));
  free(bytes);
  close_scene(&s);
}

static void test_folders_that_are_no_checkpoints_are_refused(void **state) {
  (void)state;
  const char *folder = folder_make();
  rf_checkpoint *c;
  assert_int_equal(rf_checkpoint_open(folder_path(folder, "missing"), &c), RF_BAD_DATA);
  assert_int_equal(rf_checkpoint_open(folder, &c), RF_BAD_DATA);
  assert_non_null(strstr(rf_error_message(), "no checkpoint"));
  assert_int_equal(mkfifo(folder_path(folder, "COMMIT"), 0666), 0);
  assert_int_equal(rf_checkpoint_open(folder, &c), RF_BAD_DATA); /* and does not wait for a writer */
  assert_null(c);
  rf_checkpoint_close(c);
  folder_remove(folder);
}

/* With a right hash of itself. */
static void test_a_commit_that_lists_too_little_is_refused(void **state) {
  (void)state;
  trained_place p;
  place_make(&p);
  trained_save(&p.t, true, p.path);
  int64_t length;
  char *text = (char *)file_read(folder_path(p.path, "COMMIT"), &length);
  for (int keep = 0; keep < 2; keep++) {
    rf_commit commit;
    char *less;
    int64_t size;
    assert_ok(rf_commit_parse("COMMIT", text, length, &commit));
    assert_int_equal(commit.n_files, 2);
    commit.n_files = keep;
    assert_ok(rf_commit_emit(&commit, &less, &size));
    file_write(folder_path(p.path, "COMMIT"), less, size);
    commit.n_files = 2;
    rf_commit_free(&commit);
    free(less);
    rf_checkpoint *c;
    assert_int_equal(rf_checkpoint_open(p.path, &c), RF_BAD_DATA);
    assert_int_equal(rf_checkpoint_verify(p.path, NULL, NULL, NULL), RF_BAD_DATA);
  }
  free(text);
  place_destroy(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_damage_is_noticed_before_hdf5_sees_it),
      cmocka_unit_test(test_damage_is_told_by_bytes_and_by_the_tensors_that_lie_there),
      cmocka_unit_test(test_folders_that_are_no_checkpoints_are_refused),
      cmocka_unit_test(test_a_commit_that_lists_too_little_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
