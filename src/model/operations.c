#include "model/operations.h"

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

rf_operations rf_operations_per_token(const rf_config *config, int64_t padded) {
  const rf_model_config *m = &config->model;
  const double d = (double)m->d_model, inner = (double)(m->n_heads * m->d_head), passes = 2 * 4;
  rf_operations sum = {0};
  for (int64_t layer = 0; layer < m->n_layers; layer++) {
    const rf_attention_kind kind = rf_layer_attention(m, layer);
    const bool shared = kind == RF_ATTENTION_LSH || (kind == RF_ATTENTION_FULL && config->full.shared_qk);
    sum.dense += passes * ((shared ? 3 : 4) * d * inner + 2 * d * (double)m->d_ff);
    sum.attention += passes * 2 * keys_of_query(config, kind, padded) * inner;
  }
  return sum;
}
