/* Positions against their formulas: axial, learned and sinusoidal embeddings, and rotary turns. */
#include "nn/embedding.h"
#include "nn/rotary.h"
#include "support/numbers.h"
#include "support/small_config.h"

enum { TOKENS = 33 };

/* The sum of a token's row and its position's, column by column. */
static double expected_embedding(const rf_config *config, const rf_block *block, const real *params, int32_t id,
                                 int64_t t, int64_t j) {
  const rf_positions_config *p = &config->model.positions;
  const int64_t d = config->model.d_model;
  const double token = (double)params[id * d + j];
  if (p->kind == RF_POSITIONS_LEARNED) return token + (double)params[block->tensors[1].offset + t * d + j];
  if (p->kind == RF_POSITIONS_SINUSOIDAL) {
    const double angle = (double)t / pow(10000.0, 2.0 * (double)(j / 2) / (double)d);
    return token + (j % 2 ? cos(angle) : sin(angle));
  }
  if (p->kind != RF_POSITIONS_AXIAL) return token;
  int64_t column = j, axis = 0, below = 1; /* below: places of the axes after this one */
  while (column >= p->dims[axis]) column -= p->dims[axis++];
  for (int64_t later = axis + 1; later < p->n_axes; later++) below *= p->shape[later];
  const int64_t row = t / below % p->shape[axis];
  return token + (double)params[block->tensors[1 + axis].offset + row * p->dims[axis] + column];
}

static void test_embedding_is_the_sum_of_token_and_position(void **state) {
  (void)state;
  const rf_positions_config kinds[] = {
      {.kind = RF_POSITIONS_AXIAL, .n_axes = 2, .shape = {5, 7}, .dims = {4, 6}},
      {.kind = RF_POSITIONS_AXIAL, .n_axes = 4, .shape = {2, 3, 2, 3}, .dims = {1, 2, 3, 4}},
      {.kind = RF_POSITIONS_LEARNED, .shape = {40}},
      {.kind = RF_POSITIONS_SINUSOIDAL},
      {.kind = RF_POSITIONS_ROTARY},
      {.kind = RF_POSITIONS_NONE},
  };
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    dice d = {.seed = 501};
    rf_config config = small_config();
    config.model.positions = kinds[k];
    rf_block block = {0};
    assert_ok(rf_embedding_describe(&config, &block));
    real *params = dice_reals(&d, block.size, 1), *x = NEW(real, 2 * TOKENS * config.model.d_model);
    int32_t ids[2 * TOKENS];
    for (int i = 0; i < 2 * TOKENS; i++) ids[i] = (int32_t)dice_below(&d, config.model.vocab_size);
    const rf_call call = {.sequences = 2, .tokens = TOKENS};
    rf_embedding_apply(&config, &call, params, ids, x);
    for (int64_t i = 0; i < 2 * TOKENS; i++)
      for (int64_t j = 0; j < config.model.d_model; j++) {
        const double expected = expected_embedding(&config, &block, params, ids[i], i % TOKENS, j);
        const double error = fabs((double)x[i * config.model.d_model + j] - expected);
        if (!(error <= 4 * (double)RF_REAL_EPSILON))
          fail_msg("kind %zu, token %lld, column %lld: off by %.3g", k, (long long)i, (long long)j, error);
      }
    free(params);
    free(x);
    free(block.tensors);
  }
}

/* d_head past every internal block, positions far from 0. */
static void check_rotary(int64_t d_head, int64_t first) {
  enum { ROWS = 128, HEADS = 2 };
  dice d = {.seed = 502};
  const int64_t ld = HEADS * d_head + 3;
  real *x = dice_reals(&d, ROWS * ld, 1), *before = NEW(real, ROWS * ld);
  memcpy(before, x, (size_t)(ROWS * ld) * sizeof *x);
  double *expected = NEW(double, ROWS *ld);
  for (int64_t row = 0; row < ROWS; row++)
    for (int64_t j = 0; j < ld; j++) {
      const int64_t pair = j % d_head / 2, at = row * ld + j;
      expected[at] = (double)before[at];
      if (j >= HEADS * d_head) continue;
      const double angle = (double)(first + row) * pow(10000.0, -2.0 * (double)pair / (double)d_head);
      const double a = (double)before[at - j % 2], b = (double)before[at - j % 2 + 1];
      expected[at] = j % 2 ? a * sin(angle) + b * cos(angle) : a * cos(angle) - b * sin(angle);
    }
  rf_rotary(ROWS, HEADS, d_head, first, 1, (rf_matrix){x, ld});
  /* the angle itself is rounded: an ulp of a position of a million is 1e-10 */
  const double of_angle = 2e-16 * (double)(first + ROWS);
  assert_close("turned", relative_error(ROWS * ld, x, expected), 4 * (double)RF_REAL_EPSILON + of_angle + 1e-13);
  rf_rotary(ROWS, HEADS, d_head, first, -1, (rf_matrix){x, ld});
  /* each row's angle comes from the row before, with a rounding of the length */
  assert_close("turned back", relative_error_real(ROWS * ld, x, before),
               4 * (double)RF_REAL_EPSILON + ROWS * DBL_EPSILON);
  free(x);
  free(before);
  free(expected);
}

static void test_rotary_turns_each_pair_by_its_angle(void **state) {
  (void)state;
  check_rotary(6, 0);
  check_rotary(64, 1000);
  check_rotary(1030, 1 << 20); /* wider than a thousand */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_embedding_is_the_sum_of_token_and_position),
      cmocka_unit_test(test_rotary_turns_each_pair_by_its_angle),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
