#include "reformer/rng.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Random123's kat_vectors, philox4x32 with 10 rounds. */
static void test_philox_gives_the_published_vectors(void **state) {
  (void)state;
  static const struct {
    uint32_t counter[4], key[2], want[4];
  } known[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       {0xffffffff, 0xffffffff},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    uint32_t got[4];
    rf_philox(known[i].counter, known[i].key, got);
    assert_memory_equal(got, known[i].want, sizeof got);
  }
}

/* The table of the counter's layout: every field, its first bit in the 128 and its width. */
typedef struct field {
  const char *name;
  int first, width, second, second_width; /* sequence lies in two pieces */
} field;

static const field fields[] = {
    {"position", 0, 52, 0, 0}, {"sequence", 52, 12, 96, 4}, {"step", 64, 32, 0, 0},    {"round", 100, 6, 0, 0},
    {"head", 106, 8, 0, 0},    {"layer", 114, 10, 0, 0},    {"purpose", 124, 4, 0, 0},
};
enum { N_FIELDS = sizeof fields / sizeof *fields };

static void counter_with(int which, uint64_t value, uint32_t counter[4]) {
  rf_draw draw = {0};
  uint64_t position = 0;
  switch (which) {
  case 0: position = value; break;
  case 1: draw.sequence = (uint32_t)value; break;
  case 2: draw.step = (uint32_t)value; break;
  case 3: draw.round = (uint32_t)value; break;
  case 4: draw.head = (uint32_t)value; break;
  case 5: draw.layer = (uint32_t)value; break;
  default: draw.purpose = (rf_purpose)value; break;
  }
  rf_draw_counter(&draw, position, counter);
}

static void test_every_field_has_its_own_bits_and_together_they_fill_the_counter(void **state) {
  (void)state;
  uint32_t all[4] = {0};
  for (int f = 0; f < N_FIELDS; f++) {
    uint32_t whole[4] = {0};
    int width = fields[f].width + fields[f].second_width;
    for (int bit = 0; bit < width; bit++) {
      uint32_t got[4], want[4] = {0};
      int at = bit < fields[f].width ? fields[f].first + bit : fields[f].second + bit - fields[f].width;
      want[at / 32] = UINT32_C(1) << at % 32;
      counter_with(f, UINT64_C(1) << bit, got);
      if (memcmp(got, want, sizeof got) != 0) fail_msg("bit %d of %s is not at %d", bit, fields[f].name, at);
      for (int w = 0; w < 4; w++) {
        if (all[w] & got[w]) fail_msg("bit %d of %s is used twice", bit, fields[f].name);
        all[w] |= got[w];
        whole[w] |= got[w];
      }
    }
    uint32_t largest[4];
    counter_with(f, (UINT64_C(1) << width) - 1, largest);
    assert_memory_equal(largest, whole, sizeof whole);
  }
  for (int w = 0; w < 4; w++) assert_int_equal(all[w], UINT32_MAX);
}

static void test_the_promised_ranges_fit_the_fields(void **state) {
  (void)state;
  assert_int_equal(RF_RNG_MAX_SEQUENCES, 1 << 16);
  assert_int_equal(RF_RNG_MAX_ROUNDS, 1 << 6);
  assert_int_equal(RF_RNG_MAX_HEADS, 1 << 8);
  assert_int_equal(RF_RNG_MAX_LAYERS, 1 << 10);
  assert_true(RF_RNG_SAMPLE < 16);
  /* an attention probability: query * 2^26 + key */
  uint64_t last = (uint64_t)(RF_RNG_MAX_POSITION - 1);
  assert_true((last << 26 | last) == (UINT64_C(1) << 52) - 1);
}

static void test_words_are_philox_of_counter_and_seed(void **state) {
  (void)state;
  rf_draw draw = {.seed = 0x299f31d0a4093822,
                  .purpose = RF_RNG_SAMPLE,
                  .step = 7,
                  .layer = 3,
                  .head = 2,
                  .round = 1,
                  .sequence = 54321};
  uint32_t counter[4], key[2] = {0xa4093822, 0x299f31d0}, want[4], got[4];
  rf_draw_counter(&draw, 99, counter);
  rf_philox(counter, key, want);
  rf_draw_words(&draw, 99, got);
  assert_memory_equal(got, want, sizeof got);
}

enum { N = 1 << 20 };

/* Bounds are five standard errors: for a fixed seed the test is one draw of a 1-in-a-million event. */
static void test_uniforms_have_the_moments_of_a_uniform(void **state) {
  (void)state;
  rf_draw draw = {.seed = 1, .purpose = RF_RNG_TASK};
  double sum = 0, square = 0, lag = 0, previous = 0;
  for (uint64_t i = 0; i < N; i++) {
    double u = rf_draw_uniform(&draw, i);
    assert_true(u > 0 && u < 1);
    u -= 0.5;
    sum += u;
    square += u * u;
    lag += u * previous;
    previous = u;
  }
  assert_true(fabs(sum / N) < 5 * sqrt(1.0 / 12 / N));
  assert_true(fabs(square / N - 1.0 / 12) < 5 * sqrt(1.0 / 180 / N));
  assert_true(fabs(lag / N) < 5 * (1.0 / 12) / sqrt(N));
}

static void test_normals_have_the_moments_of_a_normal(void **state) {
  (void)state;
  rf_draw draw = {.seed = 2, .purpose = RF_RNG_INIT};
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0, lag[4] = {0}, recent[4] = {0};
  int64_t beyond_two = 0;
  for (uint64_t i = 0; i < N; i++) {
    double z = rf_draw_normal(&draw, i);
    m1 += z;
    m2 += z * z;
    m3 += z * z * z;
    m4 += z * z * z * z;
    beyond_two += fabs(z) > 2;
    for (int k = 0; k < 4; k++) lag[k] += z * recent[k];
    for (int k = 3; k > 0; k--) recent[k] = recent[k - 1];
    recent[0] = z;
  }
  double root = sqrt(N);
  assert_true(fabs(m1 / N) < 5 / root);
  assert_true(fabs(m2 / N - 1) < 5 * sqrt(2) / root);
  assert_true(fabs(m3 / N) < 5 * sqrt(15) / root);
  assert_true(fabs(m4 / N - 3) < 5 * sqrt(96) / root);
  for (int k = 0; k < 4; k++) assert_true(fabs(lag[k] / N) < 5 / root);
  double p = erfc(2 / sqrt(2));
  assert_true(fabs((double)beyond_two / N - p) < 5 * sqrt(p * (1 - p)) / root);
}

static void test_streams_of_different_fields_are_independent(void **state) {
  (void)state;
  rf_draw base = {.seed = 3, .purpose = RF_RNG_INIT};
  for (int f = 1; f < 8; f++) {
    rf_draw other = base;
    switch (f) {
    case 1: other.sequence = 1; break;
    case 2: other.step = 1; break;
    case 3: other.round = 1; break;
    case 4: other.head = 1; break;
    case 5: other.layer = 1; break;
    case 6: other.purpose = RF_RNG_ROTATION; break;
    default: other.seed = 4; break;
    }
    double product = 0;
    enum { M = 1 << 16 };
    for (uint64_t i = 0; i < M; i++) product += rf_draw_normal(&base, i) * rf_draw_normal(&other, i);
    if (!(fabs(product / M) < 5 / sqrt(M))) fail_msg("field %d: correlation %g", f, product / M);
  }
}

static void test_four_normals_at_once_are_the_stream(void **state) {
  (void)state;
  rf_draw draw = {.seed = 5, .purpose = RF_RNG_INIT, .layer = 2};
  for (uint64_t position = 0; position < 100; position++) {
    double four[4];
    rf_draw_normal4(&draw, position, four);
    for (uint64_t k = 0; k < 4; k++) assert_true(four[k] == rf_draw_normal(&draw, 4 * position + k));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_philox_gives_the_published_vectors),
      cmocka_unit_test(test_every_field_has_its_own_bits_and_together_they_fill_the_counter),
      cmocka_unit_test(test_the_promised_ranges_fit_the_fields),
      cmocka_unit_test(test_words_are_philox_of_counter_and_seed),
      cmocka_unit_test(test_uniforms_have_the_moments_of_a_uniform),
      cmocka_unit_test(test_normals_have_the_moments_of_a_normal),
      cmocka_unit_test(test_streams_of_different_fields_are_independent),
      cmocka_unit_test(test_four_normals_at_once_are_the_stream),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
