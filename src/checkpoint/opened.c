#include "checkpoint/opened.h"
#include "base/hash.h"
#include "base/plain_file.h"
#include "base/text.h"
#include "checkpoint/astray.h"
#include "storage/files.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static rf_status refuse_folder(const char *folder, rf_status status) {
  char advice[RF_MAX_ADVICE];
  if (status != RF_BAD_DATA) return status; /* it cannot be read now, which says nothing of what it is */
  if (rf_astray_advice(folder, advice))
    return rf_fail(status, "%s is no checkpoint, or not a whole one: %s", folder, advice);
  return rf_context(status, "%s is no checkpoint, or not a whole one", folder);
}

rf_status rf_opened_commit(const char *folder, rf_commit *commit) {
  char path[RF_MAX_PATH], *text = NULL;
  int64_t length = 0;
  *commit = (rf_commit){0};
  RF_TRY(rf_path_join(folder, RF_COMMIT_NAME, path));
  rf_status status = rf_file_load(path, RF_COMMIT_MOST_BYTES, &text, &length);
  if (status != RF_OK) return refuse_folder(folder, status);
  status = rf_commit_parse(path, text, length, commit);
  free(text);
  return status;
}

rf_status rf_block_reader_open(const char *folder, const rf_record *record, int64_t block_bytes,
                               rf_block_reader *reader) {
  int64_t size;
  *reader = (rf_block_reader){.record = record, .block_bytes = block_bytes, .block = -1, .file = -1};
  RF_TRY(rf_path_join(folder, record->name, reader->path));
  RF_TRY(rf_file_open(reader->path, &reader->file, &size));
  if (size == record->size) {
    reader->buffer = malloc((size_t)block_bytes);
    if (reader->buffer) return RF_OK;
    rf_block_reader_close(reader);
    return rf_fail(RF_FAILED, "%s: out of memory: a block of %lld bytes", reader->path, (long long)block_bytes);
  }
  rf_block_reader_close(reader);
  return rf_fail(RF_BAD_DATA, "%s: damaged: it has %lld bytes, and had %lld when it was written", reader->path,
                 (long long)size, (long long)record->size);
}

void rf_block_reader_close(rf_block_reader *reader) {
  if (reader->file >= 0) (void)close(reader->file);
  free(reader->buffer);
  reader->buffer = NULL;
  reader->file = -1;
}

rf_status rf_block_reader_load(rf_block_reader *reader, int64_t block, bool *matches) {
  const int64_t bytes = rf_record_block_size(reader->record, reader->block_bytes, block);
  reader->block = -1;
  RF_TRY(rf_file_read(reader->file, reader->path, block * reader->block_bytes, reader->buffer, bytes));
  *matches = rf_hash(reader->buffer, bytes) == reader->record->hashes[block];
  if (*matches) reader->block = block;
  return RF_OK;
}

/* --- what lies where ------------------------------------------------------------------------------ */

enum { MOST_NAMED = 4 };

typedef struct naming {
  char *text;
  int named, left_out;
} naming;

static void name_one(naming *n, const char *kind, const char *name) {
  if (n->named == MOST_NAMED) {
    n->left_out++;
    return;
  }
  rf_text_append(n->text, RF_MAX_DAMAGE, "%s%s of %s", n->named > 0 ? ", " : " (", kind, name);
  n->named++;
}

/* The tensors of a segment that lie in bytes [from, to) of the shard. */
static void name_segment(naming *n, const rf_manifest *m, const rf_segment *s, int64_t from, int64_t to) {
  const rf_block *block = &m->layout.blocks[s->block];
  const int64_t end = s->at + s->count * m->real_bytes;
  if (end <= from || s->at >= to) return;
  if (s->tensor >= 0) {
    name_one(n, s->kind, block->tensors[s->tensor].name);
    return;
  }
  for (int t = 0; t < block->n_tensors; t++) {
    const rf_tensor *tensor = &block->tensors[t];
    const int64_t first = s->at + (tensor->offset - s->first) * m->real_bytes;
    const int64_t last = first + rf_tensor_count(tensor) * m->real_bytes;
    const int64_t a = first > s->at ? first : s->at, b = last < end ? last : end;
    if (a < to && b > from && a < b) name_one(n, s->kind, tensor->name);
  }
}

const char *rf_damage_text(const char *path, const rf_record *record, const rf_manifest *manifest, int64_t from,
                           int64_t to, char *text) {
  naming n = {.text = text};
  text[0] = '\0';
  rf_text_append(text, RF_MAX_DAMAGE, "%s: bytes %lld to %lld are damaged", path, (long long)from, (long long)to - 1);
  const bool is_manifest = strcmp(record->name, RF_MANIFEST_NAME) == 0;
  for (int64_t i = 0; !is_manifest && manifest && i < manifest->n_segments; i++) {
    char shard[RF_MAX_FILE_NAME];
    rf_shard_name((int)manifest->segments[i].shard, manifest->ranks, shard);
    if (strcmp(shard, record->name) == 0) name_segment(&n, manifest, &manifest->segments[i], from, to);
  }
  if (n.left_out > 0) rf_text_append(text, RF_MAX_DAMAGE, " and %d more", n.left_out);
  const char *rest = n.named > 0   ? ")"
                     : is_manifest ? " (configuration and tables of tensors)"
                     : manifest    ? " (HDF5's own tables)"
                                   : " (what lies there is unknown, as the manifest is damaged too)";
  rf_text_append(text, RF_MAX_DAMAGE, "%s", rest);
  return text;
}
