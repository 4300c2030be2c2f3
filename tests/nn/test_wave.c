/* How many pairs attention works on at once, on meshes that are not there. */
#include "comm/mesh.h"
#include "nn/attention.h"
#include "nn/wave.h"
#include "support/numbers.h"
#include "support/small_config.h"

enum { LENGTH = 8192, WIDTH = 64 };
#define MIB ((int64_t)1 << 20)

/* The waves of one LSH layer. */
typedef struct waves {
  rf_wave_size size;
  double owners; /* of a token's row, its home not counted */
  int64_t bytes; /* of the rows of one at the rank with most, in six arrays */
} waves;

static waves waves_of(int64_t ranks, int64_t heads, int64_t sequences, int64_t memory) {
  rf_config config = small_config();
  config.model.n_heads = heads;
  config.model.d_head = WIDTH;
  config.model.d_model = heads * WIDTH;
  config.lsh.chunk = 64;
  config.lsh.n_hashes = 4;
  config.mesh.wave_memory = memory;
  rf_mesh *mesh;
  assert_ok(rf_mesh_create_imagined(ranks, 1, 0, &mesh));
  const rf_sublayer self = {.ops = &rf_lsh_attention_ops, .config = &config};
  const rf_call call = {.sequences = sequences, .tokens = LENGTH / ranks, .length = LENGTH, .mesh = mesh};
  const waves w = {rf_wave_size_of(&self, &call), rf_wave_owners(&self, &call), 0};
  const int64_t rows = rf_wave_most_rows(&self, &call, w.size.heads * w.size.sequences, w.size.parts);
  rf_mesh_destroy(mesh);
  return (waves){w.size, w.owners, 6 * rows * WIDTH * (int64_t)sizeof(real)};
}

/* A head a rank: each row travels once, to the rank that has all of its head, as in Ulysses. */
static void test_a_row_travels_once_where_there_are_as_many_heads_as_ranks(void **state) {
  (void)state;
  for (int64_t ranks = 2; ranks <= 8; ranks *= 2)
    for (int64_t heads = ranks; heads <= 16; heads *= 2) {
      const waves w = waves_of(ranks, heads, 1, 1024 * MIB);
      assert_int_equal(w.size.heads % ranks, 0);
      assert_true(fabs(w.owners - (double)(ranks - 1) / (double)ranks) < 1e-9);
    }
  /* half of the heads travel while the other half is attended to, where that costs no rows */
  assert_int_equal(waves_of(2, 4, 1, 1024 * MIB).size.heads, 2);
  assert_int_equal(waves_of(2, 4, 1, 1024 * MIB).size.at_once, 2);
  assert_int_equal(waves_of(4, 4, 1, 1024 * MIB).size.heads, 4);
  /* heads of several sequences too */
  assert_true(fabs(waves_of(8, 2, 4, 1024 * MIB).owners - 0.875) < 1e-9);
}

static void test_less_memory_makes_smaller_waves_and_more_rows(void **state) {
  (void)state;
  for (int64_t ranks = 2; ranks <= 64; ranks *= 2) {
    double owners = 0;
    int64_t pairs = INT64_MAX;
    for (int64_t memory = 1024 * MIB; memory >= MIB; memory /= 2) {
      const waves w = waves_of(ranks, 8, 2, memory);
      const int64_t n = w.size.heads * w.size.sequences;
      assert_true(w.bytes * w.size.at_once <= memory || w.size.parts >= LENGTH / 64 / ranks);
      assert_true(w.size.parts == 1 || n == 1);
      assert_true(n <= pairs && w.owners >= 0.98 * owners); /* what is 2 % more is as good */
      owners = w.owners > owners ? w.owners : owners;
      pairs = n;
    }
    assert_int_equal(pairs, 1);
  }
}

/* Where not even a head's rows fit, what a rank owns of it comes in parts: rows here fall with memory as they must, and
 * a token's row goes to an owner once for each part, at most once a round. */
static void test_rows_of_a_head_that_do_not_fit_come_in_parts(void **state) {
  (void)state;
  for (int64_t ranks = 2; ranks <= 8; ranks *= 2) {
    const waves whole = waves_of(ranks, 4, 1, 1024 * MIB);
    double owners = whole.owners;
    int64_t parts = 1;
    for (int64_t memory = 16 * MIB; memory >= 4 * MIB; memory /= 2) {
      const waves w = waves_of(ranks, 4, 1, memory);
      assert_true(w.size.parts >= parts && w.owners >= owners - 1e-9);
      assert_true(w.owners <= 4 * (double)(ranks - 1) / (double)ranks + 1e-9);
      assert_true(w.bytes * w.size.at_once <= memory);
      parts = w.size.parts;
      owners = w.owners;
    }
    assert_true(parts > 1);
    assert_int_equal(waves_of(ranks, 4, 1, 0).size.parts, LENGTH / 64 / ranks);
    assert_int_equal(waves_of(ranks, 4, 1, 0).size.heads, 1);
  }
  assert_int_equal(waves_of(1, 4, 1, 0).size.parts, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_row_travels_once_where_there_are_as_many_heads_as_ranks),
      cmocka_unit_test(test_less_memory_makes_smaller_waves_and_more_rows),
      cmocka_unit_test(test_rows_of_a_head_that_do_not_fit_come_in_parts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
