/* The protocol: FOLDER.tmp-ATTEMPT is filled, every file synced and its size looked at, COMMIT written last, the folder
 * synced, the name given, the parent synced. Killed at any point, FOLDER is what it was before, or the new one.
 *
 *   rank 0       draws the attempt, checks, makes the folder | writes shard 0, collects, manifest, COMMIT, name |
 *   rank r                          checks                   | writes shard r, tells rank 0 of it               |
 *                                                          agree                                              agree */
#include "checkpoint/collect.h"
#include "checkpoint/commit.h"
#include "checkpoint/files.h"
#include "checkpoint/manifest.h"
#include "checkpoint/shard.h"
#include "comm/agree.h"
#include "comm/collective.h"
#include "reformer/config.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef struct saving {
  rf_mesh *mesh;
  char folder[RF_MAX_PATH], temporary[RF_MAX_PATH];
  bool made; /* the temporary folder, by this rank */
  const rf_checkpoint_header *header;
  const rf_layout *layout;
  const rf_state *state;
  char attempt[RF_ATTEMPT_LENGTH + 1];
} saving;

static rf_status check_finite(const rf_layout *layout, const rf_state *state) {
  for (int i = 0; i < state->n_arrays; i++) {
    const rf_state_array *a = &state->arrays[i];
    int64_t bad = 0;
#pragma omp parallel for schedule(static) reduction(+ : bad)
    for (int64_t j = 0; j < a->count; j++) bad += !isfinite(a->values[j]);
    if (bad == 0) continue;
    char link[RF_MAX_LINK];
    rf_segment_link(layout, a->kind, a->block, a->tensor, link);
    return rf_fail(RF_FAILED, "%s: %lld of its numbers are not finite; such a state is not saved", link,
                   (long long)bad);
  }
  return RF_OK;
}

/* Rank 0 draws; the others add nothing to it. */
static rf_status draw_attempt(saving *s) {
  uint64_t number = 0;
  if (rf_mesh_rank(s->mesh) == 0 && getrandom(&number, sizeof number, GRND_NONBLOCK) != (ssize_t)sizeof number)
    number = (uint64_t)time(NULL) << 24 ^ (uint64_t)getpid();
  int64_t drawn = (int64_t)number;
  RF_TRY(rf_sum_integers(s->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &drawn));
  snprintf(s->attempt, sizeof s->attempt, "%016" PRIx64, (uint64_t)drawn);
  return RF_OK;
}

/* "FOLDER.WORD-ATTEMPT" */
static rf_status name_beside(const saving *s, const char *word, char *path) {
  const int length = snprintf(path, RF_MAX_PATH, "%s.%s-%s", s->folder, word, s->attempt);
  if (length > 0 && length < RF_MAX_PATH) return RF_OK;
  return rf_fail(RF_FAILED, "%.64s...: the path is longer than %d bytes", s->folder, RF_MAX_PATH - 1);
}

static rf_status check_size(const saving *s, const rf_record *record) {
  char path[RF_MAX_PATH];
  struct stat about;
  RF_TRY(rf_path_join(s->temporary, record->name, path));
  if (stat(path, &about) != 0) return rf_fail(RF_FAILED, "%s: has gone: %s", path, strerror(errno));
  if (about.st_size == record->size) return RF_OK;
  return rf_fail(RF_FAILED, "%s: has %lld bytes where %lld were written", path, (long long)about.st_size,
                 (long long)record->size);
}

/* The manifest, then the shards. */
static rf_status write_commit(const saving *s, const rf_record *manifest, const rf_collected *shards) {
  rf_commit commit = {.block_bytes = RF_BLOCK_BYTES, .n_files = 1 + shards->n_files};
  char path[RF_MAX_PATH], *text = NULL;
  int64_t length;
  memcpy(commit.attempt, s->attempt, sizeof commit.attempt);
  RF_TRY(rf_path_join(s->temporary, RF_COMMIT_NAME, path));
  commit.files = calloc((size_t)commit.n_files, sizeof *commit.files);
  if (!commit.files) return rf_fail(RF_FAILED, "%s: out of memory", path);
  commit.files[0] = *manifest;
  memcpy(commit.files + 1, shards->files, (size_t)shards->n_files * sizeof *commit.files);
  rf_status status = RF_OK;
  for (int i = 0; status == RF_OK && i < commit.n_files; i++) status = check_size(s, &commit.files[i]);
  if (status == RF_OK) status = rf_commit_emit(&commit, &text, &length);
  if (status == RF_OK) status = rf_file_store(path, text, length);
  free(text);
  free(commit.files);
  return status;
}

/* Gives the name. Whatever bears it is kept, under another. */
static rf_status take_name(const saving *s) {
  char damaged[RF_MAX_PATH];
  struct stat about;
  const bool taken = lstat(s->folder, &about) == 0;
  RF_TRY(name_beside(s, "damaged", damaged));
  if (taken) RF_TRY(rf_rename_synced(s->folder, damaged));
  const rf_status status = rf_rename_synced(s->temporary, s->folder);
  if (status != RF_OK && taken) (void)rename(damaged, s->folder);
  return status;
}

/* Rank 0, once all shards are on the disk. */
static rf_status finish(const saving *s, const rf_collected *shards) {
  rf_record manifest = {0};
  rf_status status = rf_manifest_write(s->temporary, s->header, shards->n_files, s->layout, shards->n_segments,
                                       shards->segments, &manifest);
  if (status == RF_OK) status = write_commit(s, &manifest, shards);
  rf_record_free(&manifest);
  RF_TRY(status);
  RF_TRY(rf_folder_sync(s->temporary));
  return take_name(s);
}

static rf_status write_with(const saving *s, rf_segment *segments, rf_record *own) {
  int n_segments;
  rf_collected shards;
  RF_TRY(rf_shard_write(s->temporary, rf_mesh_rank(s->mesh), rf_mesh_size(s->mesh), s->layout, s->state, own,
                        &n_segments, segments));
  RF_TRY(rf_collect(s->mesh, own, n_segments, segments, &shards));
  const rf_status status = rf_mesh_rank(s->mesh) == 0 ? finish(s, &shards) : RF_OK;
  rf_collected_free(&shards);
  return status;
}

static rf_status write_all(const saving *s) {
  rf_record own = {0};
  rf_segment *segments = calloc((size_t)s->state->n_arrays + 1, sizeof *segments);
  if (!segments) return rf_fail(RF_FAILED, "out of memory: segments of %d arrays", s->state->n_arrays);
  const rf_status status = write_with(s, segments, &own);
  rf_record_free(&own);
  free(segments);
  return status;
}

/* All ranks learn the attempt; once they have agreed, the temporary folder is there. */
static rf_status prepare(saving *s, const char *folder) {
  size_t length = strlen(folder);
  while (length > 1 && folder[length - 1] == '/') length--;
  if (length == 0 || length >= sizeof s->folder)
    return rf_fail(RF_FAILED, "found a path of %zu bytes; allowed: 1 to %d", length, RF_MAX_PATH - 1);
  memcpy(s->folder, folder, length);
  RF_TRY(draw_attempt(s));
  RF_TRY(name_beside(s, "tmp", s->temporary));
  RF_TRY(check_finite(s->layout, s->state));
  if (rf_mesh_rank(s->mesh) != 0) return RF_OK;
  RF_TRY(rf_folder_make_parents(s->folder));
  RF_TRY(rf_folder_make(s->temporary));
  s->made = true;
  return RF_OK;
}

/* The agreements come with the context, so that the message which travels is whole. */
static rf_status agree(const saving *s, const char *folder, rf_status status) {
  return rf_agree(s->mesh, rf_context(status, "checkpoint %s cannot be saved", folder));
}

rf_status rf_checkpoint_save(const char *folder, rf_mesh *mesh, const rf_checkpoint_header *header,
                             const rf_layout *layout, const rf_state *state) {
  saving s = {.mesh = mesh, .header = header, .layout = layout, .state = state};
  rf_status status = agree(&s, folder, prepare(&s, folder));
  if (status == RF_OK) status = agree(&s, folder, write_all(&s));
  if (status != RF_OK && s.made) rf_folder_remove(s.temporary); /* nobody writes there any more */
  return status;
}
