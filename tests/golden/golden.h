/* Golden files: read their data sets and configuration, and name their tensors. */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include "base/h5.h"
#include "lsh/hash.h"
#include "reformer/config.h"
#include "support/numbers.h"
#include <jansson.h>
#include <stdbool.h>

#ifdef RF_DOUBLE
#define GOLDEN_TOLERANCE 1e-9
#else
#define GOLDEN_TOLERANCE 1e-4
#endif

typedef struct golden {
  const char *name;
  hid_t file;
  json_t *config;
} golden;

static inline void golden_read_config(golden *g) {
  const hid_t attribute = H5Aopen(g->file, "config", H5P_DEFAULT);
  assert_true(attribute >= 0);
  const hid_t type = H5Aget_type(attribute);
  assert_true(type >= 0 && H5Tget_class(type) == H5T_STRING);
  char *text = NULL;
  if (H5Tis_variable_str(type) > 0) {
    assert_true(H5Aread(attribute, type, &text) >= 0);
  } else {
    text = NEW(char, H5Tget_size(type) + 1);
    assert_true(H5Aread(attribute, type, text) >= 0);
  }
  json_error_t error;
  g->config = json_loads(text, 0, &error);
  if (!g->config) fail_msg("%s: attribute config: %s", g->name, error.text);
  free(text);
  assert_true(H5Tclose(type) >= 0 && H5Aclose(attribute) >= 0);
}

static inline const char *golden_path(const char *name) {
  static char path[1024];
  snprintf(path, sizeof path, "%s/golden/%s.h5", RF_TESTS_DIR, name);
  return path;
}

/* Opened as the program opens it: HDF5 wants that of a file which is open twice. */
static inline hid_t golden_file(const char *name) {
  rf_h5 h = {0};
  const hid_t file = H5Fopen(golden_path(name), H5F_ACC_RDONLY, rf_h5_access(&h));
  assert_true(rf_h5_close(&h));
  return file;
}

static inline golden golden_open(const char *name) {
  golden g = {.name = name, .file = golden_file(name)};
  if (g.file < 0) fail_msg("%s: cannot be opened", golden_path(name));
  golden_read_config(&g);
  return g;
}

static inline void golden_close(golden *g) {
  json_decref(g->config);
  assert_true(H5Fclose(g->file) >= 0);
}

static inline bool golden_has(const golden *g, const char *dataset) {
  char group[256];
  snprintf(group, sizeof group, "%s", dataset);
  *strchr(group, '/') = '\0';
  return H5Lexists(g->file, group, H5P_DEFAULT) > 0 && H5Lexists(g->file, dataset, H5P_DEFAULT) > 0;
}

/* All values as double; *count: how many. The caller frees. */
static inline double *golden_read(const golden *g, const char *name, int64_t *count) {
  const hid_t dataset = H5Dopen2(g->file, name, H5P_DEFAULT);
  if (dataset < 0) fail_msg("%s: no data set %s", g->name, name);
  const hid_t space = H5Dget_space(dataset);
  const hssize_t n = H5Sget_simple_extent_npoints(space);
  assert_true(n >= 0);
  double *values = NEW(double, n);
  assert_true(H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
  assert_true(H5Sclose(space) >= 0 && H5Dclose(dataset) >= 0);
  if (count) *count = n;
  return values;
}

static inline real *golden_reals(const golden *g, const char *name, int64_t expected) {
  int64_t n;
  double *values = golden_read(g, name, &n);
  if (n != expected)
    fail_msg("%s: %s has %lld values, expected %lld", g->name, name, (long long)n, (long long)expected);
  real *out = NEW(real, n);
  for (int64_t i = 0; i < n; i++) out[i] = (real)values[i];
  free(values);
  return out;
}

static inline int32_t *golden_ints(const golden *g, const char *name, int64_t expected) {
  int64_t n;
  double *values = golden_read(g, name, &n);
  if (n != expected)
    fail_msg("%s: %s has %lld values, expected %lld", g->name, name, (long long)n, (long long)expected);
  int32_t *out = NEW(int32_t, n);
  for (int64_t i = 0; i < n; i++) out[i] = (int32_t)values[i];
  free(values);
  return out;
}

/* NULL where the file has no mask. */
static inline uint8_t *golden_mask(const golden *g, int64_t expected) {
  if (!golden_has(g, "input/mask")) return NULL;
  int32_t *values = golden_ints(g, "input/mask", expected);
  uint8_t *mask = NEW(uint8_t, expected);
  for (int64_t i = 0; i < expected; i++) mask[i] = (uint8_t)values[i];
  free(values);
  return mask;
}

/* Whether the file holds the data set in single precision. */
static inline bool golden_is_single(const golden *g, const char *name) {
  const hid_t dataset = H5Dopen2(g->file, name, H5P_DEFAULT), type = H5Dget_type(dataset);
  const size_t size = H5Tget_size(type);
  assert_true(H5Tclose(type) >= 0 && H5Dclose(dataset) >= 0);
  return size == sizeof(float);
}

/* The published implementation kept its axial position tables in single precision even when all else was double, and
 * summed their gradients in it: those data sets are good to one ulp of float and no better. */
static inline void golden_compare(const golden *g, const char *name, int64_t n, const real *values) {
  int64_t count;
  double *reference = golden_read(g, name, &count);
  if (n != count) fail_msg("%s: %s has %lld values, ours %lld", g->name, name, (long long)count, (long long)n);
  const double error = relative_error(n, values, reference);
  const double tolerance = golden_is_single(g, name) ? fmax(GOLDEN_TOLERANCE, FLT_EPSILON) : GOLDEN_TOLERANCE;
  free(reference);
  if (!(error <= tolerance)) fail_msg("%s: %s: relative error %.3g, allowed %.3g", g->name, name, error, tolerance);
}

static inline int64_t golden_links(const golden *g, const char *group) {
  H5G_info_t info;
  assert_true(H5Gget_info_by_name(g->file, group, &info, H5P_DEFAULT) >= 0);
  return (int64_t)info.nlinks;
}

static inline int64_t golden_int(const golden *g, const char *key, int64_t otherwise) {
  const json_t *value = json_object_get(g->config, key);
  return value ? (int64_t)json_integer_value(value) : otherwise;
}

static inline bool golden_bool(const golden *g, const char *key, bool otherwise) {
  const json_t *value = json_object_get(g->config, key);
  return value ? json_is_true(value) : otherwise;
}

static inline void golden_attention(const golden *g, rf_model_config *model) {
  const json_t *kinds = json_object_get(g->config, "attn_layers");
  model->n_attention = (int)json_array_size(kinds);
  for (int i = 0; i < model->n_attention; i++)
    model->attention[i] =
        strcmp(json_string_value(json_array_get(kinds, (size_t)i)), "lsh") == 0 ? RF_ATTENTION_LSH : RF_ATTENTION_LOCAL;
}

static inline void golden_positions(const golden *g, rf_positions_config *positions) {
  if (!golden_bool(g, "axial_pos_embds", true)) {
    *positions = (rf_positions_config){.kind = RF_POSITIONS_LEARNED};
    positions->shape[0] = golden_int(g, "max_position_embeddings", 0);
    return;
  }
  *positions = (rf_positions_config){.kind = RF_POSITIONS_AXIAL, .n_axes = 2};
  for (int i = 0; i < 2; i++) {
    positions->shape[i] = json_integer_value(json_array_get(json_object_get(g->config, "axial_pos_shape"), (size_t)i));
    positions->dims[i] =
        json_integer_value(json_array_get(json_object_get(g->config, "axial_pos_embds_dim"), (size_t)i));
  }
}

/* HuggingFace's hyperparameters as a configuration. */
static inline rf_config golden_config(const golden *g) {
  rf_config c = {0};
  c.model = (rf_model_config){.vocab_size = golden_int(g, "vocab_size", 0),
                              .d_model = golden_int(g, "hidden_size", 0),
                              .n_heads = golden_int(g, "num_attention_heads", 0),
                              .d_head = golden_int(g, "attention_head_size", 0),
                              .d_ff = golden_int(g, "feed_forward_size", 0),
                              .causal = golden_bool(g, "is_decoder", false),
                              .residual = RF_RESIDUAL_REVERSIBLE,
                              .norm_eps = json_number_value(json_object_get(g->config, "layer_norm_eps"))};
  c.model.activation =
      strcmp(json_string_value(json_object_get(g->config, "hidden_act")), "relu") == 0 ? RF_RELU : RF_GELU;
  golden_attention(g, &c.model);
  c.model.n_layers = c.model.n_attention;
  golden_positions(g, &c.model.positions);
  c.lsh = (rf_lsh_config){.chunk = golden_int(g, "lsh_attn_chunk_length", 0),
                          .n_hashes = golden_int(g, "num_hashes", 0),
                          .chunks_before = golden_int(g, "lsh_num_chunks_before", 1),
                          .chunks_after = golden_int(g, "lsh_num_chunks_after", 0),
                          .attend_across_buckets = true};
  const json_t *buckets = json_object_get(g->config, "num_buckets");
  c.lsh.n_factors = json_is_array(buckets) ? (int)json_array_size(buckets) : 1;
  for (int i = 0; i < c.lsh.n_factors; i++)
    c.lsh.n_buckets[i] = json_integer_value(json_is_array(buckets) ? json_array_get(buckets, (size_t)i) : buckets);
  c.local = (rf_local_config){.chunk = golden_int(g, "local_attn_chunk_length", 0),
                              .chunks_before = golden_int(g, "local_num_chunks_before", 1),
                              .chunks_after = golden_int(g, "local_num_chunks_after", 0)};
  return c;
}

/* HuggingFace's name of one of our tensors. */
static inline void golden_tensor_name(const char *ours, char *name, size_t size) {
  static const char *const parts[][2] = {
      {"attention.norm.scale", "attention.layer_norm.weight"},
      {"attention.norm.bias", "attention.layer_norm.bias"},
      {"attention.query_key.weight", "attention.self_attention.query_key.weight"},
      {"attention.query.weight", "attention.self_attention.query.weight"},
      {"attention.key.weight", "attention.self_attention.key.weight"},
      {"attention.value.weight", "attention.self_attention.value.weight"},
      {"attention.output.weight", "attention.output.dense.weight"},
      {"feed_forward.norm.scale", "feed_forward.layer_norm.weight"},
      {"feed_forward.norm.bias", "feed_forward.layer_norm.bias"},
      {"feed_forward.inner.weight", "feed_forward.dense.dense.weight"},
      {"feed_forward.inner.bias", "feed_forward.dense.dense.bias"},
      {"feed_forward.outer.weight", "feed_forward.output.dense.weight"},
      {"feed_forward.outer.bias", "feed_forward.output.dense.bias"},
      {"embedding.token.weight", "reformer.embeddings.word_embeddings.weight"},
      {"embedding.position.axis0", "reformer.embeddings.position_embeddings.weights.0"},
      {"embedding.position.axis1", "reformer.embeddings.position_embeddings.weights.1"},
      {"embedding.position.weight", "reformer.embeddings.position_embeddings.embedding.weight"},
      {"head.norm.scale", "reformer.encoder.layer_norm.weight"},
      {"head.norm.bias", "reformer.encoder.layer_norm.bias"},
      {"head.weight", "lm_head.decoder.weight"},
      {"head.bias", "lm_head.bias"},
  };
  int layer, length = 0;
  const bool in_layer = sscanf(ours, "layers.%d.%n", &layer, &length) == 1 && length > 0;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    if (strcmp(ours + length, parts[i][0]) != 0) continue;
    if (in_layer)
      snprintf(name, size, "reformer.encoder.layers.%d.%s", layer, parts[i][1]);
    else
      snprintf(name, size, "%s", parts[i][1]);
    return;
  }
  fail_msg("no published name for %s", ours);
}

/* The file's buckets, reference: [n], freed here, take the place of those that were computed. In double these are the
 * same; in float a rounding may flip a few. Returns how many differed. */
static inline int64_t golden_settle_buckets(const golden *g, const rf_buckets *buckets, int32_t *reference, int64_t n) {
  int64_t flipped = 0;
  for (int64_t i = 0; i < n; i++) {
    flipped += rf_bucket_get(buckets, i) != reference[i];
    rf_bucket_set(buckets, i, reference[i]);
  }
  free(reference);
#ifdef RF_DOUBLE
  assert_int_equal(flipped, 0);
#endif
  if (flipped > n / 1000 + 1) fail_msg("%s: %lld of %lld buckets differ", g->name, (long long)flipped, (long long)n);
  return flipped;
}

#endif
