/* What attention promises beyond its gradients: causality, equal kinds, duplicates, waves, what it keeps, and inputs
 * that overflow what is not careful. */
#include "lsh/hash.h"
#include "support/small_config.h"
#include "support/sublayer_case.h"

/* The same sums in another order: about a hundred terms, in two products and a softmax. */
#define TOLERANCE (300 * (double)RF_REAL_EPSILON)

static const uint32_t places[] = {7, 3, 11};

static rf_call call_of(int64_t sequences, int64_t tokens, const uint8_t *mask) {
  return (rf_call){.sequences = sequences,
                   .tokens = tokens,
                   .mask = mask,
                   .sequence = places,
                   .seed = 5,
                   .step = 2,
                   .training = true};
}

/* What a sublayer makes of an input: its output and all its gradients. */
typedef struct outcome {
  real *y, *dx, *dparams;
} outcome;

static outcome run(sublayer_case *c, const real *x, const real *dy) {
  outcome r = {NEW(real, c->values), NEW(real, c->values), NEW(real, c->block.size)};
  const rf_sublayer_ops *ops = c->sublayer.ops;
  assert_ok(ops->apply(&c->sublayer, &c->call, c->params, x, 1, r.y, c->saved));
  const rf_sublayer_vjp task = {c->params, x, dy, NULL, r.dx, r.dparams, c->saved};
  assert_ok(ops->apply_vjp(&c->sublayer, &c->call, &task));
  return r;
}

static void outcome_free(outcome *r) {
  free(r->y);
  free(r->dx);
  free(r->dparams);
}

static void compare(const char *what, const sublayer_case *c, const outcome *a, const outcome *b, double tolerance) {
  char name[128];
  snprintf(name, sizeof name, "%s, y", what);
  assert_close(name, relative_error_real((int64_t)c->values, a->y, b->y), tolerance);
  snprintf(name, sizeof name, "%s, dx", what);
  assert_close(name, relative_error_real((int64_t)c->values, a->dx, b->dx), tolerance);
  for (int t = 0; t < c->block.n_tensors; t++) {
    const rf_tensor *tensor = &c->block.tensors[t];
    snprintf(name, sizeof name, "%s, %s", what, tensor->name);
    assert_close(name,
                 relative_error_real(rf_tensor_count(tensor), a->dparams + tensor->offset, b->dparams + tensor->offset),
                 tolerance);
  }
}

/* The same parameters and input through two sublayers must give the same. */
static void check_equal(const char *what, const rf_sublayer_ops *ops_a, const rf_config *a,
                        const rf_sublayer_ops *ops_b, const rf_config *b, int64_t tokens, const uint8_t *mask) {
  dice d = {.seed = 101};
  const rf_call call = call_of(2, tokens, mask);
  sublayer_case *first = sublayer_case_create(a, ops_a, &call), *second = sublayer_case_create(b, ops_b, &call);
  sublayer_case_randomise(first, &d, 1.5);
  assert_int_equal(first->block.size, second->block.size);
  memcpy(second->params, first->params, (size_t)first->block.size * sizeof(real));
  real *x = dice_reals(&d, (int64_t)first->values, 1), *dy = dice_reals(&d, (int64_t)first->values, 1);
  outcome of_first = run(first, x, dy), of_second = run(second, x, dy);
  compare(what, first, &of_first, &of_second, TOLERANCE);
  outcome_free(&of_first);
  outcome_free(&of_second);
  sublayer_case_destroy(first);
  sublayer_case_destroy(second);
  free(x);
  free(dy);
}

enum { TOKENS = 64, MOST_TOKENS = 600 };

static const uint8_t *padding_of(int64_t tokens) {
  static uint8_t mask[2 * MOST_TOKENS];
  for (int64_t i = 0; i < 2 * tokens; i++) mask[i] = i < tokens ? i != 5 : i < tokens + 4 * tokens / 5;
  return mask;
}

static void test_lsh_attention_of_one_chunk_equals_full_attention(void **state) {
  (void)state;
  for (int variant = 0; variant < 8; variant++) {
    rf_config lsh = small_config();
    lsh.model.causal = variant & 1;
    lsh.lsh.key_norm = variant & 2 ? RF_KEYS_UNIT : RF_KEYS_RMS;
    lsh.lsh.chunk = TOKENS;
    rf_config full = lsh;
    full.full.shared_qk = true;
    check_equal("one chunk", &rf_lsh_attention_ops, &lsh, &rf_full_attention_ops, &full, TOKENS,
                variant & 4 ? padding_of(TOKENS) : NULL);
  }
}

/* Two chunks, each with the other in its window: hashed and sorted, but every token meets every other once. */
static void test_lsh_attention_over_the_whole_ring_equals_full_attention(void **state) {
  (void)state;
  for (int variant = 0; variant < 4; variant++) {
    rf_config lsh = small_config();
    lsh.model.causal = variant & 1;
    lsh.lsh.n_hashes = 1;
    lsh.lsh.chunk = TOKENS / 2;
    rf_config full = lsh;
    full.full.shared_qk = true;
    check_equal("whole ring", &rf_lsh_attention_ops, &lsh, &rf_full_attention_ops, &full, TOKENS,
                variant & 2 ? padding_of(TOKENS) : NULL);
  }
}

/* At 600 tokens, full attention takes several blocks, the last one cut short. */
static void test_local_attention_of_one_chunk_equals_full_attention(void **state) {
  (void)state;
  for (int variant = 0; variant < 4; variant++) {
    const int64_t tokens = variant & 2 ? MOST_TOKENS : TOKENS;
    rf_config config = small_config();
    config.model.causal = variant & 1;
    config.model.attention_dropout = 0.2;
    config.local.chunk = 2 * MOST_TOKENS;
    check_equal("local", &rf_local_attention_ops, &config, &rf_full_attention_ops, &config, tokens, padding_of(tokens));
  }
}

/* Two rounds with the same rotations sort the same way: each key is met twice, and `divide` takes that back. */
static void test_dividing_makes_two_equal_rounds_one(void **state) {
  (void)state;
  for (int variant = 0; variant < 4; variant++) {
    dice d = {.seed = 102};
    rf_config one = small_config();
    one.model.causal = variant & 1;
    one.lsh.attend_across_buckets = variant & 2;
    one.lsh.n_hashes = 1;
    rf_config two = one;
    two.lsh.n_hashes = 2;
    two.lsh.duplicates = RF_DUPLICATES_DIVIDE;
    const rf_call call = call_of(2, TOKENS, padding_of(TOKENS));
    sublayer_case *a = sublayer_case_create(&one, &rf_lsh_attention_ops, &call);
    sublayer_case *b = sublayer_case_create(&two, &rf_lsh_attention_ops, &call);
    const rf_hash_shape shape = rf_hash_shape_of(&one.lsh, one.model.d_head);
    const int64_t rows = one.model.n_heads * one.model.d_head, columns = shape.columns;
    real *rotations = dice_reals(&d, rows * columns, 1), *twice = NEW(real, 2 * rows * columns);
    for (int64_t i = 0; i < 2 * rows * columns; i++) twice[i] = rotations[i / (2 * columns) * columns + i % columns];
    a->sublayer.rotations = rotations;
    b->sublayer.rotations = twice;
    sublayer_case_randomise(a, &d, 1.5);
    memcpy(b->params, a->params, (size_t)a->block.size * sizeof(real));
    real *x = dice_reals(&d, (int64_t)a->values, 1), *dy = dice_reals(&d, (int64_t)a->values, 1);
    outcome of_one = run(a, x, dy), of_two = run(b, x, dy);
    compare("two equal rounds", a, &of_two, &of_one, TOLERANCE);
    outcome_free(&of_one);
    outcome_free(&of_two);
    sublayer_case_destroy(a);
    sublayer_case_destroy(b);
    free(x);
    free(dy);
    free(rotations);
    free(twice);
  }
}

/* At given buckets no output before a token depends on the token. (Hashed anew, a token that changes its bucket moves
 * the edges of later chunks of slots, and with them which keys earlier tokens meet, here as in the published code.) */
static void check_causality(const char *what, const rf_sublayer_ops *ops, const rf_config *config) {
  dice d = {.seed = 103};
  const rf_call call = call_of(2, TOKENS, NULL);
  sublayer_case *c = sublayer_case_create(config, ops, &call);
  sublayer_case_randomise(c, &d, 1.5);
  const int64_t n = (int64_t)c->values, dm = config->model.d_model;
  real *x = dice_reals(&d, n, 1), *first = NEW(real, n), *second = NEW(real, n), *y = NEW(real, n);
  assert_ok(ops->apply(&c->sublayer, &c->call, c->params, x, 1, y, c->saved));
  sublayer_forward_at(&c->sublayer, &c->call, c->params, c->block.size, n, x, 1, first, c->saved);
  for (int64_t t = TOKENS - 1; t > 0; t -= 9) {
    for (int64_t j = 0; j < dm; j++) x[t * dm + j] = (real)(3 * dice_normal(&d));
    memset(second, 0, (size_t)n * sizeof *second);
    sublayer_forward_at(&c->sublayer, &c->call, c->params, c->block.size, n, x, 1, second, c->saved);
    assert_same_bits(what, t * dm, second, first);
    assert_same_bits("the other sequence", TOKENS * dm, second + TOKENS * dm, first + TOKENS * dm);
    assert_true(memcmp(second + t * dm, first + t * dm, (size_t)dm * sizeof *first) != 0);
    memcpy(first, second, (size_t)n * sizeof *first);
  }
  free(x);
  free(first);
  free(second);
  free(y);
  sublayer_case_destroy(c);
}

/* Parameters of head `head` alone, out of those of all heads: rows of the projections, columns of the output's. */
static void take_head(const sublayer_case *all, int64_t head, sublayer_case *one) {
  const int64_t dh = one->config.model.d_head, heads = all->config.model.n_heads;
  for (int t = 0; t < all->block.n_tensors; t++) {
    const rf_tensor *tensor = &one->block.tensors[t];
    const real *from = all->params + all->block.tensors[t].offset;
    real *to = one->params + tensor->offset;
    const int64_t n = rf_tensor_count(tensor);
    if (tensor->n_dims == 1)
      memcpy(to, from, (size_t)n * sizeof(real));
    else if (tensor->shape[0] == dh)
      memcpy(to, from + head * n, (size_t)n * sizeof(real));
    else
      for (int64_t i = 0; i < n; i++) to[i] = from[(i / dh * heads + head) * dh + i % dh];
  }
}

/* Rows of numbers, one a head, lie elsewhere than rows of vectors of length 1. */
static void test_heads_add_up_whatever_their_width(void **state) {
  (void)state;
  const rf_sublayer_ops *const kinds[] = {&rf_lsh_attention_ops, &rf_local_attention_ops, &rf_full_attention_ops};
  enum { HEADS = 3 };
  for (int i = 0; i < 6; i++) {
    dice d = {.seed = 110};
    rf_config config = small_config();
    config.model.n_heads = HEADS;
    config.model.d_head = i / 3 ? 5 : 1;
    config.lsh.rotations = RF_ROTATIONS_SHARED;
    const rf_call call = call_of(2, TOKENS, padding_of(TOKENS));
    sublayer_case *all = sublayer_case_create(&config, kinds[i % 3], &call);
    sublayer_case_randomise(all, &d, 1.5);
    config.model.n_heads = 1;
    sublayer_case *one = sublayer_case_create(&config, kinds[i % 3], &call);
    const int64_t values = (int64_t)all->values;
    real *x = dice_reals(&d, values, 1), *dy = dice_reals(&d, values, 1);
    real *y = NEW(real, values), *dx = NEW(real, values);
    outcome whole = run(all, x, dy);
    for (int64_t head = 0; head < HEADS; head++) {
      take_head(all, head, one);
      outcome part = run(one, x, dy);
      for (int64_t j = 0; j < values; j++) {
        y[j] += part.y[j];
        dx[j] += part.dx[j];
      }
      outcome_free(&part);
    }
    assert_close("the sum of heads, y", relative_error_real(values, y, whole.y), TOLERANCE);
    assert_close("the sum of heads, dx", relative_error_real(values, dx, whole.dx), TOLERANCE);
    outcome_free(&whole);
    sublayer_case_destroy(all);
    sublayer_case_destroy(one);
    free(x);
    free(dy);
    free(y);
    free(dx);
  }
}

static void test_no_output_depends_on_a_later_token(void **state) {
  (void)state;
  rf_config config = small_config();
  check_causality("lsh", &rf_lsh_attention_ops, &config);
  config.model.attention_dropout = 0.3;
  config.lsh.duplicates = RF_DUPLICATES_DIVIDE;
  config.lsh.chunks_after = 1;
  check_causality("lsh with dropout, duplicates and a chunk after", &rf_lsh_attention_ops, &config);
  config.lsh.attend_across_buckets = false;
  check_causality("lsh within buckets", &rf_lsh_attention_ops, &config);
  config.local.chunks_after = 1;
  check_causality("local", &rf_local_attention_ops, &config);
  check_causality("full", &rf_full_attention_ops, &config);
  config.full.shared_qk = true;
  check_causality("full, shared", &rf_full_attention_ops, &config);
}

static void test_waves_change_nothing_but_roundings(void **state) {
  (void)state;
  const rf_sublayer_ops *const kinds[] = {&rf_lsh_attention_ops, &rf_local_attention_ops, &rf_full_attention_ops};
  for (int kind = 0; kind < 3; kind++) {
    dice d = {.seed = 104};
    rf_config config = small_config();
    config.model.n_heads = 5;
    config.model.dropout = config.model.attention_dropout = 0.2;
    config.lsh.duplicates = RF_DUPLICATES_DIVIDE;
    const rf_call call = call_of(3, TOKENS, NULL);
    sublayer_case *c = sublayer_case_create(&config, kinds[kind], &call);
    sublayer_case_randomise(c, &d, 1.5);
    real *x = dice_reals(&d, (int64_t)c->values, 1), *dy = dice_reals(&d, (int64_t)c->values, 1);
    outcome whole = run(c, x, dy);
    const int64_t pair = TOKENS * config.model.d_head * 8 * (int64_t)sizeof(real);
    const int64_t pairs[] = {1, 2, 5, 10}; /* a head, two heads, a sequence, two sequences at a time */
    for (int i = 0; i < 4; i++) {
      c->call.wave_bytes = pairs[i] * pair;
      outcome waves = run(c, x, dy);
      compare("waves", c, &waves, &whole, TOLERANCE);
      outcome_free(&waves);
    }
    outcome_free(&whole);
    sublayer_case_destroy(c);
    free(x);
    free(dy);
  }
}

static void test_only_lsh_attention_keeps_two_bytes_a_token_head_and_round(void **state) {
  (void)state;
  const rf_sublayer_ops *const none[] = {&rf_local_attention_ops, &rf_full_attention_ops, &rf_feed_forward_ops};
  rf_config config = small_config();
  rf_sublayer s = {.ops = &rf_lsh_attention_ops, .config = &config};
  const rf_call call = {.sequences = 3, .tokens = TOKENS, .length = TOKENS};
  assert_int_equal(s.ops->saved_bytes(&s, &call), 2 * 3 * TOKENS * config.model.n_heads * config.lsh.n_hashes);
  config.lsh.n_buckets[0] = 65534;
  assert_int_equal(s.ops->saved_bytes(&s, &call), 2 * 3 * TOKENS * config.model.n_heads * config.lsh.n_hashes);
  config.lsh.n_buckets[0] = 65536; /* with padding's, ids pass 65,535 */
  assert_int_equal(s.ops->saved_bytes(&s, &call), 4 * 3 * TOKENS * config.model.n_heads * config.lsh.n_hashes);
  config.lsh.chunk = TOKENS; /* not hashed */
  assert_int_equal(s.ops->saved_bytes(&s, &call), 0);
  for (int i = 0; i < 3; i++) {
    s.ops = none[i];
    assert_int_equal(s.ops->saved_bytes(&s, &call), 0);
  }
}

static void assert_finite(const char *what, int64_t n, const real *x) {
  for (int64_t i = 0; i < n; i++)
    if (!isfinite(x[i])) fail_msg("%s: element %lld is %g", what, (long long)i, (double)x[i]);
}

static void check_finite(const char *what, const rf_sublayer_ops *ops, const rf_config *config, const uint8_t *mask,
                         double logits) {
  dice d = {.seed = 105};
  const rf_call call = call_of(2, TOKENS, mask);
  sublayer_case *c = sublayer_case_create(config, ops, &call);
  sublayer_case_randomise(c, &d, 1);
  /* Shared keys have length 1, so logits grow with the queries; separate ones are scaled on one side only. */
  for (int t = 0; t < c->block.n_tensors; t++) {
    const rf_tensor *tensor = &c->block.tensors[t];
    if (!strstr(tensor->name, "query")) continue;
    for (int64_t i = 0; i < rf_tensor_count(tensor); i++) c->params[tensor->offset + i] *= (real)logits;
  }
  const int64_t n = (int64_t)c->values;
  real *x = dice_reals(&d, n, 1), *dy = dice_reals(&d, n, 1);
  outcome r = run(c, x, dy);
  assert_finite(what, n, r.y);
  assert_finite(what, n, r.dx);
  assert_finite(what, c->block.size, r.dparams);
  outcome_free(&r);
  sublayer_case_destroy(c);
  free(x);
  free(dy);
}

static void check_finite_kinds(const char *what, const uint8_t *mask, double logits) {
  for (int variant = 0; variant < 4; variant++) {
    rf_config config = small_config();
    config.model.causal = variant & 1;
    config.lsh.mask_padding_queries = variant & 2;
    config.lsh.attend_across_buckets = variant & 2;
    config.lsh.duplicates = (rf_duplicates)(variant % 3);
    config.full.shared_qk = variant & 2;
    check_finite(what, &rf_lsh_attention_ops, &config, mask, logits);
    check_finite(what, &rf_local_attention_ops, &config, mask, logits);
    check_finite(what, &rf_full_attention_ops, &config, mask, logits);
  }
}

static void test_logits_of_ten_thousand_stay_finite(void **state) {
  (void)state;
  check_finite_kinds("extreme logits", NULL, 1e4);
  check_finite_kinds("extreme logits with padding", padding_of(TOKENS), 1e4);
}

static void test_a_sequence_of_padding_stays_finite(void **state) {
  (void)state;
  uint8_t mask[2 * TOKENS] = {0};
  check_finite_kinds("all padding", mask, 1);
  for (int i = 0; i < TOKENS; i++) mask[i] = 1;
  check_finite_kinds("one sequence of padding", mask, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lsh_attention_of_one_chunk_equals_full_attention),
      cmocka_unit_test(test_lsh_attention_over_the_whole_ring_equals_full_attention),
      cmocka_unit_test(test_local_attention_of_one_chunk_equals_full_attention),
      cmocka_unit_test(test_dividing_makes_two_equal_rounds_one),
      cmocka_unit_test(test_heads_add_up_whatever_their_width),
      cmocka_unit_test(test_no_output_depends_on_a_later_token),
      cmocka_unit_test(test_waves_change_nothing_but_roundings),
      cmocka_unit_test(test_only_lsh_attention_keeps_two_bytes_a_token_head_and_round),
      cmocka_unit_test(test_logits_of_ten_thousand_stay_finite),
      cmocka_unit_test(test_a_sequence_of_padding_stays_finite),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
