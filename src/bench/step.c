#include "bench/step.h"
#include "bench/step_figures.h"
#include "model/stash.h"
#include "plan/figures.h"
#include "reformer/real.h"
#include <inttypes.h>
#include <stdio.h>

enum { NAMES = 28 }; /* width of their column */

typedef struct step_report {
  rf_step_figures step;
  double peak; /* operations a second, of all cores used */
} step_report;

static double counted(const step_report *r) { return r->step.work.dense + r->step.work.attention; }
static double rate_of(const step_report *r) { return counted(r) * (double)r->step.tokens / r->step.median; }

static void print_phases(const rf_step_figures *f) {
  const double all = rf_spent_sum(f->spent.seconds);
  rf_bench_row(NAMES, "phase, ms of a step", "%12s  %s", f->ranks == 1 ? "" : "mean rank",
               f->ranks == 1 ? "" : "(of it waiting for other ranks)");
  for (int p = 0; p < RF_PHASES; p++) {
    if (f->spent.seconds[p] * 1e3 < 0.0005) continue;
    printf("  %-26s %12.3f %5.1f%%", rf_phase_name((rf_phase)p), f->spent.seconds[p] * 1e3,
           100 * f->spent.seconds[p] / all);
    if (f->ranks > 1) printf("  (%.3f)", f->spent.waited[p] * 1e3);
    printf("\n");
  }
}

static void print_step(const rf_bench *b) {
  const step_report *r = b->figures;
  const rf_step_figures *f = &r->step;
  const rf_operations *w = &f->work;
  char stash[256];
  rf_bench_row(NAMES, "tokens a step", "%12" PRId64, f->tokens);
  rf_bench_row(NAMES, "tokens/s, median step", "%12.0f  (fastest step %.0f)", (double)f->tokens / f->median,
               (double)f->tokens / f->fastest);
  rf_bench_row(NAMES, "seconds a step", "%12.3f", f->median);
  rf_bench_row(NAMES, "MFLOP a token",
               "%12.2f  (dense %.2f, attention %.2f; not counted: hashing %.2f, head %.2f, other about %.2f)",
               counted(r) * 1e-6, w->dense * 1e-6, w->attention * 1e-6, w->hashing * 1e-6, w->head * 1e-6,
               w->other * 1e-6);
  rf_bench_row(NAMES, "GFLOP/s", "%12.1f", rate_of(r) * 1e-9);
  rf_bench_row(NAMES, "GFLOP/s, measured peak", "%12.1f  (%d ranks, %d threads each, " RF_REAL_NAME ")", r->peak * 1e-9,
               f->ranks, f->threads);
  rf_bench_row(NAMES, "share of peak", "%11.1f%%%s", 100 * rate_of(r) / r->peak,
               b->config->model.precision == RF_PRECISION_BF16 ? "  (of the peak in " RF_REAL_NAME
                                                                 ": products in bf16 may pass it)"
                                                               : "");
  rf_bench_row(NAMES, f->ranks == 1 ? "peak resident MiB" : "peak resident MiB, most",
               "%12.1f  (parameters and gradients %.1f, moments %.1f, activations and transients %.1f)",
               f->resident / 1048576, f->store / 1048576, f->optimizer / 1048576, f->scratch / 1048576);
  rf_bench_row(NAMES, "scratch growths after step 1", "%12zu", f->growths);
  rf_bench_row(NAMES, "kept MiB", "%12.1f  (%s)", (double)f->stash.bytes / 1048576,
               rf_stash_describe(&f->stash, stash, sizeof stash));
  print_phases(f);
  if (f->ranks == 1) return;
  rf_bench_row(NAMES, "seconds waiting, mean rank", "%12.3f", rf_spent_sum(f->spent.waited));
  for (int i = 0; i < RF_TRAFFIC_PURPOSES; i++) {
    char name[NAMES + 1];
    (void)snprintf(name, sizeof name, "MiB a step, %s", rf_traffic_name((rf_traffic)i));
    rf_bench_row(NAMES, name, "%12.3f", f->spent.bytes[i] / 1048576);
  }
}

static json_t *stash_to_json(const rf_stash_summary *k) {
  return json_pack(
      "{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "bytes", (json_int_t)k->bytes, "attention_outputs_layers",
      (json_int_t)k->layers[RF_STASH_OUTPUT], "second_streams_layers", (json_int_t)k->layers[RF_STASH_SECOND_STREAM],
      "queries_layers", (json_int_t)k->layers[RF_STASH_QUERIES], "first_streams_layers",
      (json_int_t)k->layers[RF_STASH_FIRST_STREAM], "hidden_layers", (json_int_t)k->layers[RF_STASH_HIDDEN],
      "dense_operations_saved_per_token", k->dense, "attention_operations_saved_per_token", k->attention);
}

static json_t *step_to_json(const rf_bench *b) {
  const step_report *r = b->figures;
  const rf_step_figures *f = &r->step;
  json_t *object = json_pack(
      "{s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:s, s:i, s:f}", "steps", (json_int_t)f->steps,
      "tokens", (json_int_t)f->tokens, "step_seconds", f->median, "step_seconds_fastest", f->fastest,
      "tokens_per_second", (double)f->tokens / f->median, "dense_operations_per_token", f->work.dense,
      "attention_operations_per_token", f->work.attention, "hashing_operations_per_token", f->work.hashing,
      "head_operations_per_token", f->work.head, "other_operations_per_token", f->work.other,
      "peak_operations_per_second", r->peak, "share_of_peak", rate_of(r) / r->peak, "threads", f->threads, "real",
      RF_REAL_NAME, "ranks", f->ranks, "wait_seconds", rf_spent_sum(f->spent.waited));
  json_t *memory = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "peak_rss_bytes", (json_int_t)f->resident,
                             "scratch_growths", (json_int_t)f->growths, "parameters", (json_int_t)f->parameters,
                             "store_bytes", (json_int_t)f->store, "optimizer_bytes", (json_int_t)f->optimizer,
                             "scratch_bytes", (json_int_t)f->scratch, "sequences_bytes", (json_int_t)f->sequences);
  json_object_update(object, memory);
  json_object_set_new(object, "precision", json_string(rf_precision_names[b->config->model.precision]));
  json_object_set_new(object, "kept", stash_to_json(&f->stash));
  json_object_set_new(object, "phase_seconds", rf_figures_of_phases(f->spent.seconds));
  json_object_set_new(object, "phase_wait_seconds", rf_figures_of_phases(f->spent.waited));
  json_object_set_new(object, "bytes", rf_figures_of_bytes(f->spent.bytes));
  json_decref(memory);
  return object;
}

static rf_status measure_step(const rf_bench *b) {
  step_report *r = b->figures;
  RF_TRY(rf_bench_peak(b->mesh, &r->peak));
  return rf_step_figures_measure(b->config, b->mesh, b->options->repeats, &r->step);
}

rf_status rf_bench_step(const rf_config *config, rf_mesh *mesh, const rf_bench_options *options) {
  step_report report;
  const rf_bench bench = {.mesh = mesh,
                          .config = config,
                          .options = options,
                          .figures = &report,
                          .measure = measure_step,
                          .print = print_step,
                          .to_json = step_to_json};
  RF_TRY(rf_mesh_arrange(mesh, config->mesh.sequence, config->mesh.data));
  return rf_bench_run(&bench);
}
