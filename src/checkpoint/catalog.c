#include "checkpoint/catalog.h"
#include "base/log.h"
#include "checkpoint/bearer.h"
#include "checkpoint/commit.h"
#include "checkpoint/digest_reader.h"
#include "checkpoint/names.h"
#include "checkpoint/opened.h"
#include "storage/files.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One that cannot be opened is believed. */
static bool is_of_another_step(const char *path, int64_t step) {
  struct rf_checkpoint *checkpoint;
  bool there;
  if (rf_opened_create(path, &checkpoint, &there) != RF_OK) return false;
  const bool another = checkpoint->info.header.step != step;
  rf_opened_destroy(checkpoint);
  return another;
}

bool rf_catalog_newest(const char *folder, char path[RF_MAX_PATH]) {
  char one[RF_MAX_PATH], commit[RF_MAX_PATH];
  int64_t step, newest = -1;
  DIR *entries = opendir(folder);
  for (const struct dirent *entry; entries && (entry = readdir(entries)) != NULL;) {
    const char *rest = rf_step_read(entry->d_name, &step);
    if (!rest || *rest != '\0' || step <= newest || rf_path_join(folder, entry->d_name, one) != RF_OK) continue;
    if (rf_path_join(one, RF_COMMIT_NAME, commit) != RF_OK || access(commit, F_OK) != 0) continue;
    if (is_of_another_step(one, step)) continue;
    newest = step;
    strcpy(path, one);
  }
  if (entries) (void)closedir(entries);
  return newest >= 0;
}

static rf_status put_entry(rf_catalog *catalog, const rf_retention_entry *one) {
  for (int i = 0; i < catalog->n; i++) {
    if (catalog->entries[i].step != one->step) continue;
    catalog->entries[i] = *one; /* written again */
    return RF_OK;
  }
  if (catalog->n == catalog->room) {
    const int room = catalog->room > 0 ? 2 * catalog->room : 16;
    rf_retention_entry *entries = realloc(catalog->entries, (size_t)room * sizeof *entries);
    if (!entries) return rf_fail(RF_FAILED, "out of memory: table of checkpoints");
    catalog->entries = entries;
    catalog->room = room;
  }
  catalog->entries[catalog->n++] = *one;
  return RF_OK;
}

static bool is_there(const rf_catalog *catalog, int64_t step) {
  char path[RF_MAX_PATH];
  rf_bearer bearer;
  return rf_step_path(catalog->folder, step, path) == RF_OK && rf_bearer_find(path, &bearer) == RF_OK &&
         bearer == RF_BEARER_CHECKPOINT;
}

/* What rf_checkpoint_save was to replace goes only where that came to its end. */
static bool is_stale(const rf_catalog *catalog, const char *name, int64_t *step) {
  return rf_step_is_unfinished(name, step) || (rf_step_is_replaced(name, step) && is_there(catalog, *step));
}

static void remove_stale(const rf_catalog *catalog, const char *name) {
  char path[RF_MAX_PATH];
  if (!catalog->lock || rf_path_join(catalog->folder, name, path) != RF_OK) return;
  if (rf_folder_remove(path))
    rf_log_info("removed %s, which an earlier attempt left unfinished", path);
  else
    rf_log_warn("%s, which an earlier attempt left unfinished, cannot be removed now", path);
}

/* Another step's, under this name: it counts for no step, and stays. */
static rf_status pass_over(const rf_catalog *catalog, const char *path, int64_t step) {
  if (catalog->lock)
    rf_log_warn("checkpoint %s holds the state after step %lld, whatever its name says: it counts for none, and stays",
                path, (long long)step);
  return RF_OK;
}

/* What is damaged has no loss, and counts only once it has been checked. What cannot be read now may be the best. */
static rf_status take_in(rf_catalog *catalog, const char *name, int64_t resumed_step) {
  rf_retention_entry one = {.eval_loss = NAN};
  char path[RF_MAX_PATH];
  struct rf_checkpoint *checkpoint;
  bool there;
  const char *rest = rf_step_read(name, &one.step);
  if (!rest || *rest != '\0') return RF_OK;
  RF_TRY(rf_path_join(catalog->folder, name, path));
  one.resumed = one.verified = one.step == resumed_step;
  const rf_status status = rf_opened_create(path, &checkpoint, &there);
  if (status == RF_OK) {
    const rf_checkpoint_header header = checkpoint->info.header;
    rf_opened_destroy(checkpoint);
    if (header.step != one.step) return pass_over(catalog, path, header.step);
    one.eval_loss = header.eval_loss;
  } else if (status != RF_BAD_DATA) {
    one.stuck = true;
    if (catalog->lock) rf_log_warn("checkpoint %s cannot be read now, and stays: %s", path, rf_error_message());
  }
  return put_entry(catalog, &one);
}

static rf_status look_through_folder(rf_catalog *catalog, int64_t resumed_step) {
  rf_status status = RF_OK;
  int64_t step;
  DIR *folder = opendir(catalog->folder);
  if (!folder) {
    if (errno == ENOENT) return RF_OK;
    return rf_fail(RF_FAILED, "folder %s: cannot be read: %s", catalog->folder, strerror(errno));
  }
  for (const struct dirent *entry; status == RF_OK && (entry = readdir(folder)) != NULL;) {
    if (is_stale(catalog, entry->d_name, &step))
      remove_stale(catalog, entry->d_name);
    else
      status = take_in(catalog, entry->d_name, resumed_step);
  }
  (void)closedir(folder);
  return status;
}

/* --- what may go -------------------------------------------------------------------------------- */

static rf_status check_hashes(const rf_catalog *catalog, const char *folder, const rf_commit *commit,
                              const rf_file_digest *digest, bool *whole) {
  rf_digest_reader reader;
  RF_TRY(rf_digest_reader_open(folder, digest, commit->digest_block_bytes, &reader));
  rf_status status = RF_OK;
  for (int64_t i = 0; status == RF_OK && *whole && i < digest->n_hashes; i++) {
    if (atomic_load(&catalog->stop_checking)) *whole = false;
    if (*whole) status = rf_digest_reader_load(&reader, i, whole);
  }
  rf_digest_reader_close(&reader);
  return status;
}

/* Every byte, by COMMIT alone: HDF5 belongs to the main thread. */
static bool is_whole(const rf_catalog *catalog, int64_t step) {
  char path[RF_MAX_PATH];
  rf_commit commit;
  bool there;
  if (rf_step_path(catalog->folder, step, path) != RF_OK) return false;
  if (rf_opened_commit(path, &commit, &there) != RF_OK) return false;
  bool whole = commit.n_files > 0;
  for (int i = 0; whole && i < commit.n_files; i++)
    whole = check_hashes(catalog, path, &commit, &commit.files[i], &whole) == RF_OK && whole;
  rf_commit_free(&commit);
  return whole;
}

/* The newest below `below` that is not verified; -1: none. */
static int next_to_check(const rf_catalog *catalog, int64_t below) {
  int found = -1;
  for (int i = 0; i < catalog->n; i++) {
    const rf_retention_entry *c = &catalog->entries[i];
    if (!c->verified && c->step < below && (found < 0 || c->step > catalog->entries[found].step)) found = i;
  }
  return found;
}

static void check_older(rf_catalog *catalog) {
  int64_t below = catalog->newest;
  while (!atomic_load(&catalog->stop_checking) &&
         rf_retention_missing(&catalog->config, catalog->newest, catalog->n, catalog->entries) > 0) {
    const int i = next_to_check(catalog, below);
    if (i < 0) return;
    below = catalog->entries[i].step;
    catalog->entries[i].verified = is_whole(catalog, below);
  }
}

/* First out of sight at once, then bit by bit: half of a checkpoint never bears its name. */
static rf_status remove_one(const rf_catalog *catalog, int64_t step) {
  char path[RF_MAX_PATH], deleting[RF_MAX_PATH];
  RF_TRY(rf_step_path(catalog->folder, step, path));
  RF_TRY(rf_name_beside(path, RF_MARK_DELETING, "", deleting));
  (void)rf_folder_remove(deleting); /* one that could not be removed before */
  RF_TRY(rf_rename_synced(path, deleting));
  (void)rf_folder_remove(deleting);
  return RF_OK;
}

/* What this run could not remove when it should have, on a disk that was gone or read-only for a while. One that is
 * being written now is of a later step than the newest. */
static void remove_leftovers(const rf_catalog *catalog) {
  char path[RF_MAX_PATH];
  int64_t step;
  DIR *entries = opendir(catalog->folder);
  for (const struct dirent *entry; entries && (entry = readdir(entries)) != NULL;)
    if (is_stale(catalog, entry->d_name, &step) && step < catalog->newest &&
        rf_path_join(catalog->folder, entry->d_name, path) == RF_OK)
      (void)rf_folder_remove(path);
  if (entries) (void)closedir(entries);
}

/* Decides anew after each: what went is not counted any more. The status is of the last that could not be removed. */
static rf_status remove_old(void *context) {
  rf_catalog *catalog = context;
  rf_status status = RF_OK;
  if (catalog->lock) {
    RF_TRY(rf_lock_check(catalog->lock));
    remove_leftovers(catalog);
  }
  check_older(catalog);
  for (int i = 0; i < catalog->n;) {
    if (!rf_retention_removes(&catalog->config, catalog->newest, catalog->n, catalog->entries, i)) {
      i++;
      continue;
    }
    const rf_status removed = remove_one(catalog, catalog->entries[i].step);
    if (removed == RF_OK)
      catalog->entries[i] = catalog->entries[--catalog->n];
    else
      catalog->entries[i++].stuck = true, status = removed;
  }
  return status;
}

/* ------------------------------------------------------------------------------------------------ */

rf_status rf_catalog_fill(rf_catalog *catalog, int64_t resumed_step) {
  catalog->newest = resumed_step;
  RF_TRY(look_through_folder(catalog, resumed_step));
  if (resumed_step >= 0 && catalog->lock) rf_writer_start(&catalog->pruner, true, remove_old, catalog);
  return RF_OK;
}

void rf_catalog_free(rf_catalog *catalog) {
  atomic_store(&catalog->stop_checking, true);
  rf_catalog_settle(catalog);
  free(catalog->entries);
  catalog->entries = NULL;
}

rf_status rf_catalog_add(rf_catalog *catalog, int64_t step, double eval_loss, bool aside) {
  atomic_store(&catalog->stop_checking, true);
  rf_catalog_settle(catalog);
  atomic_store(&catalog->stop_checking, false);
  catalog->newest = step;
  RF_TRY(put_entry(catalog, &(rf_retention_entry){.step = step, .eval_loss = eval_loss, .verified = true}));
  rf_writer_start(&catalog->pruner, aside, remove_old, catalog);
  return RF_OK;
}

void rf_catalog_settle(rf_catalog *catalog) {
  if (rf_writer_end(&catalog->pruner) != RF_OK)
    rf_log_warn("an old checkpoint could not be removed: %s", rf_error_message());
}
