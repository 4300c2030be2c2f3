#include "bench/cluster.h"
#include "base/clock.h"
#include "storage/files.h"
#include "storage/output.h"
#include "comm/collective.h"
#include "comm/host.h"
#include "kernel/parallel.h"
#include "kernel/peak.h"
#include "model/budget.h"
#include "reformer/agree.h"
#include "reformer/arena.h"
#include "bench/attention_figures.h"
#include "storage/json_file.h"
#include "bench/step_figures.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Tokens of what is timed on every rank by itself: enough for a speed that does not grow with them any more; fewer
 * where the configuration has fewer. */
enum { MOST_LENGTH = 4096, STEPS = 3, REPEATS = 3, ROUND_TRIPS = 200, LARGE_TRIPS = 8 };
#define LARGE ((int64_t)4 << 20)
#define DISK_BYTES ((int64_t)64 << 20)

typedef struct places {
  int ranks, rank, hosts;
  int *host; /* [ranks] */
} places;

/* --- arithmetic: every rank for itself, all at once --- */

static int64_t length_of(const rf_config *config) {
  const int64_t least = 8 * rf_max(config->lsh.chunk, config->local.chunk);
  return rf_min(MOST_LENGTH, rf_max(least, config->data.length));
}

static rf_config alone_config(const rf_config *config, int ranks) {
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

static double worked(const rf_step_figures *f, rf_phase phase) { return f->seconds[phase] - f->waited[phase]; }
static double rate(double operations, double seconds) { return seconds > 0 ? operations / seconds : 0; }

static rf_status time_step(const rf_config *config, rf_mesh *mesh, rf_rates *c) {
  const rf_config own = alone_config(config, rf_mesh_size(mesh));
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
  c->projections = rate(tokens * in, worked(&f, RF_PHASE_PROJECT));
  c->output = rate(tokens * out, worked(&f, RF_PHASE_OUTPUT));
  c->feed_forward = rate(tokens * forward, worked(&f, RF_PHASE_FEED_FORWARD));
  c->head = rate(tokens * f.work.head, worked(&f, RF_PHASE_HEAD));
  c->embedding_value = worked(&f, RF_PHASE_EMBEDDING) / (tokens * d);
  c->other_value = worked(&f, RF_PHASE_OTHER) / (tokens * d);
  c->parameter = worked(&f, RF_PHASE_OPTIMIZER) / ((double)f.parameters / f.ranks);
  return RF_OK;
}

static rf_status time_attention(const rf_config *config, rf_mesh *mesh, rf_rates *c) {
  const rf_attention_kind kinds[] = {RF_ATTENTION_LSH, RF_ATTENTION_LOCAL, RF_ATTENTION_FULL};
  double *const rates[] = {&c->lsh, &c->local, &c->full};
  for (int i = 0; i < 3; i++) {
    int64_t length = length_of(config);
    const rf_config one = rf_attention_alone(config, kinds[i], config->lsh.n_hashes, &length);
    rf_attention_figures f;
    RF_TRY(rf_attention_figures_measure(&one, mesh, length, REPEATS, &f));
    const rf_operations work = rf_operations_of_layer(&one, 0, length);
    *rates[i] = rate(4 * work.attention * (double)length, f.seconds[RF_PHASE_ATTEND]);
    if (i > 0) continue;
    const double items = (double)(length * config->model.n_heads * config->lsh.n_hashes);
    c->hashing = rate(work.hashing * (double)length, f.seconds[RF_PHASE_HASH]);
    c->plan_item = f.seconds[RF_PHASE_PLAN] / (2 * items);
  }
  return RF_OK;
}

/* --- links --- */

/* Seconds of sending `bytes` to a partner while another sends as many here, the mean over trips. */
static rf_status time_shift(rf_mesh *mesh, int to, int from, int64_t bytes, int trips, char *out, char *in,
                            double *seconds) {
  double start = 0;
  for (int i = -1; i < trips; i++) { /* one that does not count */
    const rf_shift shift = {.to = to,
                            .from = from,
                            .send = out,
                            .receive = in,
                            .send_bytes = to < 0 ? 0 : bytes,
                            .receive_bytes = from < 0 ? 0 : bytes};
    rf_flight *flight;
    if (i == 0) start = rf_clock_seconds();
    RF_TRY(rf_shift_start(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, &shift, &flight));
    RF_TRY(rf_flight_wait(flight));
  }
  *seconds = (rf_clock_seconds() - start) / trips;
  return rf_max_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, seconds);
}

/* Which of its host's ranks a rank is. */
static int place_on_host(const places *p, int rank) {
  int place = 0;
  for (int r = 0; r < rank; r++) place += p->host[r] == p->host[rank];
  return place;
}

static bool is_in_ring(const places *p, bool same_host, int rank) {
  if (same_host) return p->host[rank] == p->host[p->rank];
  return place_on_host(p, rank) == place_on_host(p, p->rank);
}

/* The rank `step` places on (or back) among those that share this rank's host, or those that hold its place on their
 * hosts; the rank itself where there is no other. */
static int partner(const places *p, bool same_host, int step) {
  int n = 0, mine = 0;
  for (int r = 0; r < p->ranks; r++) {
    if (r == p->rank) mine = n;
    n += is_in_ring(p, same_host, r);
  }
  assert(n > 0); /* itself at least */
  int left = (mine + step + n) % n, rank = 0;
  while (!is_in_ring(p, same_host, rank) || left-- > 0) rank++;
  return rank;
}

static rf_status time_link(rf_mesh *mesh, const places *p, bool same_host, rf_link *link) {
  const int to = partner(p, same_host, 1), from = partner(p, same_host, -1);
  const bool none = to == p->rank;
  double small, large, pairs = !none;
  char *out, *in;
  rf_arena *arena;
  RF_TRY(rf_arena_create("bench messages", 0, &arena));
  RF_TRY(rf_arena_take_zero(arena, (size_t)LARGE, 1, &out));
  RF_TRY(rf_arena_take_zero(arena, (size_t)LARGE, 1, &in));
  rf_status status = rf_max_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &pairs);
  if (status == RF_OK && pairs > 0) {
    const int to_whom = none ? -1 : to, from_whom = none ? -1 : from;
    status = time_shift(mesh, to_whom, from_whom, 8, ROUND_TRIPS, out, in, &small);
    if (status == RF_OK) status = time_shift(mesh, to_whom, from_whom, LARGE, LARGE_TRIPS, out, in, &large);
    if (status == RF_OK) *link = (rf_link){small, (double)LARGE / (large > small ? large - small : large)};
  }
  if (status == RF_OK || rf_mesh_size(mesh) == 1) rf_arena_destroy(arena); /* else messages may be under way */
  return status;
}

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
static rf_status time_exchange(const rf_config *config, rf_mesh *mesh, rf_rates *c) {
  c->move_byte = 3 * time_copy();
  if (c->ranks == 1) return RF_OK;
  RF_TRY(rf_mesh_arrange(mesh, c->ranks, 1));
  int64_t length = length_of(config) * c->ranks;
  const rf_config one = rf_attention_alone(config, RF_ATTENTION_LSH, config->lsh.n_hashes, &length);
  rf_attention_figures f;
  RF_TRY(rf_attention_figures_measure(&one, mesh, length, REPEATS, &f));
  const double bytes = (double)(f.bytes[RF_TRAFFIC_ROWS] + f.bytes[RF_TRAFFIC_HALO]) / c->ranks;
  if (bytes > 0) c->move_byte = (f.seconds[RF_PHASE_EXCHANGE] - f.waited[RF_PHASE_EXCHANGE]) / bytes;
  return RF_OK;
}

/* A file beside the one that is written, and gone again; where that is none, one in the present folder. */
static rf_status make_room(const char *path, rf_output *output) {
  static const rf_output_kind kind = {.what = "a file to time the disk by"};
  if (path && rf_output_open(path, &kind, true, output) == RF_OK) return RF_OK;
  return rf_output_open("reformer-bench", &kind, true, output);
}

/* 0: not known. */
static double time_disk(const char *path) {
  rf_output output;
  double seconds = 0;
  char *data = malloc((size_t)DISK_BYTES);
  if (data && make_room(path, &output) == RF_OK) {
    memset(data, 7, (size_t)DISK_BYTES);
    const double start = rf_clock_seconds();
    if (rf_file_write(output.file, output.path, 0, data, DISK_BYTES) == RF_OK && fsync(output.file) == 0)
      seconds = rf_clock_seconds() - start;
    rf_output_abandon(&output);
  }
  free(data);
  return seconds > 0 ? (double)DISK_BYTES / seconds : 0;
}

static void print(const rf_rates *c) {
  printf("%d ranks of %d threads on %d hosts; operations a second of one rank, all at work\n", c->ranks, c->threads,
         c->hosts);
  printf("%-28s %10.1f G\n", "measured peak", c->peak * 1e-9);
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
    printf("%-28s %10.1f G\n", rates[i].name, rates[i].rate * 1e-9);
  printf("%-28s %10.2f ns\n", "plan, an item", c->plan_item * 1e9);
  printf("%-28s %10.2f ns\n", "exchange, a byte", c->move_byte * 1e9);
  printf("%-28s %10.2f ns\n", "optimizer, a parameter", c->parameter * 1e9);
  const rf_link links[] = {c->within, c->between};
  for (int i = 0; i < 2; i++)
    if (links[i].rate > 0)
      printf("%-28s %10.2f us %10.3f GB/s\n", i == 0 ? "within a host" : "between hosts", links[i].latency * 1e6,
             links[i].rate * 1e-9);
  printf("%-28s %10.1f MiB/s\n", "disk", c->disk / 1048576);
}

static rf_status measure(const rf_config *config, rf_mesh *mesh, const char *path, rf_rates *c) {
  places p = {.ranks = rf_mesh_size(mesh), .rank = rf_mesh_rank(mesh)};
  RF_TRY(rf_agree(mesh, p.rank == 0 ? rf_json_file_check(path) : RF_OK));
  /* overlap 0: over TCP nothing was seen to travel while ranks compute (docs/scaling.md) */
  *c = (rf_rates){.ranks = p.ranks, .threads = rf_threads(), .overlap = 0, .precision = config->model.precision};
  p.host = calloc((size_t)p.ranks, sizeof *p.host);
  if (!p.host) return rf_fail(RF_FAILED, "out of memory: hosts of %d ranks", p.ranks);
  rf_host_of_ranks(mesh, p.host, &p.hosts);
  c->hosts = p.hosts;
  c->peak = rf_peak_rate(0.1);
  rf_status status = time_step(config, mesh, c);
  if (status == RF_OK) status = time_attention(config, mesh, c);
  if (status == RF_OK) status = time_link(mesh, &p, true, &c->within);
  if (status == RF_OK) status = time_link(mesh, &p, false, &c->between);
  if (status == RF_OK) status = time_exchange(config, mesh, c);
  free(p.host);
  if (p.rank == 0) c->disk = time_disk(path);
  return status;
}

rf_status rf_bench_cluster(const rf_config *config, rf_mesh *mesh, const char *path) {
  rf_rates c;
  RF_TRY(rf_mesh_arrange(mesh, 1, 0));
  rf_status status = measure(config, mesh, path, &c);
  if (status == RF_OK && rf_mesh_rank(mesh) == 0) {
    print(&c);
    if (path) status = rf_rates_write(&c, path);
  }
  return rf_agree(mesh, status);
}
