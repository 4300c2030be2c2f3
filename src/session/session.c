#include "session/session.h"
#include "base/every_processor.h"
#include "base/log.h"
#include "base/processor.h"
#include "base/text.h"
#include "comm/api_call.h"
#include "comm/collective.h"
#include "comm/mesh.h"
#include "comm/mpi_runs.h"
#include "config/filled.h"
#include "config/resume.h"
#include "config/settle.h"
#include "kernel/thread_stacks.h"
#include "plan/check.h"
#include "reformer/agree.h"
#include "reformer/config_file.h"
#include "train/evaluate.h"
#include "train/inputs.h"
#include "train/machine.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "the configuration"

enum { MOST_MESSAGE = 4096 };

/* The same on all ranks, or the others learn of it at the next agreement. */
static rf_status refuse_null(const char *what) { return rf_fail(RF_BAD_CONFIG, "%s: " RF_NULL, what); }

/* --- made and ended --------------------------------------------------------------------------------- */

/* Data that is not there is told before memory that is not. */
static rf_status check_data_file(const rf_config *config) {
  rf_dataset *dataset = NULL;
  RF_TRY(rf_dataset_open(&config->data, config->model.vocab_size, config->training.seed, &dataset));
  rf_dataset_destroy(dataset);
  return RF_OK;
}

static rf_status arrange(const rf_config *config, rf_mesh *mesh) {
  const rf_mesh_config *wanted = &config->mesh;
  if (rf_mesh_sequence_size(mesh) == wanted->sequence && (wanted->data == 0 || rf_mesh_data_size(mesh) == wanted->data))
    return RF_OK;
  return rf_mesh_arrange(mesh, wanted->sequence, wanted->data);
}

static rf_status build(const char *file, const rf_config *config, rf_mesh *mesh, rf_session *session) {
  RF_TRY(rf_mesh_check_held(mesh, config->mesh.sequence, config->mesh.data)); /* the same on all ranks: ends nothing */
  RF_TRY(arrange(config, mesh));
  RF_TRY(rf_agree(mesh, rf_config_check_training(file, config)));
  RF_TRY(rf_agree(mesh, check_data_file(config)));
  RF_TRY(rf_agree(mesh, rf_plan_check_memory(config, mesh)));
  RF_TRY(rf_agree(mesh, rf_machine_describe(mesh, session->machine)));
  return rf_agree(mesh, rf_trainer_create(config, mesh, &session->trainer));
}

rf_status rf_session_create_from(const char *file, const rf_config *config, rf_mesh *mesh, rf_session **session) {
  rf_session *made = calloc(1, sizeof *made);
  *session = NULL;
  rf_status status = rf_agree(mesh, made ? RF_OK : rf_fail(RF_FAILED, "out of memory: a session"));
  if (made && status == RF_OK) {
    *made = (rf_session){.eval_step = -1};
    status = build(file, config, mesh, made);
  }
  if (status == RF_OK)
    *session = made;
  else
    free(made); /* a trainer that could not be made has left nothing */
  return status;
}

/* Between processes, which stay what they are. */
static rf_status compare_ranks(rf_mesh *mesh) {
  RF_TRY(rf_agree(mesh, rf_library_compare(mesh)));
  return rf_agree(mesh, rf_machine_compare(mesh));
}

static rf_status take_config(const rf_config *given, rf_config *config) {
  if (!given) return refuse_null("rf_session_create: config");
  *config = *given;
  return rf_config_settle_filled(NAME, config);
}

static rf_status create_session(const rf_config *given, rf_mesh *mesh, bool first, rf_session **session) {
  rf_config config = {0};
  RF_TRY(rf_agree(mesh, RF_OK)); /* all are here */
  if (first) RF_TRY(compare_ranks(mesh));
  RF_TRY(rf_agree(mesh, rf_thread_stacks_check()));
  RF_TRY(rf_agree(mesh, take_config(given, &config)));
  RF_TRY(rf_agree(mesh, rf_config_compare(mesh, &config)));
  return rf_session_create_from(NAME, &config, mesh, session);
}

rf_status rf_session_create(const rf_config *config, rf_mesh *mesh, rf_session **session) {
  RF_TRY(rf_processor_check()); /* a mesh there is only where it was checked */
  if (!session) return refuse_null("rf_session_create: session");
  const int number = rf_api_call_count_session(mesh);
  *session = NULL;
  rf_api_call_begin(mesh, RF_API_CALL_CREATE, number);
  const rf_status status = create_session(config, mesh, number == 1, session);
  rf_api_call_end(mesh);
  if (status == RF_OK) (*session)->number = number;
  return status;
}

void rf_session_destroy(rf_session *session) {
  if (!session) return;
  if (rf_mesh_has_failed(session->trainer.mesh) && rf_mesh_size(session->trainer.mesh) > 1) return;
  rf_trainer_destroy(&session->trainer);
  free(session);
}

const rf_config *rf_session_config(const rf_session *session) { return session ? &session->trainer.config : NULL; }

const rf_dataset *rf_session_dataset(const rf_session *session) { return session ? session->trainer.dataset : NULL; }

rf_model *rf_session_model(rf_session *session) { return session ? session->trainer.model : NULL; }

int64_t rf_session_steps_done(const rf_session *session) { return session ? session->step : 0; }

/* --- trained ---------------------------------------------------------------------------------------- */

static rf_status check_runs(const rf_session *session) {
  return session->trainer.mesh ? rf_mpi_check_runs("a session on a mesh") : RF_OK;
}

static rf_status check_ready(const rf_session *session) {
  RF_TRY(check_runs(session));
  if (!session->spoilt) return RF_OK;
  return rf_fail(RF_BAD_DATA,
                 "the session's numbers may in part be those of a checkpoint that could not be loaded; load "
                 "another one, or end it");
}

/* The session's next collective function begins. */
static void begin(const rf_session *session, rf_api_call call) {
  rf_api_call_begin(session->trainer.mesh, call, session->number);
}

/* ... and ends, with its status. */
static rf_status end(const rf_session *session, rf_status status) {
  rf_api_call_end(session->trainer.mesh);
  return status;
}

rf_status rf_session_step(rf_session *session, rf_step_result *result) {
  if (!session || !result) return refuse_null(session ? "rf_session_step: result" : "rf_session_step: session");
  const int64_t steps = session->trainer.config.training.steps;
  RF_TRY(check_ready(session));
  if (session->step >= steps)
    return rf_fail(
        RF_BAD_CONFIG,
        "all %lld steps of training.steps are done; to go on, load what was saved into a session of more steps",
        (long long)steps);
  begin(session, RF_API_CALL_STEP);
  RF_TRY(end(session, rf_agree(session->trainer.mesh, rf_train_step(&session->trainer, session->step + 1, result))));
  session->step++;
  return RF_OK;
}

static rf_status evaluate(rf_session *session, rf_split split, rf_loss *loss) {
  rf_trainer *t = &session->trainer;
  RF_TRY(rf_agree(t->mesh, RF_OK)); /* all are here */
  return rf_agree(t->mesh, rf_evaluate(t->model, t->dataset, split, &t->sequences, NULL, loss));
}

rf_status rf_session_evaluate(rf_session *session, rf_split split, rf_loss *loss) {
  if (!session || !loss) return refuse_null(session ? "rf_session_evaluate: loss" : "rf_session_evaluate: session");
  if (split != RF_SPLIT_TRAIN && split != RF_SPLIT_VALIDATION && split != RF_SPLIT_TEST)
    return rf_fail(RF_BAD_CONFIG,
                   "rf_session_evaluate: found split %d; allowed: %d (training), %d (validation), %d (test)",
                   (int)split, RF_SPLIT_TRAIN, RF_SPLIT_VALIDATION, RF_SPLIT_TEST);
  RF_TRY(check_ready(session));
  begin(session, (rf_api_call)((int)RF_API_CALL_EVALUATE_TRAIN + (int)split));
  RF_TRY(end(session, evaluate(session, split, loss)));
  if (split != RF_SPLIT_VALIDATION) return RF_OK;
  session->eval_loss = rf_loss_mean(loss);
  session->eval_step = session->step;
  return RF_OK;
}

/* With a failure that ends nothing all ranks come here: messages name folders, which may differ, and all get rank 0's.
 */
static rf_status tell_alike(const rf_session *session, rf_status status) {
  rf_mesh *mesh = session->trainer.mesh;
  char message[MOST_MESSAGE];
  if (status == RF_OK || rf_mesh_size(mesh) == 1 || rf_mesh_has_failed(mesh)) return status;
  (void)snprintf(message, sizeof message, "%s", rf_error_message());
  RF_TRY(rf_share(mesh, message, sizeof message));
  return rf_fail(status, "%s", message);
}

/* A finding about the checkpoint `folder` as a failure that ends nothing. */
static rf_status fail_of(const rf_finding *finding, const char *folder) {
  return finding->status == RF_OK ? RF_OK : rf_fail(finding->status, "checkpoint %s: %s", folder, finding->message);
}

/* --- saved ------------------------------------------------------------------------------------------ */

static rf_status write_state(rf_session *session, const char *folder, const char *text, const rf_state *state) {
  rf_trainer *t = &session->trainer;
  const double eval_loss = session->eval_step == session->step ? session->eval_loss : NAN;
  const rf_checkpoint_header header = rf_trainer_header(t, text, session->machine, session->step, eval_loss);
  return rf_checkpoint_save(folder, t->mesh, &header, rf_store_layout(rf_model_store(t->model)), state);
}

static rf_status save(rf_session *session, const char *folder) {
  rf_trainer *t = &session->trainer;
  rf_state state = {0};
  char *text = NULL;
  rf_finding finding;
  RF_TRY(rf_agree(t->mesh, RF_OK)); /* all are here */
  rf_status status = rf_config_emit(&t->config, &text);
  if (status == RF_OK) status = rf_state_create(rf_model_store(t->model), t->optimizer, &state);
  status = rf_survey(t->mesh, status, &finding);
  if (status == RF_OK) status = fail_of(&finding, folder);
  if (status == RF_OK) status = write_state(session, folder, text, &state);
  free(text);
  rf_state_destroy(&state);
  return status;
}

rf_status rf_session_save(rf_session *session, const char *folder) {
  if (!session || !folder) return refuse_null(session ? "rf_session_save: folder" : "rf_session_save: session");
  RF_TRY(check_ready(session));
  begin(session, RF_API_CALL_SAVE);
  return end(session, tell_alike(session, save(session, folder)));
}

/* --- gone on with ----------------------------------------------------------------------------------- */

/* All ranks have the same file: rank 0 looks. */
static rf_status warn_of_data(const rf_session *session, const rf_checkpoint_info *info) {
  const rf_trainer *t = &session->trainer;
  if (rf_mesh_rank(t->mesh) != 0 || info->header.step == 0) return RF_OK;
  return rf_inputs_warn(&t->config, t->dataset, &info->header.data, info->header.step);
}

static void warn_of_machine(const rf_session *session, const char *path, const char *before) {
  if (before[0] == '\0' || strcmp(before, session->machine) == 0) return;
  rf_log_warn("checkpoint %s was computed by %s, this is %s: last bits may differ from here on", path, before,
              session->machine);
}

rf_status rf_session_fits(const rf_session *session, const char *path, const rf_checkpoint *checkpoint) {
  const rf_checkpoint_info *info = rf_checkpoint_info_of(checkpoint);
  RF_TRY(rf_resume_fits(info, &session->trainer));
  RF_TRY(warn_of_data(session, info));
  warn_of_machine(session, path, info->header.machine);
  return RF_OK;
}

rf_status rf_session_take(rf_session *session, rf_checkpoint *checkpoint, rf_finding *finding) {
  session->spoilt = true;
  RF_TRY(rf_resume_load(checkpoint, &session->trainer, finding));
  if (finding->status != RF_OK) return RF_OK;
  session->spoilt = false;
  session->step = rf_checkpoint_info_of(checkpoint)->header.step;
  session->eval_step = -1; /* that was of other parameters */
  return RF_OK;
}

static rf_status take(rf_session *session, const char *folder, rf_checkpoint *checkpoint, rf_finding *finding) {
  rf_status own = rf_config_check_checkpoint(&session->trainer.config, rf_checkpoint_info_of(checkpoint));
  if (own == RF_OK) own = rf_session_fits(session, folder, checkpoint);
  RF_TRY(rf_survey(session->trainer.mesh, own, finding));
  return finding->status == RF_OK ? rf_session_take(session, checkpoint, finding) : RF_OK;
}

static rf_status load(rf_session *session, const char *folder) {
  rf_mesh *mesh = session->trainer.mesh;
  rf_checkpoint *checkpoint;
  rf_finding finding;
  RF_TRY(rf_agree(mesh, RF_OK)); /* all are here */
  RF_TRY(rf_agree(mesh, rf_resume_open(mesh, folder, &checkpoint, &finding)));
  const rf_status status = checkpoint ? rf_agree(mesh, take(session, folder, checkpoint, &finding)) : RF_OK;
  rf_checkpoint_close(checkpoint);
  RF_TRY(status);
  return fail_of(&finding, folder);
}

rf_status rf_session_load(rf_session *session, const char *folder) {
  if (!session || !folder) return refuse_null(session ? "rf_session_load: folder" : "rf_session_load: session");
  RF_TRY(check_runs(session));
  begin(session, RF_API_CALL_LOAD);
  return end(session, tell_alike(session, load(session, folder)));
}
