#include "checkpoint/file_digest.h"
#include "base/hash.h"
#include "base/plain_file.h"
#include "storage/files.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void rf_file_digest_free(rf_file_digest *digest) {
  free(digest->hashes);
  digest->hashes = NULL;
  digest->n_hashes = 0;
}

static const rf_extent *covering(int n_extents, const rf_extent *extents, int64_t from, int64_t to) {
  for (int i = 0; i < n_extents; i++)
    if (extents[i].offset <= from && extents[i].offset + extents[i].bytes >= to) return &extents[i];
  return NULL;
}

typedef struct writing {
  const char *path;
  int file;
  const rf_memory_file *layout;
  const atomic_bool *stop;
  char *buffer; /* [RF_DIGEST_BLOCK_BYTES] */
} writing;

/* A block at a border: the extents' parts, and what the layout holds between them. */
static rf_status assemble(const writing *w, int64_t from, int64_t to, int n_extents, const rf_extent *extents) {
  int64_t at = from;
  for (int i = 0; i < n_extents; i++) {
    const rf_extent *e = &extents[i];
    const int64_t a = e->offset > from ? e->offset : from, end = e->offset + e->bytes, b = end < to ? end : to;
    RF_TRY(rf_file_read(w->layout->file, "the layout in memory", at, w->buffer + (at - from), a - at));
    memcpy(w->buffer + (a - from), (const char *)e->data + (a - e->offset), (size_t)(b - a));
    at = b;
  }
  return rf_file_read(w->layout->file, "the layout in memory", at, w->buffer + (at - from), to - at);
}

static rf_status write_blocks(const writing *w, int n_extents, const rf_extent *extents, rf_file_digest *digest) {
  for (int64_t i = 0; i < digest->n_hashes; i++) {
    const int64_t from = i * RF_DIGEST_BLOCK_BYTES, bytes = rf_digest_block_size(digest, RF_DIGEST_BLOCK_BYTES, i);
    if (w->stop && atomic_load(w->stop))
      return rf_fail(RF_FAILED, "%s: given up at byte %lld", w->path, (long long)from);
    while (n_extents > 0 && extents->offset + extents->bytes <= from) extents++, n_extents--;
    int here = 0;
    while (here < n_extents && extents[here].offset < from + bytes) here++;
    const rf_extent *whole = covering(here, extents, from, from + bytes);
    const char *data = whole ? (const char *)whole->data + (from - whole->offset) : w->buffer;
    if (!whole) RF_TRY(assemble(w, from, from + bytes, here, extents));
    digest->hashes[i] = rf_hash(data, bytes);
    RF_TRY(rf_file_write(w->file, w->path, from, data, bytes));
    rf_file_write_back(w->file, from, bytes);
  }
  return RF_OK;
}

static rf_status write_file(writing *w, int n_extents, const rf_extent *extents, rf_file_digest *digest) {
  RF_TRY(rf_file_create(w->path, &w->file));
  const rf_status status = write_blocks(w, n_extents, extents, digest);
  if (status == RF_OK) return rf_file_finish(w->file, w->path);
  (void)close(w->file);
  return status;
}

rf_status rf_file_digest_write(const char *path, const rf_memory_file *layout, int n_extents, const rf_extent *extents,
                               const atomic_bool *stop, rf_file_digest *digest) {
  RF_TRY(rf_memory_file_size(layout, &digest->size));
  digest->n_hashes = rf_digest_blocks(digest->size, RF_DIGEST_BLOCK_BYTES);
  digest->hashes = calloc((size_t)digest->n_hashes + 1, sizeof *digest->hashes);
  writing w = {.path = path, .layout = layout, .stop = stop, .buffer = malloc(RF_DIGEST_BLOCK_BYTES)};
  const rf_status status = digest->hashes && w.buffer ? write_file(&w, n_extents, extents, digest)
                                                      : rf_fail(RF_FAILED, "%s: out of memory: a block of %d bytes",
                                                                path, RF_DIGEST_BLOCK_BYTES);
  free(w.buffer);
  if (status != RF_OK) rf_file_digest_free(digest);
  return status;
}
