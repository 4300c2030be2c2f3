#include "checkpoint/manifest.h"
#include "checkpoint/manifest_rows.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ELEMENTS ((int64_t)1 << 48)
#define MOST_ROWS ((int64_t)1 << 28)

typedef struct reader {
  const char *where;
  hid_t file;
} reader;

void rf_manifest_free(rf_manifest *manifest) {
  free((void *)(uintptr_t)manifest->header.config);
  for (int b = 0; b < manifest->layout.n_blocks; b++) free(manifest->layout.blocks[b].tensors);
  free(manifest->layout.blocks);
  free(manifest->segments);
  *manifest = (rf_manifest){0};
}

static rf_status refuse_part(const reader *r, const char *what) {
  return rf_fail(RF_BAD_DATA, "%s: %s is missing or makes no sense", r->where, what);
}

static rf_status read_attribute(const reader *r, const char *name, hid_t native, void *value) {
  rf_h5 h = {0};
  const hid_t number = rf_h5_keep(&h, H5Aopen(r->file, name, H5P_DEFAULT));
  const hid_t type = number >= 0 ? rf_h5_keep(&h, H5Aget_type(number)) : -1;
  const hid_t space = number >= 0 ? rf_h5_keep(&h, H5Aget_space(number)) : -1;
  bool fine = type >= 0 && space >= 0 && H5Tget_class(type) == H5T_INTEGER && H5Sget_simple_extent_npoints(space) == 1;
  fine = fine && H5Aread(number, native, value) >= 0;
  fine = rf_h5_close(&h) && fine;
  return fine ? RF_OK : refuse_part(r, name);
}

static rf_status read_int_attribute(const reader *r, const char *name, int64_t low, int64_t high, int64_t *value) {
  RF_TRY(read_attribute(r, name, H5T_NATIVE_INT64, value));
  return *value >= low && *value <= high ? RF_OK : refuse_part(r, name);
}

/* Manifests of before there was one have none. */
static rf_status read_eval_loss(const reader *r, double *loss) {
  rf_h5 h = {0};
  const htri_t there = H5Aexists(r->file, "eval_loss");
  *loss = NAN;
  if (there == 0) return RF_OK;
  const hid_t number = there > 0 ? rf_h5_keep(&h, H5Aopen(r->file, "eval_loss", H5P_DEFAULT)) : -1;
  const hid_t type = number >= 0 ? rf_h5_keep(&h, H5Aget_type(number)) : -1;
  const hid_t space = number >= 0 ? rf_h5_keep(&h, H5Aget_space(number)) : -1;
  bool fine = type >= 0 && space >= 0 && H5Tget_class(type) == H5T_FLOAT && H5Sget_simple_extent_npoints(space) == 1;
  fine = fine && H5Aread(number, H5T_NATIVE_DOUBLE, loss) >= 0;
  fine = rf_h5_close(&h) && fine;
  return fine ? RF_OK : refuse_part(r, "eval_loss");
}

/* Not all manifests have it. */
static rf_status read_machine(const reader *r, char machine[RF_MAX_MACHINE]) {
  rf_h5 h = {0};
  const htri_t there = H5Aexists(r->file, "machine");
  if (there == 0) return RF_OK;
  const hid_t text = there > 0 ? rf_h5_keep(&h, H5Aopen(r->file, "machine", H5P_DEFAULT)) : -1;
  const hid_t type = text >= 0 ? rf_h5_keep(&h, H5Aget_type(text)) : -1;
  const hid_t space = text >= 0 ? rf_h5_keep(&h, H5Aget_space(text)) : -1;
  bool fine = type >= 0 && space >= 0 && H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
              H5Sget_simple_extent_npoints(space) == 1 && H5Tget_size(type) <= RF_MAX_MACHINE;
  fine = fine && H5Aread(text, type, machine) >= 0;
  machine[RF_MAX_MACHINE - 1] = '\0';
  fine = rf_h5_close(&h) && fine;
  return fine ? RF_OK : refuse_part(r, "machine");
}

/* Nor this: runs on the duplication task have no file. */
static rf_status read_data(const reader *r, rf_data_identity *data) {
  rf_h5 h = {0};
  const htri_t there = H5Aexists(r->file, "data_bytes");
  if (there == 0) return RF_OK;
  RF_TRY(read_int_attribute(r, "data_bytes", 1, INT64_MAX, &data->bytes));
  const hid_t samples = rf_h5_keep(&h, H5Aopen(r->file, "data_samples", H5P_DEFAULT));
  const hid_t type = samples >= 0 ? rf_h5_keep(&h, H5Aget_type(samples)) : -1;
  const hid_t space = samples >= 0 ? rf_h5_keep(&h, H5Aget_space(samples)) : -1;
  bool fine =
      type >= 0 && space >= 0 && H5Tget_class(type) == H5T_INTEGER && H5Sget_simple_extent_npoints(space) == RF_SAMPLES;
  fine = fine && H5Aread(samples, H5T_NATIVE_UINT64, data->hash) >= 0;
  fine = rf_h5_close(&h) && fine;
  return fine ? RF_OK : refuse_part(r, "data_samples");
}

/* Free *text. */
static rf_status read_config(const reader *r, char **text) {
  rf_h5 h = {0};
  const hid_t set = rf_h5_keep(&h, H5Dopen2(r->file, "config", H5P_DEFAULT));
  const hid_t type = set >= 0 ? rf_h5_keep(&h, H5Dget_type(set)) : -1;
  const hid_t space = set >= 0 ? rf_h5_keep(&h, H5Dget_space(set)) : -1;
  bool fine = type >= 0 && space >= 0 && H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
              H5Sget_simple_extent_npoints(space) == 1;
  const size_t size = fine ? H5Tget_size(type) : 0;
  *text = size > 0 && size < (size_t)1 << 24 ? calloc(size + 1, 1) : NULL;
  fine = *text && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *text) >= 0;
  fine = rf_h5_close(&h) && fine;
  return fine ? RF_OK : refuse_part(r, "config");
}

/* Free *data. */
static rf_status read_table(const reader *r, const char *name, const rf_column *columns, size_t row_size, int64_t *rows,
                            void **data) {
  rf_h5 h = {0};
  *data = NULL;
  const hid_t set = rf_h5_keep(&h, H5Dopen2(r->file, name, H5P_DEFAULT));
  const hid_t type = rf_h5_keep(&h, rf_row_type(columns, row_size));
  const hid_t space = set >= 0 ? rf_h5_keep(&h, H5Dget_space(set)) : -1;
  const int64_t n = space >= 0 ? H5Sget_simple_extent_npoints(space) : -1;
  bool fine = type >= 0 && n >= 0 && n <= MOST_ROWS && H5Sget_simple_extent_ndims(space) == 1;
  if (fine) *data = calloc((size_t)n + 1, row_size);
  fine = fine && *data && (n == 0 || H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *data) >= 0);
  fine = rf_h5_close(&h) && fine;
  *rows = n;
  return fine ? RF_OK : refuse_part(r, name);
}

static bool is_text(const char *text, size_t size) {
  const size_t length = strnlen(text, size);
  if (length == 0 || length == size) return false;
  for (size_t i = 0; i < length; i++)
    if ((unsigned char)text[i] < ' ' || text[i] == '/') return false;
  return true;
}

static bool take_block(const rf_block_row *row, rf_block *block) {
  if (!is_text(row->name, sizeof row->name) || row->size < 0 || row->size > MOST_ELEMENTS) return false;
  memcpy(block->name, row->name, sizeof block->name);
  block->size = row->size;
  return true;
}

static bool take_tensor(const rf_tensor_row *row, const rf_block *block, int64_t end, rf_tensor *tensor) {
  if (!is_text(row->name, sizeof row->name) || row->n_dims < 1 || row->n_dims > RF_MAX_DIMS) return false;
  *tensor = (rf_tensor){.n_dims = (int)row->n_dims, .offset = row->offset};
  memcpy(tensor->name, row->name, sizeof tensor->name);
  int64_t count = 1;
  for (int d = 0; d < tensor->n_dims; d++) {
    if (row->shape[d] < 1 || row->shape[d] > MOST_ELEMENTS / count) return false;
    count *= tensor->shape[d] = row->shape[d];
  }
  return row->offset >= end && count <= block->size && row->offset <= block->size - count;
}

/* The tensors of a block stand together, in order of offset. */
static rf_status take_layout(const reader *r, int64_t n_blocks, const rf_block_row *blocks, int64_t n_tensors,
                             const rf_tensor_row *tensors, rf_layout *layout) {
  if (n_blocks < 1 || n_blocks > 1 << 16) return refuse_part(r, "table of blocks");
  layout->blocks = calloc((size_t)n_blocks, sizeof *layout->blocks);
  if (!layout->blocks) return rf_fail(RF_FAILED, "%s: out of memory", r->where);
  layout->n_blocks = (int)n_blocks;
  int64_t next = 0;
  for (int b = 0; b < layout->n_blocks; b++) {
    rf_block *block = &layout->blocks[b];
    int64_t n = 0, end = 0;
    if (!take_block(&blocks[b], block)) return refuse_part(r, "table of blocks");
    while (next + n < n_tensors && tensors[next + n].block == b) n++;
    block->tensors = calloc((size_t)n + 1, sizeof *block->tensors);
    if (!block->tensors) return rf_fail(RF_FAILED, "%s: out of memory", r->where);
    block->n_tensors = (int)n;
    for (int64_t t = 0; t < n; t++, next++) {
      if (!take_tensor(&tensors[next], block, end, &block->tensors[t])) return refuse_part(r, "table of tensors");
      end = block->tensors[t].offset + rf_tensor_count(&block->tensors[t]);
    }
  }
  return next == n_tensors ? RF_OK : refuse_part(r, "table of tensors");
}

static rf_status read_layout(const reader *r, rf_layout *layout) {
  void *blocks = NULL, *tensors = NULL;
  int64_t n_blocks, n_tensors = 0;
  rf_status status = read_table(r, "blocks", rf_block_columns, sizeof(rf_block_row), &n_blocks, &blocks);
  if (status == RF_OK)
    status = read_table(r, "tensors", rf_tensor_columns, sizeof(rf_tensor_row), &n_tensors, &tensors);
  if (status == RF_OK) status = take_layout(r, n_blocks, blocks, n_tensors, tensors, layout);
  free(blocks);
  free(tensors);
  return status;
}

/* A kind is a path of groups: "parameters", "optimizer/first". */
static bool is_kind(const char *kind) {
  const size_t length = strnlen(kind, RF_MAX_KIND);
  return length > 0 && length < RF_MAX_KIND && strspn(kind, "abcdefghijklmnopqrstuvwxyz_/") == length;
}

static bool is_segment(const rf_segment *s, const rf_manifest *m, const rf_commit *commit) {
  if (!is_kind(s->kind) || s->block < 0 || s->block >= m->layout.n_blocks || s->shard < 0 || s->shard >= m->ranks)
    return false;
  const rf_block *block = &m->layout.blocks[s->block];
  if (s->tensor < -1 || s->tensor >= block->n_tensors || s->total < 0 || s->total > MOST_ELEMENTS) return false;
  if (s->tensor < 0 && s->total != block->size) return false;
  if (s->count < 1 || s->count > s->total || s->first < 0 || s->first > s->total - s->count) return false;
  char name[RF_MAX_FILE_NAME];
  rf_shard_name((int)s->shard, m->ranks, name);
  const rf_file_digest *file = rf_commit_find(commit, name);
  const int64_t bytes = s->count * m->real_bytes;
  return file && s->at >= 0 && bytes <= file->size && s->at <= file->size - bytes;
}

static int by_array(const void *a, const void *b) {
  const rf_segment *x = *(const rf_segment *const *)a, *y = *(const rf_segment *const *)b;
  const int kinds = strcmp(x->kind, y->kind);
  if (kinds != 0) return kinds;
  if (x->block != y->block) return x->block < y->block ? -1 : 1;
  if (x->tensor != y->tensor) return x->tensor < y->tensor ? -1 : 1;
  return (x->first > y->first) - (x->first < y->first);
}

/* No element is held twice: what is counted while loading would not tell whether all are there. */
static rf_status check_overlaps(const reader *r, const rf_manifest *m) {
  const rf_segment **sorted = calloc((size_t)m->n_segments + 1, sizeof *sorted);
  if (!sorted) return rf_fail(RF_FAILED, "%s: out of memory", r->where);
  for (int64_t i = 0; i < m->n_segments; i++) sorted[i] = &m->segments[i];
  qsort(sorted, (size_t)m->n_segments, sizeof(*sorted), by_array);
  bool fine = true;
  for (int64_t i = 1; fine && i < m->n_segments; i++) {
    const rf_segment *x = sorted[i - 1], *y = sorted[i];
    const bool same = strcmp(x->kind, y->kind) == 0 && x->block == y->block && x->tensor == y->tensor;
    fine = !same || (x->total == y->total && x->first + x->count <= y->first);
  }
  free(sorted);
  return fine ? RF_OK : refuse_part(r, "table of segments");
}

static rf_status read_segments(const reader *r, const rf_commit *commit, rf_manifest *m) {
  void *rows = NULL;
  const rf_status status = read_table(r, "segments", rf_segment_columns, sizeof(rf_segment), &m->n_segments, &rows);
  m->segments = rows;
  if (status != RF_OK) return status;
  for (int64_t i = 0; i < m->n_segments; i++)
    if (!is_segment(&m->segments[i], m, commit)) return refuse_part(r, "table of segments");
  return check_overlaps(r, m);
}

static rf_status read_all(const reader *r, const rf_commit *commit, rf_manifest *m) {
  int64_t version, ranks, real_bytes;
  char *config = NULL;
  RF_TRY(read_int_attribute(r, "version", 1, RF_CHECKPOINT_VERSION, &version));
  RF_TRY(read_int_attribute(r, "step", 0, INT64_MAX, &m->header.step));
  RF_TRY(read_attribute(r, "seed", H5T_NATIVE_UINT64, &m->header.seed));
  RF_TRY(read_int_attribute(r, "ranks", 1, 1 << 24, &ranks));
  RF_TRY(read_int_attribute(r, "mesh_sequence", 0, 1 << 24, &m->header.mesh_sequence));
  RF_TRY(read_int_attribute(r, "mesh_data", 0, 1 << 24, &m->header.mesh_data));
  RF_TRY(read_int_attribute(r, "real_bytes", 4, 8, &real_bytes));
  if (real_bytes != 4 && real_bytes != 8) return refuse_part(r, "real_bytes");
  RF_TRY(read_eval_loss(r, &m->header.eval_loss));
  RF_TRY(read_machine(r, m->header.machine));
  RF_TRY(read_data(r, &m->header.data));
  m->ranks = (int)ranks;
  m->real_bytes = (int)real_bytes;
  const rf_status status = read_config(r, &config);
  m->header.config = config;
  RF_TRY(status);
  RF_TRY(read_layout(r, &m->layout));
  return read_segments(r, commit, m);
}

static rf_status parse_image(const char *where, const void *bytes, int64_t size, const rf_commit *commit,
                             rf_manifest *m) {
  rf_h5 h = {0};
  char name[NAME_MAX + 2] = ""; /* HDF5 refuses an image where a file has its name: none has a name so long */
  memset(name, 'm', sizeof name - 1);
  rf_h5_listen();
  const hid_t access = rf_h5_access(&h);
  /* HDF5 copies the image before it looks at it. */
  const bool fine = access >= 0 && H5Pset_fapl_core(access, 1 << 16, 0) >= 0 &&
                    H5Pset_file_image(access, (void *)(uintptr_t)bytes, (size_t)size) >= 0;
  reader r = {.where = where, .file = fine ? rf_h5_keep(&h, H5Fopen(name, H5F_ACC_RDONLY, access)) : -1};
  rf_status status =
      r.file >= 0 ? read_all(&r, commit, m) : rf_fail(RF_BAD_DATA, "%s: is not an HDF5 file: %s", where, rf_h5_cause());
  if (!rf_h5_close(&h) && status == RF_OK)
    status = rf_fail(RF_BAD_DATA, "%s: HDF5 cannot read it: %s", where, rf_h5_cause());
  return status;
}

rf_status rf_manifest_parse(const char *where, const void *bytes, int64_t size, const rf_commit *commit,
                            rf_manifest *manifest) {
  *manifest = (rf_manifest){0};
  const rf_status status = parse_image(where, bytes, size, commit, manifest);
  if (status != RF_OK) rf_manifest_free(manifest);
  return status;
}
