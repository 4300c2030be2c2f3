#include "nn/tensors.h"
#include <stdio.h>
#include <stdlib.h>

int64_t rf_tensor_count(const rf_tensor *tensor) {
  int64_t count = 1;
  for (int d = 0; d < tensor->n_dims; d++) count *= tensor->shape[d];
  return count;
}

static rf_tensor tensor_of(const rf_tensor_entry *entry, int64_t offset) {
  rf_tensor tensor = {.n_dims = entry->n_dims, .offset = offset, .init = entry->init};
  for (int d = 0; d < entry->n_dims; d++) tensor.shape[d] = entry->shape[d];
  return tensor;
}

rf_status rf_tensors_describe(int n, const rf_tensor_entry *table, const char *prefix, rf_block *block) {
  rf_tensor *tensors = realloc(block->tensors, (size_t)(block->n_tensors + n) * sizeof *tensors);
  if (!tensors) return rf_fail(RF_FAILED, "out of memory: table of tensors of block %s", block->name);
  block->tensors = tensors;
  for (int i = 0; i < n; i++) {
    if (table[i].n_dims == 0) continue;
    rf_tensor *tensor = &tensors[block->n_tensors++];
    *tensor = tensor_of(&table[i], block->size);
    snprintf(tensor->name, sizeof tensor->name, "%s.%s", prefix, table[i].name);
    block->size += rf_aligned(rf_tensor_count(tensor));
  }
  return RF_OK;
}

void rf_tensors_place(int n, const rf_tensor_entry *table, int64_t *offset) {
  int64_t next = 0;
  for (int i = 0; i < n; i++) {
    const rf_tensor tensor = tensor_of(&table[i], next);
    offset[i] = next;
    if (tensor.n_dims > 0) next += rf_aligned(rf_tensor_count(&tensor));
  }
}
