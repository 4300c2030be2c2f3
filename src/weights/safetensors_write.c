#include "weights/safetensors.h"
#include "checkpoint/bearer.h"
#include "storage/files.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { PART = 1 << 13, ALIGNMENT = 8 };

const rf_output_kind rf_safetensors_kind = {.what = "a model", .check_folder = rf_bearer_check_file};

static int64_t count_of(const rf_safe_source *source) {
  int64_t count = 1;
  for (int d = 0; d < source->n_dims; d++) count *= source->shape[d];
  return count;
}

/* Free with json_decref; NULL: out of memory. */
static json_t *header_of(rf_dtype dtype, int n, const rf_safe_source *sources) {
  json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt"); /* what transformers' loader asks for */
  int64_t at = 0;
  for (int i = 0; header && i < n; i++) {
    json_t *shape = json_array();
    for (int d = 0; d < sources[i].n_dims; d++) json_array_append_new(shape, json_integer(sources[i].shape[d]));
    const int64_t end = at + count_of(&sources[i]) * rf_dtype_bytes(dtype);
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", rf_dtype_name(dtype), "shape", shape, "data_offsets",
                              (json_int_t)at, (json_int_t)end);
    if (json_object_set_new(header, sources[i].name, entry) != 0) {
      json_decref(header);
      return NULL;
    }
    at = end;
  }
  return header;
}

/* The length and the header, padded with blanks so that the data is aligned. *size: bytes written. */
static rf_status write_header(int file, const char *path, rf_dtype dtype, int n, const rf_safe_source *sources,
                              int64_t *size) {
  json_t *header = header_of(dtype, n, sources);
  char *text = header ? json_dumps(header, JSON_COMPACT) : NULL;
  json_decref(header);
  if (!text) return rf_fail(RF_FAILED, "%s: out of memory", path);
  const int64_t length = (int64_t)strlen(text), padded = (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  unsigned char prefix[8];
  for (int i = 0; i < 8; i++) prefix[i] = (unsigned char)((uint64_t)padded >> 8 * i);
  rf_status status = rf_file_write(file, path, 0, prefix, 8);
  if (status == RF_OK) status = rf_file_write(file, path, 8, text, length);
  if (status == RF_OK) status = rf_file_write(file, path, 8 + length, "       ", padded - length);
  free(text);
  *size = 8 + padded;
  return status;
}

static rf_status write_tensor(int file, const char *path, rf_dtype dtype, const rf_safe_source *source, int64_t at) {
  char part[PART * sizeof(double)];
  const int64_t count = count_of(source), bytes = rf_dtype_bytes(dtype);
  for (int64_t i = 0; i < count; i += PART) {
    const int64_t n = count - i < PART ? count - i : PART;
    const int64_t bad = rf_dtype_write(dtype, n, source->values + i, part);
    if (bad >= 0)
      return rf_fail(RF_BAD_DATA, "tensor %s: value %lld is %g, which does not fit %s; export as another type",
                     source->name, (long long)(i + bad), (double)source->values[i + bad], rf_dtype_name(dtype));
    RF_TRY(rf_file_write(file, path, at + i * bytes, part, n * bytes));
  }
  return RF_OK;
}

static rf_status write_tensors(const rf_output *output, rf_dtype dtype, int n, const rf_safe_source *sources) {
  int64_t at = 0, bytes = 0;
  RF_TRY(write_header(output->file, output->path, dtype, n, sources, &at));
  for (int i = 0; i < n; i++) bytes += count_of(&sources[i]) * rf_dtype_bytes(dtype);
  RF_TRY(rf_output_reserve(output, at + bytes));
  for (int i = 0; i < n; i++) {
    RF_TRY(write_tensor(output->file, output->path, dtype, &sources[i], at));
    at += count_of(&sources[i]) * rf_dtype_bytes(dtype);
  }
  return RF_OK;
}

rf_status rf_safetensors_write(const char *path, bool force, rf_dtype dtype, int n, const rf_safe_source *sources) {
  rf_output output;
  RF_TRY(rf_output_open(path, &rf_safetensors_kind, force, &output));
  const rf_status status = write_tensors(&output, dtype, n, sources);
  if (status == RF_OK) return rf_output_finish(&output);
  rf_output_abandon(&output);
  return status;
}
