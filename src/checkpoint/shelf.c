#include "checkpoint/shelf.h"
#include "base/log.h"
#include "checkpoint/bearer.h"
#include "checkpoint/commit.h"
#include "checkpoint/files.h"
#include "checkpoint/opened.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STEP_NAME = 32 };

static void name_step(int64_t step, char name[STEP_NAME]) {
  (void)snprintf(name, STEP_NAME, "step-%08lld", (long long)step);
}

rf_status rf_shelf_path(const char *folder, int64_t step, char path[RF_MAX_PATH]) {
  char name[STEP_NAME];
  name_step(step, name);
  return rf_path_join(folder, name, path);
}

/* --- what is there ------------------------------------------------------------------------------ */

/* Digits after "step-", and what follows them; NULL: another name. */
static const char *read_step(const char *name, int64_t *step) {
  if (strncmp(name, "step-", 5) != 0) return NULL;
  const char *at = name + 5;
  for (*step = 0; *at >= '0' && *at <= '9'; at++) {
    if (*step > INT64_MAX / 10 - 1) return NULL;
    *step = *step * 10 + (*at - '0');
  }
  return at > name + 5 ? at : NULL;
}

/* One that cannot be opened is believed. */
static bool is_of_another_step(const char *path, int64_t step) {
  rf_checkpoint *checkpoint;
  if (rf_checkpoint_open(path, &checkpoint) != RF_OK) return false;
  const bool another = rf_checkpoint_info_of(checkpoint)->header.step != step;
  rf_checkpoint_close(checkpoint);
  return another;
}

bool rf_shelf_newest(const char *folder, char path[RF_MAX_PATH]) {
  char one[RF_MAX_PATH], commit[RF_MAX_PATH];
  int64_t step, newest = -1;
  DIR *entries = opendir(folder);
  for (const struct dirent *entry; entries && (entry = readdir(entries)) != NULL;) {
    const char *rest = read_step(entry->d_name, &step);
    if (!rest || *rest != '\0' || step <= newest || rf_path_join(folder, entry->d_name, one) != RF_OK) continue;
    if (rf_path_join(one, RF_COMMIT_NAME, commit) != RF_OK || access(commit, F_OK) != 0) continue;
    if (is_of_another_step(one, step)) continue;
    newest = step;
    strcpy(path, one);
  }
  if (entries) (void)closedir(entries);
  return newest >= 0;
}

static bool is_there(const rf_shelf *shelf, int64_t step) {
  char path[RF_MAX_PATH];
  rf_bearer bearer;
  return rf_shelf_path(shelf->folder, step, path) == RF_OK && rf_bearer_find(path, &bearer) == RF_OK &&
         bearer == RF_BEARER_CHECKPOINT;
}

/* What an attempt left half written or half removed, and the step of which: only by a name that is written exactly so,
 * as others may be somebody's. What rf_checkpoint_save was to replace goes only where that came to its end. */
static bool is_stale(const rf_shelf *shelf, const char *name, int64_t *step) {
  char own[STEP_NAME];
  const char *rest = read_step(name, step);
  if (!rest) return false;
  name_step(*step, own);
  if (strncmp(name, own, strlen(own)) != 0 || strlen(own) != (size_t)(rest - name)) return false;
  if (strncmp(rest, ".replaced-", 10) == 0) return rf_attempt_is(rest + 10) && is_there(shelf, *step);
  return strcmp(rest, ".deleting") == 0 || (strncmp(rest, ".tmp-", 5) == 0 && rf_attempt_is(rest + 5));
}

static rf_status put(rf_shelf *shelf, const rf_kept *one) {
  for (int i = 0; i < shelf->n; i++) {
    if (shelf->all[i].step != one->step) continue;
    shelf->all[i] = *one; /* written again */
    return RF_OK;
  }
  if (shelf->n == shelf->room) {
    const int room = shelf->room > 0 ? 2 * shelf->room : 16;
    rf_kept *all = realloc(shelf->all, (size_t)room * sizeof *all);
    if (!all) return rf_fail(RF_FAILED, "out of memory: table of checkpoints");
    shelf->all = all;
    shelf->room = room;
  }
  shelf->all[shelf->n++] = *one;
  return RF_OK;
}

static void remove_stale(const rf_shelf *shelf, const char *name) {
  char path[RF_MAX_PATH];
  if (!shelf->lock || rf_path_join(shelf->folder, name, path) != RF_OK) return;
  if (rf_folder_remove(path))
    rf_log_info("removed %s, which an earlier attempt left unfinished", path);
  else
    rf_log_warn("%s, which an earlier attempt left unfinished, cannot be removed now", path);
}

/* Another step's, under this name: it counts for no step, and stays. */
static rf_status pass_over(const rf_shelf *shelf, const char *path, int64_t step) {
  if (shelf->lock)
    rf_log_warn("checkpoint %s holds the state after step %lld, whatever its name says: it counts for none, and stays",
                path, (long long)step);
  return RF_OK;
}

/* What is damaged has no loss, and counts only once it has been checked. What cannot be read now may be the best. */
static rf_status take(rf_shelf *shelf, const char *name, int64_t resumed_step) {
  rf_kept one = {.eval_loss = NAN};
  char path[RF_MAX_PATH];
  rf_checkpoint *checkpoint;
  const char *rest = read_step(name, &one.step);
  if (!rest || *rest != '\0') return RF_OK;
  RF_TRY(rf_path_join(shelf->folder, name, path));
  one.resumed = one.verified = one.step == resumed_step;
  const rf_status status = rf_checkpoint_open(path, &checkpoint);
  if (status == RF_OK) {
    const rf_checkpoint_header header = rf_checkpoint_info_of(checkpoint)->header;
    rf_checkpoint_close(checkpoint);
    if (header.step != one.step) return pass_over(shelf, path, header.step);
    one.eval_loss = header.eval_loss;
  } else if (status != RF_BAD_DATA) {
    one.stuck = true;
    if (shelf->lock) rf_log_warn("checkpoint %s cannot be read now, and stays: %s", path, rf_error_message());
  }
  return put(shelf, &one);
}

static rf_status look_through(rf_shelf *shelf, int64_t resumed_step) {
  rf_status status = RF_OK;
  int64_t step;
  DIR *folder = opendir(shelf->folder);
  if (!folder) {
    if (errno == ENOENT) return RF_OK;
    return rf_fail(RF_FAILED, "folder %s: cannot be read: %s", shelf->folder, strerror(errno));
  }
  for (const struct dirent *entry; status == RF_OK && (entry = readdir(folder)) != NULL;) {
    if (is_stale(shelf, entry->d_name, &step))
      remove_stale(shelf, entry->d_name);
    else
      status = take(shelf, entry->d_name, resumed_step);
  }
  (void)closedir(folder);
  return status;
}

/* --- what may go -------------------------------------------------------------------------------- */

static rf_status check_file(const rf_shelf *shelf, const char *folder, const rf_commit *commit, const rf_record *record,
                            bool *whole) {
  rf_block_reader reader;
  RF_TRY(rf_block_reader_open(folder, record, commit->block_bytes, &reader));
  rf_status status = RF_OK;
  for (int64_t i = 0; status == RF_OK && *whole && i < record->n_hashes; i++) {
    if (atomic_load(&shelf->hurry)) *whole = false;
    if (*whole) status = rf_block_reader_load(&reader, i, whole);
  }
  rf_block_reader_close(&reader);
  return status;
}

/* Every byte, by COMMIT alone: HDF5 belongs to the main thread. */
static bool is_whole(const rf_shelf *shelf, int64_t step) {
  char path[RF_MAX_PATH];
  rf_commit commit;
  if (rf_shelf_path(shelf->folder, step, path) != RF_OK || rf_opened_commit(path, &commit) != RF_OK) return false;
  bool whole = commit.n_files > 0;
  for (int i = 0; whole && i < commit.n_files; i++)
    whole = check_file(shelf, path, &commit, &commit.files[i], &whole) == RF_OK && whole;
  rf_commit_free(&commit);
  return whole;
}

/* The newest below `below` that is not verified; -1: none. */
static int next_to_check(const rf_shelf *shelf, int64_t below) {
  int found = -1;
  for (int i = 0; i < shelf->n; i++) {
    const rf_kept *c = &shelf->all[i];
    if (!c->verified && c->step < below && (found < 0 || c->step > shelf->all[found].step)) found = i;
  }
  return found;
}

static void check_older(rf_shelf *shelf) {
  int64_t below = shelf->newest;
  while (!atomic_load(&shelf->hurry) && rf_keep_missing(&shelf->config, shelf->newest, shelf->n, shelf->all) > 0) {
    const int i = next_to_check(shelf, below);
    if (i < 0) return;
    below = shelf->all[i].step;
    shelf->all[i].verified = is_whole(shelf, below);
  }
}

/* First out of sight at once, then bit by bit: half of a checkpoint never bears its name. */
static rf_status remove_one(const rf_shelf *shelf, int64_t step) {
  char path[RF_MAX_PATH], deleting[RF_MAX_PATH];
  RF_TRY(rf_shelf_path(shelf->folder, step, path));
  const int length = snprintf(deleting, sizeof deleting, "%s.deleting", path);
  if (length >= (int)sizeof deleting) return rf_fail(RF_FAILED, "%s: the path is too long", path);
  (void)rf_folder_remove(deleting); /* one that could not be removed before */
  RF_TRY(rf_rename_synced(path, deleting));
  (void)rf_folder_remove(deleting);
  return RF_OK;
}

/* What this run could not remove when it should have, on a disk that was gone or read-only for a while. One that is
 * being written now is of a later step than the newest. */
static void sweep(const rf_shelf *shelf) {
  char path[RF_MAX_PATH];
  int64_t step;
  DIR *entries = opendir(shelf->folder);
  for (const struct dirent *entry; entries && (entry = readdir(entries)) != NULL;)
    if (is_stale(shelf, entry->d_name, &step) && step < shelf->newest &&
        rf_path_join(shelf->folder, entry->d_name, path) == RF_OK)
      (void)rf_folder_remove(path);
  if (entries) (void)closedir(entries);
}

/* Decides anew after each: what went is not counted any more. The status is of the last that could not be removed. */
static rf_status prune(void *context) {
  rf_shelf *shelf = context;
  rf_status status = RF_OK;
  if (shelf->lock) {
    RF_TRY(rf_lock_check(shelf->lock));
    sweep(shelf);
  }
  check_older(shelf);
  for (int i = 0; i < shelf->n;) {
    if (!rf_keep_removes(&shelf->config, shelf->newest, shelf->n, shelf->all, i)) {
      i++;
      continue;
    }
    const rf_status removed = remove_one(shelf, shelf->all[i].step);
    if (removed == RF_OK)
      shelf->all[i] = shelf->all[--shelf->n];
    else
      shelf->all[i++].stuck = true, status = removed;
  }
  return status;
}

/* ------------------------------------------------------------------------------------------------ */

rf_status rf_shelf_fill(rf_shelf *shelf, int64_t resumed_step) {
  shelf->newest = resumed_step;
  RF_TRY(look_through(shelf, resumed_step));
  if (resumed_step >= 0 && shelf->lock) rf_writer_start(&shelf->pruner, true, prune, shelf);
  return RF_OK;
}

void rf_shelf_free(rf_shelf *shelf) {
  atomic_store(&shelf->hurry, true);
  rf_shelf_settle(shelf);
  free(shelf->all);
  shelf->all = NULL;
}

rf_status rf_shelf_add(rf_shelf *shelf, int64_t step, double eval_loss, bool aside) {
  atomic_store(&shelf->hurry, true);
  rf_shelf_settle(shelf);
  atomic_store(&shelf->hurry, false);
  shelf->newest = step;
  RF_TRY(put(shelf, &(rf_kept){.step = step, .eval_loss = eval_loss, .verified = true}));
  rf_writer_start(&shelf->pruner, aside, prune, shelf);
  return RF_OK;
}

void rf_shelf_settle(rf_shelf *shelf) {
  if (rf_writer_end(&shelf->pruner) != RF_OK)
    rf_log_warn("an old checkpoint could not be removed: %s", rf_error_message());
}
