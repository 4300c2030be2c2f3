/* Attention and feed-forward sublayers against the outputs and gradients of HuggingFace's implementation. */
#include "golden/golden.h"
#include "lsh/hash.h"
#include "support/sublayer_case.h"

static const rf_sublayer_ops *ops_of(const golden *g) {
  const char *kind = json_string_value(json_object_get(g->config, "kind"));
  if (strcmp(kind, "lsh") == 0) return &rf_lsh_attention_ops;
  if (strcmp(kind, "local") == 0) return &rf_local_attention_ops;
  assert_string_equal(kind, "ff");
  return &rf_feed_forward_ops;
}

/* The file's names leave out the layer and the sublayer. */
static void tensor_name(const rf_tensor *tensor, const char *group, char *name, size_t size) {
  char full[128];
  golden_tensor_name(tensor->name, full, sizeof full);
  const char *part = strstr(full, "attention.") ? strstr(full, "attention.") + strlen("attention.")
                                                : strstr(full, "feed_forward.") + strlen("feed_forward.");
  snprintf(name, size, "%s/%s", group, part);
}

static void load_weights(const golden *g, sublayer_case *c) {
  for (int t = 0; t < c->block.n_tensors; t++) {
    const rf_tensor *tensor = &c->block.tensors[t];
    char name[160];
    tensor_name(tensor, "weights", name, sizeof name);
    real *values = golden_reals(g, name, rf_tensor_count(tensor));
    memcpy(c->params + tensor->offset, values, (size_t)rf_tensor_count(tensor) * sizeof *values);
    free(values);
  }
  assert_int_equal(golden_links(g, "weights"), c->block.n_tensors);
}

/* Of what apply wrote. */
static int64_t settle_buckets(const golden *g, sublayer_case *c) {
  if (!golden_has(g, "buckets/0")) return 0;
  const rf_hash_shape shape = rf_hash_shape_of(&c->config.lsh, c->config.model.d_head);
  const int64_t n = c->call.sequences * c->config.model.n_heads * shape.rounds * c->call.tokens;
  const rf_buckets buckets = {.data = c->saved, .bytes = rf_bucket_bytes(shape.buckets)};
  assert_int_equal((int64_t)c->sublayer.ops->saved_bytes(&c->sublayer, &c->call), n * buckets.bytes);
  return golden_settle_buckets(g, &buckets, golden_ints(g, "buckets/0", n), n);
}

static void check_gradients(const golden *g, const sublayer_case *c, const real *dx, const real *dparams) {
  golden_compare(g, "gradient/x", (int64_t)c->values, dx);
  for (int t = 0; t < c->block.n_tensors; t++) {
    const rf_tensor *tensor = &c->block.tensors[t];
    char name[160];
    tensor_name(tensor, "gradient", name, sizeof name);
    golden_compare(g, name, rf_tensor_count(tensor), dparams + tensor->offset);
  }
  assert_int_equal(golden_links(g, "gradient"), c->block.n_tensors + 1);
}

static void check_file(const char *file) {
  golden g = golden_open(file);
  const rf_config config = golden_config(&g);
  const int64_t sequences = golden_int(&g, "batch", 0), tokens = golden_int(&g, "length", 0);
  uint8_t *mask = golden_mask(&g, sequences * tokens);
  const rf_call call = {.sequences = sequences, .tokens = tokens, .mask = mask};
  sublayer_case *c = sublayer_case_create(&config, ops_of(&g), &call);
  load_weights(&g, c);
  const rf_hash_shape shape = rf_hash_shape_of(&config.lsh, config.model.d_head);
  real *rotations =
      golden_has(&g, "rotations/0")
          ? golden_reals(&g, "rotations/0", config.model.n_heads * config.model.d_head * shape.rounds * shape.columns)
          : NULL;
  c->sublayer.rotations = rotations;
  const int64_t n = (int64_t)c->values;
  real *x = golden_reals(&g, "input/x", n), *dy = golden_reals(&g, "input/dy", n);
  real *y = NEW(real, n), *minus_y = NEW(real, n), *dx = NEW(real, n), *dparams = NEW(real, c->block.size);

  assert_ok(c->sublayer.ops->apply(&c->sublayer, &c->call, c->params, x, 1, y, c->saved));
  const int64_t flipped = settle_buckets(&g, c);
  if (flipped == 0) golden_compare(&g, "output/y", n, y);
  const rf_sublayer_vjp task = {c->params, x, dy, minus_y, dx, dparams, c->saved};
  assert_ok(c->sublayer.ops->apply_vjp(&c->sublayer, &c->call, &task));
  for (int64_t i = 0; i < n; i++) y[i] = -minus_y[i];
  golden_compare(&g, "output/y", n, y);
  check_gradients(&g, c, dx, dparams);

  void *all[] = {rotations, x, dy, y, minus_y, dx, dparams, mask};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
  sublayer_case_destroy(c);
  golden_close(&g);
}

static void test_lsh_attention_agrees_with_the_published_numbers(void **state) {
  (void)state;
  static const char *const files[] = {"lsh_causal_r1",         "lsh_causal_r2",     "lsh_causal_r4",
                                      "lsh_causal_padded",     "lsh_bidirectional", "lsh_bidirectional_padded",
                                      "lsh_causal_factorised", "lsh_before2",       "lsh_one_chunk"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) check_file(files[i]);
}

static void test_local_attention_agrees_with_the_published_numbers(void **state) {
  (void)state;
  static const char *const files[] = {"local_causal", "local_causal_padded", "local_bidirectional"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) check_file(files[i]);
}

static void test_feed_forward_agrees_with_the_published_numbers(void **state) {
  (void)state;
  check_file("ff_relu");
  check_file("ff_gelu");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lsh_attention_agrees_with_the_published_numbers),
      cmocka_unit_test(test_local_attention_agrees_with_the_published_numbers),
      cmocka_unit_test(test_feed_forward_agrees_with_the_published_numbers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
