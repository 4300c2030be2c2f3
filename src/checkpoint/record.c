#include "checkpoint/record.h"
#include "checkpoint/files.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

uint64_t rf_hash(const void *data, int64_t bytes) { return XXH64(data, (size_t)bytes, 0); }

void rf_record_free(rf_record *record) {
  free(record->hashes);
  record->hashes = NULL;
  record->n_hashes = 0;
}

static const rf_extent *covering(int n_extents, const rf_extent *extents, int64_t from, int64_t to) {
  for (int i = 0; i < n_extents; i++)
    if (extents[i].offset <= from && extents[i].offset + extents[i].bytes >= to) return &extents[i];
  return NULL;
}

/* A block at a border: the extents' parts, and what the file holds between them. */
static rf_status assemble(int file, const char *path, int64_t from, int64_t to, int n_extents, const rf_extent *extents,
                          char *block) {
  int64_t at = from;
  for (int i = 0; i < n_extents; i++) {
    const rf_extent *e = &extents[i];
    const int64_t a = e->offset > from ? e->offset : from, end = e->offset + e->bytes, b = end < to ? end : to;
    RF_TRY(rf_file_read(file, path, at, block + (at - from), a - at));
    memcpy(block + (a - from), (const char *)e->data + (a - e->offset), (size_t)(b - a));
    at = b;
  }
  return rf_file_read(file, path, at, block + (at - from), to - at);
}

static rf_status write_blocks(int file, const char *path, int n_extents, const rf_extent *extents,
                              const atomic_bool *stop, char *buffer, rf_record *record) {
  for (int64_t i = 0; i < record->n_hashes; i++) {
    const int64_t from = i * RF_BLOCK_BYTES, bytes = rf_record_block_size(record, RF_BLOCK_BYTES, i);
    if (stop && atomic_load(stop)) return rf_fail(RF_FAILED, "%s: given up at byte %lld", path, (long long)from);
    while (n_extents > 0 && extents->offset + extents->bytes <= from) extents++, n_extents--;
    int here = 0;
    while (here < n_extents && extents[here].offset < from + bytes) here++;
    const rf_extent *whole = covering(here, extents, from, from + bytes);
    const char *data = whole ? (const char *)whole->data + (from - whole->offset) : buffer;
    if (!whole) RF_TRY(assemble(file, path, from, from + bytes, here, extents, buffer));
    record->hashes[i] = rf_hash(data, bytes);
    RF_TRY(rf_file_write(file, path, from, data, bytes));
  }
  return RF_OK;
}

rf_status rf_record_write(int file, const char *path, int64_t size, int n_extents, const rf_extent *extents,
                          const atomic_bool *stop, rf_record *record) {
  record->size = size;
  record->n_hashes = rf_record_blocks(size, RF_BLOCK_BYTES);
  record->hashes = calloc((size_t)record->n_hashes + 1, sizeof *record->hashes);
  char *buffer = malloc(RF_BLOCK_BYTES);
  const rf_status status = record->hashes && buffer
                               ? write_blocks(file, path, n_extents, extents, stop, buffer, record)
                               : rf_fail(RF_FAILED, "%s: out of memory: a block of %d bytes", path, RF_BLOCK_BYTES);
  free(buffer);
  if (status != RF_OK) rf_record_free(record);
  return status;
}
