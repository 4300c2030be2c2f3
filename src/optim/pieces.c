#include "optim/pieces.h"

void rf_matrix_shape(const rf_tensor *tensor, int64_t *rows, int64_t *columns) {
  *columns = 1;
  for (int d = 0; d < tensor->n_dims; d++)
    if (tensor->shape[d] > 1) *columns = tensor->shape[d];
  *rows = rf_tensor_count(tensor) / *columns;
}

rf_piece rf_piece_of(const rf_tensor *tensor, int block, const rf_shard *shard) {
  rf_piece piece = {.block = block};
  rf_matrix_shape(tensor, &piece.rows, &piece.columns);
  rf_range span = {tensor->offset, tensor->offset + rf_tensor_count(tensor)};
  span = rf_range_cut(span, shard->first, shard->first + shard->count);
  if (span.from < span.to) {
    piece.from = span.from - tensor->offset;
    piece.to = span.to - tensor->offset;
    piece.at = span.from - shard->first;
  }
  return piece;
}

rf_status rf_pieces_create(const rf_store *store, rf_arena *arena, int *count, rf_piece **pieces) {
  const rf_layout *layout = rf_store_layout(store);
  int n = 0;
  for (int b = 0; b < layout->n_blocks; b++) n += layout->blocks[b].n_tensors;
  RF_TRY(rf_arena_take(arena, (size_t)n, sizeof **pieces, pieces));
  *count = n;
  rf_piece *next = *pieces;
  for (int b = 0; b < layout->n_blocks; b++) {
    rf_shard shard = rf_store_shard(store, b);
    for (int t = 0; t < layout->blocks[b].n_tensors; t++)
      *next++ = rf_piece_of(&layout->blocks[b].tensors[t], b, &shard);
  }
  return RF_OK;
}
