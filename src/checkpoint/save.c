/* The protocol: FOLDER.tmp-ATTEMPT is filled, every file synced and its size looked at, COMMIT written last, the folder
 * synced, the name given, the parent synced. Killed at any point, FOLDER is what it was before, or the new one. */
#include "checkpoint/commit.h"
#include "checkpoint/files.h"
#include "checkpoint/manifest.h"
#include "checkpoint/shard.h"
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
  char folder[RF_MAX_PATH], temporary[RF_MAX_PATH];
  const rf_checkpoint_header *header;
  const rf_layout *layout;
  const rf_state *state;
  rf_segment *segments; /* [n_arrays] */
  rf_record files[2];   /* shard, manifest */
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

static void draw_attempt(char attempt[RF_ATTEMPT_LENGTH + 1]) {
  uint64_t number = 0;
  if (getrandom(&number, sizeof number, GRND_NONBLOCK) != (ssize_t)sizeof number)
    number = (uint64_t)time(NULL) << 24 ^ (uint64_t)getpid();
  snprintf(attempt, RF_ATTEMPT_LENGTH + 1, "%016" PRIx64, number);
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

static rf_status write_commit(const saving *s) {
  rf_commit commit = {.block_bytes = RF_BLOCK_BYTES, .n_files = 2};
  rf_record files[] = {s->files[1], s->files[0]};
  char path[RF_MAX_PATH], *text;
  int64_t length;
  memcpy(commit.attempt, s->attempt, sizeof commit.attempt);
  commit.files = files;
  for (int i = 0; i < commit.n_files; i++) RF_TRY(check_size(s, &files[i]));
  RF_TRY(rf_path_join(s->temporary, RF_COMMIT_NAME, path));
  RF_TRY(rf_commit_emit(&commit, &text, &length));
  const rf_status status = rf_file_store(path, text, length);
  free(text);
  return status;
}

static rf_status fill_folder(saving *s) {
  int n_segments;
  RF_TRY(rf_shard_write(s->temporary, 0, 1, s->layout, s->state, &s->files[0], &n_segments, s->segments));
  RF_TRY(rf_manifest_write(s->temporary, s->header, 1, s->layout, n_segments, s->segments, &s->files[1]));
  RF_TRY(write_commit(s));
  return rf_folder_sync(s->temporary);
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

static rf_status save(saving *s) {
  RF_TRY(check_finite(s->layout, s->state));
  RF_TRY(name_beside(s, "tmp", s->temporary));
  RF_TRY(rf_folder_make_parents(s->folder));
  RF_TRY(rf_folder_make(s->temporary));
  rf_status status = fill_folder(s);
  if (status == RF_OK) status = take_name(s);
  if (status != RF_OK) rf_folder_remove(s->temporary);
  return status;
}

rf_status rf_checkpoint_save(const char *folder, const rf_checkpoint_header *header, const rf_layout *layout,
                             const rf_state *state) {
  saving s = {.header = header, .layout = layout, .state = state};
  size_t length = strlen(folder);
  while (length > 1 && folder[length - 1] == '/') length--;
  if (length == 0 || length >= sizeof s.folder)
    return rf_fail(RF_FAILED, "checkpoint: found a path of %zu bytes; allowed: 1 to %d", length, RF_MAX_PATH - 1);
  memcpy(s.folder, folder, length);
  draw_attempt(s.attempt);
  s.segments = calloc((size_t)state->n_arrays + 1, sizeof *s.segments);
  if (!s.segments) return rf_fail(RF_FAILED, "%s: out of memory", folder);
  const rf_status status = save(&s);
  for (int i = 0; i < 2; i++) rf_record_free(&s.files[i]);
  free(s.segments);
  return rf_context(status, "checkpoint %s cannot be saved", s.folder);
}
