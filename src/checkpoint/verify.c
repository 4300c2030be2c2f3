#include "base/hash.h"
#include "checkpoint/astray.h"
#include "checkpoint/damage.h"
#include "checkpoint/digest_reader.h"
#include "checkpoint/opened.h"
#include "reformer/checkpoint.h"
#include "storage/files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct verifier {
  const char *folder;
  rf_commit commit;
  rf_manifest manifest;
  bool has_manifest;
  rf_damage_say say;
  void *context;
  int damages;
  int64_t bytes;
  char first[RF_MAX_DAMAGE];
} verifier;

static void tell_damage(verifier *v, const char *line) {
  if (v->damages++ == 0) {
    strncpy(v->first, line, sizeof v->first - 1);
    v->first[sizeof v->first - 1] = '\0';
  }
  if (v->say) v->say(v->context, line);
}

static void tell_range(verifier *v, const rf_digest_reader *reader, int64_t from, int64_t to) {
  char text[RF_MAX_DAMAGE];
  tell_damage(v, rf_damage_text(reader->path, reader->digest, v->has_manifest ? &v->manifest : NULL, from, to, text));
}

/* Neighbouring damaged blocks are told as one run. */
static rf_status verify_blocks(verifier *v, rf_digest_reader *reader) {
  int64_t run = -1; /* first byte of the present run */
  for (int64_t i = 0; i < reader->digest->n_hashes; i++) {
    bool matches = false;
    RF_TRY(rf_digest_reader_load(reader, i, &matches));
    v->bytes += rf_digest_block_size(reader->digest, reader->digest_block_bytes, i);
    if (!matches && run < 0) run = i * reader->digest_block_bytes;
    if (matches && run >= 0) {
      tell_range(v, reader, run, i * reader->digest_block_bytes);
      run = -1;
    }
  }
  if (run >= 0) tell_range(v, reader, run, reader->digest->size);
  return RF_OK;
}

static rf_status verify_file(verifier *v, const rf_file_digest *digest) {
  rf_digest_reader reader;
  rf_status status = rf_digest_reader_open(v->folder, digest, v->commit.digest_block_bytes, &reader);
  if (status == RF_OK) {
    status = verify_blocks(v, &reader);
    rf_digest_reader_close(&reader);
  }
  if (status == RF_BAD_DATA) tell_damage(v, rf_error_message());
  return status == RF_BAD_DATA ? RF_OK : status;
}

/* The table of what lies where, if there is one to be had; what is wrong with the manifest itself is told when its turn
 * as a file comes, or here where its bytes match and yet make no sense. */
static rf_status try_manifest(verifier *v) {
  char path[RF_MAX_PATH], *bytes = NULL;
  int64_t size = 0;
  const rf_file_digest *digest = rf_commit_find(&v->commit, RF_MANIFEST_NAME);
  if (!digest) {
    tell_damage(v, "COMMIT lists no manifest.h5");
    return RF_OK;
  }
  RF_TRY(rf_path_join(v->folder, digest->name, path));
  rf_status status = rf_file_load(path, RF_MANIFEST_MOST_BYTES, &bytes, &size);
  if (status != RF_OK) return status == RF_BAD_DATA ? RF_OK : status;
  bool matches = size == digest->size;
  for (int64_t i = 0; matches && i < digest->n_hashes; i++)
    matches = rf_hash(bytes + i * v->commit.digest_block_bytes,
                      rf_digest_block_size(digest, v->commit.digest_block_bytes, i)) == digest->hashes[i];
  if (matches) {
    status = rf_manifest_parse(path, bytes, size, &v->commit, &v->manifest);
    v->has_manifest = status == RF_OK;
    if (status == RF_BAD_DATA) tell_damage(v, rf_error_message());
  }
  free(bytes);
  return status == RF_BAD_DATA ? RF_OK : status;
}

static void check_shards_listed(verifier *v) {
  for (int rank = 0; v->has_manifest && rank < v->manifest.ranks; rank++) {
    char name[RF_MAX_FILE_NAME], line[RF_MAX_FILE_NAME + 64];
    rf_shard_name(rank, v->manifest.ranks, name);
    if (rf_commit_find(&v->commit, name)) continue;
    snprintf(line, sizeof line, "COMMIT lists no %s", name);
    tell_damage(v, line);
  }
}

static rf_status verify_all(verifier *v) {
  bool there;
  const rf_status status = rf_opened_commit(v->folder, &v->commit, &there);
  RF_TRY(there ? status : rf_astray_refuse(v->folder, status));
  RF_TRY(try_manifest(v));
  check_shards_listed(v);
  for (int i = 0; i < v->commit.n_files; i++) RF_TRY(verify_file(v, &v->commit.files[i]));
  return RF_OK;
}

rf_status rf_checkpoint_verify(const char *folder, rf_damage_say say, void *context, int64_t *bytes) {
  verifier v = {.folder = folder, .say = say, .context = context};
  rf_status status = verify_all(&v);
  if (status == RF_OK && v.damages == 1) status = rf_fail(RF_BAD_DATA, "%s", v.first);
  if (status == RF_OK && v.damages > 1) status = rf_fail(RF_BAD_DATA, "%s; and %d more", v.first, v.damages - 1);
  if (bytes) *bytes = v.bytes;
  rf_manifest_free(&v.manifest);
  rf_commit_free(&v.commit);
  return status;
}
