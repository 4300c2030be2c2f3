#include "plan/memory.h"
#include "base/integers.h"
#include "base/process.h"
#include "plan/batch.h"
#include "reformer/optimizer.h"
#include <math.h>
#include <stdlib.h>

/* What a process of several ranks has resident beside this one: MPI's segments and queues; measured with Open MPI 4.1.
 * Arenas are resident in pages of 2 MiB, half of one each more than counted. */
#define MPI_BYTES ((size_t)12 << 20)
#define MPI_BYTES_A_RANK ((size_t)1 << 17)
#define ARENAS_BYTES ((size_t)6 << 20)

/* What is taken beside what is counted: pointers to masks and the like. */
enum { SMALL_TABLES = 65536 };

int64_t rf_plan_memory_step(const rf_model_sizes *sizes, int64_t sequence_ranks) {
  const size_t transients = sizes->scratch - sizes->streams - sizes->buckets - sizes->activations;
  return (int64_t)(sizes->scratch + SMALL_TABLES + (sequence_ranks > 1 ? transients / 2 : 0));
}

int64_t rf_plan_memory_left(int64_t limit, int64_t there, int64_t coming, int64_t free) {
  return limit == RF_MEMORY_AUTO ? free / 5 * 4 - coming : limit - there - coming;
}

static size_t sequences_bytes(const rf_config *config, const rf_mesh *mesh, int64_t sequences) {
  const int64_t padded = rf_padded_length(config, config->data.length);
  const rf_span tokens = rf_span_of(padded, rf_mesh_sequence_size(mesh), rf_mesh_sequence_rank(mesh));
  const size_t all = (size_t)(sequences * tokens.count), mask = padded > config->data.length;
  return all * (2 * sizeof(int32_t) + mask) + (size_t)sequences * sizeof(uint32_t);
}

static size_t process_bytes(int ranks) {
  const size_t own = (size_t)rf_process_peak_bytes();
  return own + ARENAS_BYTES + (ranks > 1 ? MPI_BYTES + (size_t)ranks * MPI_BYTES_A_RANK : 0);
}

static rf_status fill_memory(const rf_config *config, rf_mesh *mesh, const rf_layer_stash *stash, rf_plan_memory *m) {
  const int ranks = rf_mesh_size(mesh);
  rf_batch_share share;
  rf_blocks blocks;
  RF_TRY(rf_batch_divide(config->training.batch, config->training.accumulate, rf_mesh_data_size(mesh), &share));
  RF_TRY(rf_blocks_create(config, &blocks));
  m->store = rf_store_footprint(&blocks.layout, mesh);
  m->optimizer = rf_optimizer_footprint(&config->optimizer, &blocks.layout, ranks, rf_mesh_rank(mesh));
  rf_blocks_destroy(&blocks);
  RF_TRY(rf_model_footprint(config, mesh, share.micro, stash, &m->model));
  m->sequences = sequences_bytes(config, mesh, share.count);
  m->checkpoint = config->checkpoint.async ? m->store.parameters + m->optimizer : 0;
  m->process = process_bytes(ranks);
  m->total = m->store.parameters + m->store.gradients + m->store.slots + m->optimizer + m->model.scratch +
             m->sequences + m->checkpoint + m->process;
  return RF_OK;
}

rf_status rf_plan_memory_of(const rf_config *config, int64_t sequence, int64_t data, int rank,
                            const rf_plan_stash *stash, rf_plan_memory *m) {
  rf_mesh *mesh;
  *m = (rf_plan_memory){0};
  RF_TRY(rf_mesh_create_imagined(sequence, data, rank, &mesh));
  const rf_status status = fill_memory(config, mesh, stash->layers, m);
  rf_mesh_destroy(mesh);
  return status;
}

/* Ranks differ by a token and a chunk, and by their place in the rounds: a few stand for all. */
enum { FEW = 3 };

static int few_of(int64_t sequence, int ranks[FEW]) {
  const int last = (int)(sequence - 1), some[FEW] = {0, last / 2, last};
  int n = 0;
  for (int i = 0; i < FEW; i++)
    if (i == 0 || some[i] != some[i - 1]) ranks[n++] = some[i];
  return n;
}

/* What the limit leaves beside what the run needs anyway, on the rank with least. */
static rf_status plan_left_over(const rf_config *config, int64_t sequence, int64_t data, double room, int64_t *bytes) {
  static const rf_plan_stash nothing;
  int ranks[FEW];
  const int n = few_of(sequence, ranks);
  *bytes = INT64_MAX;
  for (int i = 0; i < n; i++) {
    rf_plan_memory m;
    RF_TRY(rf_plan_memory_of(config, sequence, data, ranks[i], &nothing, &m));
    const size_t there = m.store.parameters + m.store.gradients + m.store.slots + m.optimizer + m.sequences;
    const int64_t coming = (int64_t)m.checkpoint + rf_plan_memory_step(&m.model, sequence);
    const int64_t free = (int64_t)(room - (double)(there + m.process));
    *bytes = rf_min(*bytes, rf_plan_memory_left(config->training.memory_limit, (int64_t)there, coming, free));
  }
  return RF_OK;
}

static rf_status choose_stash(const rf_config *config, int64_t sequence, int64_t data, int64_t bytes,
                              rf_plan_stash *stash) {
  rf_batch_share share;
  rf_mesh *mesh;
  RF_TRY(rf_batch_divide(config->training.batch, config->training.accumulate, data, &share));
  RF_TRY(rf_mesh_create_imagined(sequence, data, 0, &mesh));
  const rf_status status = rf_model_plan_stash(config, mesh, share.micro, bytes, stash->layers, &stash->summary);
  rf_mesh_destroy(mesh);
  return status;
}

rf_status rf_plan_stash_create(const rf_config *config, int64_t sequence, int64_t data, double room,
                               rf_plan_stash *stash) {
  const bool automatic = config->training.memory_limit == RF_MEMORY_AUTO;
  int64_t bytes;
  *stash = (rf_plan_stash){0};
  if (automatic ? room <= 0 : config->training.memory_limit == 0) return RF_OK;
  RF_TRY(plan_left_over(config, sequence, data, room, &bytes));
  if (bytes <= 0) return RF_OK;
  stash->layers = calloc((size_t)config->model.n_layers, sizeof *stash->layers);
  if (!stash->layers)
    return rf_fail(RF_FAILED, "out of memory: plan of %lld layers", (long long)config->model.n_layers);
  const rf_status status = choose_stash(config, sequence, data, bytes, stash);
  if (status != RF_OK) rf_plan_stash_destroy(stash);
  return status;
}

void rf_plan_stash_destroy(rf_plan_stash *stash) {
  free(stash->layers);
  *stash = (rf_plan_stash){0};
}

rf_layer_stash rf_plan_stash_at(const rf_plan_stash *stash, int64_t layer) {
  return stash->layers ? stash->layers[layer] : (rf_layer_stash){0};
}

rf_status rf_plan_memory_most(const rf_config *config, int64_t sequence, int64_t data, const rf_plan_stash *stash,
                              rf_plan_memory *most) {
  int ranks[FEW];
  const int n = few_of(sequence, ranks);
  *most = (rf_plan_memory){0};
  for (int i = 0; i < n; i++) {
    rf_plan_memory one;
    RF_TRY(rf_plan_memory_of(config, sequence, data, ranks[i], stash, &one));
    if (one.total > most->total) *most = one;
  }
  return RF_OK;
}

/* Two axes, nearly square, as the schema's auto. */
static void lengthen_positions(rf_positions_config *p, int64_t padded) {
  if (p->kind == RF_POSITIONS_LEARNED) p->shape[0] = rf_max(p->shape[0], padded);
  if (p->kind != RF_POSITIONS_AXIAL) return;
  int64_t places = 1;
  for (int a = 0; a < p->n_axes; a++) places *= p->shape[a];
  if (places >= padded) return;
  for (int a = 0; a + 1 < p->n_axes; a++) padded = rf_ceil_div(padded, p->shape[a]);
  p->shape[p->n_axes - 1] = padded;
}

rf_config rf_plan_at_length(const rf_config *config, int64_t length) {
  rf_config c = *config;
  c.data.length = length;
  const int64_t padded = rf_padded_length(&c, length);
  if (padded != rf_padded_length(config, config->data.length)) {
    c.lsh.n_factors = 0;
    rf_resolve_buckets(&c.lsh, padded);
  }
  lengthen_positions(&c.model.positions, padded);
  return c;
}

static rf_status fits_memory(const rf_config *config, int64_t sequence, int64_t data, int64_t length, double bytes,
                             bool *yes) {
  static const rf_plan_stash nothing;
  rf_plan_memory memory;
  const rf_config c = rf_plan_at_length(config, length);
  RF_TRY(rf_plan_memory_most(&c, sequence, data, &nothing, &memory));
  *yes = (double)memory.total <= bytes;
  return RF_OK;
}

/* Between lengths that fit and lengths that do not, in units. */
typedef struct search {
  int64_t fits, too_long; /* the longest that was seen to; the shortest that was not, or one beyond the most */
  int64_t most;
} search;

/* Doubling first, so that no length is tried that is far too long; then the middle. */
static int64_t next_length(const search *s) {
  if (s->fits == 0) return 1;
  if (s->too_long > s->most) return rf_min(2 * s->fits, s->most);
  return (s->fits + s->too_long) / 2;
}

rf_status rf_plan_longest(const rf_config *config, int64_t sequence, int64_t data, double bytes, int64_t *length) {
  const int64_t unit = rf_padded_length(config, 1), most = ((int64_t)1 << 26) / unit;
  search s = {.fits = 0, .too_long = most + 1, .most = most};
  while (s.too_long - s.fits > 1) {
    bool fits;
    const int64_t next = rf_max(next_length(&s), s.fits + 1);
    RF_TRY(fits_memory(config, sequence, data, next * unit, bytes, &fits));
    if (!fits && s.fits == 0) break;
    if (fits)
      s.fits = next;
    else
      s.too_long = next;
    if (s.too_long - s.fits < s.fits / 256) break;
  }
  *length = s.fits * unit;
  return RF_OK;
}
