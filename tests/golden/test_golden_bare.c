/* Attention alone, over windows of slots, against lucidrains' LSHAttention on given queries and values. */
#include "golden/golden.h"
#include "kernel/key_norm.h"
#include "lsh/hash.h"
#include "lsh/window_attention.h"
#include "naive/slots.h"

/* A golden file as the windows see it: N sequences of one head. */
typedef struct bare {
  golden g;
  rf_windows w;
  rf_hash_shape hash;
  real *qk, *v, *dy;
  uint8_t *mask;
  uint16_t *ids;           /* [N, rounds, tokens] */
  int64_t n_buckets, seen; /* seen: slots of a pair, halo included */
  int32_t *int_parts;      /* slots, chunks and buckets of every pair */
  real *parts;             /* key scales, o, m, z, delta, dq, dk, dv */
  real *log_count;
} bare;

enum { ROW_PARTS = 4, TOKEN_PARTS = 4 }; /* o, dq, dk, dv; key scale, m, z, delta */

static void open_bare(const char *file, bare *b) {
  *b = (bare){.g = golden_open(file)};
  const golden *g = &b->g;
  const int64_t n = golden_int(g, "n_sequences", 0), tokens = golden_int(g, "length", 0);
  const int64_t dh = golden_int(g, "d_head", 0), rounds = golden_int(g, "n_hashes", 0);
  const int64_t buckets = golden_int(g, "n_buckets", 0);
  const rf_lsh_config lsh = {.n_hashes = rounds, .n_factors = 1, .n_buckets = {buckets}};
  b->hash = rf_hash_shape_of(&lsh, dh);
  const bool duplicates = golden_bool(g, "allow_duplicates", true);
  b->w = (rf_windows){.tokens = tokens,
                      .d_head = dh,
                      .ld = dh,
                      .chunk = golden_int(g, "chunk", 0),
                      .causal = golden_bool(g, "causal", false),
                      .mask_padding_queries = true,
                      .rule = {.self_rule = true,
                               .same_bucket = !golden_bool(g, "attend_across_buckets", true),
                               .duplicates = duplicates ? RF_DUPLICATES_KEEP : RF_DUPLICATES_LUCIDRAINS},
                      .n_pairs = n,
                      .pairs = NEW(rf_pair, n)};
  assert_true(json_number_value(json_object_get(g->config, "logit_scale")) == 1 / sqrt((double)dh));
  b->n_buckets = buckets;
  b->w.owners = (rf_owners){
      .ranks = 1, .together = 1, .parts = 1, .rounds = rounds, .per_round = tokens / b->w.chunk, .before = 1};
  b->seen = naive_seen(&b->w.owners, b->w.chunk);
  b->log_count = NEW(real, 2 * rounds + 1);
  rf_attend_log_counts(b->w.rule.duplicates, 2 * rounds, b->log_count);
  b->w.rule.log_count = b->log_count;
  b->qk = golden_reals(g, "input/qk", n * tokens * dh);
  b->v = golden_reals(g, "input/v", n * tokens * dh);
  b->dy = golden_reals(g, "input/dy", n * tokens * dh);
  b->mask = golden_mask(g, n * tokens);
  b->ids = NEW(uint16_t, n * rounds * tokens);
  b->int_parts = NEW(int32_t, n * (b->seen + 2 * rounds * tokens));
  b->parts = NEW(real, n * tokens * (ROW_PARTS * dh + TOKEN_PARTS));
}

static void close_bare(bare *b) {
  void *all[] = {b->w.pairs, b->qk, b->v, b->dy, b->mask, b->ids, b->int_parts, b->parts, b->log_count};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
  golden_close(&b->g);
}

static void fill_pair(bare *b, int64_t p) {
  const int64_t tokens = b->w.tokens, rows = tokens * b->w.d_head, items = b->w.owners.rounds * tokens;
  real *part = b->parts + p * (ROW_PARTS * rows + TOKEN_PARTS * tokens);
  real *key_scale = part + ROW_PARTS * rows;
  int32_t *integers = b->int_parts + p * (b->seen + 2 * items);
  for (int64_t t = 0; t < tokens; t++)
    key_scale[t] = rf_key_factor(RF_KEYS_UNIT, b->w.d_head, b->qk + p * rows + t * b->w.d_head);
  b->w.pairs[p] = (rf_pair){.q = b->qk + p * rows,
                            .k = b->qk + p * rows,
                            .v = b->v + p * rows,
                            .key_scale = key_scale,
                            .n_rows = tokens,
                            .row_of_slot = integers,
                            .chunk_in_round = integers + b->seen,
                            .bucket_in_round = integers + b->seen + items,
                            .mask = b->mask ? b->mask + p * tokens : NULL,
                            .o = part,
                            .m = key_scale + tokens,
                            .z = key_scale + 2 * tokens,
                            .d_o = b->dy + p * rows,
                            .delta = key_scale + 3 * tokens,
                            .dq = part + rows,
                            .dk = part + 2 * rows,
                            .dv = part + 3 * rows};
}

/* lucidrains has no bucket for padding: its tokens are hashed as all others. */
static void hash_all(bare *b) {
  const int64_t tokens = b->w.tokens, width = b->hash.rounds * b->hash.columns,
                n = b->w.n_pairs * b->w.owners.rounds * tokens;
  real *rotations = golden_reals(&b->g, "rotations/0", b->w.d_head * width), *rotated = NEW(real, tokens * width);
  for (int64_t p = 0; p < b->w.n_pairs; p++)
    rf_hash_rows(&b->hash, tokens, (rf_view){b->w.pairs[p].q, b->w.ld}, rotations, NULL, rotated,
                 &(rf_bucket_rows){{b->ids, 2}, p * b->w.owners.rounds * tokens, tokens});
  int32_t *reference = golden_ints(&b->g, "buckets/0", n);
  int64_t flipped = 0;
  for (int64_t i = 0; i < n; i++) {
    flipped += b->ids[i] != reference[i];
    b->ids[i] = (uint16_t)reference[i]; /* in float, a rounding may flip a few */
  }
#ifdef RF_DOUBLE
  assert_int_equal(flipped, 0);
#endif
  if (flipped > n / 1000 + 1) fail_msg("%s: %lld of %lld buckets differ", b->g.name, (long long)flipped, (long long)n);
  free(rotations);
  free(rotated);
  free(reference);
}

static void sort_pair(bare *b, int64_t p) {
  const int64_t items = b->w.owners.rounds * b->w.tokens;
  int32_t *integers = b->int_parts + p * (b->seen + 2 * items);
  naive_place(&b->w, b->n_buckets, b->ids + p * items, integers, integers + b->seen, integers + b->seen + items);
}

static void check_output(bare *b, real *y, rf_arena *arena) {
  const int64_t dh = b->w.d_head, tokens = b->w.tokens;
  assert_ok(rf_windows_attend(&b->w, arena));
  for (int64_t p = 0; p < b->w.n_pairs; p++)
    for (int64_t t = 0; t < tokens; t++) {
      const rf_pair *pair = &b->w.pairs[p];
      real delta = 0, *out = y + (p * tokens + t) * dh;
      for (int64_t j = 0; j < dh; j++) {
        out[j] = pair->o[t * dh + j] / pair->z[t];
        delta += out[j] * pair->d_o[t * dh + j];
      }
      b->parts[p * tokens * (ROW_PARTS * dh + TOKEN_PARTS) + ROW_PARTS * tokens * dh + 3 * tokens + t] = delta;
    }
  golden_compare(&b->g, "output/y", b->w.n_pairs * tokens * dh, y);
}

static void check_gradients(bare *b, real *dqk, real *dv, rf_arena *arena) {
  const int64_t dh = b->w.d_head, tokens = b->w.tokens, rows = tokens * dh;
  assert_ok(rf_windows_attend_vjp(&b->w, arena));
  for (int64_t p = 0; p < b->w.n_pairs; p++) {
    const rf_pair *pair = &b->w.pairs[p];
    for (int64_t t = 0; t < tokens; t++)
      rf_key_norm_vjp(RF_KEYS_UNIT, dh, pair->q + t * dh, pair->dk + t * dh, pair->dq + t * dh);
    memcpy(dqk + p * rows, pair->dq, (size_t)rows * sizeof *dqk);
    memcpy(dv + p * rows, pair->dv, (size_t)rows * sizeof *dv);
  }
  golden_compare(&b->g, "gradient/qk", b->w.n_pairs * rows, dqk);
  golden_compare(&b->g, "gradient/v", b->w.n_pairs * rows, dv);
  assert_int_equal(golden_links(&b->g, "gradient"), 2);
}

static void check_file(const char *file) {
  bare b;
  open_bare(file, &b);
  for (int64_t p = 0; p < b.w.n_pairs; p++) fill_pair(&b, p);
  hash_all(&b);
  for (int64_t p = 0; p < b.w.n_pairs; p++) sort_pair(&b, p);
  rf_arena *arena;
  assert_ok(rf_arena_create("bare attention", 0, &arena));
  const int64_t n = b.w.n_pairs * b.w.tokens * b.w.d_head;
  real *first = NEW(real, n), *second = NEW(real, n);
  check_output(&b, first, arena);
  check_gradients(&b, first, second, arena);
  free(first);
  free(second);
  rf_arena_destroy(arena);
  close_bare(&b);
}

static void test_bare_attention_agrees_with_lucidrains(void **state) {
  (void)state;
  check_file("bare_plain");
  check_file("bare_padded");
}

static void test_attention_within_buckets_agrees_with_lucidrains(void **state) {
  (void)state;
  check_file("bare_within_buckets");
}

static void test_duplicates_are_counted_as_lucidrains_does(void **state) {
  (void)state;
  check_file("bare_no_duplicates");
  check_file("bare_bidirectional_no_duplicates");
  check_file("bare_within_buckets_no_duplicates");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bare_attention_agrees_with_lucidrains),
      cmocka_unit_test(test_attention_within_buckets_agrees_with_lucidrains),
      cmocka_unit_test(test_duplicates_are_counted_as_lucidrains_does),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
