#include "bench/attention.h"
#include "comm/collective.h"
#include "kernel/parallel.h"
#include "kernel/peak.h"
#include "reformer/agree.h"
#include "reformer/real.h"
#include "bench/attention_figures.h"
#include "storage/json_file.h"
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

typedef struct table {
  int lengths;
  int64_t length[LENGTHS];
  rf_attention_figures of[LENGTHS][KINDS]; /* forward 0: not tried */
  double peak;
} table;

static double seconds_of(const rf_attention_figures *f) { return f->forward + f->reverse; }

static double bytes_of(const rf_attention_figures *f) {
  double sum = 0;
  for (int i = 0; i < RF_TRAFFIC_PURPOSES; i++) sum += (double)f->bytes[i];
  return sum;
}

/* Length from which on kind k is faster than full attention: between two measured ones by a power law. 0: not met.
 * SHORTEST: from there on, or before. */
static double crossover(const table *t, int k) {
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

static void print_row(const table *t, const rf_attention_figures *f) {
  char name[32];
  snprintf(name, sizeof name, f->rounds > 0 ? "%s, %" PRId64 " rounds" : "%s", rf_attention_kind_name(f->kind),
           f->rounds);
  printf("%9" PRId64 "  %-14s %10.2f %10.2f %11.0f %9.1f%% %12.2f\n", f->length, name, f->forward * 1e3,
         f->reverse * 1e3, (double)f->length / seconds_of(f), 100 * f->operations / seconds_of(f) / t->peak,
         bytes_of(f) / 1048576);
}

static void print(const table *t, int ranks) {
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

static json_t *row_of(const table *t, const rf_attention_figures *f) {
  json_t *phases = json_object(), *bytes = json_object();
  for (int p = 0; p < RF_PHASES; p++)
    if (f->seconds[p] > 0) json_object_set_new(phases, rf_phase_name((rf_phase)p), json_real(f->seconds[p]));
  for (int i = 0; i < RF_TRAFFIC_PURPOSES; i++)
    json_object_set_new(bytes, rf_traffic_name((rf_traffic)i), json_integer(f->bytes[i]));
  return json_pack("{s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:I, s:o, s:o}", "attention", rf_attention_kind_name(f->kind),
                   "rounds", (json_int_t)f->rounds, "length", (json_int_t)f->length, "forward_seconds", f->forward,
                   "reverse_seconds", f->reverse, "tokens_per_second", (double)f->length / seconds_of(f),
                   "share_of_peak", f->operations / seconds_of(f) / t->peak, "scratch_bytes", (json_int_t)f->scratch,
                   "phase_seconds", phases, "bytes", bytes);
}

static rf_status write_json(const table *t, int ranks, const char *path) {
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
  json_t *object =
      json_pack("{s:i, s:i, s:s, s:f, s:o, s:o}", "ranks", ranks, "threads", rf_threads(), "real", RF_REAL_NAME,
                "peak_operations_per_second", t->peak, "rows", rows, "lsh_faster_than_full_from", crossovers);
  return rf_json_file_write(object, path);
}

static rf_status fill(const rf_config *config, rf_mesh *mesh, const rf_bench_attention_options *options, table *t) {
  bool slow[KINDS] = {false};
  t->peak = rf_peak_rate(0.1);
  RF_TRY(rf_sum_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &t->peak));
  for (int64_t length = SHORTEST; length <= options->longest && t->lengths < LENGTHS; length *= 2) {
    const int i = t->lengths++;
    for (int k = 0; k < KINDS; k++) {
      t->length[i] = length;
      const rf_config one = rf_attention_alone(config, kinds[k].kind, kinds[k].rounds, &t->length[i]);
      if (slow[k]) continue;
      RF_TRY(rf_attention_figures_measure(&one, mesh, t->length[i], options->repeats, &t->of[i][k]));
      /* the slowest rank's time, so that all ranks decide alike */
      slow[k] = seconds_of(&t->of[i][k]) * (double)(options->repeats + 1) > LONGEST_SECONDS;
    }
  }
  return RF_OK;
}

static rf_status run(const rf_config *config, rf_mesh *mesh, const rf_bench_attention_options *options) {
  table t = {0};
  RF_TRY(rf_agree(mesh, rf_mesh_rank(mesh) == 0 ? rf_json_file_check(options->json_path) : RF_OK));
  RF_TRY(fill(config, mesh, options, &t));
  if (rf_mesh_rank(mesh) != 0) return RF_OK;
  print(&t, rf_mesh_size(mesh));
  return write_json(&t, rf_mesh_size(mesh), options->json_path);
}

rf_status rf_bench_attention(const rf_config *config, rf_mesh *mesh, const rf_bench_attention_options *options) {
  RF_TRY(rf_mesh_arrange(mesh, config->mesh.sequence, config->mesh.data));
  if (rf_mesh_data_size(mesh) > 1)
    return rf_fail(RF_BAD_CONFIG, "bench attention: found %d data groups; allowed: 1: set mesh.sequence to %d",
                   rf_mesh_data_size(mesh), rf_mesh_size(mesh));
  return rf_agree(mesh, run(config, mesh, options));
}
