/* The safetensors format: 8 bytes with the header's length, a JSON header, the tensors' bytes.
 *
 *   | n: 8 bytes, little endian | {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...} | data |
 *
 * The reader takes nothing on trust: every length is checked against the file before it is used. */
#ifndef RF_WEIGHTS_SAFETENSORS_H
#define RF_WEIGHTS_SAFETENSORS_H

#include "reformer/error.h"
#include "storage/output.h"
#include "weights/dtype.h"
#include <stdint.h>

enum { RF_SAFETENSORS_DIMS = 8, RF_MAX_SAFE_NAME = 256 };

typedef struct rf_safetensor {
  char name[RF_MAX_SAFE_NAME]; /* printable */
  rf_dtype dtype;
  int n_dims;
  int64_t shape[RF_SAFETENSORS_DIMS];
  int64_t count;        /* elements */
  int64_t begin, bytes; /* in the data */
} rf_safetensor;

typedef struct rf_safetensors {
  char *path;
  int file;
  int64_t data; /* byte at which the data starts */
  int64_t n_tensors;
  rf_safetensor *tensors; /* in the order of their bytes */
} rf_safetensors;

/* RF_BAD_DATA, with the tensor's name where it is one's fault: header too long or not JSON, a name given twice, an
 * unknown type, a shape whose bytes are not those of its offsets, bytes that belong to two tensors or to none. */
rf_status rf_safetensors_open(const char *path, rf_safetensors *file);
void rf_safetensors_close(rf_safetensors *file);

const rf_safetensor *rf_safetensors_find(const rf_safetensors *file, const char *name); /* NULL: none */

/* All values [tensor->count] of a tensor of a floating type. *rounded (added to): how many had to be rounded.
 * RF_BAD_DATA where a value is not finite, or does not fit `real`. */
rf_status rf_safetensors_read(const rf_safetensors *file, const rf_safetensor *tensor, real *values, int64_t *rounded);

/* A tensor to be written. */
typedef struct rf_safe_source {
  const char *name;
  int n_dims;
  int64_t shape[RF_SAFETENSORS_DIMS];
  const real *values;
} rf_safe_source;

/* For rf_output_check. */
extern const rf_output_kind rf_safetensors_kind;

/* Writes PATH whole or not at all (storage/output.h; force: over what is there). RF_BAD_DATA where a value does not
 * fit the type (the tensor is named). */
rf_status rf_safetensors_write(const char *path, bool force, rf_dtype dtype, int n, const rf_safe_source *sources);

#endif
