#include "model/operations.h"
#include "lsh/hash.h"
#include "model/stash.h"

static double keys_of_query(const rf_config *config, rf_attention_kind kind, int64_t padded) {
  const rf_lsh_config *lsh = &config->lsh;
  const rf_local_config *local = &config->local;
  const double all = config->model.causal ? ((double)padded + 1) / 2 : (double)padded;
  if (kind == RF_ATTENTION_LSH && padded > lsh->chunk)
    return (double)(lsh->n_hashes * (lsh->chunks_before + 1 + lsh->chunks_after) * lsh->chunk);
  if (kind == RF_ATTENTION_LOCAL && padded > local->chunk)
    return (double)((local->chunks_before + 1 + local->chunks_after) * local->chunk);
  return all;
}

rf_dense_operations rf_dense_of_layer(const rf_config *config, int64_t layer) {
  const rf_model_config *m = &config->model;
  const double d = (double)m->d_model, inner = (double)(m->n_heads * m->d_head);
  const rf_attention_kind kind = rf_layer_attention(m, layer);
  return (rf_dense_operations){.project = 2 * (rf_shares_queries(config, kind) ? 2 : 3) * d * inner,
                               .output = 2 * d * inner,
                               .feed_forward = 2 * 2 * d * (double)m->d_ff};
}

rf_operations rf_operations_of_layer(const rf_config *config, int64_t layer, int64_t padded) {
  const rf_model_config *m = &config->model;
  const double d = (double)m->d_model, inner = (double)(m->n_heads * m->d_head), elementwise = 8;
  const rf_attention_kind kind = rf_layer_attention(m, layer);
  const rf_dense_operations dense = rf_dense_of_layer(config, layer);
  const double keys = keys_of_query(config, kind, padded);
  rf_operations one = {.dense = dense.project + dense.output + dense.feed_forward,
                       .attention = 2 * 2 * keys * inner,
                       .other = elementwise * (2 * d + (double)m->d_ff + keys * (double)m->n_heads)};
  if (kind == RF_ATTENTION_LSH && padded > config->lsh.chunk) {
    const rf_hash_shape hash = rf_hash_shape_of(&config->lsh, m->d_head);
    one.hashing = 2 * (double)(hash.rounds * hash.columns) * inner;
  }
  return one;
}

rf_operations rf_operations_per_token(const rf_config *config, int64_t padded) {
  const rf_model_config *m = &config->model;
  const double elementwise_passes = 3;
  const rf_passes passes = rf_passes_of_layer(config, (rf_layer_stash){0});
  const bool both_streams = m->residual == RF_RESIDUAL_REVERSIBLE && !m->tied_embedding;
  const double width = (double)(both_streams ? 2 * m->d_model : m->d_model);
  rf_operations sum = {.head = 3 * 2 * width * (double)m->vocab_size,
                       .other = 8 * elementwise_passes * (width + (double)m->vocab_size)};
  for (int64_t layer = 0; layer < m->n_layers; layer++) {
    const rf_operations one = rf_operations_of_layer(config, layer, padded);
    const rf_dense_operations dense = rf_dense_of_layer(config, layer);
    sum.dense +=
        passes.project * dense.project + passes.output * dense.output + passes.feed_forward * dense.feed_forward;
    sum.attention += passes.attend * one.attention;
    sum.hashing += one.hashing;
    sum.other += elementwise_passes * one.other;
  }
  return sum;
}
