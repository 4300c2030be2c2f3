#include "bench/exchange.h"
#include "base/integers.h"
#include "bench/exchange_figures.h"
#include "kernel/parallel.h"
#include "plan/figures.h"
#include <inttypes.h>
#include <stdio.h>

enum { NAMES = 34 }; /* width of their column */

static double gigabytes_a_second(const rf_exchange_figures *f) { return (double)f->most_bytes / f->scatter * 1e-9; }

static void print_exchange(const rf_bench *b) {
  const rf_exchange_figures *f = b->figures;
  const int ranks = rf_mesh_sequence_size(b->mesh);
  rf_bench_row(NAMES, "exchange",
               "%" PRId64 " tokens, %" PRId64 " heads of %" PRId64 ", %" PRId64 " rounds, %" PRId64 " buckets, skew %g",
               f->shape.tokens, f->shape.pairs, b->config->model.d_head, f->shape.rounds, f->buckets, b->options->skew);
  rf_bench_row(NAMES, "sequence ranks", "%12d  (%d threads each)", ranks, rf_threads());
  rf_bench_row(NAMES, "remote owners a token and head", "%12.3f", f->rows_a_token);
  rf_bench_row(NAMES, "bound: min(rounds, ranks - 1)", "%12" PRId64, rf_min(f->shape.rounds, ranks - 1));
  rf_bench_row(NAMES, "plan, ms", "%12.3f", f->plan * 1e3);
  rf_bench_row(NAMES, "scatter of q and v, ms", "%12.3f", f->scatter * 1e3);
  rf_bench_row(NAMES, "gather of o, ms", "%12.3f", f->gather * 1e3);
  rf_bench_row(NAMES, "rows/s, scatter, all ranks", "%12.0f", (double)f->rows / f->scatter);
  rf_bench_row(NAMES, "GB/s sent, scatter, one rank", "%12.3f", gigabytes_a_second(f));
  rf_bench_row(NAMES, "sublayer forward, ms", "%12.3f", f->forward * 1e3);
  rf_bench_row(NAMES, "sublayer reverse, ms", "%12.3f", f->reverse * 1e3);
  rf_bench_row(NAMES, "of these not hidden", "%11.1f%%", 100 * f->waited);
  for (int i = 0; i < RF_TRAFFIC_PURPOSES; i++) {
    char name[64];
    (void)snprintf(name, sizeof name, "MiB forward and reverse, %s", rf_traffic_name((rf_traffic)i));
    if (f->spent.bytes[i] > 0) rf_bench_row(NAMES, name, "%12.3f", f->spent.bytes[i] / 1048576);
  }
}

static json_t *exchange_to_json(const rf_bench *b) {
  const rf_exchange_figures *f = b->figures;
  return json_pack("{s:I, s:I, s:I, s:f, s:i, s:f, s:f, s:f, s:f, s:I, s:f, s:f, s:f, s:f, s:o}", "tokens",
                   (json_int_t)f->shape.tokens, "heads", (json_int_t)f->shape.pairs, "rounds",
                   (json_int_t)f->shape.rounds, "skew", b->options->skew, "sequence_ranks",
                   rf_mesh_sequence_size(b->mesh), "remote_owners", f->rows_a_token, "plan_seconds", f->plan,
                   "scatter_seconds", f->scatter, "gather_seconds", f->gather, "rows", (json_int_t)f->rows,
                   "gigabytes_per_second", gigabytes_a_second(f), "forward_seconds", f->forward, "reverse_seconds",
                   f->reverse, "share_not_hidden", f->waited, "bytes", rf_figures_of_whole_bytes(f->spent.bytes));
}

static rf_status measure_exchange(const rf_bench *b) {
  return rf_exchange_figures_measure(b->config, b->mesh, b->options, b->figures);
}

rf_status rf_bench_exchange(const rf_config *config, rf_mesh *mesh, const rf_bench_options *options) {
  rf_exchange_figures figures = {0};
  const rf_bench bench = {.mesh = mesh,
                          .config = config,
                          .options = options,
                          .figures = &figures,
                          .measure = measure_exchange,
                          .print = print_exchange,
                          .to_json = exchange_to_json};
  RF_TRY(rf_mesh_arrange(mesh, config->mesh.sequence, config->mesh.data));
  return rf_bench_run(&bench);
}
