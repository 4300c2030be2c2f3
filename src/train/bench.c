#include "train/bench.h"
#include "base/clock.h"
#include "base/process.h"
#include "comm/agree.h"
#include "comm/collective.h"
#include "kernel/parallel.h"
#include "kernel/peak.h"
#include "model/operations.h"
#include "train/step.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct figures {
  int ranks;
  double waited;                      /* seconds of a step that rank 0 stood waiting for others */
  int64_t bytes[RF_TRAFFIC_PURPOSES]; /* sent by all ranks in all steps */
  int64_t steps, tokens;              /* of a step */
  double median, fastest;             /* seconds of a step */
  double peak;                        /* operations a second */
  rf_operations work;                 /* of a token */
  size_t growths;                     /* of scratch memory after the first step */
  int64_t parameters;
  /* bytes, each of the rank with most: resident at the highest; parameters and gradients; moments; activations and
   * transients */
  double resident, store, optimizer, scratch;
} figures;

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static rf_status one_step(rf_trainer *trainer, int64_t step) {
  rf_step_result result;
  return rf_agree(trainer->mesh, rf_train_step(trainer, step, &result));
}

static rf_status time_steps(rf_trainer *trainer, double *seconds, figures *f) {
  RF_TRY(one_step(trainer, 1)); /* touches memory for the first time: not counted */
  const size_t growths = rf_model_scratch_growths(trainer->model);
  const double waited = rf_mesh_wait_seconds(trainer->mesh);
  rf_traffic_reset(trainer->mesh);
  for (int64_t i = 0; i < f->steps; i++) {
    const double start = rf_clock_seconds();
    RF_TRY(one_step(trainer, i + 2));
    seconds[i] = rf_clock_seconds() - start;
  }
  f->growths = rf_model_scratch_growths(trainer->model) - growths;
  f->waited = (rf_mesh_wait_seconds(trainer->mesh) - waited) / (double)f->steps;
  rf_traffic_read(trainer->mesh, f->bytes);
  qsort(seconds, (size_t)f->steps, sizeof *seconds, by_size);
  f->median = seconds[f->steps / 2];
  f->fastest = seconds[0];
  return rf_sum_integers(trainer->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, RF_TRAFFIC_PURPOSES, f->bytes);
}

static rf_status weigh(const rf_trainer *trainer, figures *f) {
  const rf_store *store = rf_model_store(trainer->model);
  double most[] = {(double)rf_process_peak_bytes(), (double)rf_store_memory_used(store),
                   (double)rf_optimizer_memory_used(trainer->optimizer), (double)rf_model_scratch_used(trainer->model)};
  RF_TRY(rf_max_doubles(trainer->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, sizeof most / sizeof *most, most));
  f->parameters = rf_store_parameters(store);
  f->resident = most[0];
  f->store = most[1];
  f->optimizer = most[2];
  f->scratch = most[3];
  return RF_OK;
}

static rf_status measure(const rf_config *config, rf_mesh *mesh, figures *f) {
  rf_trainer trainer;
  double *seconds = malloc((size_t)f->steps * sizeof *seconds);
  if (!seconds) return rf_fail(RF_FAILED, "out of memory: times of %" PRId64 " steps", f->steps);
  f->peak = rf_peak_rate(0.1);
  f->ranks = rf_mesh_size(mesh);
  f->work = rf_operations_per_token(config, rf_padded_length(config, config->data.length));
  f->tokens = config->training.batch * config->data.length;
  rf_status status = rf_sum_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &f->peak);
  if (status == RF_OK) status = rf_agree(mesh, rf_trainer_create(config, mesh, &trainer));
  if (status == RF_OK) {
    status = time_steps(&trainer, seconds, f);
    if (status == RF_OK) status = weigh(&trainer, f);
    if (status == RF_OK || f->ranks == 1) rf_trainer_destroy(&trainer);
  }
  free(seconds);
  return status;
}

static double rate_of(const figures *f) { return (f->work.dense + f->work.attention) * (double)f->tokens / f->median; }

static void print(const figures *f) {
  printf("%-28s %12" PRId64 "\n", "tokens a step", f->tokens);
  printf("%-28s %12.0f  (fastest step %.0f)\n", "tokens/s, median step", (double)f->tokens / f->median,
         (double)f->tokens / f->fastest);
  printf("%-28s %12.3f\n", "seconds a step", f->median);
  printf("%-28s %12.2f  (dense %.2f, attention %.2f)\n", "MFLOP a token", (f->work.dense + f->work.attention) * 1e-6,
         f->work.dense * 1e-6, f->work.attention * 1e-6);
  printf("%-28s %12.1f\n", "GFLOP/s", rate_of(f) * 1e-9);
  printf("%-28s %12.1f  (%d ranks, %d threads each, " RF_REAL_NAME ")\n", "GFLOP/s, measured peak", f->peak * 1e-9,
         f->ranks, rf_threads());
  printf("%-28s %11.1f%%\n", "share of peak", 100 * rate_of(f) / f->peak);
  printf("%-28s %12.1f  (parameters and gradients %.1f, moments %.1f, activations and transients %.1f)\n",
         f->ranks == 1 ? "peak resident MiB" : "peak resident MiB, most", f->resident / 1048576, f->store / 1048576,
         f->optimizer / 1048576, f->scratch / 1048576);
  printf("%-28s %12zu\n", "scratch growths after step 1", f->growths);
  if (f->ranks == 1) return;
  printf("%-28s %12.3f\n", "seconds waiting, rank 0", f->waited);
  for (int i = 0; i < RF_TRAFFIC_PURPOSES; i++)
    printf("MiB a step, %-16s %12.3f\n", rf_traffic_name((rf_traffic)i),
           (double)f->bytes[i] / (double)f->steps / 1048576);
}

static rf_status write_json(const figures *f, const char *path) {
  json_t *object = json_pack(
      "{s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:f}", "steps",
      (json_int_t)f->steps, "tokens", (json_int_t)f->tokens, "step_seconds", f->median, "step_seconds_fastest",
      f->fastest, "tokens_per_second", (double)f->tokens / f->median, "dense_operations_per_token", f->work.dense,
      "attention_operations_per_token", f->work.attention, "peak_operations_per_second", f->peak, "share_of_peak",
      rate_of(f) / f->peak, "threads", rf_threads(), "real", RF_REAL_NAME, "peak_rss_bytes", (json_int_t)f->resident,
      "scratch_growths", (json_int_t)f->growths, "parameters", (json_int_t)f->parameters, "store_bytes",
      (json_int_t)f->store, "optimizer_bytes", (json_int_t)f->optimizer, "scratch_bytes", (json_int_t)f->scratch,
      "ranks", f->ranks, "wait_seconds", f->waited);
  const int failed = !object || json_dump_file(object, path, JSON_INDENT(2)) != 0;
  json_decref(object);
  return failed ? rf_fail(RF_FAILED, "cannot write %s; is the folder there, and not full?", path) : RF_OK;
}

static rf_status run(const rf_config *config, rf_mesh *mesh, int64_t steps, const char *json_path) {
  figures f = {.steps = steps};
  RF_TRY(measure(config, mesh, &f));
  if (rf_mesh_rank(mesh) != 0) return RF_OK;
  print(&f);
  return json_path ? write_json(&f, json_path) : RF_OK;
}

rf_status rf_bench_step(const rf_config *config, int64_t steps, const char *json_path) {
  rf_mesh *mesh;
  RF_TRY(rf_mesh_create(config->mesh.sequence, config->mesh.data, &mesh));
  const rf_status status = rf_agree(mesh, run(config, mesh, steps, json_path));
  if (status == RF_OK || rf_mesh_size(mesh) == 1) rf_mesh_destroy(mesh);
  return status;
}
