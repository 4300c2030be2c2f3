/*   rank 0     lock the folder | where to begin: | folder, config.yaml, log.txt | train
 *   rank r                     | all ranks       |                              | train */
#include "cli/train_run.h"
#include "base/log.h"
#include "base/run_names.h"
#include "checkpoint/commit.h"
#include "cli/command_line.h"
#include "cli/train_start.h"
#include "comm/collective.h"
#include "comm/host_describe.h"
#include "config/read_file.h"
#include "kernel/parallel.h"
#include "reformer/agree.h"
#include "reformer/config_file.h"
#include "train/loop.h"
#include "train/resume.h"
#include "train/run_folder.h"
#include "train/stop.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct train_job {
  const rf_arguments *arguments;
  rf_mesh *mesh;
  rf_run_folder folder; /* rank 0's; the others know path and holds_run */
  rf_train_start start;
} train_job;

/* All ranks write their parts of checkpoints there. */
static rf_status see_folder(const train_job *j) {
  char attempt[RF_ATTEMPT_LENGTH + 1] = "";
  const bool first = rf_mesh_rank(j->mesh) == 0;
  if (first) (void)snprintf(attempt, sizeof attempt, "%s", rf_lock_attempt(j->folder.lock));
  RF_TRY(rf_share(j->mesh, attempt, sizeof attempt));
  return first ? RF_OK : rf_lock_see(j->folder.path, attempt, rf_lock_patience(j->folder.path));
}

/* What rank 0 knows of the folder, for all. */
static rf_status share_folder(train_job *j) {
  RF_TRY(rf_share(j->mesh, j->folder.path, sizeof j->folder.path));
  return rf_share(j->mesh, &j->folder.holds_run, sizeof j->folder.holds_run);
}

static rf_status open_log(const train_job *j) {
  char path[RF_MAX_PATH];
  RF_TRY(rf_run_folder_path(j->folder.path, "log.txt", path));
  return rf_log_open(path);
}

/* A folder that is there is locked before anything in it is read, and hears of what is found. */
static rf_status open_run_folder(train_job *j) {
  rf_status status = RF_OK;
  if (rf_mesh_rank(j->mesh) == 0) {
    status = rf_run_folder_open(rf_arguments_value(j->arguments, "run"), &j->folder);
    if (status == RF_OK && j->folder.holds_run) status = open_log(j);
  }
  RF_TRY(rf_agree(j->mesh, status));
  return share_folder(j);
}

/* On rank 0. The checkpoints that the run goes back before would be its newest. */
static rf_status begin_folder(train_job *j, const char *text) {
  char checkpoints[RF_MAX_PATH];
  const bool logged = j->folder.holds_run;
  RF_TRY(rf_run_folder_begin(&j->folder, text));
  if (!logged) RF_TRY(open_log(j));
  const char *resume = rf_arguments_value(j->arguments, "resume");
  if (!j->start.from_here || !resume || strcmp(resume, "auto") == 0) return RF_OK;
  RF_TRY(rf_run_folder_path(j->folder.path, RF_RUN_CHECKPOINTS, checkpoints));
  return rf_resume_supersede(checkpoints, rf_session_steps_done(j->start.session), rf_lock_attempt(j->folder.lock));
}

static void say_host_line(const char *line) { rf_log_info("%s", line); }

static rf_status say_start(const train_job *j) {
  rf_log_info("run folder %s", j->folder.path);
  rf_log_info("%s", j->start.session->machine);
  return rf_host_describe(j->mesh, rf_threads(), say_host_line);
}

static rf_status say_end(const train_job *j, const rf_train_end *end) {
  if (!end->stopped) return RF_OK;
  char *command;
  RF_TRY(rf_command_line(j->arguments, j->folder.path, rf_mesh_size(j->mesh), &command));
  rf_log_info("stopped by %s after step %lld of %lld; to go on: %s", end->stopped, (long long)end->step,
              (long long)rf_session_config(j->start.session)->training.steps, command);
  free(command);
  return rf_fail(RF_STOPPED, "stopped by %s", end->stopped);
}

static rf_status train_in_folder(train_job *j, const char *text) {
  rf_train_end end;
  const bool first = rf_mesh_rank(j->mesh) == 0;
  RF_TRY(rf_agree(j->mesh, first ? rf_run_folder_make(&j->folder, j->arguments->operand[0]) : RF_OK));
  RF_TRY(share_folder(j));
  RF_TRY(rf_agree(j->mesh, see_folder(j)));
  RF_TRY(rf_agree(j->mesh, first ? begin_folder(j, text) : RF_OK));
  RF_TRY(say_start(j));
  const rf_train_options options = {.run_folder = j->folder.path,
                                    .lock = j->folder.lock,
                                    .config_text = text,
                                    .machine = j->start.session->machine,
                                    .step = rf_session_steps_done(j->start.session),
                                    .resumed_here = j->start.from_here};
  RF_TRY(rf_train_run(&options, &j->start.session->trainer, &end));
  return say_end(j, &end);
}

static rf_status run_from_start(train_job *j) {
  char *text = NULL;
  const rf_config *config = rf_session_config(j->start.session);
  const int64_t steps = config->training.steps, done = rf_session_steps_done(j->start.session);
  if (done >= steps) {
    if (done == steps)
      rf_log_info("run folder %s: the %lld steps of training.steps are done; give more to go on", j->folder.path,
                  (long long)steps);
    else
      rf_log_info(
          "run folder %s: the run is at step %lld, beyond the %lld of training.steps; give more than that to go on",
          j->folder.path, (long long)done, (long long)steps);
    return RF_OK;
  }
  rf_status status = rf_agree(j->mesh, rf_config_emit(config, &text));
  if (status == RF_OK) status = train_in_folder(j, text);
  free(text);
  return status;
}

static rf_status run_on_mesh(train_job *j, rf_train_request *request) {
  RF_TRY(open_run_folder(j));
  request->mesh = j->mesh;
  request->folder = j->folder.path;
  request->holds_run = j->folder.holds_run;
  RF_TRY(rf_train_start_find(request, &j->start));
  return run_from_start(j);
}

rf_status rf_cli_train(const rf_arguments *arguments) {
  train_job j = {.arguments = arguments, .mesh = arguments->mesh};
  const char *resume = rf_arguments_value(arguments, "resume");
  rf_train_request request = {.resume = resume ? resume : "auto"};
  if (resume && resume[0] == '\0')
    return rf_fail(RF_BAD_CONFIG, "--resume: found an empty text; allowed: auto, never, or the path of a checkpoint");
  RF_TRY(rf_stop_listen());
  RF_TRY(rf_config_read(j.mesh, arguments->operand[0], arguments->sets, arguments->n_sets, &request.given,
                        &request.origin));
  RF_TRY(rf_mesh_arrange(j.mesh, request.given.mesh.sequence, request.given.mesh.data));
  rf_status status = run_on_mesh(&j, &request);
  if (status != RF_OK && status != RF_STOPPED) status = rf_agree(j.mesh, status); /* a session that ends must know */
  rf_session_destroy(j.start.session);
  rf_run_folder_close(&j.folder);
  return status;
}
