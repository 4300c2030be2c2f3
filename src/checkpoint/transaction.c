#include "checkpoint/transaction.h"
#include "base/clock.h"
#include "base/log.h"
#include "checkpoint/bearer.h"
#include "checkpoint/leftover.h"
#include "checkpoint/manifest.h"
#include "checkpoint/names.h"
#include "comm/collective.h"
#include "storage/files.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- names -------------------------------------------------------------------------------------- */

static rf_status set_names(rf_transaction *s) {
  const char *folder = s->request.folder;
  size_t length = strlen(folder);
  while (length > 1 && folder[length - 1] == '/') length--;
  if (length == 0 || length >= sizeof s->folder)
    return rf_fail(RF_FAILED, "found a path of %zu bytes; allowed: 1 to %d", length, RF_MAX_PATH - 1);
  memcpy(s->folder, folder, length);
  const char *slash = strrchr(s->folder, '/'), *name = slash ? slash + 1 : s->folder;
  if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    return rf_fail(RF_BAD_CONFIG, "found '%s', beside which nothing can be made; allowed: a path that ends in a name",
                   folder);
  RF_TRY(rf_name_beside(s->folder, RF_MARK_TEMPORARY, s->attempt, s->temporary));
  return rf_name_beside(s->folder, RF_MARK_DAMAGED, s->attempt, s->former);
}

/* --- what one rank does ------------------------------------------------------------------------- */

/* Whoever has lost the lock makes nothing, least of all a run's folder that was moved away. */
static rf_status make_folder(rf_transaction *s) {
  rf_bearer bearer;
  if (s->request.lock) RF_TRY(rf_lock_check(s->request.lock));
  if (s->request.replaces) {
    RF_TRY(rf_bearer_find(s->folder, &bearer));
    RF_TRY(rf_bearer_check_parents(s->folder));
  }
  RF_TRY(rf_folder_make_parents(s->folder));
  RF_TRY(rf_folder_make(s->temporary));
  s->made = true;
  return RF_OK;
}

static rf_status lay_out_own_shard(rf_transaction *s) {
  return rf_shard_lay_out(s->temporary, rf_mesh_rank(s->request.mesh), rf_mesh_size(s->request.mesh), s->request.layout,
                          s->request.state, &s->shard);
}

static rf_status write_shard(void *context) {
  rf_transaction *s = context;
  return rf_shard_write(&s->shard, &s->stop);
}

/* A status that is known already, in place of work. */
static rf_status fail_as_before(void *context) {
  return rf_fail(*(const rf_status *)context, "%s", rf_error_message());
}

static rf_status check_size(const rf_transaction *s, const rf_file_digest *digest) {
  char path[RF_MAX_PATH];
  struct stat about;
  RF_TRY(rf_path_join(s->temporary, digest->name, path));
  if (stat(path, &about) != 0) return rf_fail(RF_FAILED, "%s: has gone: %s", path, strerror(errno));
  if (about.st_size == digest->size) return RF_OK;
  return rf_fail(RF_FAILED, "%s: has %lld bytes where %lld were written", path, (long long)about.st_size,
                 (long long)digest->size);
}

/* The manifest, then the shards. */
static rf_status write_commit(rf_transaction *s, const rf_file_digest *manifest) {
  rf_commit commit = {.digest_block_bytes = RF_DIGEST_BLOCK_BYTES, .n_files = 1 + s->shards.n_files};
  char path[RF_MAX_PATH], *text = NULL;
  int64_t length = 0;
  memcpy(commit.attempt, s->attempt, sizeof commit.attempt);
  RF_TRY(rf_path_join(s->temporary, RF_COMMIT_NAME, path));
  commit.files = calloc((size_t)commit.n_files, sizeof *commit.files);
  if (!commit.files) return rf_fail(RF_FAILED, "%s: out of memory", path);
  commit.files[0] = *manifest;
  memcpy(commit.files + 1, s->shards.files, (size_t)s->shards.n_files * sizeof *commit.files);
  rf_status status = RF_OK;
  for (int i = 0; status == RF_OK && i < commit.n_files; i++) status = check_size(s, &commit.files[i]);
  if (status == RF_OK) status = rf_commit_emit(&commit, &text, &length);
  if (status == RF_OK) status = rf_file_store(path, text, length);
  s->bytes = 0;
  for (int i = 0; i < commit.n_files; i++) s->bytes += commit.files[i].size;
  free(text);
  free(commit.files);
  return status;
}

/* Where the file system lets two names change places, there is no moment without a folder of that name. */
static rf_status take_name_from_another(rf_transaction *s) {
  if (rf_names_swap(s->temporary, s->folder)) {
    const rf_status status = rf_rename_synced(s->temporary, s->former);
    if (status != RF_OK && !rf_names_swap(s->temporary, s->folder)) s->made = false; /* it is not ours to remove */
    return status;
  }
  RF_TRY(rf_rename_synced(s->folder, s->former));
  const rf_status status = rf_rename_synced(s->temporary, s->folder);
  if (status != RF_OK) (void)rename(s->former, s->folder);
  return status;
}

/* The former one goes once the new one has its name for good. */
static rf_status replace_former(rf_transaction *s, rf_bearer bearer) {
  if (bearer == RF_BEARER_CHECKPOINT) RF_TRY(rf_name_beside(s->folder, RF_MARK_REPLACED, s->attempt, s->former));
  RF_TRY(take_name_from_another(s));
  if (bearer == RF_BEARER_CHECKPOINT)
    (void)rf_folder_remove(s->former); /* what does not go is told by rf_leftovers_remove */
  else
    rf_log_warn("what was %s before was damaged, or not whole: it is now %s", s->folder, s->former);
  return RF_OK;
}

static rf_status take_name(rf_transaction *s) {
  struct stat about;
  rf_bearer bearer = RF_BEARER_NONE;
  if (s->request.lock) RF_TRY(rf_lock_check(s->request.lock));
  if (s->request.replaces) {
    RF_TRY(rf_bearer_find(s->folder, &bearer));
    if (bearer != RF_BEARER_NONE) return replace_former(s, bearer);
  } else if (lstat(s->folder, &about) == 0) {
    return take_name_from_another(s); /* whatever it is, it is kept */
  }
  return rf_rename_synced(s->temporary, s->folder);
}

/* Rank 0's, when all shards are on the disk and the manifest is made. */
static rf_status commit_folder(void *context) {
  rf_transaction *s = context;
  rf_file_digest manifest = {0};
  RF_TRY(rf_manifest_write(s->temporary, &s->manifest, &manifest));
  const rf_status status = write_commit(s, &manifest);
  rf_file_digest_free(&manifest);
  RF_TRY(status);
  RF_TRY(rf_folder_sync(s->temporary));
  RF_TRY(take_name(s));
  s->named_seconds = rf_clock_seconds();
  if (s->request.replaces) rf_leftovers_remove(s->folder);
  return RF_OK;
}

/* --- what all do together ----------------------------------------------------------------------- */

static void start_stage(rf_transaction *s, rf_transaction_stage stage, rf_status own, rf_job job) {
  s->stage = stage;
  if (own == RF_OK)
    rf_writer_start(&s->writer, s->request.aside, job, s);
  else
    rf_writer_start(&s->writer, false, fail_as_before, &own);
}

/* When all writers have ended. A failure leaves nothing behind but what was there before. */
static void end_transaction(rf_transaction *s) {
  if (s->finding.status != RF_OK && s->made) (void)rf_folder_remove(s->temporary);
  rf_shard_file_free(&s->shard);
  rf_memory_file_close(&s->manifest);
  rf_collected_free(&s->shards);
  s->made = false;
  s->stage = RF_TRANSACTION_IDLE;
}

static rf_status survey_ranks(rf_transaction *s, rf_status own) {
  RF_TRY(rf_survey(s->request.mesh, own, &s->finding));
  if (s->finding.status != RF_OK) end_transaction(s);
  return RF_OK;
}

rf_status rf_transaction_begin(rf_transaction *transaction, const rf_transaction_request *request, rf_status own) {
  rf_transaction *s = transaction;
  char attempt[RF_ATTEMPT_LENGTH + 1] = "";
  const bool first = rf_mesh_rank(request->mesh) == 0;
  if (first) rf_attempt_draw(attempt);
  RF_TRY(rf_share(request->mesh, attempt, sizeof attempt));
  *s = (rf_transaction){.request = *request};
  memcpy(s->attempt, attempt, sizeof attempt);
  if (own == RF_OK) own = set_names(s);
  if (own == RF_OK && first) own = make_folder(s);
  RF_TRY(survey_ranks(s, own));
  if (s->finding.status == RF_OK) start_stage(s, RF_TRANSACTION_SHARDS, lay_out_own_shard(s), write_shard);
  return RF_OK;
}

/* All shards are on the disk: rank 0 learns of them. */
static rf_status go_on_to_commit(rf_transaction *s) {
  RF_TRY(rf_collect(s->request.mesh, &s->shard.digest, s->shard.n, s->shard.segments, &s->shards));
  s->stage = RF_TRANSACTION_COMMIT;
  if (rf_mesh_rank(s->request.mesh) != 0) return RF_OK;
  const rf_status own = rf_manifest_make(s->request.header, s->shards.n_files, s->request.layout, s->shards.n_segments,
                                         s->shards.segments, &s->manifest);
  start_stage(s, RF_TRANSACTION_COMMIT, own, commit_folder);
  return RF_OK;
}

/* This rank's writer is done, or is waited for. */
static rf_status go_on(rf_transaction *s) {
  RF_TRY(survey_ranks(s, rf_writer_end(&s->writer)));
  if (s->finding.status != RF_OK) return RF_OK;
  if (s->stage == RF_TRANSACTION_SHARDS) return go_on_to_commit(s);
  end_transaction(s);
  return RF_OK;
}

rf_status rf_transaction_poll(rf_transaction *transaction) {
  if (transaction->stage == RF_TRANSACTION_IDLE) return RF_OK;
  int64_t busy = !rf_writer_is_done(&transaction->writer);
  RF_TRY(rf_sum_integers(transaction->request.mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &busy));
  return busy > 0 ? RF_OK : go_on(transaction);
}

rf_status rf_transaction_finish(rf_transaction *transaction) {
  while (transaction->stage != RF_TRANSACTION_IDLE) RF_TRY(go_on(transaction));
  return RF_OK;
}

void rf_transaction_abandon(rf_transaction *transaction) {
  atomic_store(&transaction->stop, true);
  (void)rf_writer_end(&transaction->writer);
  transaction->made = false;
  end_transaction(transaction);
}
