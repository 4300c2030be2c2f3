#include "train/loop.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/run_names.h"
#include "comm/collective.h"
#include "reformer/agree.h"
#include "reformer/saver.h"
#include "train/evaluate.h"
#include "train/loss.h"
#include "train/memory.h"
#include "train/metrics_record.h"
#include "train/run_folder.h"
#include "train/sample.h"
#include "train/sample_text.h"
#include "train/status_line.h"
#include "train/stop.h"
#include "train/watchdog.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Steps in a row that may be skipped for a loss or gradient that is not finite. */
enum { MOST_SKIPPED = 3 };

/* What all ranks together are thought to write to a disk, bytes a second, before one checkpoint was measured. */
static const double assumed_speed = 100e6;

typedef struct train_loop {
  rf_trainer *trainer;
  rf_mesh *mesh;
  const rf_train_options *options;
  rf_metrics *metrics; /* rank 0's; NULL elsewhere */
  rf_status_line status_line;
  rf_watchdog *watchdog; /* of the steps; evaluations and checkpoints may take their time */
  rf_stop stop;
  rf_state state;
  rf_saver *saver;
  int64_t skipped;   /* in a row */
  int64_t told_step; /* newest checkpoint that is in the metrics */
  double assumed_write_seconds;
} train_loop;

/* --- a step ----------------------------------------------------------------------------------------- */

/* What is known of a step so far, by the phases that follow each other in run_step. */
typedef struct step_done {
  int64_t step;
  bool last, stops;     /* of the run; after it */
  double waited_before; /* of rf_mesh_wait_seconds */
  rf_step_result result;
  rf_metrics_record record;
} step_done;

static rf_status train_one(train_loop *r, step_done *done) {
  const rf_config *config = &r->trainer->config;
  const double start = rf_clock_seconds();
  done->waited_before = rf_mesh_wait_seconds(r->mesh);
  rf_watchdog_watch(r->watchdog, done->step);
  RF_TRY(rf_train_step(r->trainer, done->step, &done->result));
  done->record = rf_metrics_of_step(&done->result, done->step, config->training.batch * config->data.length,
                                    rf_clock_seconds() - start);
  return RF_OK;
}

static rf_status look_for_stop(train_loop *r) {
  const double longest = rf_saver_report_of(r->saver).longest_seconds;
  r->stop.write_seconds = longest > 0 ? longest : r->assumed_write_seconds;
  return rf_stop_look(&r->stop);
}

/* Whether a step is one of every so many; 0: none is. */
static bool is_one_of(int64_t step, int64_t every) { return every > 0 && step % every == 0; }

static rf_status evaluate_if_due(train_loop *r, step_done *done) {
  rf_trainer *t = r->trainer;
  rf_loss loss;
  if (!done->last && !is_one_of(done->step, t->config.training.eval_every)) return RF_OK;
  rf_watchdog_rest(r->watchdog);
  RF_TRY(rf_evaluate(t->model, t->dataset, RF_SPLIT_VALIDATION, &t->sequences, &r->stop, &loss));
  rf_metrics_add_evaluation(&loss, &done->record);
  rf_watchdog_watch(r->watchdog, done->step);
  return RF_OK;
}

/* What was committed since the last record. */
static void add_checkpoint(train_loop *r, rf_metrics_record *record) {
  const rf_saver_report report = rf_saver_report_of(r->saver);
  if (report.saved_step == r->told_step) return;
  r->told_step = report.saved_step;
  record->saved = true;
  record->checkpoint_step = report.saved_step;
  record->checkpoint_bytes = report.bytes;
  record->checkpoint_stall_seconds = report.stall_seconds;
  record->checkpoint_write_seconds = report.write_seconds;
}

static rf_status log_if_due(train_loop *r, step_done *done) {
  rf_metrics_record *record = &done->record;
  if (!is_one_of(done->step, r->trainer->config.output.log_every) && done->step != 1 && !done->last && !done->stops &&
      !record->evaluated && !record->skipped)
    return RF_OK;
  RF_TRY(rf_metrics_measure(r->mesh, rf_mesh_wait_seconds(r->mesh) - done->waited_before, record));
  add_checkpoint(r, record);
  return r->metrics ? rf_metrics_write(r->metrics, record) : RF_OK;
}

static rf_status count_skipped(train_loop *r, const step_done *done) {
  const rf_step_result *result = &done->result;
  if (!result->skipped) {
    r->skipped = 0;
    return RF_OK;
  }
  rf_log_warn("step %lld: loss %g, gradient norm %g: not finite, the step is skipped", (long long)done->step,
              rf_loss_mean(&result->loss), result->grad_norm);
  if (++r->skipped < MOST_SKIPPED) return RF_OK;
  return rf_fail(RF_FAILED,
                 "step %lld: loss or gradient were not finite in %d steps in a row; lower optimizer.lr, lengthen "
                 "optimizer.warmup or set training.clip_norm",
                 (long long)done->step, MOST_SKIPPED);
}

/* After the evaluation, whose loss tells which checkpoint is the best; NaN: there was none at this step. */
static rf_status save_if_due(train_loop *r, const step_done *done) {
  const double eval_loss = done->record.evaluated ? done->record.eval_loss : (double)NAN;
  if (!done->last && !done->stops && !is_one_of(done->step, r->trainer->config.checkpoint.every))
    return rf_saver_poll(r->saver);
  const rf_checkpoint_header header =
      rf_trainer_header(r->trainer, r->options->config_text, r->options->machine, done->step, eval_loss);
  rf_watchdog_rest(r->watchdog);
  if (r->metrics) rf_metrics_sync(r->metrics);
  RF_TRY(rf_saver_begin(r->saver, &header));
  rf_stop_skip(&r->stop);
  return RF_OK;
}

/* A reason to stop cuts the evaluation short, which finds reasons too; both are logged, and saved for. What was skipped
 * too often ends the run with its line, and without a checkpoint. */
static rf_status run_step(train_loop *r, int64_t step) {
  step_done done = {.step = step, .last = step == r->trainer->config.training.steps};
  RF_TRY(train_one(r, &done));
  RF_TRY(look_for_stop(r));
  RF_TRY(evaluate_if_due(r, &done));
  done.stops = r->stop.reason != 0;
  RF_TRY(log_if_due(r, &done));
  rf_status_line_show(&r->status_line, &done.record);
  RF_TRY(count_skipped(r, &done));
  return save_if_due(r, &done);
}

/* *step: the last that was done. */
static rf_status run_steps(train_loop *r, int64_t *step) {
  const rf_config *config = &r->trainer->config;
  *step = r->options->step;
  rf_status_line_start(&r->status_line, *step + 1, config->training.steps, config->output.log_every);
  rf_status status = rf_agree(r->mesh, look_for_stop(r));
  while (status == RF_OK && r->stop.reason == 0 && *step < config->training.steps)
    status = rf_agree(r->mesh, run_step(r, ++*step));
  rf_watchdog_rest(r->watchdog);
  rf_status_line_wipe();
  return status;
}

static rf_status finish_saving(train_loop *r, int64_t step) {
  RF_TRY(rf_saver_finish(r->saver));
  if (step == r->options->step || rf_saver_report_of(r->saver).saved_step == step) return RF_OK;
  return rf_fail(RF_FAILED, "the state after step %lld, the last, could not be saved", (long long)step);
}

/* --- before and after ------------------------------------------------------------------------------- */

static rf_status say_splits(train_loop *r) {
  rf_trainer *t = r->trainer;
  RF_TRY(rf_evaluate_say(t->model, t->dataset, RF_SPLIT_VALIDATION, &t->sequences, &r->stop, "validation"));
  return rf_evaluate_say(t->model, t->dataset, RF_SPLIT_TEST, &t->sequences, &r->stop, "test");
}

static rf_status sample_into(train_loop *r, int32_t *ids) {
  const rf_config *config = &r->trainer->config;
  const rf_output_config *output = &config->output;
  int64_t n;
  RF_TRY(rf_sample_prompt(config, ids, &n));
  RF_TRY(rf_sample(r->trainer->model, output->sample_tokens, output->sample_temperature, config->training.seed,
                   &r->stop, ids, &n));
  char *text = rf_sample_show(config, ids, n);
  if (!text) return rf_fail(RF_FAILED, "out of memory: sample of %lld tokens", (long long)output->sample_tokens);
  rf_log_info("sampled from the model (temperature %g):\n%s", output->sample_temperature, text);
  free(text);
  return RF_OK;
}

static rf_status say_sample(train_loop *r) {
  const rf_output_config *output = &r->trainer->config.output;
  if (output->sample_tokens == 0) return RF_OK;
  int32_t *ids = malloc((strlen(output->sample_prompt) + 1 + (size_t)output->sample_tokens) * sizeof *ids);
  if (!ids) return rf_fail(RF_FAILED, "out of memory: sample of %lld tokens", (long long)output->sample_tokens);
  const rf_status status = sample_into(r, ids);
  free(ids);
  return status;
}

static rf_status train_to_end(train_loop *r, rf_train_end *end) {
  rf_trainer *t = r->trainer;
  rf_log_info("%lld parameters; %lld + %lld sequences of %lld tokens for training and validation",
              (long long)rf_store_parameters(rf_model_store(t->model)),
              (long long)rf_dataset_sequences(t->dataset, RF_SPLIT_TRAIN),
              (long long)rf_dataset_sequences(t->dataset, RF_SPLIT_VALIDATION), (long long)t->config.data.length);
  rf_dataset_warn(t->dataset, t->config.training.batch);
  rf_trainer_say_stash(t);
  RF_TRY(run_steps(r, &end->step));
  RF_TRY(finish_saving(r, end->step));
  if (r->stop.reason == 0) RF_TRY(say_splits(r));
  if (r->stop.reason == 0) RF_TRY(say_sample(r));
  if (r->stop.reason != 0) end->stopped = rf_stop_reason(&r->stop);
  return RF_OK;
}

/* Rank 0 has the file; the others learn how many steps in a row were skipped last. */
static rf_status open_metrics(train_loop *r) {
  char path[RF_MAX_PATH];
  if (rf_mesh_rank(r->mesh) != 0) return RF_OK;
  RF_TRY(rf_run_folder_path(r->options->run_folder, RF_RUN_METRICS, path));
  RF_TRY(rf_metrics_cut(path, r->options->step, &r->skipped));
  return rf_metrics_open(path, &r->metrics);
}

static rf_status open_saver(train_loop *r) {
  rf_trainer *t = r->trainer;
  rf_store *store = rf_model_store(t->model);
  char folder[RF_MAX_PATH];
  RF_TRY(rf_run_folder_path(r->options->run_folder, RF_RUN_CHECKPOINTS, folder));
  RF_TRY(rf_state_create(store, t->optimizer, &r->state));
  const rf_saver_options options = {.folder = folder,
                                    .lock = r->options->lock,
                                    .config = t->config.checkpoint,
                                    .resumed_step = r->options->resumed_here ? r->options->step : -1};
  RF_TRY(rf_saver_create(&options, r->mesh, rf_store_layout(store), &r->state, &r->saver));
  r->told_step = rf_saver_report_of(r->saver).saved_step;
  int64_t numbers = 0;
  for (int i = 0; i < r->state.n_arrays; i++) numbers += r->state.arrays[i].count;
  RF_TRY(rf_sum_integers(r->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &numbers));
  r->assumed_write_seconds = (double)numbers * sizeof(real) / assumed_speed;
  return rf_share(r->mesh, &r->skipped, sizeof r->skipped);
}

static rf_status prepare_run(train_loop *r) {
  const rf_training_config *training = &r->trainer->config.training;
  rf_stop_start(r->mesh, training->max_minutes, &r->stop);
  RF_TRY(rf_agree(r->mesh, open_metrics(r)));
  RF_TRY(rf_agree(r->mesh, open_saver(r)));
  rf_traffic_reset(r->mesh); /* what the preparations sent belongs to no step */
  return rf_agree(r->mesh, rf_watchdog_start(r->mesh, training->step_timeout, &r->watchdog));
}

rf_status rf_train_run(const rf_train_options *options, rf_trainer *trainer, rf_train_end *end) {
  train_loop r = {.trainer = trainer, .mesh = trainer->mesh, .options = options};
  *end = (rf_train_end){.step = options->step};
  rf_status status = prepare_run(&r);
  if (status == RF_OK) status = rf_agree(r.mesh, train_to_end(&r, end));
  rf_watchdog_stop(r.watchdog);
  rf_saver_destroy(r.saver);
  rf_state_destroy(&r.state);
  const rf_status closed = rf_metrics_close(r.metrics);
  return rf_agree(r.mesh, status == RF_OK ? closed : status); /* the first failure's message is told again */
}
