/* Anchors, and what maps merge: whose keys count, and which are refused. */
#include "config/case.h"

static void test_anchors_have_a_place_and_maps_merge_as_in_yaml(void **state) {
  (void)state;
  rf_config config;
  accept("x-base: &base {d_model: 64, n_heads: 2, d_ff: 32}\n"
         "x-learned: &learned {positions: {kind: learned}, d_ff: 48, nobody: [asks, {for: this}]}\n"
         "x-data: &data {kind: duplicate, length: 128}\n"
         "model:\n  <<: *base\n  n_heads: 4\n"
         "data: {length: 256, <<: *data}\n"
         "local: {<<: [{chunk: 16}, {chunk: 32, chunks_before: 0}]}\n"
         "lsh: {<<: {<<: {n_hashes: 2, chunk: 8}, chunk: 16}}\n",
         NULL, &config);
  assert_int_equal(config.model.d_model, 64);
  assert_int_equal(config.model.d_ff, 32);
  assert_int_equal(config.model.n_heads, 4);       /* its own before what is merged */
  assert_int_equal(config.data.length, 256);       /* wherever the << stands */
  assert_int_equal(config.local.chunk, 16);        /* the first of several */
  assert_int_equal(config.local.chunks_before, 0); /* and what only the second has */
  assert_int_equal(config.lsh.chunk, 16);
  assert_int_equal(config.lsh.n_hashes, 2);
  accept("x-all: &all {data: duplicate, lsh: {chunk: 16}}\n<<: *all\nlsh: {n_hashes: 2}\n", NULL, &config);
  assert_int_equal(config.lsh.chunk, 64); /* not deep: a section replaces a section */
  accept("data: {kind: duplicate, length: &n 256}\nmodel: {d_model: *n}\noptimizer: &o {lr: 2}\n", NULL, &config);
  assert_int_equal(config.model.d_model, 256);

  REFUSED("x-a: &a {d_modle: 64}\ndata: duplicate\nmodel: {<<: *a}\n", NULL, "a.yaml:1: model.d_modle: unknown key");
  REFUSED("data: duplicate\nmodel:\n  <<: 5\n", NULL, "a.yaml:3: model: found no map behind <<");
  REFUSED("data: duplicate\nmodel:\n  <<: [5]\n", NULL, "a.yaml:3: model: found no map behind <<");
  REFUSED("data: duplicate\nmodel: {<<: *b}\n", NULL, "a.yaml:2", "undefined alias");
  REFUSED("data: duplicate\nmodel: {x-a: &a 5}\n", NULL, "model.x-a: unknown key");
  REFUSED("data: duplicate\n_a: &a 5\n", NULL, "a.yaml:2: _a: unknown key");
  REFUSED("data: duplicate\nmodel: {\"<<\": {d_model: 64}}\n", NULL, "model.<<: unknown key");
}

/* In every map, whoever reads it. */
static void test_a_name_stands_once_in_a_map_that_is_merged_too(void **state) {
  (void)state;
  const char *const maps[] = {"x-a: &a {n_layers: 1,\n n_layers: 3}\nmodel: {<<: *a}\n",
                              "x-a: &a {n_layers: 1,\n n_layers: 3}\nmodel: {n_layers: 2, <<: *a}\n",
                              "x-a: {deep: [{n_layers: 1,\n n_layers: 3}]}\n",
                              "model: {<<: {n_layers: 1,\n n_layers: 5}}\n",
                              "model: {<<: [{n_layers: 1}, {n_layers: 2,\n \"n_layers\": 5}]}\n"};
  for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
    REFUSED(maps[i], NULL, "a.yaml:2: ", "n_layers: given twice, first on line 1; keep one");
  REFUSED("x-a: &a {positions: rotary,\n positions.kind: axial}\nmodel: {<<: *a}\n", NULL,
          "a.yaml:2: model.positions.kind: given twice, first on line 1");
  REFUSED("x-a: &a {d_ff: 32}\nx-b: &b {d_ff: 48}\nmodel:\n  <<: *a\n  <<: *b\n", NULL,
          "a.yaml:5: <<: given twice, first on line 4", "<<: [*a, *b]");
  REFUSED("x-a: &a {d_ff: 32}\nx-b: {<<: *a, <<: *a}\n", NULL, "a.yaml:2: <<: given twice");
  REFUSED(minimal, "lsh={<<: {chunk: 32}, <<: {chunk: 64}}", "--set lsh: <<: given twice in one value");
  REFUSED("model: {d_ff: 32}\nmodel: {n_layers: 2}\n", NULL, "a.yaml:2: model: given twice, first on line 1");
  REFUSED(minimal, "model={d_ff: 32, d_ff: 48}", "--set model.d_ff: given twice in one value");
}

/* Counts before: the map's own, then the first of a list, with all that it merges; by key, not by spelling. */
static void test_what_is_merged_yields_to_own_keys_however_spelled(void **state) {
  (void)state;
  static const char *const learned[] = {"positions: learned", "positions: {kind: learned}", "positions.kind: learned",
                                        "\"positions\": {\"kind\": learned}"};
  static const char *const none[] = {"positions: none", "positions: {kind: none}", "positions.kind: none"};
  for (size_t i = 0; i < sizeof learned / sizeof *learned; i++)
    for (size_t k = 0; k < 4 * sizeof none / sizeof *none; k++) {
      static const char *const forms[] = {
          "x-a: &a {%s, d_ff: 32}\nmodel: {<<: *a, %s}\n", "x-a: &a {%s, d_ff: 32}\nmodel: {%s, <<: *a}\n",
          "x-a: &a {%s, d_ff: 32}\nx-b: &b {%s}\nmodel: {<<: [*b, *a]}\n",
          "x-a: &a {%s, d_ff: 32}\nx-all: &all {model: {<<: *a}}\n<<: *all\nmodel.%s\n"};
      char text[512];
      rf_config config;
      const int length = snprintf(text, sizeof text, minimal);
      (void)snprintf(text + length, sizeof text - (size_t)length, forms[k % 4], learned[i], none[k / 4]);
      accept(text, NULL, &config);
      assert_int_equal(config.model.positions.kind, RF_POSITIONS_NONE);
      assert_int_equal(config.model.d_ff, 32);
    }

  static const struct {
    const char *text;
    int layers;
  } cases[] = {
      {"x-all: &all {model: {n_layers: 1, d_ff: 32}}\n<<: *all\nmodel.n_layers: 2\n", 2},
      {"x-all: &all {model.n_layers: 1, model.d_ff: 32}\n<<: *all\nmodel: {n_layers: 2}\n", 2},
      {"x-a: &a {n_layers: 1, d_ff: 32}\nmodel: {<<: *a}\nmodel.n_layers: 2\n", 2},
      {"x-a: &a {n_layers: 1, d_ff: 32}\nmodel.n_layers: 2\nmodel: {<<: *a}\n", 2},
      {"x-c: &c {n_layers: 2, d_ff: 32}\nx-a: &a {model: {<<: *c}}\nx-b: &b {model.n_layers: 1}\n<<: [*a, *b]\n", 2},
      {"x-c: &c {n_layers: 2, d_ff: 32}\nx-d: &d {model.n_layers: 1}\n<<: {<<: *d, model: {<<: *c}}\n", 2},
      {"x-a: &a {n_layers: 2, d_ff: 32}\n<<: {model.n_layers: 1}\nmodel: {<<: *a}\n", 2},
      {"x-a: &a {n_layers: 1, d_ff: 32}\nx-b: &b {<<: *a, n_layers: 2}\nmodel: {<<: [*b, *a]}\n", 2},
      {"x-a: &a {model.n_layers: 1, model.d_ff: 32}\n<<: *a\nmodel: ~\n", 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[512];
    rf_config config;
    (void)snprintf(text, sizeof text, "%s%s", minimal, cases[i].text);
    accept(text, NULL, &config);
    if (config.model.n_layers != cases[i].layers) fail_msg("%d layers: %s", (int)config.model.n_layers, text);
    assert_int_equal(config.model.d_ff, 32);
  }
  rf_config config;
  accept(minimal, "model={<<: {positions.kind: learned, n_layers: 2}, positions: none}", &config);
  assert_int_equal(config.model.positions.kind, RF_POSITIONS_NONE);
  assert_int_equal(config.model.n_layers, 2);
}

static void test_rings_of_aliases_end(void **state) {
  (void)state;
  rf_config config;
  accept("x-a: &a {d_model: 64, <<: &b {n_heads: 2, <<: *a}}\ndata: {kind: duplicate, length: 256}\n"
         "model: &m {<<: [*a, *m], d_ff: 32}\n",
         NULL, &config);
  assert_int_equal(config.model.d_model, 64);
  assert_int_equal(config.model.n_heads, 2);
  REFUSED("model: &m {positions: *m}\n", NULL, "model.positions.positions: unknown key");
  REFUSED("data: duplicate\nmodel: &m {attention: [*m]}\n", NULL, "a map of keys in the list");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_anchors_have_a_place_and_maps_merge_as_in_yaml),
      cmocka_unit_test(test_a_name_stands_once_in_a_map_that_is_merged_too),
      cmocka_unit_test(test_what_is_merged_yields_to_own_keys_however_spelled),
      cmocka_unit_test(test_rings_of_aliases_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
