#include "comm/histogram.h"
#include "comm/all_to_all.h"
#include "comm/collective.h"
#include "comm/mesh_view.h"
#include "comm/span.h"
#include "kernel/parallel.h"
#include "kernel/sort.h"
#include <assert.h>
#include <math.h>
#include <string.h>

/* A rank's items of one entry, as it tells the owner. */
typedef struct entry_count {
  uint32_t entry; /* from the owner's first */
  int32_t count;
} entry_count;

bool rf_histogram_is_dense(const rf_histogram_shape *s) {
  if (s->kind != RF_HISTOGRAM_AUTO) return s->kind == RF_HISTOGRAM_DENSE;
  /* An entry costs 4 bytes out and 4 back when dense, 8 and 4 when sparse; a rank has at most length / ranks items. */
  return 2 * s->n_buckets * s->ranks <= 3 * s->length;
}

double rf_histogram_bytes(const rf_histogram_shape *s, double sparse) {
  const double others = s->ranks - 1, totals = 8.0 * s->ranks * others;
  if (rf_histogram_is_dense(s)) return totals + 8 * (double)(s->rows * s->n_buckets) * others;
  return 2 * totals + sparse; /* shares, which are two numbers */
}

/* What both kinds need. */
typedef struct sort_job {
  rf_mesh *mesh;
  const rf_bucket_table *table;
  rf_arena *scratch;
  int ranks, rank;
  int64_t tokens;                   /* of this rank */
  int64_t rows, n_buckets, entries; /* rows: (pair, round); entries of all of them */
  rf_span mine;                     /* entries this rank owns */
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

/* Items of all entries before this rank's, from every owner's total. totals: [ranks] scratch. */
static rf_status items_before(const sort_job *job, int64_t total, int64_t *totals, int64_t *before) {
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
static rf_status start_dense(const sort_job *job, int64_t *totals, int32_t *counts) {
  const int64_t n = job->mine.count;
  int64_t total = 0, items = 0;
  for (int64_t i = 0; i < n * job->ranks; i++) total += counts[i];
  RF_TRY(items_before(job, total, totals, &items));
  for (int64_t e = 0; e < n; e++)
    for (int r = 0; r < job->ranks; r++) {
      const int32_t count = counts[r * n + e];
      counts[r * n + e] = start_in_row(job, job->mine.first + e, items);
      items += count;
    }
  return RF_OK;
}

typedef struct dense_arrays {
  int32_t *counts;      /* [entries] this rank's, of all owners */
  int32_t *in;          /* [ranks, mine] all ranks', of this owner */
  int64_t *cuts, *even; /* [ranks + 1] of counts and of in */
  int64_t *totals;      /* [ranks] items of the entries of each */
} dense_arrays;

static rf_status take_dense(const sort_job *job, dense_arrays *d) {
  RF_TRY(rf_arena_take(job->scratch, (size_t)job->entries, sizeof *d->counts, &d->counts));
  RF_TRY(rf_arena_take(job->scratch, (size_t)(job->mine.count * job->ranks), sizeof *d->in, &d->in));
  RF_TRY(rf_arena_take(job->scratch, (size_t)job->ranks + 1, sizeof *d->cuts, &d->cuts));
  RF_TRY(rf_arena_take(job->scratch, (size_t)job->ranks + 1, sizeof *d->even, &d->even));
  return rf_arena_take(job->scratch, (size_t)job->ranks, sizeof *d->totals, &d->totals);
}

static rf_status find_dense(const sort_job *job) {
  const int64_t n = job->mine.count, n_buckets = job->n_buckets;
  dense_arrays d;
  RF_TRY(take_dense(job, &d));
  int32_t *counts = d.counts, *in = d.in;
  int64_t *cuts = entry_cuts(job, d.cuts), *even = d.even;
  for (int r = 0; r <= job->ranks; r++) even[r] = r * n;
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < job->rows; row++) count_row(job, row, counts + row * n_buckets);

  rf_all_to_all move = {"bucket counts", RF_TRAFFIC_HISTOGRAM, sizeof *counts, counts, cuts, in, even};
  const size_t own = (size_t)n * sizeof *counts;
  memcpy(in + job->rank * n, counts + job->mine.first, own);
  RF_TRY(rf_all_to_all_run(job->mesh, RF_SCOPE_SEQUENCE, &move));
  RF_TRY(start_dense(job, d.totals, in));
  move = (rf_all_to_all){"bucket starts", RF_TRAFFIC_HISTOGRAM, sizeof *counts, in, even, counts, cuts};
  memcpy(counts + job->mine.first, in + job->rank * n, own);
  RF_TRY(rf_all_to_all_run(job->mesh, RF_SCOPE_SEQUENCE, &move));
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < job->rows; row++) place_row(job, row, counts + row * n_buckets);
  return RF_OK;
}

/* Of a rank's items, what it tells an owner. */
typedef struct owner_share {
  int64_t entries; /* that it will ask for */
  int64_t before;  /* items of the row in which the owner's first entry is, in buckets before that */
} owner_share;

/* The rank's entries that have items, in order. */
typedef struct sparse_entries {
  uint64_t *keyed;     /* [threads, 2, tokens] a row's items while they are sorted */
  int64_t *row_first;  /* [rows + 1] */
  entry_count *list;   /* [n] as they travel; until they are cut, .entry is the bucket */
  owner_share *shares; /* [ranks] */
  int64_t *cuts;       /* [ranks + 1] first entry of each owner's */
  int32_t *starts;     /* [n] the owners' answers */
} sparse_entries;

/* What all ranks ask this owner. */
typedef struct sparse_questions {
  owner_share *shares;     /* [ranks] of each rank */
  int64_t *one_each;       /* [ranks + 1] their cuts */
  int64_t *cuts;           /* [ranks + 1] of list */
  entry_count *list;       /* [n] */
  int32_t *answers, *next; /* [n], [mine] */
} sparse_questions;

static rf_status take_sparse_rows(const sort_job *job, sparse_entries *e) {
  RF_TRY(rf_arena_take(job->scratch, (size_t)(rf_threads() * 2 * job->tokens), sizeof *e->keyed, &e->keyed));
  RF_TRY(rf_arena_take_zero(job->scratch, (size_t)job->rows + 1, sizeof *e->row_first, &e->row_first));
  RF_TRY(rf_arena_take_zero(job->scratch, (size_t)job->ranks, sizeof *e->shares, &e->shares));
  return rf_arena_take_zero(job->scratch, (size_t)job->ranks + 1, sizeof *e->cuts, &e->cuts);
}

static rf_status take_entries(const sort_job *job, int64_t n, sparse_entries *e) {
  RF_TRY(rf_arena_take(job->scratch, (size_t)n, sizeof *e->list, &e->list));
  return rf_arena_take(job->scratch, (size_t)n, sizeof *e->starts, &e->starts);
}

static rf_status take_question_cuts(const sort_job *job, sparse_questions *q) {
  RF_TRY(rf_arena_take(job->scratch, (size_t)job->ranks, sizeof *q->shares, &q->shares));
  RF_TRY(rf_arena_take(job->scratch, (size_t)job->ranks + 1, sizeof *q->one_each, &q->one_each));
  return rf_arena_take(job->scratch, (size_t)job->ranks + 1, sizeof *q->cuts, &q->cuts);
}

static rf_status take_questions(const sort_job *job, int64_t n, sparse_questions *q) {
  RF_TRY(rf_arena_take(job->scratch, (size_t)n, sizeof *q->list, &q->list));
  RF_TRY(rf_arena_take(job->scratch, (size_t)n, sizeof *q->answers, &q->answers));
  return rf_arena_take_zero(job->scratch, (size_t)job->mine.count, sizeof *q->next, &q->next);
}

static uint64_t *keyed_of_thread(const sort_job *job, const sparse_entries *e) {
  return e->keyed + rf_thread() * 2 * job->tokens;
}

/* The row's tokens by (bucket, position), put where their places will be; returns how many entries they are of. There
 * may be far more buckets than tokens, so nothing walks over them. */
static int64_t sort_row(const sort_job *job, int64_t row, uint64_t *keyed) {
  const rf_bucket_table *t = job->table;
  const int64_t pair = row / t->rounds, first = row % t->rounds * t->tokens;
  int32_t *order = job->places + row * t->tokens;
  int64_t entries = 0;
  for (int64_t i = 0; i < t->tokens; i++) {
    assert(rf_bucket_at(t, pair, first + i) < t->n_buckets);
    keyed[i] = rf_keyed(rf_bucket_at(t, pair, first + i), (uint32_t)i);
  }
  const uint64_t *sorted = rf_sort_by_key(t->tokens, t->n_buckets, keyed, keyed + t->tokens);
  for (int64_t i = 0; i < t->tokens; i++) {
    order[i] = (int32_t)rf_item_of(sorted[i]);
    entries += i == 0 || rf_key_of(sorted[i]) != rf_key_of(sorted[i - 1]);
  }
  return entries;
}

static void list_row(const sort_job *job, int64_t row, const sparse_entries *e) {
  const rf_bucket_table *t = job->table;
  const int64_t pair = row / t->rounds, first = row % t->rounds * t->tokens;
  const int32_t *order = job->places + row * t->tokens;
  int64_t at = e->row_first[row] - 1;
  for (int64_t i = 0; i < t->tokens; i++) {
    const uint32_t bucket = rf_bucket_at(t, pair, first + order[i]);
    if (i == 0 || bucket != e->list[at].entry) e->list[++at] = (entry_count){.entry = bucket};
    e->list[at].count++;
  }
}

/* From the sorted row to its places. order: [tokens] scratch. */
static void place_sorted_row(const sort_job *job, int64_t row, const sparse_entries *e, int32_t *order) {
  const int64_t tokens = job->tokens;
  int32_t *places = job->places + row * tokens;
  memcpy(order, places, (size_t)tokens * sizeof *order);
  for (int64_t i = e->row_first[row]; i < e->row_first[row + 1]; i++)
    for (int32_t k = 0; k < e->list[i].count; k++) places[*order++] = e->starts[i] + k;
}

/* Where entries are cut among owners. */
typedef struct owner_walk {
  rf_span owned; /* entries of the owner that was come to */
  int owner;
} owner_walk;

/* To the owner of `entry`, which is in `row` behind `in_row` items of the rank. An owner that begins in a row before
 * that has none of it after its first entry: all the rank's tokens of that row are before. */
static void walk_to(const sort_job *job, int64_t entry, int64_t row, int64_t in_row, owner_share *shares,
                    owner_walk *w) {
  while (w->owner + 1 < job->ranks && entry >= w->owned.first + w->owned.count) {
    w->owned = rf_span_of(job->entries, job->ranks, ++w->owner);
    shares[w->owner].before = w->owned.first / job->n_buckets == row ? in_row : job->tokens;
  }
}

/* Entries are in order, so each owner's stand together. */
static void cut_entries(const sort_job *job, sparse_entries *e) {
  owner_walk w = {.owned = rf_span_of(job->entries, job->ranks, 0)};
  for (int64_t row = 0; row < job->rows; row++) {
    int64_t in_row = 0;
    for (int64_t i = e->row_first[row]; i < e->row_first[row + 1]; i++) {
      const int64_t entry = row * job->n_buckets + e->list[i].entry;
      walk_to(job, entry, row, in_row, e->shares, &w);
      e->list[i].entry = (uint32_t)(entry - w.owned.first);
      e->shares[w.owner].entries++;
      in_row += e->list[i].count;
    }
  }
  walk_to(job, job->entries, job->rows, 0, e->shares, &w);
  for (int r = 0; r < job->ranks; r++) e->cuts[r + 1] = e->cuts[r] + e->shares[r].entries;
}

static rf_status list_entries(const sort_job *job, sparse_entries *e) {
  RF_TRY(take_sparse_rows(job, e));
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < job->rows; row++) e->row_first[row + 1] = sort_row(job, row, keyed_of_thread(job, e));
  for (int64_t row = 0; row < job->rows; row++) e->row_first[row + 1] += e->row_first[row];
  RF_TRY(take_entries(job, e->row_first[job->rows], e));
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < job->rows; row++) list_row(job, row, e);
  cut_entries(job, e);
  return RF_OK;
}

/* What every rank will ask this one for. */
static rf_status receive_shares(const sort_job *job, owner_share *shares, sparse_questions *q) {
  RF_TRY(take_question_cuts(job, q));
  for (int r = 0; r <= job->ranks; r++) q->one_each[r] = r;
  const rf_all_to_all move = {"shares of owners", RF_TRAFFIC_HISTOGRAM, sizeof *shares, shares, q->one_each,
                              q->shares,          q->one_each};
  q->shares[job->rank] = shares[job->rank];
  RF_TRY(rf_all_to_all_run(job->mesh, RF_SCOPE_SEQUENCE, &move));
  q->cuts[0] = 0;
  for (int r = 0; r < job->ranks; r++) q->cuts[r + 1] = q->cuts[r] + q->shares[r].entries;
  return RF_OK;
}

/* What all ranks sent stands rank after rank. */
static void start_sparse(const sort_job *job, const sparse_questions *q) {
  const entry_count *list = q->list;
  const int64_t n = q->cuts[job->ranks];
  int32_t *next = q->next;
  for (int64_t i = 0; i < n; i++) next[list[i].entry] += list[i].count;
  int64_t place = 0, bucket = job->mine.first % job->n_buckets;
  for (int r = 0; r < job->ranks; r++) place += q->shares[r].before;
  for (int64_t e = 0; e < job->mine.count; e++, bucket++) {
    if (bucket == job->n_buckets) place = bucket = 0; /* the next row */
    const int32_t count = next[e];
    next[e] = (int32_t)place;
    place += count;
  }
  for (int64_t i = 0; i < n; i++) {
    q->answers[i] = next[list[i].entry];
    next[list[i].entry] += list[i].count;
  }
}

static rf_status ask_owners(const sort_job *job, sparse_entries *e) {
  sparse_questions q;
  RF_TRY(receive_shares(job, e->shares, &q));
  RF_TRY(take_questions(job, q.cuts[job->ranks], &q));
  const int64_t own = q.cuts[job->rank + 1] - q.cuts[job->rank];
  rf_all_to_all move = {"bucket counts", RF_TRAFFIC_HISTOGRAM, sizeof *q.list, e->list, e->cuts, q.list, q.cuts};
  memcpy(q.list + q.cuts[job->rank], e->list + e->cuts[job->rank], (size_t)own * sizeof *q.list);
  RF_TRY(rf_all_to_all_run(job->mesh, RF_SCOPE_SEQUENCE, &move));
  start_sparse(job, &q);
  move =
      (rf_all_to_all){"bucket starts", RF_TRAFFIC_HISTOGRAM, sizeof *q.answers, q.answers, q.cuts, e->starts, e->cuts};
  memcpy(e->starts + e->cuts[job->rank], q.answers + q.cuts[job->rank], (size_t)own * sizeof *q.answers);
  return rf_all_to_all_run(job->mesh, RF_SCOPE_SEQUENCE, &move);
}

static rf_status find_sparse(const sort_job *job) {
  sparse_entries e;
  RF_TRY(list_entries(job, &e));
  RF_TRY(ask_owners(job, &e));
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < job->rows; row++)
    place_sorted_row(job, row, &e, (int32_t *)(void *)keyed_of_thread(job, &e));
  return RF_OK;
}

static sort_job sort_job_of(const rf_histogram_shape *shape, int rank, rf_arena *scratch) {
  sort_job job = {.scratch = scratch, .ranks = shape->ranks, .rank = rank, .n_buckets = shape->n_buckets};
  job.tokens = rf_span_of(shape->length, job.ranks, rank).count;
  job.rows = shape->rows;
  job.entries = job.rows * job.n_buckets;
  job.mine = rf_span_of(job.entries, job.ranks, rank);
  return job;
}

rf_status rf_histogram_find_places(rf_mesh *mesh, const rf_bucket_table *table, rf_histogram kind, rf_arena *scratch,
                                   int32_t *places) {
  const rf_histogram_shape shape = {kind, table->pairs * table->rounds, table->n_buckets, table->length,
                                    rf_mesh_sequence_size(mesh)};
  const rf_mark mark = rf_arena_mark(scratch);
  sort_job job = sort_job_of(&shape, rf_mesh_sequence_rank(mesh), scratch);
  job.mesh = mesh;
  job.table = table;
  job.places = places;
  assert(table->length < INT32_MAX && job.mine.count <= UINT32_MAX && table->tokens == job.tokens);
  RF_TRY(rf_histogram_is_dense(&shape) ? find_dense(&job) : find_sparse(&job));
  rf_arena_release(scratch, mark);
  return RF_OK;
}

rf_status rf_histogram_footprint(const rf_histogram_shape *shape, int rank, double entries, rf_arena *scratch) {
  const rf_mark mark = rf_arena_mark(scratch);
  const int64_t n = llround(entries);
  const sort_job job = sort_job_of(shape, rank, scratch);
  dense_arrays d;
  sparse_entries e;
  sparse_questions q;
  if (rf_histogram_is_dense(shape)) {
    RF_TRY(take_dense(&job, &d));
  } else {
    RF_TRY(take_sparse_rows(&job, &e));
    RF_TRY(take_entries(&job, n, &e));
    RF_TRY(take_question_cuts(&job, &q));
    RF_TRY(take_questions(&job, n, &q)); /* as many as are asked, evenly */
  }
  rf_arena_release(scratch, mark);
  return RF_OK;
}
