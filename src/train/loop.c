#include "train/loop.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "comm/agree.h"
#include "comm/collective.h"
#include "reformer/checkpoint.h"
#include "train/evaluate.h"
#include "train/loss.h"
#include "train/metrics.h"
#include "train/progress.h"
#include "train/run_folder.h"
#include "train/sample.h"
#include "train/step.h"
#include "train/watchdog.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Steps in a row that may be skipped for a loss or gradient that is not finite. */
enum { MOST_SKIPPED = 3 };

typedef struct run {
  rf_trainer trainer;
  rf_mesh *mesh;
  rf_metrics *metrics; /* rank 0's; NULL elsewhere */
  rf_progress_line progress;
  rf_watchdog *watchdog; /* of the steps; evaluations may take their time */
  int64_t skipped;       /* in a row */
} run;

/* What a step cost: the slowest rank sets the pace, by the time it did not spend waiting for others. */
static rf_status measure(run *r, double seconds, double waited, rf_metrics_record *record) {
  const double own[] = {seconds - waited, (double)rf_process_peak_bytes()};
  const int ranks = rf_mesh_size(r->mesh);
  double *all = malloc(sizeof own * (size_t)ranks);
  if (!all) return rf_fail(RF_FAILED, "out of memory: figures of %d ranks", ranks);
  const rf_status status = rf_gather_doubles(r->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 2, own, all);
  double busiest = -1;
  for (int i = 0; status == RF_OK && i < ranks; i++) {
    if (all[2 * i] > busiest) record->slowest_rank = i;
    busiest = fmax(busiest, all[2 * i]);
    record->peak_rss_bytes = (int64_t)fmax((double)record->peak_rss_bytes, all[2 * i + 1]);
  }
  free(all);
  RF_TRY(status);
  rf_traffic_read(r->mesh, record->bytes);
  rf_traffic_reset(r->mesh);
  record->wait_seconds = waited;
  record->ranks = ranks;
  return rf_sum_integers(r->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, RF_TRAFFIC_PURPOSES, record->bytes);
}

static rf_metrics_record record_of(const rf_step_result *result, int64_t step, int64_t tokens, double seconds) {
  return (rf_metrics_record){.step = step,
                             .loss = rf_loss_mean(&result->loss),
                             .bits_per_token = rf_loss_bits(&result->loss),
                             .accuracy = rf_loss_accuracy(&result->loss),
                             .learning_rate = result->learning_rate,
                             .grad_norm = result->grad_norm,
                             .tokens_per_second = (double)tokens / seconds,
                             .step_seconds = seconds,
                             .skipped = result->skipped};
}

static rf_status count_skipped(run *r, const rf_step_result *result, int64_t step) {
  if (!result->skipped) {
    r->skipped = 0;
    return RF_OK;
  }
  rf_log_warn("step %lld: loss %g, gradient norm %g: not finite, the step is skipped", (long long)step,
              rf_loss_mean(&result->loss), result->grad_norm);
  if (++r->skipped < MOST_SKIPPED) return RF_OK;
  return rf_fail(RF_FAILED,
                 "step %lld: loss or gradient were not finite in %d steps in a row; lower optimizer.lr, lengthen "
                 "optimizer.warmup or set training.clip_norm",
                 (long long)step, MOST_SKIPPED);
}

static rf_status evaluate_into(run *r, rf_metrics_record *record) {
  rf_loss loss;
  RF_TRY(rf_evaluate(r->trainer.model, r->trainer.dataset, RF_SPLIT_VALIDATION, &r->trainer.sequences, &loss));
  if (loss.counted == 0) return RF_OK; /* no validation split */
  record->evaluated = true;
  record->eval_loss = rf_loss_mean(&loss);
  record->eval_bits_per_token = rf_loss_bits(&loss);
  record->eval_accuracy = rf_loss_accuracy(&loss);
  for (int i = 0; i < RF_POSITION_CLASSES; i++)
    record->eval_loss_by_position[i] =
        loss.counted_by_position[i] > 0 ? loss.sum_by_position[i] / (double)loss.counted_by_position[i] : NAN;
  return RF_OK;
}

static rf_status one_step(run *r, int64_t step) {
  const rf_config *config = &r->trainer.config;
  const double start = rf_clock_seconds(), waited = rf_mesh_wait_seconds(r->mesh);
  rf_step_result result;
  rf_watchdog_watch(r->watchdog, step);
  RF_TRY(rf_train_step(&r->trainer, step, &result));
  const double seconds = rf_clock_seconds() - start;
  rf_metrics_record record = record_of(&result, step, config->training.batch * config->data.length, seconds);
  const bool last = step == config->training.steps;
  if (last || (config->training.eval_every > 0 && step % config->training.eval_every == 0)) {
    rf_watchdog_rest(r->watchdog);
    RF_TRY(evaluate_into(r, &record));
    rf_watchdog_watch(r->watchdog, step);
  }
  const bool logged = step % config->output.log_every == 0 || step == 1 || last || record.evaluated || record.skipped;
  if (logged) RF_TRY(measure(r, seconds, rf_mesh_wait_seconds(r->mesh) - waited, &record));
  if (logged && r->metrics) RF_TRY(rf_metrics_write(r->metrics, &record));
  rf_progress_step(&r->progress, &record);
  return count_skipped(r, &result, step);
}

static rf_status say_splits(run *r) {
  rf_trainer *t = &r->trainer;
  RF_TRY(rf_evaluate_say(t->model, t->dataset, RF_SPLIT_VALIDATION, &t->sequences, "validation"));
  return rf_evaluate_say(t->model, t->dataset, RF_SPLIT_TEST, &t->sequences, "test");
}

static rf_status save_checkpoint(run *r, const rf_train_options *options, int64_t step) {
  char name[64], path[RF_MAX_PATH];
  snprintf(name, sizeof name, "checkpoints/step-%08lld", (long long)step);
  RF_TRY(rf_run_folder_path(options->run_folder, name, path, sizeof path));
  const rf_checkpoint_header header = {.config = options->config_text,
                                       .step = step,
                                       .seed = r->trainer.config.training.seed,
                                       .mesh_sequence = rf_mesh_sequence_size(r->mesh),
                                       .mesh_data = rf_mesh_data_size(r->mesh),
                                       .eval_loss = NAN};
  rf_store *store = rf_model_store(r->trainer.model);
  rf_state state;
  RF_TRY(rf_state_create(store, r->trainer.optimizer, &state));
  const rf_status status = rf_checkpoint_save(path, r->mesh, &header, rf_store_layout(store), &state);
  rf_state_destroy(&state);
  if (status == RF_OK) rf_log_info("checkpoint %s", path);
  return status;
}

static rf_status say_sample(run *r) {
  const rf_output_config *output = &r->trainer.config.output;
  if (output->sample_tokens == 0) return RF_OK;
  char *text = malloc(strlen(output->sample_prompt) + (size_t)output->sample_tokens + 2);
  if (!text) return rf_fail(RF_FAILED, "out of memory: sample of %lld tokens", (long long)output->sample_tokens);
  const rf_status status = rf_sample_text(r->trainer.model, output->sample_prompt, output->sample_tokens,
                                          output->sample_temperature, r->trainer.config.training.seed, text);
  if (status == RF_OK) rf_log_info("sampled from the model (temperature %g):\n%s", output->sample_temperature, text);
  free(text);
  return status;
}

static rf_status train(run *r, const rf_train_options *options) {
  const rf_config *config = &r->trainer.config;
  rf_log_info("%lld parameters; %lld + %lld sequences of %lld tokens for training and validation",
              (long long)rf_store_parameters(rf_model_store(r->trainer.model)),
              (long long)rf_dataset_sequences(r->trainer.dataset, RF_SPLIT_TRAIN),
              (long long)rf_dataset_sequences(r->trainer.dataset, RF_SPLIT_VALIDATION), (long long)config->data.length);
  rf_progress_start(&r->progress, 1, config->training.steps, config->output.log_every);
  rf_status status = RF_OK;
  for (int64_t step = 1; status == RF_OK && step <= config->training.steps; step++)
    status = rf_agree(r->mesh, one_step(r, step));
  rf_watchdog_rest(r->watchdog);
  rf_progress_finish();
  RF_TRY(status);
  RF_TRY(save_checkpoint(r, options, config->training.steps));
  RF_TRY(say_splits(r));
  return say_sample(r);
}

static rf_status open_metrics(run *r, const rf_train_options *options) {
  char path[RF_MAX_PATH];
  if (rf_mesh_rank(r->mesh) != 0) return RF_OK;
  RF_TRY(rf_run_folder_path(options->run_folder, "metrics.jsonl", path, sizeof path));
  return rf_metrics_open(path, &r->metrics);
}

rf_status rf_train_run(const rf_config *config, rf_mesh *mesh, const rf_train_options *options) {
  run r = {.mesh = mesh};
  rf_status status = open_metrics(&r, options);
  if (status == RF_OK) status = rf_trainer_create(config, mesh, &r.trainer);
  if (status == RF_OK) status = rf_watchdog_start(mesh, config->training.step_timeout, &r.watchdog);
  status = rf_agree(mesh, status);
  if (status == RF_OK) status = rf_agree(mesh, train(&r, options));
  rf_watchdog_stop(r.watchdog);
  if (status == RF_OK || rf_mesh_size(mesh) == 1) rf_trainer_destroy(&r.trainer);
  if (r.metrics) rf_metrics_close(r.metrics);
  return status;
}
