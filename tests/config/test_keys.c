/* What each key takes, what it is by default, and what is refused with its place. */
#include "base/log.h"
#include "config/case.h"

#include <math.h>
#include <stdlib.h>

static void test_every_key_reads_its_value(void **state) {
  (void)state;
  rf_config config;
  assert_int_equal(parse("model:\n"
                         "  attention: [local, local, lsh]\n"
                         "  d_model: 96\n"
                         "  n_heads: 3\n"
                         "  residual: ordinary\n"
                         "  init_std: 1e-1\n"
                         "  positions: {kind: axial, shape: [8, 4, 8], dims: [32, 16, 48]}\n"
                         "lsh: {n_buckets: [4, 6], rotations: some/file.h5, attend_across_buckets: false}\n"
                         "data: {kind: tokens, path: 'a b', token_bytes: 4, length: 256, split: [0.8, 0.1, 0.1]}\n"
                         "training: {seed: 18446744073709551615, memory_limit: 1536MiB}\n"
                         "optimizer: {kind: adafactor, decay_exponent: -0.7, scale_parameter: true}\n",
                         NULL, &config),
                   RF_OK);
  assert_int_equal(config.model.n_attention, 3);
  assert_int_equal(config.model.attention[1], RF_ATTENTION_LOCAL);
  assert_int_equal(config.model.attention[2], RF_ATTENTION_LSH);
  assert_int_equal(config.model.d_head, 32);
  assert_int_equal(config.model.d_ff, 384);
  assert_int_equal(config.model.residual, RF_RESIDUAL_ORDINARY);
  assert_true(config.model.init_std == 0.1);
  assert_int_equal(config.model.positions.n_axes, 3);
  assert_int_equal(config.model.positions.dims[2], 48);
  assert_int_equal(config.lsh.n_factors, 2);
  assert_int_equal(config.lsh.n_buckets[1], 6);
  assert_int_equal(config.lsh.rotations, RF_ROTATIONS_FILE);
  assert_string_equal(config.lsh.rotations_file, "some/file.h5");
  assert_false(config.lsh.attend_across_buckets);
  assert_int_equal(config.data.kind, RF_DATA_TOKENS);
  assert_string_equal(config.data.path, "a b");
  assert_int_equal(config.data.token_bytes, 4);
  assert_true(config.data.split[0] == 0.8);
  assert_true(config.training.seed == UINT64_MAX);
  assert_int_equal(config.training.memory_limit, (int64_t)1536 << 20);
  assert_true(config.optimizer.decay_exponent == -0.7);
  assert_true(config.optimizer.beta1 == 0);
  assert_true(config.optimizer.scale_parameter);
  assert_false(config.optimizer.relative_step);
}

static void test_defaults_make_a_whole_configuration(void **state) {
  (void)state;
  rf_config config;
  accept(minimal, NULL, &config);
  assert_int_equal(config.model.d_head, 64);
  assert_int_equal(config.model.n_attention, 1);
  assert_int_equal(config.lsh.n_factors, 1);
  assert_int_equal(config.lsh.n_buckets[0], 8);
  assert_int_equal(config.model.positions.n_axes, 2);
  assert_int_equal(config.model.positions.shape[0] * config.model.positions.shape[1], 256);
  assert_int_equal(config.model.positions.dims[0] + config.model.positions.dims[1], 256);
  assert_true(config.optimizer.beta1 == 0.9);
  assert_false(config.optimizer.scale_parameter);
  assert_int_equal(config.mesh.data, 0);
  assert_int_equal(config.training.memory_limit, 0);
}

static void test_a_resolved_configuration_reads_back_as_itself(void **state) {
  (void)state;
  const char *const texts[] = {
      minimal,
      "data: {kind: bytes, path: \"it's: a #path\\n\\t\\u00e9\", length: 77, split: [0.7, 0.2, 0.1]}\n"
      "model: {positions: {kind: rotary}, attention: [full, local], d_model: 100, n_heads: 5, dropout: "
      "0.123456789012}\n"
      "output: {sample_prompt: ' two  spaces '}\n",
      "data: {kind: tokens, path: '123', length: 4000}\n"
      "lsh: {n_buckets: auto, rotations: 'x y.h5'}\n"
      "optimizer: {eps: 3.3333333333333334e-9, lr: 0.1}\n"
      "training: {memory_limit: 3221225472}\n",
      "data: duplicate\nmodel: {positions: learned}\noptimizer: {kind: adafactor, scale_parameter: true}\n"
      "training: {memory_limit: auto}\n",
      "data: duplicate\ntraining: {memory_limit: 1000001}\n"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    rf_config config, again;
    char *text = NULL;
    accept(texts[i], NULL, &config);
    assert_int_equal(rf_config_emit(&config, &text), RF_OK);
    rf_status status = parse(text, NULL, &again);
    if (status != RF_OK) print_error("%s\n%s\n", rf_error_message(), text);
    assert_int_equal(status, RF_OK);
    assert_memory_equal(&config, &again, sizeof config);
    free(text);
  }
}

static void test_set_overrides_the_file_and_its_value_is_yaml(void **state) {
  (void)state;
  rf_config config;
  accept(minimal, "model.attention=[lsh, full]", &config);
  assert_int_equal(config.model.n_attention, 2);
  accept(minimal, "model.positions={kind: axial, shape: [2, 128]}", &config);
  assert_int_equal(config.model.positions.shape[1], 128);
  accept(minimal, "data.length=64", &config);
  assert_int_equal(config.data.length, 64);
}

static void test_one_word_stands_for_a_list_of_one_and_for_a_kind(void **state) {
  (void)state;
  rf_config config;
  accept("model: {attention: local, positions: learned}\ndata: duplicate\n", NULL, &config);
  assert_int_equal(config.model.n_attention, 1);
  assert_int_equal(config.model.attention[0], RF_ATTENTION_LOCAL);
  assert_int_equal(config.model.positions.kind, RF_POSITIONS_LEARNED);
  assert_int_equal(config.data.kind, RF_DATA_DUPLICATE);
}

static void test_learned_positions_have_a_place_for_every_padded_token(void **state) {
  (void)state;
  rf_config config;
  const char *text = "model: {positions: learned}\ndata: {kind: duplicate, length: 100}\n";
  rf_log_set_rank(1); /* padding is warned about */
  accept(text, NULL, &config);
  assert_int_equal(config.model.positions.shape[0], 128);
  accept(text, "model.positions.shape=200", &config);
  assert_int_equal(config.model.positions.shape[0], 200);
  REFUSED(text, "model.positions.shape=127", "--set model.positions.shape", "127 places", "128 tokens");
  REFUSED(text, "model.positions.shape=[16, 8]", "--set model.positions.shape", "2 axes", "one number");
  rf_log_set_rank(0);
}

static void test_an_alias_stands_for_its_anchor(void **state) {
  (void)state;
  rf_config config;
  accept("lsh: {chunk: &size 32}\nlocal: {chunk: *size}\ndata: duplicate\n", NULL, &config);
  assert_int_equal(config.local.chunk, 32);
}

static void test_an_unknown_key_names_place_and_nearest_key(void **state) {
  (void)state;
  REFUSED("data:\n  kind: duplicate\n  lenght: 5\n", NULL, "a.yaml:3: data.lenght: unknown key", "data.length");
  REFUSED("model:\n  n_layer: 5\n", NULL, "a.yaml:2: model.n_layer", "model.n_layers");
  REFUSED("training:\n  lr: 5\n", NULL, "a.yaml:2: training.lr", "optimizer.lr");
  REFUSED("modle: {d_model: 5}\n", NULL, "a.yaml:1: modle", "unknown key");
  REFUSED("optimiser: {lr: 1}\n", NULL, "nearest known key is optimizer");
  REFUSED("model: {position: axial}\n", NULL, "nearest known key is model.positions");
  REFUSED("model: {positions: {shap: [4]}}\n", NULL, "model.positions.shap", "model.positions.shape");
  REFUSED(minimal, "lsh.chunks=4", "--set lsh.chunks: unknown key", "lsh.chunk");
}

static void test_a_wrong_type_names_place_value_and_what_is_allowed(void **state) {
  (void)state;
  REFUSED("model:\n\n  d_model: wide\n", NULL, "a.yaml:3: model.d_model", "'wide'", "whole number from 1");
  REFUSED("model: {d_model: 2.5}\n", NULL, "'2.5'", "whole number");
  REFUSED("model: {d_model: [1]}\n", NULL, "a list", "whole number");
  REFUSED("model: {d_model: }\n", NULL, "found nothing");
  REFUSED("model: {activation: swish}\n", NULL, "'swish'", "relu, gelu");
  REFUSED("model: {attention: [lsh, sparse]}\n", NULL, "'sparse' in the list", "lsh, local, full");
  REFUSED("model: {attention: []}\n", NULL, "a list of 0");
  REFUSED("model: {dropout: 0x1p-3}\n", NULL, "'0x1p-3'");
  REFUSED("model: 5\n", NULL, "a.yaml:1: model", "'5'", "a map of keys");
  REFUSED("data: {kind: duplicate, token_bytes: 3}\n", NULL, "'3'", "2, 4");
  REFUSED("data: {split: [0.5, 0.5]}\n", NULL, "a list of 2", "a list of 3 numbers");
  REFUSED("data: {split: 0.5}\n", NULL, "'0.5'", "a list of 3 numbers");
  REFUSED("lsh: {rotations: file.txt}\n", NULL, "'file.txt'", "per_head, shared, or a file whose name ends in .h5");
  REFUSED("training: {memory_limit: 4GB}\n", NULL, "'4GB'", "bytes, as 4GiB, 512MiB or 0, or auto");
  REFUSED("training: {memory_limit: 4 GiB}\n", NULL, "'4 GiB'", "bytes, as 4GiB");
  REFUSED("training: {memory_limit: -1}\n", NULL, "'-1'", "bytes, as 4GiB");
  REFUSED("training: {seed: -1}\n", NULL, "'-1'", "18446744073709551615");
  REFUSED(minimal, "training.steps=many", "--set training.steps", "'many'", "whole number");
  REFUSED(minimal, "training.steps=", "--set training.steps", "found nothing");
  REFUSED(minimal, "training.steps", "--set training.steps", "key.path=value");
}

static void test_a_value_out_of_range_names_the_range(void **state) {
  (void)state;
  REFUSED("model: {d_model: 0}\n", NULL, "'0'", "from 1 to 1048576");
  REFUSED("model: {n_layers: 1023}\n", NULL, "'1023'", "from 1 to 1022");
  REFUSED("model: {n_heads: 257}\n", NULL, "from 1 to 256");
  REFUSED("model: {dropout: 1}\n", NULL, "'1'", "below 1");
  REFUSED("model: {dropout: -0.1}\n", NULL, "at least 0");
  REFUSED("model: {vocab_size: 99999999999999999999}\n", NULL, "'99999999999999999999'");
  REFUSED("lsh: {n_hashes: 65}\n", NULL, "from 1 to 64");
  REFUSED("lsh: {n_buckets: 7}\n", NULL, "'7'", "even number");
  REFUSED("lsh: {n_buckets: [4, 3]}\n", NULL, "'3' in the list", "even number");
  REFUSED("optimizer: {lr: 0}\n", NULL, "'0'", "above 0");
}

static void test_a_missing_key_is_named(void **state) {
  (void)state;
  REFUSED("model: {d_model: 64}\n", NULL, "a.yaml: data.kind is missing", "bytes, tokens, duplicate");
  REFUSED("data: {kind: bytes}\n", NULL, "data.path", "the path of a file");
}

static void test_values_that_do_not_fit_each_other_are_refused_at_the_one_to_change(void **state) {
  (void)state;
  const char *duplicate = "data: {kind: duplicate, length: 256}\n";
  REFUSED("data: duplicate\nmodel:\n  n_heads: 3\n", NULL, "a.yaml:3: model.n_heads", "does not divide", "256");
  REFUSED("data: duplicate\nmodel:\n  positions:\n    dims: [64, 64]\n", NULL, "a.yaml:4: model.positions.dims", "128",
          "a sum of d_model = 256");
  REFUSED("data: {kind: duplicate, length: 1024}\nmodel: {positions: {shape: [16, 16]}}\n", NULL,
          "model.positions.shape", "256 places", "1024", "[32, 32]");
  REFUSED(duplicate, "model.positions.shape=[256]", "one axis", "2 to 4 axes");
  REFUSED(duplicate, "model.positions={shape: [4, 8, 8], dims: [128, 128]}", "found 2 entries", "3");
  REFUSED("data: duplicate\nmodel: {d_head: 5, positions: rotary}\n", NULL, "model.d_head", "found 5", "even");
  REFUSED(duplicate, "training={batch: 8, accumulate: 3}", "training.accumulate", "divisor of training.batch = 8");
  REFUSED(duplicate, "optimizer.warmup=2000", "optimizer.warmup", "training.steps = 1000");
  REFUSED(duplicate, "data.length=255", "data.length", "even number");
  REFUSED(duplicate, "data.length=2", "data.length", "at least 4");
  REFUSED(duplicate, "model.vocab_size=127", "model.vocab_size", "at least 128");
  REFUSED("data: {kind: bytes, path: x}\nmodel: {vocab_size: 255}\n", NULL, "model.vocab_size", "at least 256");
  REFUSED("data: {kind: bytes, path: x, split: [0.9, 0.1, 0.1]}\n", NULL, "data.split", "sum of 1.1");
  REFUSED("data: {kind: bytes, path: x, split: [0, 0.1, 0.1]}\n", NULL, "data.split", "training");
  REFUSED(duplicate, "lsh.n_buckets=[1048576, 2048]", "lsh.n_buckets", "1073741824");
  REFUSED(duplicate, "lsh={n_buckets: [1048576, 512], n_hashes: 4}", "lsh.n_buckets", "found 536870912",
          "lsh.n_hashes = 4", "at most 536870910");
  REFUSED(duplicate, "lsh={n_buckets: [1048576, 32], n_hashes: 64}", "lsh.n_buckets", "at most 33554430");
  REFUSED("data: {kind: duplicate, length: 67108864}\nlsh: {chunk: 2, n_hashes: 64, n_buckets: 64}\n", NULL,
          "lsh.chunk", "found 2", "2147483648 chunks", "at least 3");
  REFUSED("data: {kind: duplicate, length: 1024}\nlsh: {n_buckets: [1048576, 64], n_hashes: 4}\n"
          "model: {n_heads: 8, d_model: 64}\ntraining: {batch: 8, accumulate: 2}\n",
          NULL, "lsh.n_buckets", "found 67108864", "at most 33554430");
  REFUSED("data: {kind: duplicate, length: 67108864}\nlsh: {chunk: 1048575}\nlocal: {chunk: 1048576}\n"
          "model: {attention: [lsh, local]}\n",
          NULL, "data.length", "at most 67108864");
}

static void test_a_split_that_sums_to_one_but_for_rounding_is_taken(void **state) {
  (void)state;
  rf_config config;
  accept("data: {kind: bytes, path: x, split: [0.7, 0.2, 0.1]}\n", NULL, &config);
}

static void test_any_length_gets_axes_that_hold_it(void **state) {
  (void)state;
  rf_log_set_rank(1); /* short lengths are warned about: they are padded to a chunk */
  for (int64_t length = 2; length < 200000; length += 1 + length / 7) {
    char set[64];
    rf_config config;
    (void)snprintf(set, sizeof set, "data.length=%lld", (long long)length);
    accept("data: {kind: bytes, path: x}\nmodel: {d_model: 64}\n", set, &config);
    const rf_positions_config *positions = &config.model.positions;
    int64_t padded = rf_padded_length(&config, length), places = positions->shape[0] * positions->shape[1];
    assert_int_equal(positions->dims[0] + positions->dims[1], 64);
    assert_true(places >= padded && places < padded + positions->shape[0]);
    assert_true(positions->shape[0] <= positions->shape[1]);
  }
  rf_log_set_rank(0);
}

/* Whatever one byte of a good file becomes, it is read or refused, and never more. */
static void test_damaged_text_never_does_more_than_be_refused(void **state) {
  (void)state;
  rf_log_set_rank(1); /* warnings would fill the screen */
  rf_config config;
  char *text = NULL;
  accept(minimal, NULL, &config);
  assert_int_equal(rf_config_emit(&config, &text), RF_OK);
  size_t length = strlen(text);
  unsigned seed = 11;
  srand(seed);
  int refusals = 0;
  for (int i = 0; i < 1000; i++) {
    char *damaged = malloc(length + 1);
    assert_non_null(damaged);
    memcpy(damaged, text, length + 1);
    for (int hits = 1 + rand() % 3; hits > 0; hits--) damaged[(size_t)rand() % length] = (char)(rand() % 256);
    rf_status status = rf_config_parse("a.yaml", damaged, (size_t)rand() % (length + 1), NULL, 0, &config);
    if (status != RF_OK && status != RF_BAD_CONFIG) print_error("seed %u, draw %d: %s\n", seed, i, rf_error_message());
    assert_true(status == RF_OK || status == RF_BAD_CONFIG);
    refusals += status == RF_BAD_CONFIG;
    free(damaged);
  }
  assert_in_range(refusals, 500, 1000);
  free(text);
  rf_log_set_rank(0);
}

static void test_the_schema_is_whole(void **state) {
  (void)state;
  for (int i = 0; i < rf_key_count(); i++) {
    const rf_key *key = rf_key_at(i);
    char allowed[RF_MAX_ALLOWED], nearest[RF_MAX_KEY];
    assert_int_equal(rf_key_index(key->path), i); /* no path twice */
    assert_true(strlen(key->help) > 0 && strlen(rf_key_allowed(key, allowed)) > 0);
    assert_string_equal(rf_key_nearest(key->path, nearest), key->path);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_key_reads_its_value),
      cmocka_unit_test(test_defaults_make_a_whole_configuration),
      cmocka_unit_test(test_a_resolved_configuration_reads_back_as_itself),
      cmocka_unit_test(test_set_overrides_the_file_and_its_value_is_yaml),
      cmocka_unit_test(test_one_word_stands_for_a_list_of_one_and_for_a_kind),
      cmocka_unit_test(test_learned_positions_have_a_place_for_every_padded_token),
      cmocka_unit_test(test_an_alias_stands_for_its_anchor),
      cmocka_unit_test(test_an_unknown_key_names_place_and_nearest_key),
      cmocka_unit_test(test_a_wrong_type_names_place_value_and_what_is_allowed),
      cmocka_unit_test(test_a_value_out_of_range_names_the_range),
      cmocka_unit_test(test_a_missing_key_is_named),
      cmocka_unit_test(test_values_that_do_not_fit_each_other_are_refused_at_the_one_to_change),
      cmocka_unit_test(test_a_split_that_sums_to_one_but_for_rounding_is_taken),
      cmocka_unit_test(test_any_length_gets_axes_that_hold_it),
      cmocka_unit_test(test_damaged_text_never_does_more_than_be_refused),
      cmocka_unit_test(test_the_schema_is_whole),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
