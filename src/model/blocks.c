#include "model/blocks.h"
#include "lsh/hash.h"
#include "nn/embedding.h"
#include "nn/head.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const rf_sublayer_ops *attention_ops(rf_attention_kind kind) {
  switch (kind) {
  case RF_ATTENTION_LSH: return &rf_lsh_attention_ops;
  case RF_ATTENTION_LOCAL: return &rf_local_attention_ops;
  case RF_ATTENTION_FULL: break;
  }
  return &rf_full_attention_ops;
}

static rf_status describe_layer(const rf_config *config, int64_t index, rf_layer *layer, rf_block *block) {
  const rf_sublayer common = {.config = config, .layer = (uint32_t)index};
  snprintf(block->name, sizeof block->name, "layers.%lld", (long long)index);
  layer->attention = layer->feed_forward = common;
  layer->attention.ops = attention_ops(rf_layer_attention(&config->model, index));
  layer->feed_forward.ops = &rf_feed_forward_ops;
  RF_TRY(layer->attention.ops->describe(&layer->attention, block->name, block));
  layer->feed_forward.first = block->size;
  return layer->feed_forward.ops->describe(&layer->feed_forward, block->name, block);
}

static rf_status describe_blocks(const rf_config *config, rf_blocks *blocks) {
  rf_block *table = blocks->layout.blocks;
  snprintf(table[RF_BLOCK_EMBEDDING].name, RF_MAX_NAME, "embedding");
  RF_TRY(rf_embedding_describe(config, &table[RF_BLOCK_EMBEDDING]));
  for (int64_t i = 0; i < blocks->n_layers; i++)
    RF_TRY(describe_layer(config, i, &blocks->layers[i], &table[rf_layer_block(i)]));
  snprintf(table[rf_head_block(blocks)].name, RF_MAX_NAME, "head");
  return rf_head_describe(config, &table[rf_head_block(blocks)]);
}

rf_status rf_blocks_create(const rf_config *config, rf_blocks *blocks) {
  *blocks = (rf_blocks){.n_layers = config->model.n_layers};
  blocks->layout.n_blocks = (int)blocks->n_layers + 2;
  blocks->layout.blocks = calloc((size_t)blocks->layout.n_blocks, sizeof *blocks->layout.blocks);
  blocks->layers = calloc((size_t)blocks->n_layers, sizeof *blocks->layers);
  if (!blocks->layout.blocks || !blocks->layers) {
    rf_blocks_destroy(blocks);
    return rf_fail(RF_FAILED, "out of memory: table of %d blocks", blocks->layout.n_blocks);
  }
  const rf_status status = describe_blocks(config, blocks);
  if (status != RF_OK) rf_blocks_destroy(blocks);
  return status;
}

void rf_blocks_destroy(rf_blocks *blocks) {
  for (int b = 0; blocks->layout.blocks && b < blocks->layout.n_blocks; b++) free(blocks->layout.blocks[b].tensors);
  free(blocks->layout.blocks);
  for (int64_t i = 0; blocks->layers && i < blocks->n_layers; i++) free(blocks->layers[i].rotations);
  free(blocks->layers);
  *blocks = (rf_blocks){0};
}

static bool hashes(const rf_layer *layer) { return layer->attention.ops == &rf_lsh_attention_ops; }

int64_t rf_blocks_lsh_layers(const rf_blocks *blocks) {
  int64_t n = 0;
  for (int64_t i = 0; i < blocks->n_layers; i++) n += hashes(&blocks->layers[i]);
  return n;
}

static rf_layer *nth_lsh_layer(const rf_blocks *blocks, int64_t n) {
  for (int64_t i = 0; i < blocks->n_layers; i++)
    if (hashes(&blocks->layers[i]) && n-- == 0) return &blocks->layers[i];
  return NULL;
}

rf_status rf_blocks_set_rotations(rf_blocks *blocks, int64_t lsh_layer, const real *rotations) {
  rf_layer *layer = nth_lsh_layer(blocks, lsh_layer);
  if (!layer)
    return rf_fail(RF_BAD_CONFIG, "rotations for LSH layer %lld; allowed: 0 to %lld, the model's LSH layers",
                   (long long)lsh_layer, (long long)rf_blocks_lsh_layers(blocks) - 1);
  const rf_config *config = layer->attention.config;
  const rf_hash_shape shape = rf_hash_shape_of(&config->lsh, config->model.d_head);
  real *copy = NULL;
  if (rotations) {
    const size_t bytes = (size_t)(config->model.n_heads * shape.d_head * shape.rounds * shape.columns) * sizeof(real);
    copy = malloc(bytes);
    if (!copy) return rf_fail(RF_FAILED, "out of memory: %zu bytes of rotations", bytes);
    memcpy(copy, rotations, bytes);
  }
  free(layer->rotations);
  layer->attention.rotations = layer->rotations = copy;
  layer->rotation_rounds = shape.rounds;
  layer->rotation_columns = shape.columns;
  return RF_OK;
}

rf_status rf_blocks_check_rotations(const rf_blocks *blocks, const rf_lsh_config *lsh) {
  const rf_hash_shape shape = rf_hash_shape_of(lsh, 0);
  for (int64_t i = 0; i < blocks->n_layers; i++) {
    const rf_layer *layer = &blocks->layers[i];
    if (!layer->rotations || (layer->rotation_rounds == shape.rounds && layer->rotation_columns == shape.columns))
      continue;
    return rf_fail(RF_BAD_CONFIG,
                   "lsh.n_hashes, lsh.n_buckets: found %lld rounds of %lld columns; allowed: %lld of %lld, as the "
                   "rotations that were given, or lsh.rotations: per_head",
                   (long long)shape.rounds, (long long)shape.columns, (long long)layer->rotation_rounds,
                   (long long)layer->rotation_columns);
  }
  return RF_OK;
}
