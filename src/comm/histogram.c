#include "comm/histogram.h"
#include "comm/collective.h"
#include "comm/flight.h"
#include "kernel/parallel.h"
#include <assert.h>
#include <string.h>

/* A rank's items of one entry, as it tells the owner. */
typedef struct entry_count {
  uint32_t entry; /* from the owner's first */
  int32_t count;
} entry_count;

bool rf_histogram_is_dense(rf_histogram kind, int64_t n_buckets, int64_t length, int64_t ranks) {
  if (kind != RF_HISTOGRAM_AUTO) return kind == RF_HISTOGRAM_DENSE;
  /* An entry costs 4 bytes out and 4 back when dense, 8 and 4 when sparse; a rank has at most length / ranks items. */
  return 2 * n_buckets * ranks <= 3 * length;
}

/* What both kinds need. */
typedef struct sort_job {
  rf_mesh *mesh;
  const rf_bucket_table *table;
  rf_arena *scratch;
  int ranks, rank;
  int64_t rows, entries; /* rows: (pair, round); entries of all of them */
  rf_span mine;          /* entries this rank owns */
  int32_t *places;
} sort_job;

static void count_row(const sort_job *job, int64_t row, int32_t *counts) {
  const rf_bucket_table *t = job->table;
  const int64_t pair = row / t->rounds, first = row % t->rounds * t->tokens;
  memset(counts, 0, (size_t)t->n_buckets * sizeof *counts);
  for (int64_t i = first; i < first + t->tokens; i++) {
    assert(rf_bucket_at(t, pair, i) < t->n_buckets);
    counts[rf_bucket_at(t, pair, i)]++;
  }
}

/* next: [n_buckets] the place of the rank's first item of each bucket; used up. */
static void place_row(const sort_job *job, int64_t row, int32_t *next) {
  const rf_bucket_table *t = job->table;
  const int64_t pair = row / t->rounds, first = row % t->rounds * t->tokens;
  int32_t *places = job->places + row * t->tokens;
  for (int64_t i = 0; i < t->tokens; i++) places[i] = next[rf_bucket_at(t, pair, first + i)]++;
}

/* Items of all entries before this rank's, from every owner's total. */
static rf_status items_before(const sort_job *job, int64_t total, int64_t *before) {
  int64_t *totals;
  RF_TRY(rf_arena_take(job->scratch, (size_t)job->ranks, sizeof *totals, &totals));
  RF_TRY(rf_gather_integers(job->mesh, RF_SCOPE_SEQUENCE, RF_TRAFFIC_HISTOGRAM, 1, &total, totals));
  *before = 0;
  for (int r = 0; r < job->rank; r++) *before += totals[r];
  return RF_OK;
}

/* The place where an entry starts: every row before it holds all tokens once. */
static int32_t start_in_row(const sort_job *job, int64_t entry, int64_t items) {
  return (int32_t)(items - entry / job->table->n_buckets * job->table->length);
}

static int64_t *entry_cuts(const sort_job *job, int64_t *first) {
  for (int r = 0; r <= job->ranks; r++) first[r] = rf_span_of(job->entries, job->ranks, r).first;
  return first;
}

/* counts: [ranks, mine.count] in; out, the place of each rank's first item of each entry. */
static rf_status start_dense(const sort_job *job, int32_t *counts) {
  const int64_t n = job->mine.count;
  int64_t total = 0, items = 0;
  for (int64_t i = 0; i < n * job->ranks; i++) total += counts[i];
  RF_TRY(items_before(job, total, &items));
  for (int64_t e = 0; e < n; e++)
    for (int r = 0; r < job->ranks; r++) {
      const int32_t count = counts[r * n + e];
      counts[r * n + e] = start_in_row(job, job->mine.first + e, items);
      items += count;
    }
  return RF_OK;
}

static rf_status find_dense(const sort_job *job) {
  const int64_t n = job->mine.count, n_buckets = job->table->n_buckets;
  int32_t *counts, *in;
  int64_t *cuts, *even;
  RF_TRY(rf_arena_take(job->scratch, (size_t)job->entries, sizeof *counts, &counts));
  RF_TRY(rf_arena_take(job->scratch, (size_t)(n * job->ranks), sizeof *in, &in));
  RF_TRY(rf_arena_take(job->scratch, (size_t)job->ranks + 1, sizeof *cuts, &cuts));
  RF_TRY(rf_arena_take(job->scratch, (size_t)job->ranks + 1, sizeof *even, &even));
  entry_cuts(job, cuts);
  for (int r = 0; r <= job->ranks; r++) even[r] = r * n;
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < job->rows; row++) count_row(job, row, counts + row * n_buckets);

  rf_all_to_all move = {"bucket counts", RF_TRAFFIC_HISTOGRAM, sizeof *counts, counts, cuts, in, even};
  const size_t own = (size_t)n * sizeof *counts;
  memcpy(in + job->rank * n, counts + job->mine.first, own);
  RF_TRY(rf_all_to_all_run(job->mesh, RF_SCOPE_SEQUENCE, &move));
  RF_TRY(start_dense(job, in));
  move = (rf_all_to_all){"bucket starts", RF_TRAFFIC_HISTOGRAM, sizeof *counts, in, even, counts, cuts};
  memcpy(counts + job->mine.first, in + job->rank * n, own);
  RF_TRY(rf_all_to_all_run(job->mesh, RF_SCOPE_SEQUENCE, &move));
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < job->rows; row++) place_row(job, row, counts + row * n_buckets);
  return RF_OK;
}

/* The rank's entries that have items, in order. */
typedef struct sparse_entries {
  int64_t *row_first; /* [rows + 1] */
  uint32_t *bucket;   /* [n] */
  entry_count *list;  /* [n] as they travel */
  int64_t *cuts;      /* [ranks + 1] first entry of each owner's */
  int32_t *starts;    /* [n] the owners' answers */
} sparse_entries;

static void list_row(const sort_job *job, int64_t row, const int32_t *counts, sparse_entries *e) {
  int64_t at = e->row_first[row];
  for (int64_t b = 0; b < job->table->n_buckets; b++) {
    if (counts[b] == 0) continue;
    e->bucket[at] = (uint32_t)b;
    e->list[at++].count = counts[b];
  }
}

/* Entries are in order, so each owner's stand together. */
static void cut_entries(const sort_job *job, sparse_entries *e) {
  rf_span owned = rf_span_of(job->entries, job->ranks, 0);
  int owner = 0;
  for (int64_t row = 0; row < job->rows; row++)
    for (int64_t i = e->row_first[row]; i < e->row_first[row + 1]; i++) {
      const int64_t entry = row * job->table->n_buckets + e->bucket[i];
      while (entry >= owned.first + owned.count) owned = rf_span_of(job->entries, job->ranks, ++owner);
      e->list[i].entry = (uint32_t)(entry - owned.first);
      e->cuts[owner + 1]++;
    }
  for (int r = 0; r < job->ranks; r++) e->cuts[r + 1] += e->cuts[r];
}

/* counts: [threads, n_buckets] scratch */
static rf_status list_entries(const sort_job *job, int32_t *counts, sparse_entries *e) {
  const int64_t n_buckets = job->table->n_buckets;
  RF_TRY(rf_arena_take_zero(job->scratch, (size_t)job->rows + 1, sizeof *e->row_first, &e->row_first));
  RF_TRY(rf_arena_take_zero(job->scratch, (size_t)job->ranks + 1, sizeof *e->cuts, &e->cuts));
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < job->rows; row++) {
    int32_t *own = counts + rf_thread() * n_buckets;
    int64_t some = 0;
    count_row(job, row, own);
    for (int64_t b = 0; b < n_buckets; b++) some += own[b] != 0;
    e->row_first[row + 1] = some;
  }
  for (int64_t row = 0; row < job->rows; row++) e->row_first[row + 1] += e->row_first[row];
  const size_t n = (size_t)e->row_first[job->rows];
  RF_TRY(rf_arena_take(job->scratch, n, sizeof *e->bucket, &e->bucket));
  RF_TRY(rf_arena_take(job->scratch, n, sizeof *e->list, &e->list));
  RF_TRY(rf_arena_take(job->scratch, n, sizeof *e->starts, &e->starts));
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < job->rows; row++) {
    int32_t *own = counts + rf_thread() * n_buckets;
    count_row(job, row, own);
    list_row(job, row, own, e);
  }
  cut_entries(job, e);
  return RF_OK;
}

/* How many entries every rank will send to this one, as cuts. */
static rf_status receive_cuts(const sort_job *job, const int64_t *cuts, int64_t **in_cuts) {
  int64_t *out, *in, *one_each;
  RF_TRY(rf_arena_take(job->scratch, (size_t)job->ranks, sizeof *out, &out));
  RF_TRY(rf_arena_take(job->scratch, (size_t)job->ranks, sizeof *in, &in));
  RF_TRY(rf_arena_take(job->scratch, (size_t)job->ranks + 1, sizeof *one_each, &one_each));
  RF_TRY(rf_arena_take(job->scratch, (size_t)job->ranks + 1, sizeof **in_cuts, in_cuts));
  for (int r = 0; r < job->ranks; r++) out[r] = cuts[r + 1] - cuts[r];
  for (int r = 0; r <= job->ranks; r++) one_each[r] = r;
  const rf_all_to_all move = {"entry counts", RF_TRAFFIC_HISTOGRAM, sizeof *out, out, one_each, in, one_each};
  in[job->rank] = out[job->rank];
  RF_TRY(rf_all_to_all_run(job->mesh, RF_SCOPE_SEQUENCE, &move));
  (*in_cuts)[0] = 0;
  for (int r = 0; r < job->ranks; r++) (*in_cuts)[r + 1] = (*in_cuts)[r] + in[r];
  return RF_OK;
}

/* list: what all ranks sent, rank after rank; starts: the answer to each. */
static rf_status start_sparse(const sort_job *job, int64_t n, const entry_count *list, int32_t *starts) {
  int32_t *next;
  int64_t items = 0;
  RF_TRY(rf_arena_take_zero(job->scratch, (size_t)job->mine.count, sizeof *next, &next));
  int64_t total = 0;
  for (int64_t i = 0; i < n; i++) {
    next[list[i].entry] += list[i].count;
    total += list[i].count;
  }
  RF_TRY(items_before(job, total, &items));
  for (int64_t e = 0; e < job->mine.count; e++) {
    const int32_t count = next[e];
    next[e] = start_in_row(job, job->mine.first + e, items);
    items += count;
  }
  for (int64_t i = 0; i < n; i++) {
    starts[i] = next[list[i].entry];
    next[list[i].entry] += list[i].count;
  }
  return RF_OK;
}

static rf_status ask_owners(const sort_job *job, sparse_entries *e) {
  int64_t *in_cuts = NULL;
  entry_count *in;
  int32_t *answers;
  RF_TRY(receive_cuts(job, e->cuts, &in_cuts));
  assert(in_cuts);
  const int64_t n = in_cuts[job->ranks], own = in_cuts[job->rank + 1] - in_cuts[job->rank];
  RF_TRY(rf_arena_take(job->scratch, (size_t)n, sizeof *in, &in));
  RF_TRY(rf_arena_take(job->scratch, (size_t)n, sizeof *answers, &answers));
  rf_all_to_all move = {"bucket counts", RF_TRAFFIC_HISTOGRAM, sizeof *in, e->list, e->cuts, in, in_cuts};
  memcpy(in + in_cuts[job->rank], e->list + e->cuts[job->rank], (size_t)own * sizeof *in);
  RF_TRY(rf_all_to_all_run(job->mesh, RF_SCOPE_SEQUENCE, &move));
  RF_TRY(start_sparse(job, n, in, answers));
  move = (rf_all_to_all){"bucket starts", RF_TRAFFIC_HISTOGRAM, sizeof *answers, answers, in_cuts, e->starts, e->cuts};
  memcpy(e->starts + e->cuts[job->rank], answers + in_cuts[job->rank], (size_t)own * sizeof *answers);
  return rf_all_to_all_run(job->mesh, RF_SCOPE_SEQUENCE, &move);
}

static rf_status find_sparse(const sort_job *job) {
  const int64_t n_buckets = job->table->n_buckets;
  int32_t *counts;
  sparse_entries e;
  RF_TRY(rf_arena_take(job->scratch, (size_t)(rf_threads() * n_buckets), sizeof *counts, &counts));
  RF_TRY(list_entries(job, counts, &e));
  RF_TRY(ask_owners(job, &e));
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < job->rows; row++) {
    int32_t *next = counts + rf_thread() * n_buckets;
    for (int64_t i = e.row_first[row]; i < e.row_first[row + 1]; i++) next[e.bucket[i]] = e.starts[i];
    place_row(job, row, next);
  }
  return RF_OK;
}

rf_status rf_places_find(rf_mesh *mesh, const rf_bucket_table *table, rf_histogram kind, rf_arena *scratch,
                         int32_t *places) {
  sort_job job = {.mesh = mesh, .table = table, .scratch = scratch, .places = places};
  job.ranks = rf_mesh_sequence_size(mesh);
  job.rank = rf_mesh_sequence_rank(mesh);
  job.rows = table->pairs * table->rounds;
  job.entries = job.rows * table->n_buckets;
  job.mine = rf_span_of(job.entries, job.ranks, job.rank);
  assert(table->length < INT32_MAX && job.mine.count <= UINT32_MAX);
  const rf_mark mark = rf_arena_mark(scratch);
  RF_TRY(rf_histogram_is_dense(kind, table->n_buckets, table->length, job.ranks) ? find_dense(&job)
                                                                                 : find_sparse(&job));
  rf_arena_release(scratch, mark);
  return RF_OK;
}
