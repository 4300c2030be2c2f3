/* Attention's apply_vjp against central differences, with every option, at fixed buckets. */
#include "support/check_vjp.h"
#include "support/small_config.h"

static const uint32_t places[] = {7, 3};

enum { MOST_TOKENS = 320 };

/* What a test turns on. */
typedef struct options {
  rf_config config;
  int64_t tokens;
  bool padding;
} options;

static options plain(void) { return (options){.config = small_config(), .tokens = 32}; }

static void check(const char *what, const rf_sublayer_ops *ops, const options *o, uint64_t seed) {
  dice d = {.seed = seed};
  uint8_t mask[2 * MOST_TOKENS];
  for (int64_t i = 0; i < 2 * o->tokens; i++) mask[i] = 1;
  /* most of the second sequence, so that whole windows are padding, and a token inside the first */
  for (int64_t i = o->tokens + 3 * o->tokens / 8; i < 2 * o->tokens; i++) mask[i] = 0;
  mask[3] = 0;
  const rf_call call = {.sequences = 2,
                        .tokens = o->tokens,
                        .mask = o->padding ? mask : NULL,
                        .sequence = places,
                        .seed = seed,
                        .step = 5,
                        .training = true};
  sublayer_case *c = sublayer_case_create(&o->config, ops, &call);
  sublayer_case_randomise(c, &d, 1.5);
  check_sublayer(what, c, &d, true);
  sublayer_case_destroy(c);
}

static void check_lsh(const char *what, const options *o) { check(what, &rf_lsh_attention_ops, o, 11); }

static void test_lsh_attention_over_rounds(void **state) {
  (void)state;
  for (int64_t rounds = 1; rounds <= 4; rounds *= 2) {
    options o = plain();
    o.config.lsh.n_hashes = rounds;
    check_lsh("rounds", &o);
    o.config.model.causal = false;
    check_lsh("rounds, not causal", &o);
  }
}

static void test_lsh_attention_with_factorised_buckets(void **state) {
  (void)state;
  options o = plain();
  o.config.lsh.n_factors = 2;
  o.config.lsh.n_buckets[0] = 2;
  o.config.lsh.n_buckets[1] = 4;
  check_lsh("two factors", &o);
}

static void test_lsh_attention_over_windows(void **state) {
  (void)state;
  for (int64_t before = 0; before <= 2; before++)
    for (int64_t after = 0; after <= 1; after++) {
      options o = plain();
      o.config.lsh.chunks_before = before;
      o.config.lsh.chunks_after = after;
      o.config.model.causal = after == 0;
      check_lsh("window", &o);
      o.tokens = 16; /* two chunks a round: the window laps the ring of one round */
      o.config.lsh.n_hashes = 1;
      check_lsh("window wider than the ring", &o);
    }
}

static void test_lsh_attention_within_buckets_and_with_duplicates(void **state) {
  (void)state;
  for (int across = 0; across <= 1; across++)
    for (int duplicates = RF_DUPLICATES_KEEP; duplicates <= RF_DUPLICATES_LUCIDRAINS; duplicates++) {
      options o = plain();
      o.config.lsh.attend_across_buckets = across;
      o.config.lsh.duplicates = (rf_duplicates)duplicates;
      o.config.lsh.n_hashes = 4;
      check_lsh(across ? "duplicates" : "duplicates within buckets", &o);
    }
}

static void test_lsh_attention_with_padding(void **state) {
  (void)state;
  for (int causal = 0; causal <= 1; causal++)
    for (int queries = 0; queries <= 1; queries++) {
      options o = plain();
      o.padding = true;
      o.config.model.causal = causal;
      o.config.lsh.mask_padding_queries = queries;
      check_lsh("padding", &o);
    }
}

static void test_lsh_attention_with_keys_of_unit_length(void **state) {
  (void)state;
  options o = plain();
  o.config.lsh.key_norm = RF_KEYS_UNIT;
  check_lsh("unit keys", &o);
}

static void test_lsh_attention_with_rotary_positions(void **state) {
  (void)state;
  options o = plain();
  o.config.model.positions = (rf_positions_config){.kind = RF_POSITIONS_ROTARY};
  check_lsh("rotary", &o);
}

static void test_lsh_attention_with_dropout(void **state) {
  (void)state;
  options o = plain();
  o.config.model.attention_dropout = 0.3;
  check_lsh("attention dropout", &o);
  o.config.model.dropout = 0.2;
  check_lsh("both dropouts", &o);
  o.config.model.attention_dropout = 0;
  check_lsh("hidden dropout", &o);
}

static void test_lsh_attention_of_one_chunk(void **state) {
  (void)state;
  options o = plain();
  o.padding = true;
  o.config.lsh.chunk = 32;
  check_lsh("one chunk", &o);
  o.config.lsh.chunk = 50;
  check_lsh("less than a chunk", &o);
}

/* Options together, drawn at random. */
static void test_lsh_attention_with_options_mixed(void **state) {
  (void)state;
  for (uint64_t seed = 100; seed < 140; seed++) {
    dice d = {.seed = seed};
    options o = plain();
    rf_lsh_config *lsh = &o.config.lsh;
    rf_model_config *m = &o.config.model;
    o.tokens = 8 * (2 + dice_below(&d, 3));
    o.padding = dice_below(&d, 2);
    m->causal = dice_below(&d, 2);
    m->n_heads = 1 + dice_below(&d, 3);
    m->attention_dropout = dice_below(&d, 2) ? 0.25 : 0;
    m->dropout = dice_below(&d, 2) ? 0.25 : 0;
    if (dice_below(&d, 2)) m->positions.kind = RF_POSITIONS_ROTARY;
    lsh->n_hashes = (int64_t)1 << dice_below(&d, 3);
    lsh->n_buckets[0] = 2 * (1 + dice_below(&d, 4));
    lsh->chunks_before = dice_below(&d, 3);
    lsh->chunks_after = dice_below(&d, 2);
    lsh->attend_across_buckets = dice_below(&d, 2);
    lsh->duplicates = (rf_duplicates)dice_below(&d, 3);
    lsh->rotations = (rf_rotations_kind)dice_below(&d, 2);
    lsh->key_norm = (rf_key_norm)dice_below(&d, 2);
    lsh->mask_padding_queries = dice_below(&d, 2);
    check("mixed", &rf_lsh_attention_ops, &o, seed);
  }
}

static void test_local_attention(void **state) {
  (void)state;
  for (int variant = 0; variant < 16; variant++) {
    options o = plain();
    o.padding = variant & 1;
    o.config.model.causal = variant & 2;
    o.config.local.chunks_after = variant & 2 ? 0 : 1;
    o.config.local.chunks_before = variant & 4 ? 2 : 1;
    if (variant & 8) o.config.model.positions.kind = RF_POSITIONS_ROTARY;
    o.config.model.attention_dropout = variant & 4 ? 0.3 : 0;
    o.config.model.dropout = variant & 8 ? 0.2 : 0;
    check("local", &rf_local_attention_ops, &o, 21);
    o.config.local.chunk = 64;
    check("local, less than a chunk", &rf_local_attention_ops, &o, 22);
  }
}

static void test_full_attention(void **state) {
  (void)state;
  for (int variant = 0; variant < 16; variant++) {
    options o = plain();
    o.padding = variant & 1;
    o.config.model.causal = variant & 2;
    o.config.full.shared_qk = variant & 4;
    if (variant & 8) o.config.model.positions.kind = RF_POSITIONS_ROTARY;
    o.config.model.attention_dropout = variant & 8 ? 0.3 : 0;
    o.config.model.dropout = variant & 1 ? 0.2 : 0;
    check("full", &rf_full_attention_ops, &o, 31);
  }
}

static void test_full_attention_over_several_blocks(void **state) {
  (void)state;
  for (int variant = 0; variant < 4; variant++) {
    options o = plain();
    o.tokens = 300; /* two blocks, the second cut short */
    o.padding = true;
    o.config.model.causal = variant & 1;
    o.config.full.shared_qk = variant & 2;
    o.config.model.attention_dropout = variant & 1 ? 0.3 : 0;
    check("full", &rf_full_attention_ops, &o, 32);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lsh_attention_over_rounds),
      cmocka_unit_test(test_lsh_attention_with_factorised_buckets),
      cmocka_unit_test(test_lsh_attention_over_windows),
      cmocka_unit_test(test_lsh_attention_within_buckets_and_with_duplicates),
      cmocka_unit_test(test_lsh_attention_with_padding),
      cmocka_unit_test(test_lsh_attention_with_keys_of_unit_length),
      cmocka_unit_test(test_lsh_attention_with_rotary_positions),
      cmocka_unit_test(test_lsh_attention_with_dropout),
      cmocka_unit_test(test_lsh_attention_of_one_chunk),
      cmocka_unit_test(test_lsh_attention_with_options_mixed),
      cmocka_unit_test(test_local_attention),
      cmocka_unit_test(test_full_attention),
      cmocka_unit_test(test_full_attention_over_several_blocks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
