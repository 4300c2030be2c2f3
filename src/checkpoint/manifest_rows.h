/* The rows of the manifest's tables, in memory and in HDF5's words. */
#ifndef RF_CHECKPOINT_MANIFEST_ROWS_H
#define RF_CHECKPOINT_MANIFEST_ROWS_H

#include "base/h5.h"
#include "checkpoint/shard.h"

typedef struct rf_block_row {
  char name[RF_MAX_NAME];
  int64_t size;
} rf_block_row;

typedef struct rf_tensor_row {
  char name[RF_MAX_NAME];
  int64_t block, offset, n_dims, shape[RF_MAX_DIMS];
} rf_tensor_row;

typedef struct rf_column {
  const char *name;
  size_t offset, text; /* text: bytes of a text, 0: a number */
  int count;           /* numbers side by side */
} rf_column;

static const rf_column rf_block_columns[] = {{"name", offsetof(rf_block_row, name), RF_MAX_NAME, 0},
                                             {"size", offsetof(rf_block_row, size), 0, 1},
                                             {NULL, 0, 0, 0}};

static const rf_column rf_tensor_columns[] = {
    {"name", offsetof(rf_tensor_row, name), RF_MAX_NAME, 0},   {"block", offsetof(rf_tensor_row, block), 0, 1},
    {"offset", offsetof(rf_tensor_row, offset), 0, 1},         {"n_dims", offsetof(rf_tensor_row, n_dims), 0, 1},
    {"shape", offsetof(rf_tensor_row, shape), 0, RF_MAX_DIMS}, {NULL, 0, 0, 0}};

static const rf_column rf_segment_columns[] = {{"kind", offsetof(rf_segment, kind), RF_MAX_KIND, 0},
                                               {"block", offsetof(rf_segment, block), 0, 1},
                                               {"tensor", offsetof(rf_segment, tensor), 0, 1},
                                               {"total", offsetof(rf_segment, total), 0, 1},
                                               {"first", offsetof(rf_segment, first), 0, 1},
                                               {"count", offsetof(rf_segment, count), 0, 1},
                                               {"shard", offsetof(rf_segment, shard), 0, 1},
                                               {"at", offsetof(rf_segment, at), 0, 1},
                                               {NULL, 0, 0, 0}};

/* A compound type of `size` bytes a row; below 0 on failure. The caller closes it. */
hid_t rf_row_type(const rf_column *columns, size_t size);

#endif
