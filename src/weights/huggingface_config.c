#include "weights/huggingface.h"
#include "storage/files.h"
#include <jansson.h>
#include <string.h>

static json_t *list_of(const int64_t *values, int n) {
  json_t *list = json_array();
  for (int i = 0; i < n; i++) json_array_append_new(list, json_integer(values[i]));
  return list;
}

static json_t *attention_layers(const rf_model_config *m) {
  json_t *list = json_array();
  for (int64_t i = 0; i < m->n_layers; i++)
    json_array_append_new(list, json_string(rf_layer_attention(m, i) == RF_ATTENTION_LSH ? "lsh" : "local"));
  return list;
}

/* One factor is a number, several are a list, none (a model without LSH layers) is null. */
static json_t *buckets_of(const rf_lsh_config *lsh) {
  if (lsh->n_factors == 0) return json_null();
  return lsh->n_factors == 1 ? json_integer(lsh->n_buckets[0]) : list_of(lsh->n_buckets, lsh->n_factors);
}

static void set_model(json_t *to, const rf_model_config *m) {
  json_object_set_new(to, "attn_layers", attention_layers(m));
  json_object_set_new(to, "attention_head_size", json_integer(m->d_head));
  json_object_set_new(to, "num_attention_heads", json_integer(m->n_heads));
  json_object_set_new(to, "hidden_size", json_integer(m->d_model));
  json_object_set_new(to, "feed_forward_size", json_integer(m->d_ff));
  json_object_set_new(to, "hidden_act", json_string(m->activation == RF_RELU ? "relu" : "gelu"));
  json_object_set_new(to, "vocab_size", json_integer(m->vocab_size));
  json_object_set_new(to, "is_decoder", json_boolean(m->causal));
  json_object_set_new(to, "hidden_dropout_prob", json_real(m->dropout));
  json_object_set_new(to, "lsh_attention_probs_dropout_prob", json_real(m->attention_dropout));
  json_object_set_new(to, "local_attention_probs_dropout_prob", json_real(m->attention_dropout));
  json_object_set_new(to, "initializer_range", json_real(m->init_std));
  json_object_set_new(to, "axial_norm_std", json_real(m->init_std));
  json_object_set_new(to, "layer_norm_eps", json_real(m->norm_eps));
}

/* A learned table is as long as its first shape says; an axial one as the product of its axes. */
static void set_positions(json_t *to, const rf_positions_config *p) {
  int64_t places = 1;
  const bool axial = p->kind == RF_POSITIONS_AXIAL;
  for (int i = 0; i < (axial ? p->n_axes : 1); i++) places *= p->shape[i];
  json_object_set_new(to, "axial_pos_embds", json_boolean(axial));
  json_object_set_new(to, "max_position_embeddings", json_integer(places));
  if (!axial) return;
  json_object_set_new(to, "axial_pos_shape", list_of(p->shape, p->n_axes));
  json_object_set_new(to, "axial_pos_embds_dim", list_of(p->dims, p->n_axes));
}

static void set_attention(json_t *to, const rf_config *c) {
  json_object_set_new(to, "lsh_attn_chunk_length", json_integer(c->lsh.chunk));
  json_object_set_new(to, "lsh_num_chunks_before", json_integer(c->lsh.chunks_before));
  json_object_set_new(to, "lsh_num_chunks_after", json_integer(c->lsh.chunks_after));
  json_object_set_new(to, "num_hashes", json_integer(c->lsh.n_hashes));
  json_object_set_new(to, "num_buckets", buckets_of(&c->lsh));
  json_object_set_new(to, "hash_seed", json_null());
  json_object_set_new(to, "local_attn_chunk_length", json_integer(c->local.chunk));
  json_object_set_new(to, "local_num_chunks_before", json_integer(c->local.chunks_before));
  json_object_set_new(to, "local_num_chunks_after", json_integer(c->local.chunks_after));
}

/* torch has no name for a type that it does not know; these it knows. */
static const char *torch_name(rf_dtype dtype) {
  switch (dtype) {
  case RF_F64: return "float64";
  case RF_F16: return "float16";
  case RF_BF16: return "bfloat16";
  case RF_F32:
  case RF_OTHER_DTYPE: break;
  }
  return "float32";
}

char *rf_huggingface_config(const rf_config *config, rf_dtype dtype) {
  json_t *to = json_object();
  const char *class = config->model.causal ? "ReformerModelWithLMHead" : "ReformerForMaskedLM";
  json_object_set_new(to, "architectures", json_pack("[s]", class));
  json_object_set_new(to, "model_type", json_string("reformer"));
  json_object_set_new(to, "torch_dtype", json_string(torch_name(dtype)));
  set_model(to, &config->model);
  set_positions(to, &config->model.positions);
  set_attention(to, config);
  json_object_set_new(to, "chunk_size_feed_forward", json_integer(0));
  json_object_set_new(to, "chunk_size_lm_head", json_integer(0));
  json_object_set_new(to, "tie_word_embeddings", json_false());
  json_object_set_new(to, "use_cache", json_boolean(config->model.causal));
  char *text = json_dumps(to, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
  json_decref(to);
  return text;
}

rf_status rf_huggingface_config_path(const char *path, char *config_path) {
  const char *slash = strrchr(path, '/');
  const int length = slash ? (int)(slash - path) + 1 : 0;
  if (snprintf(config_path, RF_MAX_PATH, "%.*sconfig.json", length, path) < RF_MAX_PATH) return RF_OK;
  return rf_fail(RF_FAILED, "%.64s...: the path is too long", path);
}
