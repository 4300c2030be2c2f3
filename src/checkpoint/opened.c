#include "checkpoint/opened.h"
#include "checkpoint/damage.h"
#include "checkpoint/digest_reader.h"
#include "storage/files.h"
#include <stdlib.h>
#include <string.h>

rf_status rf_opened_commit(const char *folder, rf_commit *commit, bool *there) {
  char path[RF_MAX_PATH], *text = NULL;
  int64_t length = 0;
  *commit = (rf_commit){0};
  *there = true;
  RF_TRY(rf_path_join(folder, RF_COMMIT_NAME, path));
  rf_status status = rf_file_load(path, RF_COMMIT_MOST_BYTES, &text, &length);
  *there = status != RF_BAD_DATA; /* else it cannot be read now, which says nothing of what the folder is */
  if (!*there) return rf_context(status, "%s is no checkpoint, or not a whole one", folder);
  if (status == RF_OK) status = rf_commit_parse(path, text, length, commit);
  free(text);
  return status;
}

/* The manifest's bytes, every block of them checked. Free *bytes. */
static rf_status load_manifest(const struct rf_checkpoint *c, const rf_file_digest *digest, char **bytes) {
  rf_digest_reader reader;
  if (digest->size > RF_MANIFEST_MOST_BYTES)
    return rf_fail(RF_BAD_DATA, "%s/%s: found %lld bytes; allowed: at most %lld", c->folder, digest->name,
                   (long long)digest->size, (long long)RF_MANIFEST_MOST_BYTES);
  RF_TRY(rf_digest_reader_open(c->folder, digest, c->commit.digest_block_bytes, &reader));
  rf_status status = RF_OK;
  if (!(*bytes = malloc((size_t)digest->size + 1))) status = rf_fail(RF_FAILED, "%s: out of memory", reader.path);
  for (int64_t i = 0; status == RF_OK && i < digest->n_hashes; i++) {
    bool matches = false;
    const int64_t from = i * c->commit.digest_block_bytes,
                  size = rf_digest_block_size(digest, c->commit.digest_block_bytes, i);
    status = rf_digest_reader_load(&reader, i, &matches);
    char text[RF_MAX_DAMAGE];
    if (status == RF_OK && !matches)
      status = rf_fail(RF_BAD_DATA, "%s", rf_damage_text(reader.path, digest, NULL, from, from + size, text));
    if (status == RF_OK) memcpy(*bytes + from, reader.buffer, (size_t)size);
  }
  rf_digest_reader_close(&reader);
  return status;
}

static rf_status read_manifest(struct rf_checkpoint *c) {
  char path[RF_MAX_PATH], *bytes = NULL;
  const rf_file_digest *digest = rf_commit_find(&c->commit, RF_MANIFEST_NAME);
  RF_TRY(rf_path_join(c->folder, RF_MANIFEST_NAME, path));
  if (!digest) return rf_fail(RF_BAD_DATA, "%s/%s: lists no %s", c->folder, RF_COMMIT_NAME, RF_MANIFEST_NAME);
  rf_status status = load_manifest(c, digest, &bytes);
  if (status == RF_OK) status = rf_manifest_parse(path, bytes, digest->size, &c->commit, &c->manifest);
  free(bytes);
  return status;
}

/* Every shard is listed, there, and as long as it should be. */
static rf_status check_shards(const struct rf_checkpoint *c) {
  for (int rank = 0; rank < c->manifest.ranks; rank++) {
    char name[RF_MAX_FILE_NAME];
    rf_shard_name(rank, c->manifest.ranks, name);
    const rf_file_digest *digest = rf_commit_find(&c->commit, name);
    if (!digest) return rf_fail(RF_BAD_DATA, "%s/%s: lists no %s", c->folder, RF_COMMIT_NAME, name);
    rf_digest_reader reader;
    RF_TRY(rf_digest_reader_open(c->folder, digest, c->commit.digest_block_bytes, &reader));
    rf_digest_reader_close(&reader);
  }
  return RF_OK;
}

static rf_status gather_kinds(struct rf_checkpoint *c) {
  int n = 0;
  for (int64_t i = 0; i < c->manifest.n_segments; i++) {
    const char *kind = c->manifest.segments[i].kind;
    bool seen = false;
    for (int k = 0; !seen && k < n; k++) seen = strcmp(c->kinds[k], kind) == 0;
    if (seen) continue;
    const char **kinds = realloc(c->kinds, (size_t)(n + 1) * sizeof *kinds);
    if (!kinds) return rf_fail(RF_FAILED, "%s: out of memory", c->folder);
    c->kinds = kinds;
    c->kinds[n++] = kind;
  }
  c->info.n_kinds = n;
  return RF_OK;
}

static rf_status open_into(struct rf_checkpoint *c, bool *there) {
  RF_TRY(rf_opened_commit(c->folder, &c->commit, there));
  RF_TRY(read_manifest(c));
  RF_TRY(check_shards(c));
  RF_TRY(gather_kinds(c));
  c->info.version = RF_CHECKPOINT_VERSION;
  c->info.attempt = c->commit.attempt;
  c->info.header = c->manifest.header;
  c->info.ranks = c->manifest.ranks;
  c->info.real_bytes = c->manifest.real_bytes;
  c->info.layout = &c->manifest.layout;
  c->info.kinds = c->kinds;
  for (int i = 0; i < c->commit.n_files; i++) c->info.bytes += c->commit.files[i].size;
  return RF_OK;
}

rf_status rf_opened_create(const char *folder, struct rf_checkpoint **checkpoint, bool *there) {
  *checkpoint = NULL;
  *there = true;
  if (strlen(folder) >= RF_MAX_PATH) return rf_fail(RF_BAD_DATA, "%.64s...: the path is too long", folder);
  struct rf_checkpoint *c = calloc(1, sizeof *c);
  if (!c) return rf_fail(RF_FAILED, "%s: out of memory", folder);
  strcpy(c->folder, folder);
  const rf_status status = open_into(c, there);
  if (status != RF_OK) {
    rf_opened_destroy(c);
    return status;
  }
  *checkpoint = c;
  return RF_OK;
}

void rf_opened_destroy(struct rf_checkpoint *c) {
  if (!c) return;
  free(c->kinds);
  rf_manifest_free(&c->manifest);
  rf_commit_free(&c->commit);
  free(c);
}
