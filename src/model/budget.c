#include "model/budget.h"
#include "comm/mesh.h"
#include "nn/attention_saved.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Operations that a core does while a network of 10 Gbit/s moves a byte. */
#define OPERATIONS_PER_BYTE 80.0

/* Whether a keeps more than b for a byte. */
static bool is_better(const rf_budget_item *a, const rf_budget_item *b) {
  return a->gain * (double)b->bytes > b->gain * (double)a->bytes;
}

int64_t rf_budget_choose(int64_t n, const rf_budget_item *items, int64_t bytes, bool *kept) {
  int64_t spent = 0;
  memset(kept, 0, (size_t)n * sizeof *kept);
  for (;;) {
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++) {
      const rf_budget_item *item = &items[i];
      if (kept[i] || item->gain <= 0 || item->bytes > bytes - spent) continue;
      if (item->after >= 0 && !kept[item->after]) continue;
      if (best < 0 || is_better(item, &items[best])) best = i;
    }
    if (best < 0) return spent;
    kept[best] = true;
    spent += items[best].bytes;
  }
}

static bool is_shared(const rf_config *config, rf_attention_kind kind) {
  return kind == RF_ATTENTION_LSH || (kind == RF_ATTENTION_FULL && config->full.shared_qk);
}

rf_operations rf_budget_gain(const rf_config *config, int64_t layer, int64_t padded, rf_keep part) {
  const rf_dense_operations dense = rf_dense_of_layer(config, layer);
  switch (part) {
  case RF_KEEP_OUTPUT: return (rf_operations){.attention = rf_operations_of_layer(config, layer, padded).attention};
  case RF_KEEP_QUERIES: return (rf_operations){.dense = dense.project};
  case RF_KEEP_FIRST_STREAM: return (rf_operations){.dense = dense.output};
  case RF_KEEP_SECOND_STREAM:
  case RF_KEEP_HIDDEN: return (rf_operations){.dense = dense.feed_forward / 2}; /* a product each */
  case RF_KEEPS: break;
  }
  return (rf_operations){0};
}

rf_passes rf_passes_of_layer(const rf_config *config, rf_layer_keep keep) {
  const bool ordinary = config->model.residual == RF_RESIDUAL_ORDINARY;
  return (rf_passes){.project = keep.level[0] < RF_KEEPS_ROWS ? 4 : 3,
                     .attend = keep.level[0] < RF_KEEPS_OUTPUT ? 4 : 3,
                     .output = keep.stream[0] || ordinary ? 3 : 4,
                     /* a product each */
                     .feed_forward = 4 - (keep.level[1] > 0 ? 0.5 : 0) - (keep.stream[1] || ordinary ? 0.5 : 0)};
}

/* Bytes a token that need not travel: expected for LSH attention, whose rows go where buckets take them; few for local
 * attention. */
static double bytes_not_sent(const rf_config *config, int64_t layer, int64_t ranks, rf_keep part) {
  const rf_model_config *m = &config->model;
  const rf_attention_kind kind = rf_layer_attention(m, layer);
  if (ranks == 1 || kind == RF_ATTENTION_LOCAL) return 0;
  const double others = (double)(ranks - 1), row = (double)(m->n_heads * m->d_head) * sizeof(real);
  const int64_t rounds = kind == RF_ATTENTION_LSH ? config->lsh.n_hashes : 1;
  const double owners = others * (1 - pow(others / (double)ranks, (double)rounds));
  if (part == RF_KEEP_QUERIES) return owners * (is_shared(config, kind) ? 2 : 3) * row;
  if (part != RF_KEEP_OUTPUT) return 0;
  return owners * row + (kind == RF_ATTENTION_FULL ? others * 2 * row : 0);
}

static int64_t saved_bytes(const rf_sublayer *sublayer, const rf_call *call, int level) {
  rf_call at = *call;
  at.level = level;
  return (int64_t)sublayer->ops->saved_bytes(sublayer, &at);
}

/* Bytes of a part of a layer. */
static int64_t bytes_of(const rf_layer *layer, const rf_call *call, rf_keep part) {
  const rf_sublayer *f = &layer->attention, *g = &layer->feed_forward;
  const rf_model_config *m = &f->config->model;
  switch (part) {
  case RF_KEEP_OUTPUT: return saved_bytes(f, call, 1) - saved_bytes(f, call, 0);
  case RF_KEEP_QUERIES: return saved_bytes(f, call, 2) - saved_bytes(f, call, 1);
  case RF_KEEP_HIDDEN: return saved_bytes(g, call, 1) - saved_bytes(g, call, 0);
  default: return call->sequences * call->tokens * m->d_model * (int64_t)sizeof(real);
  }
}

static void list_items(const rf_blocks *blocks, const rf_call *call, rf_budget_item *items) {
  const rf_config *config = blocks->layers[0].attention.config;
  const bool rebuilt = config->model.residual == RF_RESIDUAL_REVERSIBLE;
  const int64_t ranks = rf_mesh_sequence_size(call->mesh);
  for (int64_t i = 0; i < blocks->n_layers; i++)
    for (int part = 0; part < RF_KEEPS; part++) {
      const rf_operations saved = rf_budget_gain(config, i, call->length, (rf_keep)part);
      const bool stream = part == RF_KEEP_FIRST_STREAM || part == RF_KEEP_SECOND_STREAM;
      const double gain =
          saved.dense + saved.attention + OPERATIONS_PER_BYTE * bytes_not_sent(config, i, ranks, (rf_keep)part);
      items[i * RF_KEEPS + part] =
          (rf_budget_item){.bytes = bytes_of(&blocks->layers[i], call, (rf_keep)part) + RF_KEPT_SLACK,
                           .gain = stream && !rebuilt ? 0 : gain * (double)(call->sequences * call->tokens),
                           .after = part == RF_KEEP_QUERIES ? (int)(i * RF_KEEPS) + RF_KEEP_OUTPUT : -1};
    }
}

static void report(const rf_blocks *blocks, const rf_call *call, const bool *kept, rf_layer_keep *keep,
                   rf_keeping *keeping) {
  const rf_config *config = blocks->layers[0].attention.config;
  for (int64_t i = 0; i < blocks->n_layers; i++) {
    const bool *of = kept + i * RF_KEEPS;
    keep[i] = (rf_layer_keep){.level = {of[RF_KEEP_OUTPUT] + of[RF_KEEP_QUERIES], of[RF_KEEP_HIDDEN]},
                              .stream = {of[RF_KEEP_FIRST_STREAM], of[RF_KEEP_SECOND_STREAM]}};
    for (int part = 0; part < RF_KEEPS; part++) {
      if (!of[part]) continue;
      const rf_operations saved = rf_budget_gain(config, i, call->length, (rf_keep)part);
      keeping->layers[part]++;
      keeping->dense += saved.dense;
      keeping->attention += saved.attention;
    }
  }
}

rf_status rf_budget_plan(const rf_blocks *blocks, const rf_call *call, int64_t bytes, rf_layer_keep *keep,
                         rf_keeping *keeping) {
  const int64_t n = blocks->n_layers * RF_KEEPS;
  rf_budget_item *items = calloc((size_t)n, sizeof *items);
  bool *kept = malloc((size_t)n * sizeof *kept);
  *keeping = (rf_keeping){0};
  if (items && kept) {
    list_items(blocks, call, items);
    keeping->bytes = rf_budget_choose(n, items, bytes, kept);
    report(blocks, call, kept, keep, keeping);
  }
  const bool done = items && kept;
  free(items);
  free(kept);
  return done ? RF_OK : rf_fail(RF_FAILED, "out of memory: plan of what %lld layers keep", (long long)blocks->n_layers);
}
