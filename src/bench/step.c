#include "bench/step.h"
#include "comm/collective.h"
#include "kernel/peak.h"
#include "reformer/agree.h"
#include "reformer/real.h"
#include "model/stash.h"
#include "bench/step_figures.h"
#include "storage/json_file.h"
#include <inttypes.h>
#include <stdio.h>

typedef struct report {
  rf_step_figures step;
  double peak; /* operations a second, of all cores used */
  rf_precision precision;
} report;

static double counted(const report *r) { return r->step.work.dense + r->step.work.attention; }
static double rate_of(const report *r) { return counted(r) * (double)r->step.tokens / r->step.median; }

static double total_of(const double *phases) {
  double sum = 0;
  for (int p = 0; p < RF_PHASES; p++) sum += phases[p];
  return sum;
}

static void print_phases(const rf_step_figures *f) {
  const double all = total_of(f->seconds);
  printf("%-28s %12s  %s\n", "phase, ms of a step", f->ranks == 1 ? "" : "mean rank",
         f->ranks == 1 ? "" : "(of it waiting for other ranks)");
  for (int p = 0; p < RF_PHASES; p++) {
    if (f->seconds[p] * 1e3 < 0.0005) continue;
    printf("  %-26s %12.3f %5.1f%%", rf_phase_name((rf_phase)p), f->seconds[p] * 1e3, 100 * f->seconds[p] / all);
    if (f->ranks > 1) printf("  (%.3f)", f->waited[p] * 1e3);
    printf("\n");
  }
}

static void print(const report *r) {
  const rf_step_figures *f = &r->step;
  const rf_operations *w = &f->work;
  char kept[256];
  printf("%-28s %12" PRId64 "\n", "tokens a step", f->tokens);
  printf("%-28s %12.0f  (fastest step %.0f)\n", "tokens/s, median step", (double)f->tokens / f->median,
         (double)f->tokens / f->fastest);
  printf("%-28s %12.3f\n", "seconds a step", f->median);
  printf("%-28s %12.2f  (dense %.2f, attention %.2f; not counted: hashing %.2f, head %.2f, other about %.2f)\n",
         "MFLOP a token", counted(r) * 1e-6, w->dense * 1e-6, w->attention * 1e-6, w->hashing * 1e-6, w->head * 1e-6,
         w->other * 1e-6);
  printf("%-28s %12.1f\n", "GFLOP/s", rate_of(r) * 1e-9);
  printf("%-28s %12.1f  (%d ranks, %d threads each, " RF_REAL_NAME ")\n", "GFLOP/s, measured peak", r->peak * 1e-9,
         f->ranks, f->threads);
  printf("%-28s %11.1f%%%s\n", "share of peak", 100 * rate_of(r) / r->peak,
         r->precision == RF_PRECISION_BF16 ? "  (of the peak in " RF_REAL_NAME ": products in bf16 may pass it)" : "");
  printf("%-28s %12.1f  (parameters and gradients %.1f, moments %.1f, activations and transients %.1f)\n",
         f->ranks == 1 ? "peak resident MiB" : "peak resident MiB, most", f->resident / 1048576, f->store / 1048576,
         f->optimizer / 1048576, f->scratch / 1048576);
  printf("%-28s %12zu\n", "scratch growths after step 1", f->growths);
  printf("%-28s %12.1f  (%s)\n", "kept MiB", (double)f->keeping.bytes / 1048576,
         rf_stash_describe(&f->keeping, kept, sizeof kept));
  print_phases(f);
  if (f->ranks == 1) return;
  printf("%-28s %12.3f\n", "seconds waiting, mean rank", total_of(f->waited));
  for (int i = 0; i < RF_TRAFFIC_PURPOSES; i++)
    printf("MiB a step, %-16s %12.3f\n", rf_traffic_name((rf_traffic)i),
           (double)f->bytes[i] / (double)f->steps / 1048576);
}

static json_t *phases_of(const double *seconds) {
  json_t *phases = json_object();
  for (int p = 0; p < RF_PHASES; p++) json_object_set_new(phases, rf_phase_name((rf_phase)p), json_real(seconds[p]));
  return phases;
}

static json_t *kept_of(const rf_stash_summary *k) {
  return json_pack(
      "{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "bytes", (json_int_t)k->bytes, "attention_outputs_layers",
      (json_int_t)k->layers[RF_STASH_OUTPUT], "second_streams_layers", (json_int_t)k->layers[RF_STASH_SECOND_STREAM],
      "queries_layers", (json_int_t)k->layers[RF_STASH_QUERIES], "first_streams_layers",
      (json_int_t)k->layers[RF_STASH_FIRST_STREAM], "hidden_layers", (json_int_t)k->layers[RF_STASH_HIDDEN],
      "dense_operations_saved_per_token", k->dense, "attention_operations_saved_per_token", k->attention);
}

static json_t *bytes_of(const rf_step_figures *f) {
  json_t *bytes = json_object();
  for (int i = 0; i < RF_TRAFFIC_PURPOSES; i++)
    json_object_set_new(bytes, rf_traffic_name((rf_traffic)i), json_real((double)f->bytes[i] / (double)f->steps));
  return bytes;
}

static rf_status write_json(const report *r, const char *path) {
  const rf_step_figures *f = &r->step;
  json_t *object = json_pack("{s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:s, s:i, s:f}",
                             "steps", (json_int_t)f->steps, "tokens", (json_int_t)f->tokens, "step_seconds", f->median,
                             "step_seconds_fastest", f->fastest, "tokens_per_second", (double)f->tokens / f->median,
                             "dense_operations_per_token", f->work.dense, "attention_operations_per_token",
                             f->work.attention, "hashing_operations_per_token", f->work.hashing,
                             "head_operations_per_token", f->work.head, "other_operations_per_token", f->work.other,
                             "peak_operations_per_second", r->peak, "share_of_peak", rate_of(r) / r->peak, "threads",
                             f->threads, "real", RF_REAL_NAME, "ranks", f->ranks, "wait_seconds", total_of(f->waited));
  json_t *memory = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "peak_rss_bytes", (json_int_t)f->resident,
                             "scratch_growths", (json_int_t)f->growths, "parameters", (json_int_t)f->parameters,
                             "store_bytes", (json_int_t)f->store, "optimizer_bytes", (json_int_t)f->optimizer,
                             "scratch_bytes", (json_int_t)f->scratch, "sequences_bytes", (json_int_t)f->sequences);
  json_object_update(object, memory);
  json_object_set_new(object, "precision", json_string(rf_precision_names[r->precision]));
  json_object_set_new(object, "kept", kept_of(&f->keeping));
  json_object_set_new(object, "phase_seconds", phases_of(f->seconds));
  json_object_set_new(object, "phase_wait_seconds", phases_of(f->waited));
  json_object_set_new(object, "bytes", bytes_of(f));
  json_decref(memory);
  return rf_json_file_write(object, path);
}

static rf_status run(const rf_config *config, rf_mesh *mesh, int64_t steps, const char *json_path) {
  RF_TRY(rf_agree(mesh, rf_mesh_rank(mesh) == 0 ? rf_json_file_check(json_path) : RF_OK));
  report r = {.peak = rf_peak_rate(0.1), .precision = config->model.precision};
  RF_TRY(rf_sum_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &r.peak));
  RF_TRY(rf_step_figures_measure(config, mesh, steps, &r.step));
  if (rf_mesh_rank(mesh) != 0) return RF_OK;
  print(&r);
  return json_path ? write_json(&r, json_path) : RF_OK;
}

rf_status rf_bench_step(const rf_config *config, rf_mesh *mesh, int64_t steps, const char *json_path) {
  RF_TRY(rf_mesh_arrange(mesh, config->mesh.sequence, config->mesh.data));
  return rf_agree(mesh, run(config, mesh, steps, json_path));
}
