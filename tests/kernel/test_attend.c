/* One block of queries against one window of keys, with metadata that no real sequence would give, against a triple
 * loop; and the merge of partial results. (Whole windows, duplicates counted by brute force: tests/lsh/test_windows.c.)
 */
#include "kernel/attend.h"
#include "support/numbers.h"

/* Sums of some tens of products, magnified by exp of logits up to about 8. */
#define TOLERANCE (100 * (double)RF_REAL_EPSILON)

enum { QUERIES = 9, KEYS = 27, DH = 7, LDKT = 32, ROUNDS = 2, MOST_COUNT = ROUNDS * ROUNDS * 2 };

typedef struct block {
  rf_rule rule;
  int32_t position[KEYS], order[KEYS], limit[KEYS], bucket[KEYS], chunk_in[ROUNDS * KEYS], bucket_in[ROUNDS * KEYS];
  int32_t q_position[KEYS], q_chunk_in[ROUNDS * KEYS], q_bucket_in[ROUNDS * KEYS], q_bucket[KEYS];
  rf_tokens queries, keys;
  real log_count[MOST_COUNT + 1];
  real q[QUERIES * DH], k[KEYS * DH], kt[DH * LDKT], v[KEYS * DH], vt[DH * LDKT], d_o[QUERIES * DH];
} block;

static block *block_create(uint64_t seed, bool self_rule, bool same_bucket, rf_duplicates duplicates, double dropout) {
  block *b = NEW(block, 1);
  dice d = {.seed = seed};
  b->rule = (rf_rule){.self_rule = self_rule,
                      .same_bucket = same_bucket,
                      .duplicates = duplicates,
                      .rounds = ROUNDS,
                      .chunks = 6,
                      .chunks_before = 1,
                      .log_count = b->log_count,
                      .dropout = dropout,
                      .draw = {.seed = seed, .purpose = RF_RNG_DROP_ATTENTION, .round = 1}};
  rf_attend_log_counts(duplicates, MOST_COUNT, b->log_count);
  for (int i = 0; i < KEYS; i++) {
    b->position[i] = i;
    b->order[i] = i % 5 == 2 ? RF_ORDER_PADDING : i;
    b->bucket[i] = (int32_t)dice_below(&d, 3);
    b->q_position[i] = (int32_t)dice_below(&d, KEYS + 4); /* some are among the keys, some not */
    b->limit[i] = i == 0 ? RF_LIMIT_NONE : i == 1 ? RF_LIMIT_ALL : (int32_t)dice_below(&d, KEYS);
    b->q_bucket[i] = (int32_t)dice_below(&d, 3);
    for (int r = 0; r < ROUNDS; r++) {
      b->chunk_in[r * KEYS + i] = (int32_t)(3 * r + dice_below(&d, 3));
      b->q_chunk_in[r * KEYS + i] = (int32_t)(3 * r + dice_below(&d, 3));
      b->bucket_in[r * KEYS + i] = (int32_t)(10 * r + dice_below(&d, 2));
      b->q_bucket_in[r * KEYS + i] = (int32_t)(10 * r + dice_below(&d, 2));
    }
  }
  b->keys = (rf_tokens){b->position, b->order, b->limit, b->bucket, b->chunk_in, b->bucket_in, KEYS};
  b->queries = (rf_tokens){b->q_position, b->order, b->limit, b->q_bucket, b->q_chunk_in, b->q_bucket_in, KEYS};
  dice_fill(&d, QUERIES * DH, 0, 1, b->q);
  dice_fill(&d, KEYS * DH, 0, 1, b->k);
  dice_fill(&d, KEYS * DH, 0, 1, b->v);
  dice_fill(&d, QUERIES * DH, 0, 1, b->d_o);
  for (int j = 0; j < KEYS; j++)
    for (int c = 0; c < DH; c++) {
      b->kt[c * LDKT + j] = b->k[j * DH + c];
      b->vt[c * LDKT + j] = b->v[j * DH + c];
    }
  return b;
}

static double log_of_count(const block *b, int i, int j) {
  if (b->rule.duplicates == RF_DUPLICATES_KEEP) return 0;
  int count = 0;
  for (int r = 0; r < ROUNDS; r++)
    for (int r2 = 0; r2 < ROUNDS; r2++) {
      if (b->rule.duplicates == RF_DUPLICATES_LUCIDRAINS && r != r2) continue;
      if (b->rule.same_bucket && b->q_bucket_in[r * KEYS + i] != b->bucket_in[r2 * KEYS + j]) continue;
      const int q = b->q_chunk_in[r * KEYS + i], k = b->chunk_in[r2 * KEYS + j];
      count += (k == q) + (k == (q + 5) % 6); /* own chunk, and the one before in a ring of six */
    }
  if (b->rule.duplicates == RF_DUPLICATES_LUCIDRAINS) return log(count + 1e-9);
  return log(count > 0 ? count : 1);
}

/* The logit by the rules in order; *constant: whether one of them replaced it. */
static double logit_of(const block *b, int i, int j, bool *constant) {
  double s = 0;
  *constant = false;
  for (int c = 0; c < DH; c++) s += (double)b->q[i * DH + c] * (double)b->k[j * DH + c];
  if (b->order[j] > b->limit[i]) s = -1e9, *constant = true;
  if (b->rule.self_rule && b->position[j] == b->q_position[i]) s = -1e5, *constant = true;
  if (b->rule.same_bucket && b->bucket[j] != b->q_bucket[i]) s = -1e9, *constant = true;
  /* the subtraction happens in `real`: at -1e9 it is lost, in one precision more than in the other */
  return (double)((real)s - (real)log_of_count(b, i, j));
}

static double factor_of(const block *b, int i, int j) {
  if (b->rule.dropout <= 0) return 1;
  uint32_t words[4];
  rf_draw_words(&b->rule.draw, (uint64_t)b->q_position[i] * RF_RNG_MAX_POSITION + (uint64_t)b->position[j], words);
  return (double)words[0] >= floor(b->rule.dropout * 4294967296.0) ? 1 / (1 - b->rule.dropout) : 0;
}

static rf_attend_window window_of(const block *b) {
  return (rf_attend_window){QUERIES, KEYS, DH, LDKT, &b->rule, &b->queries, &b->keys};
}

static void check_forward(const block *b, real *m, real *z, double *o_expected) {
  real logits[QUERIES * KEYS], row[KEYS], o[QUERIES * DH];
  const rf_attend_window window = window_of(b);
  const rf_attend_scratch scratch = {.logits = logits, .factors = row};
  double m_expected[QUERIES], z_expected[QUERIES] = {0};
  memset(o_expected, 0, QUERIES * DH * sizeof *o_expected);
  for (int i = 0; i < QUERIES; i++) {
    bool constant;
    m_expected[i] = -INFINITY;
    for (int j = 0; j < KEYS; j++) m_expected[i] = fmax(m_expected[i], logit_of(b, i, j, &constant));
    for (int j = 0; j < KEYS; j++) {
      const double e = exp(logit_of(b, i, j, &constant) - m_expected[i]);
      z_expected[i] += e;
      for (int c = 0; c < DH; c++) o_expected[i * DH + c] += e * factor_of(b, i, j) * (double)b->v[j * DH + c];
    }
  }
  rf_attend(&window, b->q, b->kt, b->v, &scratch, &(rf_attended){o, m, z});
  for (int i = 0; i < QUERIES; i++) {
    assert_close("m", fabs((double)m[i] - m_expected[i]) / fmax(1, fabs(m_expected[i])), TOLERANCE);
    assert_close("z", fabs((double)z[i] - z_expected[i]) / z_expected[i], TOLERANCE);
  }
  assert_close("o", relative_error(QUERIES * DH, o, o_expected), TOLERANCE);
  for (int i = 0; i < QUERIES * DH; i++) o_expected[i] /= z_expected[i / DH];
}

/* m and z here are this block's own, as if it were the only one. */
static void check_reverse(const block *b, const real *m, const real *z, const double *o) {
  real z_inverse[QUERIES], delta[QUERIES], logits[QUERIES * KEYS], grads[QUERIES * KEYS], row[KEYS];
  const rf_attend_window window = window_of(b);
  const rf_attend_scratch scratch = {logits, grads, row};
  real dq[QUERIES * DH], dk[KEYS * DH], dv[KEYS * DH];
  double dq_expected[QUERIES * DH] = {0}, dk_expected[KEYS * DH], dv_expected[KEYS * DH];
  for (int i = 0; i < KEYS * DH; i++) {
    dk[i] = dv[i] = R_(0.5);
    dk_expected[i] = dv_expected[i] = 0.5; /* added to */
  }
  for (int i = 0; i < QUERIES; i++) {
    double of_row = 0;
    for (int c = 0; c < DH; c++) of_row += (double)b->d_o[i * DH + c] * o[i * DH + c];
    z_inverse[i] = 1 / z[i];
    delta[i] = (real)of_row;
    for (int j = 0; j < KEYS; j++) {
      bool constant;
      const double p = exp(logit_of(b, i, j, &constant) - (double)m[i]) / (double)z[i], factor = factor_of(b, i, j);
      double dp = 0;
      for (int c = 0; c < DH; c++) dp += (double)b->d_o[i * DH + c] * (double)b->v[j * DH + c];
      const double ds = constant ? 0 : p * (dp * factor - of_row);
      for (int c = 0; c < DH; c++) {
        dv_expected[j * DH + c] += p * factor * (double)b->d_o[i * DH + c];
        dq_expected[i * DH + c] += ds * (double)b->k[j * DH + c];
        dk_expected[j * DH + c] += ds * (double)b->q[i * DH + c];
      }
    }
  }
  const rf_attend_reverse in = {b->q, b->k, b->kt, b->vt, b->d_o, m, z_inverse, delta};
  rf_attend_vjp(&window, &in, &scratch, &(rf_attend_gradient){dq, dk, dv});
  assert_close("dq", relative_error(QUERIES * DH, dq, dq_expected), TOLERANCE);
  assert_close("dk", relative_error(KEYS * DH, dk, dk_expected), TOLERANCE);
  assert_close("dv", relative_error(KEYS * DH, dv, dv_expected), TOLERANCE);
}

static void test_attention_of_a_block_equals_a_triple_loop(void **state) {
  (void)state;
  for (int variant = 0; variant < 24; variant++) {
    block *b = block_create((uint64_t)(31 + variant), variant & 1, variant & 2, (rf_duplicates)(variant / 4 % 3),
                            variant / 12 ? 0.3 : 0);
    real m[QUERIES], z[QUERIES];
    double o[QUERIES * DH];
    check_forward(b, m, z, o);
    check_reverse(b, m, z, o);
    free(b);
  }
}

/* A key that is not a number spoils every query that sees it, and no other. */
static void test_a_key_that_is_not_a_number_is_not_hidden(void **state) {
  (void)state;
  block *b = block_create(60, true, false, RF_DUPLICATES_KEEP, 0);
  real m[QUERIES], z[QUERIES], o[QUERIES * DH], logits[QUERIES * KEYS], row[KEYS];
  const rf_attend_window window = window_of(b);
  const rf_attend_scratch scratch = {.logits = logits, .factors = row};
  const int key = 13; /* its value stays finite: only the logit tells */
  for (int c = 0; c < DH; c++) b->kt[c * LDKT + key] = (real)NAN;
  rf_attend(&window, b->q, b->kt, b->v, &scratch, &(rf_attended){o, m, z});
  int seen = 0;
  for (int i = 0; i < QUERIES; i++) {
    const bool sees = b->order[key] <= b->limit[i] && b->q_position[i] != key;
    seen += sees;
    assert_int_equal(isnan(z[i]) != 0, sees);
    for (int c = 0; c < DH; c++) assert_int_equal(isnan(o[i * DH + c]) != 0, sees);
  }
  assert_true(seen > 0 && seen < QUERIES);
  free(b);
}

/* Two parts of the keys, merged in either order, are the whole. */
static void test_merged_parts_equal_the_whole(void **state) {
  (void)state;
  enum { N = 3 };
  const int32_t token[N] = {4, 0, 2};
  real m[2][N] = {{1, R_(-1e5), 300}, {R_(2.5), R_(-1e5), R_(-1e9)}}, z[2][N] = {{2, 1, 3}, {4, 1, 8}};
  dice d = {.seed = 61};
  real *o[2] = {dice_reals(&d, N * DH, 1), dice_reals(&d, N * DH, 1)};
  for (int order = 0; order <= 1; order++) {
    real to_o[5 * LDKT], to_m[5] = {0}, to_z[5] = {0};
    for (int part = 0; part < 2; part++) {
      const int which = part ^ order;
      const rf_attended from = {o[which], m[which], z[which]}, to = {to_o, to_m, to_z};
      rf_attend_merge(N, DH, token, &from, &to, LDKT);
    }
    for (int i = 0; i < N; i++) {
      const double most = fmax((double)m[0][i], (double)m[1][i]);
      const double a = exp((double)m[0][i] - most), b = exp((double)m[1][i] - most);
      const double expected_z = a * (double)z[0][i] + b * (double)z[1][i];
      assert_true((double)to_m[token[i]] == most);
      assert_close("z", fabs((double)to_z[token[i]] - expected_z) / expected_z, 8 * (double)RF_REAL_EPSILON);
      for (int c = 0; c < DH; c++) {
        const double expected = a * (double)o[0][i * DH + c] + b * (double)o[1][i * DH + c];
        assert_close("o", fabs((double)to_o[token[i] * LDKT + c] - expected), 16 * (double)RF_REAL_EPSILON);
      }
    }
    assert_true(to_z[1] == 0 && to_z[3] == 0); /* tokens not in the block */
  }
  free(o[0]);
  free(o[1]);
}

/* The reason why no log-sum-exp is carried: two rounds in which a token sees only itself must weigh exactly half. */
static void test_merged_weights_near_the_self_logit_sum_to_one(void **state) {
  (void)state;
  const int32_t token[1] = {0};
  real one[1] = {1}, m[1] = {RF_LOGIT_SELF}, z[1] = {1}, o[1], to_m[1], to_z[1] = {0};
  const rf_attended from = {one, m, z}, to = {o, to_m, to_z};
  for (int round = 0; round < 4; round++) rf_attend_merge(1, 1, token, &from, &to, 1);
  assert_true(o[0] / to_z[0] == 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_attention_of_a_block_equals_a_triple_loop),
      cmocka_unit_test(test_a_key_that_is_not_a_number_is_not_hidden),
      cmocka_unit_test(test_merged_parts_equal_the_whole),
      cmocka_unit_test(test_merged_weights_near_the_self_logit_sum_to_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
