#include "nn/sublayer.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int64_t rf_tensor_count(const rf_tensor *tensor) {
  int64_t count = 1;
  for (int d = 0; d < tensor->n_dims; d++) count *= tensor->shape[d];
  return count;
}

rf_status rf_block_add(rf_block *block, rf_init init, int n_dims, const int64_t *shape, const char *format, ...) {
  rf_tensor *tensors = realloc(block->tensors, (size_t)(block->n_tensors + 1) * sizeof *tensors);
  if (!tensors) return rf_fail(RF_FAILED, "out of memory: table of tensors of block %s", block->name);
  block->tensors = tensors;
  rf_tensor *tensor = &tensors[block->n_tensors++];
  *tensor = (rf_tensor){.n_dims = n_dims, .offset = block->size, .init = init};
  for (int i = 0; i < n_dims; i++) tensor->shape[i] = shape[i];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(tensor->name, sizeof tensor->name, format, arguments);
  va_end(arguments);
  block->size += rf_aligned(rf_tensor_count(tensor));
  return RF_OK;
}
