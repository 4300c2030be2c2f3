#include "bench/attention.h"
#include "bench/attention_figures.h"
#include "kernel/parallel.h"
#include "plan/figures.h"
#include "reformer/real.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { SHORTEST = 1024, LENGTHS = 20, KINDS = 6, FULL = 5 };
#define LONGEST_SECONDS 30.0

static const struct {
  rf_attention_kind kind;
  int64_t rounds;
} kinds[KINDS] = {{RF_ATTENTION_LSH, 1}, {RF_ATTENTION_LSH, 2},   {RF_ATTENTION_LSH, 4},
                  {RF_ATTENTION_LSH, 8}, {RF_ATTENTION_LOCAL, 0}, {RF_ATTENTION_FULL, 0}};

typedef struct attention_table {
  int lengths;
  int64_t length[LENGTHS];
  rf_attention_figures of[LENGTHS][KINDS]; /* forward 0: not tried */
  double peak;
} attention_table;

static double seconds_of(const rf_attention_figures *f) { return f->forward + f->reverse; }

static double bytes_sent(const rf_attention_figures *f) {
  double sum = 0;
  for (int i = 0; i < RF_TRAFFIC_PURPOSES; i++) sum += f->spent.bytes[i];
  return sum;
}

/* Length from which on kind k is faster than full attention: between two measured ones by a power law. 0: not met.
 * SHORTEST: from there on, or before. */
static double crossover(const attention_table *t, int k) {
  double before = 0;
  for (int i = 0; i < t->lengths; i++) {
    const rf_attention_figures *f = &t->of[i][k], *full = &t->of[i][FULL];
    if (f->forward <= 0 || full->forward <= 0) return 0;
    const double ratio = log(seconds_of(full) / seconds_of(f));
    if (ratio > 0) {
      const double a = log((double)t->length[i > 0 ? i - 1 : 0]), b = log((double)t->length[i]);
      return i == 0 ? (double)t->length[0] : exp(a + (b - a) * -before / (ratio - before));
    }
    before = ratio;
  }
  return 0;
}

static void print_row(const attention_table *t, const rf_attention_figures *f) {
  char name[32];
  snprintf(name, sizeof name, f->rounds > 0 ? "%s, %" PRId64 " rounds" : "%s", rf_attention_names[f->kind], f->rounds);
  printf("%9" PRId64 "  %-14s %10.2f %10.2f %11.0f %9.1f%% %12.2f\n", f->length, name, f->forward * 1e3,
         f->reverse * 1e3, (double)f->length / seconds_of(f), 100 * f->operations / seconds_of(f) / t->peak,
         bytes_sent(f) / 1048576);
}

static void print_attention(const rf_bench *b) {
  const attention_table *t = b->figures;
  const int ranks = rf_mesh_size(b->mesh);
  printf("one attention sublayer, %d rank%s of %d thread%s, " RF_REAL_NAME "; measured peak %.1f GFLOP/s\n", ranks,
         ranks == 1 ? "" : "s", rf_threads(), rf_threads() == 1 ? "" : "s", t->peak * 1e-9);
  printf("%9s  %-14s %10s %10s %11s %10s %12s\n", "length", "attention", "forward ms", "reverse ms", "tokens/s",
         "of peak", "MiB sent");
  for (int i = 0; i < t->lengths; i++)
    for (int k = 0; k < KINDS; k++)
      if (t->of[i][k].forward > 0) print_row(t, &t->of[i][k]);
  for (int k = 0; k < FULL; k++) {
    const double from = crossover(t, k);
    char name[32] = "local";
    if (kinds[k].kind == RF_ATTENTION_LSH) snprintf(name, sizeof name, "lsh, %" PRId64 " rounds", kinds[k].rounds);
    if (from > 0)
      printf("%s is faster than full attention from length %.0f on\n", name, from);
    else
      printf("%s was not faster than full attention at any length that both were tried at\n", name);
  }
}

static json_t *row_of(const attention_table *t, const rf_attention_figures *f) {
  json_t *phases = json_object();
  for (int p = 0; p < RF_PHASES; p++)
    if (f->spent.seconds[p] > 0)
      json_object_set_new(phases, rf_phase_name((rf_phase)p), json_real(f->spent.seconds[p]));
  return json_pack("{s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:I, s:o, s:o}", "attention", rf_attention_names[f->kind],
                   "rounds", (json_int_t)f->rounds, "length", (json_int_t)f->length, "forward_seconds", f->forward,
                   "reverse_seconds", f->reverse, "tokens_per_second", (double)f->length / seconds_of(f),
                   "share_of_peak", f->operations / seconds_of(f) / t->peak, "scratch_bytes", (json_int_t)f->scratch,
                   "phase_seconds", phases, "bytes", rf_figures_of_whole_bytes(f->spent.bytes));
}

static json_t *attention_to_json(const rf_bench *b) {
  const attention_table *t = b->figures;
  json_t *rows = json_array(), *crossovers = json_object();
  for (int i = 0; i < t->lengths; i++)
    for (int k = 0; k < KINDS; k++)
      if (t->of[i][k].forward > 0) json_array_append_new(rows, row_of(t, &t->of[i][k]));
  for (int k = 0; kinds[k].kind == RF_ATTENTION_LSH; k++) {
    char rounds[24];
    snprintf(rounds, sizeof rounds, "%" PRId64, kinds[k].rounds);
    const double from = crossover(t, k);
    json_object_set_new(crossovers, rounds, from > 0 ? json_real(from) : json_null());
  }
  return json_pack("{s:i, s:i, s:s, s:f, s:o, s:o}", "ranks", rf_mesh_size(b->mesh), "threads", rf_threads(), "real",
                   RF_REAL_NAME, "peak_operations_per_second", t->peak, "rows", rows, "lsh_faster_than_full_from",
                   crossovers);
}

static rf_status measure_attention(const rf_bench *b) {
  attention_table *t = b->figures;
  bool slow[KINDS] = {false};
  RF_TRY(rf_bench_peak(b->mesh, &t->peak));
  for (int64_t length = SHORTEST; length <= b->options->longest && t->lengths < LENGTHS; length *= 2) {
    const int i = t->lengths++;
    for (int k = 0; k < KINDS; k++) {
      t->length[i] = length;
      const rf_config one = rf_config_of_attention(b->config, kinds[k].kind, kinds[k].rounds, &t->length[i]);
      if (slow[k]) continue;
      RF_TRY(rf_attention_figures_measure(&one, b->mesh, t->length[i], b->options->repeats, &t->of[i][k]));
      /* the slowest rank's time, so that all ranks decide alike */
      slow[k] = seconds_of(&t->of[i][k]) * (double)(b->options->repeats + 1) > LONGEST_SECONDS;
    }
  }
  return RF_OK;
}

rf_status rf_bench_attention(const rf_config *config, rf_mesh *mesh, const rf_bench_options *options) {
  attention_table table = {0};
  const rf_bench bench = {.mesh = mesh,
                          .config = config,
                          .options = options,
                          .figures = &table,
                          .measure = measure_attention,
                          .print = print_attention,
                          .to_json = attention_to_json};
  RF_TRY(rf_mesh_arrange(mesh, config->mesh.sequence, config->mesh.data));
  if (rf_mesh_data_size(mesh) > 1)
    return rf_fail(RF_BAD_CONFIG, "bench attention: found %d data groups; allowed: 1: set mesh.sequence to %d",
                   rf_mesh_data_size(mesh), rf_mesh_size(mesh));
  return rf_bench_run(&bench);
}
