#include "model/budget.h"
#include "comm/mesh.h"
#include "nn/attention_saved.h"
#include "nn/wave.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Operations that a core does while a network of 10 Gbit/s moves a byte. */
#define OPERATIONS_PER_BYTE 80.0

/* Whether a saves more than b for a byte. */
static bool saves_more(const rf_budget_item *a, const rf_budget_item *b) {
  return a->gain * (double)b->bytes > b->gain * (double)a->bytes;
}

int64_t rf_budget_choose(int64_t n, const rf_budget_item *items, int64_t bytes, bool *chosen) {
  int64_t spent = 0;
  memset(chosen, 0, (size_t)n * sizeof *chosen);
  for (;;) {
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++) {
      const rf_budget_item *item = &items[i];
      if (chosen[i] || item->gain <= 0 || item->bytes > bytes - spent) continue;
      if (item->after >= 0 && !chosen[item->after]) continue;
      if (best < 0 || saves_more(item, &items[best])) best = i;
    }
    if (best < 0) return spent;
    chosen[best] = true;
    spent += items[best].bytes;
  }
}

rf_operations rf_budget_gain(const rf_config *config, int64_t layer, int64_t padded, rf_stash_part part) {
  const rf_dense_operations dense = rf_dense_of_layer(config, layer);
  switch (part) {
  case RF_STASH_OUTPUT: return (rf_operations){.attention = rf_operations_of_layer(config, layer, padded).attention};
  case RF_STASH_QUERIES: return (rf_operations){.dense = dense.project};
  case RF_STASH_FIRST_STREAM: return (rf_operations){.dense = dense.output};
  case RF_STASH_SECOND_STREAM:
  case RF_STASH_HIDDEN: return (rf_operations){.dense = dense.feed_forward / 2}; /* a product each */
  case RF_STASH_PARTS: break;
  }
  return (rf_operations){0};
}

/* Bytes a token that need not travel: expected for LSH attention, whose rows go where buckets take them; few for local
 * attention. */
static double bytes_not_sent(const rf_sublayer *sublayer, const rf_call *call, rf_stash_part part) {
  const rf_model_config *m = &sublayer->config->model;
  const rf_attention_kind kind = sublayer->ops->attention->kind;
  const int64_t ranks = rf_mesh_sequence_size(call->mesh);
  if (ranks == 1 || kind == RF_ATTENTION_LOCAL) return 0;
  if (part != RF_STASH_QUERIES && part != RF_STASH_OUTPUT) return 0;
  const double row = (double)(m->n_heads * m->d_head) * sizeof(real), owners = rf_wave_owners(sublayer, call);
  if (part == RF_STASH_QUERIES) return owners * (rf_sublayer_shared_qk(sublayer) ? 2 : 3) * row;
  return owners * row + (kind == RF_ATTENTION_FULL ? (double)(ranks - 1) * 2 * row : 0);
}

static int64_t level_bytes(const rf_sublayer *sublayer, const rf_call *call, int level) {
  rf_call at = *call;
  at.level = level;
  return (int64_t)sublayer->ops->saved_bytes(sublayer, &at);
}

/* Bytes of a part of a layer. */
static int64_t part_bytes(const rf_layer *layer, const rf_call *call, rf_stash_part part) {
  const rf_sublayer *f = &layer->attention, *g = &layer->feed_forward;
  const rf_model_config *m = &f->config->model;
  switch (part) {
  case RF_STASH_OUTPUT: return level_bytes(f, call, RF_LEVEL_OUTPUT) - level_bytes(f, call, RF_LEVEL_BUCKETS);
  case RF_STASH_QUERIES: return level_bytes(f, call, RF_LEVEL_ROWS) - level_bytes(f, call, RF_LEVEL_OUTPUT);
  case RF_STASH_HIDDEN: return level_bytes(g, call, 1) - level_bytes(g, call, 0);
  default: return call->sequences * call->tokens * m->d_model * (int64_t)sizeof(real);
  }
}

static void list_items(const rf_blocks *blocks, const rf_call *call, rf_budget_item *items) {
  const rf_config *config = blocks->layers[0].attention.config;
  const bool rebuilt = config->model.residual == RF_RESIDUAL_REVERSIBLE;
  for (int64_t i = 0; i < blocks->n_layers; i++)
    for (int part = 0; part < RF_STASH_PARTS; part++) {
      const rf_operations saved = rf_budget_gain(config, i, call->length, (rf_stash_part)part);
      const bool stream = part == RF_STASH_FIRST_STREAM || part == RF_STASH_SECOND_STREAM;
      const double gain = saved.dense + saved.attention +
                          OPERATIONS_PER_BYTE * bytes_not_sent(&blocks->layers[i].attention, call, (rf_stash_part)part);
      items[i * RF_STASH_PARTS + part] =
          (rf_budget_item){.bytes = part_bytes(&blocks->layers[i], call, (rf_stash_part)part) + RF_STASH_SLACK,
                           .gain = stream && !rebuilt ? 0 : gain * (double)(call->sequences * call->tokens),
                           .after = part == RF_STASH_QUERIES ? (int)(i * RF_STASH_PARTS) + RF_STASH_OUTPUT : -1};
    }
}

/* What was chosen, layer by layer and summed up. */
static void tell_choice(const rf_blocks *blocks, const rf_call *call, const bool *chosen, rf_layer_stash *stash,
                        rf_stash_summary *summary) {
  const rf_config *config = blocks->layers[0].attention.config;
  for (int64_t i = 0; i < blocks->n_layers; i++) {
    const bool *of = chosen + i * RF_STASH_PARTS;
    stash[i] = (rf_layer_stash){
        .level = {[RF_BRANCH_ATTENTION] = of[RF_STASH_OUTPUT] + of[RF_STASH_QUERIES],
                  [RF_BRANCH_FEED_FORWARD] = of[RF_STASH_HIDDEN]},
        .stream = {
            [RF_BRANCH_ATTENTION] = of[RF_STASH_FIRST_STREAM], [RF_BRANCH_FEED_FORWARD] = of[RF_STASH_SECOND_STREAM]}};
    for (int part = 0; part < RF_STASH_PARTS; part++) {
      if (!of[part]) continue;
      const rf_operations saved = rf_budget_gain(config, i, call->length, (rf_stash_part)part);
      summary->layers[part]++;
      summary->dense += saved.dense;
      summary->attention += saved.attention;
    }
  }
}

rf_status rf_budget_plan(const rf_blocks *blocks, const rf_call *call, int64_t bytes, rf_layer_stash *stash,
                         rf_stash_summary *summary) {
  const int64_t n = blocks->n_layers * RF_STASH_PARTS;
  rf_budget_item *items = calloc((size_t)n, sizeof *items);
  bool *chosen = malloc((size_t)n * sizeof *chosen);
  *summary = (rf_stash_summary){0};
  if (items && chosen) {
    list_items(blocks, call, items);
    summary->bytes = rf_budget_choose(n, items, bytes, chosen);
    tell_choice(blocks, call, chosen, stash, summary);
  }
  const bool done = items && chosen;
  free(items);
  free(chosen);
  return done ? RF_OK : rf_fail(RF_FAILED, "out of memory: plan of what %lld layers keep", (long long)blocks->n_layers);
}
