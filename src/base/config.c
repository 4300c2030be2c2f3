#include "reformer/config.h"
#include "base/integers.h"
#include <assert.h>
#include <stddef.h>

enum { MOST_POWER = 7 }; /* of two, that one factor of lsh.n_buckets: auto is */

const char *const rf_attention_names[] = {
    [RF_ATTENTION_LSH] = "lsh", [RF_ATTENTION_LOCAL] = "local", [RF_ATTENTION_FULL] = "full", NULL};
const char *const rf_precision_names[] = {[RF_PRECISION_FULL] = "full", [RF_PRECISION_BF16] = "bf16", NULL};

rf_attention_kind rf_layer_attention(const rf_model_config *model, int64_t layer) {
  assert(model->n_attention > 0 && layer >= 0);
  return model->attention[layer % model->n_attention];
}

static int64_t greatest_common_divisor(int64_t a, int64_t b) {
  while (b != 0) {
    int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/* 0: the kind works on any length. */
static int64_t chunk_of_kind(const rf_config *config, rf_attention_kind kind) {
  switch (kind) {
  case RF_ATTENTION_LSH: return config->lsh.chunk;
  case RF_ATTENTION_LOCAL: return config->local.chunk;
  case RF_ATTENTION_FULL: return 0;
  }
  return 0;
}

int64_t rf_padded_length(const rf_config *config, int64_t length) {
  int64_t multiple = 1;
  /* The pattern repeats: layers past its end bring no new kind. */
  for (int64_t layer = 0; layer < config->model.n_layers && layer < config->model.n_attention; layer++) {
    int64_t chunk = chunk_of_kind(config, rf_layer_attention(&config->model, layer));
    if (chunk > 0) multiple = multiple / greatest_common_divisor(multiple, chunk) * chunk;
  }
  return rf_ceil_div(length, multiple) * multiple;
}

void rf_resolve_buckets(rf_lsh_config *lsh, int64_t padded_length) {
  if (lsh->n_factors > 0) return;
  assert(lsh->chunk > 0);
  int power = 1;
  while ((INT64_C(2) << power) * lsh->chunk <= 2 * padded_length) power++;
  /* Buckets are the product of the factors, and what a hash costs is their sum. */
  lsh->n_factors = (int)rf_ceil_div(power, MOST_POWER);
  if (lsh->n_factors > RF_MAX_FACTORS) lsh->n_factors = RF_MAX_FACTORS;
  for (int i = 0; i < lsh->n_factors; i++) lsh->n_buckets[i] = INT64_C(1) << ((power + i) / lsh->n_factors);
}
