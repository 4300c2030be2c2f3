/* From a configuration to the row of blocks: block 0 the embedding, blocks 1 .. n_layers the layers, the last the head.
 */
#ifndef RF_MODEL_BLOCKS_H
#define RF_MODEL_BLOCKS_H

#include "nn/sublayer.h"
#include "reformer/store.h"

typedef struct rf_layer {
  rf_sublayer attention, feed_forward;
  real *rotations;                           /* LSH: what attention.rotations points at where they were given; owned */
  int64_t rotation_rounds, rotation_columns; /* ... of the shape [H, d_head, rounds, columns] */
} rf_layer;

/* A layer's sublayers, in the order of the forward pass. */
typedef enum rf_branch { RF_BRANCH_ATTENTION, RF_BRANCH_FEED_FORWARD, RF_BRANCHES } rf_branch;
static inline const rf_sublayer *rf_layer_sublayer(const rf_layer *layer, rf_branch branch) {
  return branch == RF_BRANCH_ATTENTION ? &layer->attention : &layer->feed_forward;
}

typedef struct rf_blocks {
  rf_layout layout;
  rf_layer *layers; /* [n_layers] */
  int64_t n_layers;
} rf_blocks;

enum { RF_BLOCK_EMBEDDING = 0 };
static inline int rf_layer_block(int64_t layer) { return (int)layer + 1; }
static inline int rf_head_block(const rf_blocks *blocks) { return (int)blocks->n_layers + 1; }

/* config is lent and outlives the blocks. */
rf_status rf_blocks_create(const rf_config *config, rf_blocks *blocks);
void rf_blocks_destroy(rf_blocks *blocks);

/* Layers with LSH attention. */
int64_t rf_blocks_lsh_layers(const rf_blocks *blocks);
/* Copies rotations [H, d_head, rounds, columns] for the i-th LSH layer, in the order of the layers; NULL: drawn again.
 */
rf_status rf_blocks_set_rotations(rf_blocks *blocks, int64_t lsh_layer, const real *rotations);
/* RF_BAD_CONFIG where rotations were given and have another shape than `lsh` asks for. */
rf_status rf_blocks_check_rotations(const rf_blocks *blocks, const rf_lsh_config *lsh);

#endif
