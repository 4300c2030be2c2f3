#include "weights/safetensors.h"
#include "base/plain_file.h"
#include "base/recognise.h"
#include "storage/files.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The format's own limit. */
#define MOST_HEADER ((int64_t)100000000)
enum { PART = 1 << 16 };

void rf_safetensors_close(rf_safetensors *file) {
  if (file->file >= 0) (void)close(file->file);
  free(file->path);
  free(file->tensors);
  *file = (rf_safetensors){.file = -1};
}

static rf_status refuse_file(const rf_safetensors *f, const rf_safetensor *tensor, const char *problem) {
  return rf_fail(RF_BAD_DATA, "%s: tensor %s: %s", f->path, tensor->name, problem);
}

/* Control characters would spoil the messages that a name stands in. */
static rf_status take_tensor_name(const rf_safetensors *f, const char *name, rf_safetensor *tensor) {
  const size_t length = strlen(name);
  bool printable = length > 0 && length < sizeof tensor->name;
  for (size_t i = 0; i < sizeof tensor->name - 1 && i < length; i++) {
    const bool fine = (unsigned char)name[i] >= ' ' && name[i] != 127;
    tensor->name[i] = fine ? name[i] : '?';
    printable = printable && fine;
  }
  if (printable) return RF_OK;
  tensor->name[40] = '\0';
  return rf_fail(RF_BAD_DATA, "%s: tensor '%s...': found a name of %zu bytes; allowed: 1 to %d printable ones", f->path,
                 tensor->name, length, RF_MAX_SAFE_NAME - 1);
}

/* Bytes of an element in *bytes. Types that hold no real numbers are fine as long as nobody asks for their values. */
static rf_status take_dtype(const rf_safetensors *f, const json_t *value, rf_safetensor *tensor, int64_t *bytes) {
  static const struct {
    const char *name;
    rf_dtype dtype;
    int64_t bytes;
  } known[] = {{"F64", RF_F64, 8},         {"F32", RF_F32, 4},         {"F16", RF_F16, 2},
               {"BF16", RF_BF16, 2},       {"I64", RF_OTHER_DTYPE, 8}, {"U64", RF_OTHER_DTYPE, 8},
               {"I32", RF_OTHER_DTYPE, 4}, {"U32", RF_OTHER_DTYPE, 4}, {"I16", RF_OTHER_DTYPE, 2},
               {"U16", RF_OTHER_DTYPE, 2}, {"I8", RF_OTHER_DTYPE, 1},  {"U8", RF_OTHER_DTYPE, 1},
               {"BOOL", RF_OTHER_DTYPE, 1}};
  const char *name = json_string_value(value);
  for (size_t i = 0; name && i < sizeof known / sizeof *known; i++) {
    if (strcmp(name, known[i].name) != 0) continue;
    tensor->dtype = known[i].dtype;
    *bytes = known[i].bytes;
    return RF_OK;
  }
  return refuse_file(f, tensor, "its dtype is not one of F64, F32, F16, BF16 (or an integer type)");
}

static rf_status take_shape(const rf_safetensors *f, const json_t *value, rf_safetensor *tensor) {
  if (!json_is_array(value)) return refuse_file(f, tensor, "its shape is no list");
  if (json_array_size(value) > RF_SAFETENSORS_DIMS)
    return refuse_file(f, tensor, "its shape has more than 8 dimensions");
  tensor->n_dims = (int)json_array_size(value);
  tensor->count = 1;
  for (int d = 0; d < tensor->n_dims; d++) {
    const json_t *size = json_array_get(value, (size_t)d);
    if (!json_is_integer(size) || json_integer_value(size) < 0)
      return refuse_file(f, tensor, "its shape holds something that is no size");
    tensor->shape[d] = json_integer_value(size);
    if (tensor->shape[d] > 0 && tensor->count > INT64_MAX / 16 / tensor->shape[d])
      return refuse_file(f, tensor, "its shape has more elements than can be counted");
    tensor->count *= tensor->shape[d];
  }
  return RF_OK;
}

static rf_status take_offsets(const rf_safetensors *f, const json_t *value, int64_t data_bytes, int64_t element_bytes,
                              rf_safetensor *tensor) {
  const json_t *begin = json_array_get(value, 0), *end = json_array_get(value, 1);
  if (json_array_size(value) != 2 || !json_is_integer(begin) || !json_is_integer(end))
    return refuse_file(f, tensor, "its data_offsets are not two whole numbers");
  const int64_t from = json_integer_value(begin), to = json_integer_value(end);
  if (from < 0 || to < from || to > data_bytes)
    return refuse_file(f, tensor, "its data_offsets lie outside the file; was that cut short on its way?");
  tensor->begin = from;
  tensor->bytes = to - from;
  if (tensor->bytes != tensor->count * element_bytes)
    return refuse_file(f, tensor, "its data_offsets hold another number of bytes than its shape and dtype need");
  return RF_OK;
}

static rf_status take_entry(const rf_safetensors *f, const char *name, const json_t *entry, int64_t data_bytes,
                            rf_safetensor *tensor) {
  int64_t element_bytes = 0;
  *tensor = (rf_safetensor){0};
  RF_TRY(take_tensor_name(f, name, tensor));
  if (!json_is_object(entry)) return refuse_file(f, tensor, "its entry in the header is no object");
  RF_TRY(take_dtype(f, json_object_get(entry, "dtype"), tensor, &element_bytes));
  RF_TRY(take_shape(f, json_object_get(entry, "shape"), tensor));
  return take_offsets(f, json_object_get(entry, "data_offsets"), data_bytes, element_bytes, tensor);
}

static int by_begin(const void *a, const void *b) {
  const rf_safetensor *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  return (x->bytes > y->bytes) - (x->bytes < y->bytes); /* empty ones first */
}

/* The format allows no byte that belongs to two tensors, and none that belongs to none. */
static rf_status check_cover(const rf_safetensors *f, int64_t data_bytes) {
  int64_t end = 0;
  for (int64_t i = 0; i < f->n_tensors; i++) {
    const rf_safetensor *tensor = &f->tensors[i];
    if (tensor->begin < end) return refuse_file(f, tensor, "its bytes overlap those of another tensor");
    if (tensor->begin > end) return refuse_file(f, tensor, "bytes in front of it belong to no tensor");
    end += tensor->bytes;
  }
  if (end == data_bytes) return RF_OK;
  return rf_fail(RF_BAD_DATA, "%s: %lld bytes at its end belong to no tensor", f->path, (long long)(data_bytes - end));
}

static rf_status take_header(rf_safetensors *f, json_t *header, int64_t data_bytes) {
  const char *name;
  json_t *entry;
  if (!json_is_object(header)) return rf_fail(RF_BAD_DATA, "%s: its header is no JSON object", f->path);
  f->tensors = calloc(json_object_size(header) + 1, sizeof *f->tensors);
  if (!f->tensors) return rf_fail(RF_FAILED, "%s: out of memory", f->path);
  json_object_foreach(header, name, entry) {
    if (strcmp(name, "__metadata__") == 0) continue;
    RF_TRY(take_entry(f, name, entry, data_bytes, &f->tensors[f->n_tensors]));
    f->n_tensors++;
  }
  qsort(f->tensors, (size_t)f->n_tensors, sizeof *f->tensors, by_begin);
  return check_cover(f, data_bytes);
}

static rf_status parse_header(rf_safetensors *f, const char *text, int64_t length, int64_t data_bytes) {
  json_error_t error;
  if (length == 0 || text[0] != '{') return rf_fail(RF_BAD_DATA, "%s: its header is no JSON object", f->path);
  /* Twice the same name is refused here, by name. */
  json_t *header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &error);
  if (!header)
    return rf_fail(RF_BAD_DATA, "%s: its header is not valid JSON: %s (byte %d)", f->path, error.text, error.position);
  const rf_status status = take_header(f, header, data_bytes);
  json_decref(header);
  return status;
}

/* Weights come in many formats, and under names that say another one. */
static rf_status refuse_other_formats(const rf_safetensors *f) {
  const rf_recognised *what = rf_recognise_file(f->path);
  if (!what || what->content == RF_CONTENT_WEIGHTS) return RF_OK;
  return rf_fail(RF_BAD_DATA, "%s: is %s; %s", f->path, what->name,
                 what->remedy ? what->remedy
                              : "allowed: a .safetensors file, as transformers' save_pretrained(DIR) writes");
}

static rf_status refuse_folder(const rf_safetensors *f) {
  struct stat about;
  if (stat(f->path, &about) != 0 || !S_ISDIR(about.st_mode)) return RF_OK;
  return rf_fail(RF_BAD_DATA, "%s: is a folder; name the .safetensors file in it", f->path);
}

static rf_status open_header(rf_safetensors *f) {
  int64_t size;
  unsigned char prefix[8];
  uint64_t length = 0;
  RF_TRY(refuse_folder(f));
  RF_TRY(rf_file_open(f->path, &f->file, &size));
  RF_TRY(refuse_other_formats(f));
  if (size < 8) return rf_fail(RF_BAD_DATA, "%s: has %lld bytes: no safetensors file", f->path, (long long)size);
  RF_TRY(rf_file_read(f->file, f->path, 0, prefix, 8));
  for (int i = 7; i >= 0; i--) length = length << 8 | prefix[i];
  if (length > (uint64_t)MOST_HEADER || (int64_t)length > size - 8)
    return rf_fail(RF_BAD_DATA,
                   "%s: its header should have %llu bytes; allowed: at most %lld, and what the file has; is it a "
                   "safetensors file, and whole?",
                   f->path, (unsigned long long)length, (long long)MOST_HEADER);
  f->data = 8 + (int64_t)length;
  char *text = malloc((size_t)length + 1);
  if (!text) return rf_fail(RF_FAILED, "%s: out of memory", f->path);
  rf_status status = rf_file_read(f->file, f->path, 8, text, (int64_t)length);
  if (status == RF_OK) status = parse_header(f, text, (int64_t)length, size - f->data);
  free(text);
  return status;
}

rf_status rf_safetensors_open(const char *path, rf_safetensors *file) {
  *file = (rf_safetensors){.file = -1, .path = strdup(path)};
  const rf_status status = file->path ? open_header(file) : rf_fail(RF_FAILED, "%s: out of memory", path);
  if (status != RF_OK) rf_safetensors_close(file);
  return status;
}

const rf_safetensor *rf_safetensors_find(const rf_safetensors *file, const char *name) {
  for (int64_t i = 0; i < file->n_tensors; i++)
    if (strcmp(file->tensors[i].name, name) == 0) return &file->tensors[i];
  return NULL;
}

static rf_status check_finite(const rf_safetensors *f, const rf_safetensor *tensor, int64_t first, int64_t n,
                              const real *values) {
  for (int64_t i = 0; i < n; i++) {
    if (isfinite(values[i])) continue;
    char text[96];
    snprintf(text, sizeof text, "value %lld is not finite in %s", (long long)(first + i), RF_REAL_NAME);
    return refuse_file(f, tensor, text);
  }
  return RF_OK;
}

rf_status rf_safetensors_read(const rf_safetensors *file, const rf_safetensor *tensor, real *values, int64_t *rounded) {
  const int64_t bytes = rf_dtype_bytes(tensor->dtype);
  char part[PART];
  if (bytes == 0) return refuse_file(file, tensor, "its dtype holds no real numbers; allowed: F64, F32, F16, BF16");
  for (int64_t i = 0; i < tensor->count; i += PART / bytes) {
    const int64_t n = tensor->count - i < PART / bytes ? tensor->count - i : PART / bytes;
    RF_TRY(rf_file_read(file->file, file->path, file->data + tensor->begin + i * bytes, part, n * bytes));
    *rounded += rf_dtype_read(tensor->dtype, n, part, values + i);
    RF_TRY(check_finite(file, tensor, i, n, values + i));
  }
  return RF_OK;
}
