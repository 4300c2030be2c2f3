#include "bench/step_figures.h"
#include "base/clock.h"
#include "base/median.h"
#include "base/process.h"
#include "comm/collective.h"
#include "kernel/parallel.h"
#include "reformer/agree.h"
#include "train/step.h"
#include <inttypes.h>
#include <stdlib.h>

static rf_status bench_step(rf_trainer *trainer, int64_t step) {
  rf_step_result result;
  return rf_agree(trainer->mesh, rf_train_step(trainer, step, &result));
}

static rf_status time_steps(rf_trainer *trainer, double *seconds, rf_step_figures *f) {
  RF_TRY(bench_step(trainer, 1));
  const size_t growths = rf_model_scratch_growths(trainer->model);
  rf_spent_start(trainer->mesh);
  for (int64_t i = 0; i < f->steps; i++) {
    const double start = rf_clock_seconds();
    RF_TRY(bench_step(trainer, i + 2));
    seconds[i] = rf_clock_seconds() - start;
  }
  f->growths = rf_model_scratch_growths(trainer->model) - growths;
  f->median = rf_median(f->steps, seconds);
  f->fastest = seconds[0];
  return rf_spent_read(trainer->mesh, f->steps, &f->spent);
}

static rf_status weigh_trainer(const rf_trainer *trainer, rf_step_figures *f) {
  const rf_store *store = rf_model_store(trainer->model);
  double most[] = {(double)rf_process_peak_bytes(), (double)rf_store_memory_used(store),
                   (double)rf_optimizer_memory_used(trainer->optimizer), (double)rf_model_scratch_used(trainer->model),
                   (double)rf_arena_memory_used(trainer->arena)};
  RF_TRY(rf_max_doubles(trainer->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, sizeof most / sizeof *most, most));
  f->parameters = rf_store_parameters(store);
  f->resident = most[0];
  f->store = most[1];
  f->optimizer = most[2];
  f->scratch = most[3];
  f->sequences = most[4];
  return RF_OK;
}

rf_status rf_step_figures_measure(const rf_config *config, rf_mesh *mesh, int64_t steps, rf_step_figures *f) {
  rf_trainer trainer;
  *f = (rf_step_figures){.ranks = rf_mesh_size(mesh),
                         .threads = rf_threads(),
                         .steps = steps,
                         .tokens = config->training.batch * config->data.length,
                         .work = rf_operations_per_token(config, rf_padded_length(config, config->data.length))};
  double *seconds = malloc((size_t)steps * sizeof *seconds);
  if (!seconds) return rf_fail(RF_FAILED, "out of memory: times of %" PRId64 " steps", steps);
  rf_status status = rf_agree(mesh, rf_trainer_create(config, mesh, &trainer));
  if (status == RF_OK) {
    f->stash = trainer.stash;
    f->work.dense -= f->stash.dense;
    f->work.attention -= f->stash.attention;
    status = time_steps(&trainer, seconds, f);
    if (status == RF_OK) status = weigh_trainer(&trainer, f);
    if (status == RF_OK || f->ranks == 1) rf_trainer_destroy(&trainer);
  }
  free(seconds);
  return status;
}
