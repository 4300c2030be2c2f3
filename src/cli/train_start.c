#include "cli/train_start.h"
#include "base/log.h"
#include "base/run_names.h"
#include "checkpoint/names.h"
#include "comm/collective.h"
#include "config/resume.h"
#include "config/settle.h"
#include "reformer/agree.h"
#include "train/resume.h"
#include "train/run_folder.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static rf_status begin_anew(const rf_train_request *request, rf_train_start *start) {
  rf_config config = request->given;
  RF_TRY(rf_agree(request->mesh, rf_config_settle(&config, &request->origin)));
  return rf_session_create_from(request->origin.file, &config, request->mesh, &start->session);
}

/* --- from one checkpoint ---------------------------------------------------------------------------- */

static void say_origin(const rf_train_request *request, const char *path, const rf_checkpoint_info *info) {
  const rf_mesh *mesh = request->mesh;
  const int ranks = rf_mesh_size(mesh), sequence = rf_mesh_sequence_size(mesh);
  rf_log_info("checkpoint %s: the state after step %lld is loaded", path, (long long)info->header.step);
  if (info->ranks != ranks || info->header.mesh_sequence != sequence)
    rf_log_info("it was written by %d ranks (%lld x %lld), this is %d (%d x %d): the same batches, other rounding",
                info->ranks, (long long)info->header.mesh_sequence, (long long)info->header.mesh_data, ranks, sequence,
                rf_mesh_data_size(mesh));
}

/* The session of an open checkpoint. Where finding->status is not RF_OK there is none. */
static rf_status load_session(const rf_train_request *request, const char *path, rf_checkpoint *checkpoint,
                              rf_train_start *start, rf_finding *finding) {
  const rf_checkpoint_info *info = rf_checkpoint_info_of(checkpoint);
  rf_config config;
  RF_TRY(rf_agree(request->mesh, rf_config_resume(&request->given, &request->origin, path, info, &config)));
  RF_TRY(rf_session_create_from(request->origin.file, &config, request->mesh, &start->session));
  rf_status status =
      rf_agree(request->mesh, rf_context(rf_session_fits(start->session, path, checkpoint), "checkpoint %s", path));
  if (status == RF_OK) status = rf_session_take(start->session, checkpoint, finding);
  if (status == RF_OK && finding->status == RF_OK) {
    (void)snprintf(start->from, sizeof start->from, "%s", path);
    say_origin(request, path, info);
  } else {
    rf_session_destroy(start->session);
    start->session = NULL;
  }
  return status;
}

/* A checkpoint under another one's name, say a copy: as the newest of its run, which it is not, it would throw the run
 * back at every start, and whoever looks for the run's checkpoints later passes over it. Another run's, asked for by
 * its path, only begins this one. The same on every rank, by the manifest. */
static void check_name(const char *path, bool own, const rf_checkpoint *checkpoint, rf_finding *finding) {
  const long long step = (long long)rf_checkpoint_info_of(checkpoint)->header.step;
  const long long named = (long long)rf_step_of_path(path);
  if (named < 0 || named == step) return;
  if (!own) {
    rf_log_warn("--resume %s: the name is that of step %lld, but it holds the state after step %lld, from which the "
                "run goes on",
                path, named, step);
    return;
  }
  char name[RF_STEP_NAME];
  finding->status = RF_BAD_DATA;
  (void)snprintf(finding->message, sizeof finding->message,
                 "%.800s holds the state after step %lld, not %lld; if it is no copy, rename it to %s", path, step,
                 named, rf_step_name(step, name));
}

/* What is no damage ends the run: memory that is short, or a disk that does not answer, is no reason to pass over a
 * checkpoint, whose place a later one would take. */
static rf_status check_finding(const char *path, const rf_finding *finding) {
  if (finding->status == RF_OK || finding->status == RF_BAD_DATA) return RF_OK;
  return rf_fail(
      finding->status,
      "checkpoint %s: %s; this need be no damage, so nothing was passed over: start again when it can be read, "
      "or move the checkpoint away",
      path, finding->message);
}

static rf_status try_checkpoint(const rf_train_request *request, const char *path, bool own, rf_train_start *start,
                                rf_finding *finding) {
  rf_status status = RF_OK;
  rf_checkpoint *checkpoint;
  RF_TRY(rf_resume_open(request->mesh, path, &checkpoint, finding));
  if (finding->status == RF_OK) check_name(path, own, checkpoint, finding);
  if (finding->status == RF_OK) status = load_session(request, path, checkpoint, start, finding);
  rf_checkpoint_close(checkpoint);
  return status == RF_OK ? check_finding(path, finding) : status;
}

/* --- from the newest that is whole ------------------------------------------------------------------ */

static rf_status try_newest(const rf_train_request *request, const char *folder, int64_t n, const int64_t *steps,
                            rf_train_start *start) {
  char path[RF_MAX_PATH];
  rf_finding finding = {0};
  for (int64_t i = 0; i < n; i++) {
    RF_TRY(rf_step_path(folder, steps[i], path));
    RF_TRY(try_checkpoint(request, path, true, start, &finding));
    start->from_here = true;
    if (finding.status == RF_OK) return RF_OK;
    rf_log_warn("checkpoint %s cannot be used and is passed over: %s", path, finding.message);
  }
  return rf_fail(RF_BAD_DATA,
                 "run folder %s: none of its %lld checkpoints can be used (the oldest: %s); put a good one back, or "
                 "start another run: --run DIR",
                 request->folder, (long long)n, finding.message);
}

static rf_status list_own(const rf_train_request *request, char *folder, int64_t *n, int64_t **steps) {
  RF_TRY(rf_run_folder_path(request->folder, RF_RUN_CHECKPOINTS, folder));
  return rf_resume_list(request->mesh, folder, n, steps);
}

static rf_status go_on_from_newest(const rf_train_request *request, rf_train_start *start) {
  char folder[RF_MAX_PATH];
  int64_t n, *steps;
  RF_TRY(list_own(request, folder, &n, &steps));
  if (n == 0) rf_log_info("run folder %s holds a run without a checkpoint: it starts anew", request->folder);
  const rf_status status = n == 0 ? begin_anew(request, start) : try_newest(request, folder, n, steps, start);
  free(steps);
  return status;
}

/* --- what was asked for ----------------------------------------------------------------------------- */

static rf_status refuse_run(const rf_train_request *request) {
  return rf_fail(RF_BAD_CONFIG,
                 "run folder %s: holds a run already, which --resume never would write over; remove it, name another "
                 "with --run DIR, or go on with --resume auto",
                 request->folder);
}

/* Whether the folder holds it, however the paths are written: as rank 0 sees it. */
static rf_status is_of_folder(const rf_train_request *request, bool *own) {
  *own = false;
  if (!request->holds_run) return RF_OK;
  char *inner = realpath(request->resume, NULL), *outer = realpath(request->folder, NULL);
  const size_t length = outer ? strlen(outer) : 0;
  *own = inner && outer && strncmp(inner, outer, length) == 0 && inner[length] == '/';
  free(inner);
  free(outer);
  return rf_share(request->mesh, own, sizeof *own);
}

/* A checkpoint of elsewhere begins a run. Once that has some of its own it goes on from them, so that the same command
 * line may be given again and again. */
static rf_status has_begun(const rf_train_request *request, bool *begun) {
  char folder[RF_MAX_PATH];
  int64_t n, *steps;
  RF_TRY(list_own(request, folder, &n, &steps));
  free(steps);
  *begun = n > 0;
  return RF_OK;
}

static rf_status go_on_from_checkpoint(const rf_train_request *request, rf_train_start *start) {
  rf_finding finding;
  bool own, begun = false;
  RF_TRY(is_of_folder(request, &own));
  if (request->holds_run && !own) RF_TRY(has_begun(request, &begun));
  if (begun) {
    rf_log_info("run folder %s has checkpoints of its own, from which it goes on", request->folder);
    return go_on_from_newest(request, start);
  }
  RF_TRY(try_checkpoint(request, request->resume, own, start, &finding));
  start->from_here = own;
  return finding.status == RF_OK ? RF_OK : rf_fail(finding.status, "--resume: %s", finding.message);
}

rf_status rf_train_start_find(const rf_train_request *request, rf_train_start *start) {
  *start = (rf_train_start){0};
  const bool never = strcmp(request->resume, "never") == 0;
  if (!never && strcmp(request->resume, "auto") != 0) return go_on_from_checkpoint(request, start);
  if (!request->holds_run) return begin_anew(request, start);
  return never ? refuse_run(request) : go_on_from_newest(request, start);
}
