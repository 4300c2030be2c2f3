#include "bench/cluster.h"
#include "base/clock.h"
#include "base/integers.h"
#include "bench/attention_figures.h"
#include "bench/links.h"
#include "bench/step_figures.h"
#include "checkpoint/bearer.h"
#include "comm/host.h"
#include "kernel/parallel.h"
#include "kernel/peak.h"
#include "model/budget.h"
#include "storage/files.h"
#include "storage/output.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Tokens of what is timed on every rank by itself: enough for a speed that does not grow with them any more; fewer
 * where the configuration has fewer. */
enum { MOST_LENGTH = 4096, STEPS = 3, REPEATS = 3 };
#define DISK_BYTES ((int64_t)64 << 20)

enum { NAMES = 28 }; /* width of their column */

/* --- arithmetic: every rank for itself, all at once --- */

static int64_t length_of(const rf_config *config) {
  const int64_t least = 8 * rf_max(config->lsh.chunk, config->local.chunk);
  return rf_min(MOST_LENGTH, rf_max(least, config->data.length));
}

static rf_config config_of_each_rank(const rf_config *config, int ranks) {
  rf_config own = *config;
  own.data = (rf_data_config){.kind = RF_DATA_DUPLICATE, .length = length_of(config), .split = {1, 0, 0}};
  own.model.vocab_size = own.model.vocab_size < 128 ? 128 : own.model.vocab_size;
  own.model.positions = (rf_positions_config){.kind = RF_POSITIONS_NONE};
  own.model.n_layers = own.model.n_layers < 4 ? own.model.n_layers : 4;
  own.lsh.n_factors = 0;
  own.training.batch = ranks;
  own.training.accumulate = 1;
  own.training.memory_limit = 0;
  own.mesh.sequence = 1;
  own.mesh.data = ranks;
  rf_resolve_buckets(&own.lsh, rf_padded_length(&own, own.data.length));
  return own;
}

static double worked(const rf_spent *s, rf_phase phase) { return s->seconds[phase] - s->waited[phase]; }
static double rate_of_work(double operations, double seconds) { return seconds > 0 ? operations / seconds : 0; }

static rf_status rate_step(const rf_config *config, rf_mesh *mesh, rf_rates *c) {
  const rf_config own = config_of_each_rank(config, rf_mesh_size(mesh));
  const rf_model_config *m = &own.model;
  const double tokens = (double)own.data.length, d = (double)m->d_model;
  rf_step_figures f;
  double in = 0, out = 0, forward = 0;
  RF_TRY(rf_step_figures_measure(&own, mesh, STEPS, &f));
  for (int64_t i = 0; i < m->n_layers; i++) {
    const rf_passes passes = rf_passes_of_layer(&own, (rf_layer_stash){0});
    const rf_dense_operations dense = rf_dense_of_layer(&own, i);
    in += passes.project * dense.project;
    out += passes.output * dense.output;
    forward += passes.feed_forward * dense.feed_forward;
  }
  c->projections = rate_of_work(tokens * in, worked(&f.spent, RF_PHASE_PROJECT));
  c->output = rate_of_work(tokens * out, worked(&f.spent, RF_PHASE_OUTPUT));
  c->feed_forward = rate_of_work(tokens * forward, worked(&f.spent, RF_PHASE_FEED_FORWARD));
  c->head = rate_of_work(tokens * f.work.head, worked(&f.spent, RF_PHASE_HEAD));
  c->embedding_value = worked(&f.spent, RF_PHASE_EMBEDDING) / (tokens * d);
  c->other_value = worked(&f.spent, RF_PHASE_OTHER) / (tokens * d);
  c->parameter = worked(&f.spent, RF_PHASE_OPTIMIZER) / ((double)f.parameters / f.ranks);
  return RF_OK;
}

static rf_status rate_attention(const rf_config *config, rf_mesh *mesh, rf_rates *c) {
  const rf_attention_kind kinds[] = {RF_ATTENTION_LSH, RF_ATTENTION_LOCAL, RF_ATTENTION_FULL};
  double *const rates[] = {&c->lsh, &c->local, &c->full};
  for (int i = 0; i < 3; i++) {
    int64_t length = length_of(config);
    const rf_config one = rf_config_of_attention(config, kinds[i], config->lsh.n_hashes, &length);
    rf_attention_figures f;
    RF_TRY(rf_attention_figures_measure(&one, mesh, length, REPEATS, &f));
    const rf_operations work = rf_operations_of_layer(&one, 0, length);
    *rates[i] = rate_of_work(4 * work.attention * (double)length, f.spent.seconds[RF_PHASE_ATTEND]);
    if (i > 0) continue;
    const double items = (double)(length * config->model.n_heads * config->lsh.n_hashes);
    c->hashing = rate_of_work(work.hashing * (double)length, f.spent.seconds[RF_PHASE_HASH]);
    c->plan_item = f.spent.seconds[RF_PHASE_PLAN] / (2 * items);
  }
  return RF_OK;
}

/* --- memory and disk --- */

/* Of a copy in memory; by it until an exchange has been timed. */
static double time_copy(void) {
  const int64_t n = 1 << 22;
  float *from = calloc((size_t)n, sizeof *from), *to = calloc((size_t)n, sizeof *to);
  double best = 1;
  for (int i = 0; from && to && i < 5; i++) {
    const double start = rf_clock_seconds();
#pragma omp parallel for simd schedule(static)
    for (int64_t k = 0; k < n; k++) to[k] = from[k] + 1;
    const double seconds = rf_clock_seconds() - start;
    best = seconds < best ? seconds : best;
  }
  free(from);
  free(to);
  return best / (double)(n * (int64_t)sizeof *from);
}

/* Packing and unpacking, from one LSH sublayer shared by all ranks; alone: three copies. */
static rf_status rate_exchange(const rf_config *config, rf_mesh *mesh, rf_rates *c) {
  c->move_byte = 3 * time_copy();
  if (c->ranks == 1) return RF_OK;
  RF_TRY(rf_mesh_arrange(mesh, c->ranks, 1));
  int64_t length = length_of(config) * c->ranks;
  const rf_config one = rf_config_of_attention(config, RF_ATTENTION_LSH, config->lsh.n_hashes, &length);
  rf_attention_figures f;
  RF_TRY(rf_attention_figures_measure(&one, mesh, length, REPEATS, &f));
  const double bytes = (f.spent.bytes[RF_TRAFFIC_ROWS] + f.spent.bytes[RF_TRAFFIC_HALO]) / c->ranks;
  if (bytes > 0) c->move_byte = worked(&f.spent, RF_PHASE_EXCHANGE) / bytes;
  return RF_OK;
}

/* A file beside the one that is written, and gone again; where that is none, one in the present folder. */
static rf_status open_disk_file(const char *path, rf_output *output) {
  static const rf_output_kind kind = {.what = "a file to time the disk by", .check_folder = rf_bearer_check_file};
  if (path && rf_output_open(path, &kind, true, output) == RF_OK) return RF_OK;
  return rf_output_open("reformer-bench", &kind, true, output);
}

/* 0: not known. */
static double time_disk(const char *path) {
  rf_output output;
  double seconds = 0;
  char *data = malloc((size_t)DISK_BYTES);
  if (data && open_disk_file(path, &output) == RF_OK) {
    memset(data, 7, (size_t)DISK_BYTES);
    const double start = rf_clock_seconds();
    if (rf_file_write(output.file, output.path, 0, data, DISK_BYTES) == RF_OK && fsync(output.file) == 0)
      seconds = rf_clock_seconds() - start;
    rf_output_abandon(&output);
  }
  free(data);
  return seconds > 0 ? (double)DISK_BYTES / seconds : 0;
}

/* --- all of it --- */

static void print_cluster(const rf_bench *b) {
  const rf_rates *c = b->figures;
  printf("%d ranks of %d threads on %d hosts; operations a second of one rank, all at work\n", c->ranks, c->threads,
         c->hosts);
  rf_bench_row(NAMES, "measured peak", "%10.1f G", c->peak * 1e-9);
  const struct {
    const char *name;
    double rate;
  } rates[] = {{"projections", c->projections},
               {"output", c->output},
               {"feed-forward", c->feed_forward},
               {"head", c->head},
               {"lsh", c->lsh},
               {"local", c->local},
               {"full", c->full},
               {"hashing", c->hashing}};
  for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
    rf_bench_row(NAMES, rates[i].name, "%10.1f G", rates[i].rate * 1e-9);
  rf_bench_row(NAMES, "plan, an item", "%10.2f ns", c->plan_item * 1e9);
  rf_bench_row(NAMES, "exchange, a byte", "%10.2f ns", c->move_byte * 1e9);
  rf_bench_row(NAMES, "optimizer, a parameter", "%10.2f ns", c->parameter * 1e9);
  const rf_link links[] = {c->within, c->between};
  for (int i = 0; i < 2; i++)
    if (links[i].rate > 0)
      rf_bench_row(NAMES, i == 0 ? "within a host" : "between hosts",
                   "%10.2f us %10.3f GB/s, of processors %.2f us a message, %.3f ns a byte", links[i].latency * 1e6,
                   links[i].rate * 1e-9, links[i].message * 1e6, links[i].byte * 1e9);
  rf_bench_row(NAMES, "disk", "%10.1f MiB/s", c->disk / 1048576);
}

static json_t *cluster_to_json(const rf_bench *b) { return rf_rates_to_json(b->figures); }

static rf_status time_ranks(const rf_config *config, rf_mesh *mesh, const int *host, rf_rates *c) {
  c->peak = rf_peak_rate(0.1);
  RF_TRY(rate_step(config, mesh, c));
  RF_TRY(rate_attention(config, mesh, c));
  RF_TRY(rf_links_measure(mesh, host, &c->within, &c->between));
  return rate_exchange(config, mesh, c);
}

static rf_status measure_cluster(const rf_bench *b) {
  rf_rates *c = b->figures;
  const int ranks = rf_mesh_size(b->mesh);
  /* overlap 0: over TCP nothing was seen to travel while ranks compute (docs/scaling.md) */
  *c = (rf_rates){.ranks = ranks, .threads = rf_threads(), .overlap = 0, .precision = b->config->model.precision};
  int *host = calloc((size_t)ranks, sizeof *host);
  if (!host) return rf_fail(RF_FAILED, "out of memory: hosts of %d ranks", ranks);
  rf_host_of_ranks(b->mesh, host, &c->hosts);
  const rf_status status = time_ranks(b->config, b->mesh, host, c);
  free(host);
  if (status == RF_OK && rf_mesh_rank(b->mesh) == 0) c->disk = time_disk(b->options->json_path);
  return status;
}

rf_status rf_bench_cluster(const rf_config *config, rf_mesh *mesh, const rf_bench_options *options) {
  rf_rates rates;
  const rf_bench bench = {.mesh = mesh,
                          .config = config,
                          .options = options,
                          .figures = &rates,
                          .measure = measure_cluster,
                          .print = print_cluster,
                          .to_json = cluster_to_json};
  RF_TRY(rf_mesh_arrange(mesh, 1, 0));
  return rf_bench_run(&bench);
}
