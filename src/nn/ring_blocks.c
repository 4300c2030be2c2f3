#include "nn/ring_blocks.h"
#include "base/integers.h"
#include "kernel/gather.h"
#include "kernel/parallel.h"
#include <string.h>

struct rf_ring_buffers {
  int32_t *query, *limit, *query_position, *key; /* row of each query, ...; row of each key */
  real *q, *kt, *vt, *d_o, *dq;
  rf_attend_scratch scratch;
  rf_attended result;          /* forward */
  real *m, *z_inverse, *delta; /* reverse */
};

rf_ring_buffers *rf_ring_buffers_of(rf_ring_buffers *all, int thread) { return &all[thread]; }

static rf_status take_thread(const rf_windows *w, bool reverse, rf_arena *arena, rf_ring_buffers *b) {
  enum { N = RF_RING_BLOCK };
  int32_t **integers[] = {&b->query, &b->limit, &b->query_position, &b->key};
  for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
    RF_TRY(rf_arena_take(arena, N, sizeof(int32_t), integers[i]));
  const int64_t rows = N * w->d_head;
  const struct {
    real **pointer;
    int64_t count;
    bool used;
  } parts[] = {
      {&b->q, rows, true},
      {&b->kt, rows, true},
      {&b->vt, rows, reverse},
      {&b->d_o, rows, reverse},
      {&b->scratch.logits, N * N, true},
      {&b->scratch.grads, N * N, reverse},
      {&b->scratch.factors, N, true},
      {&b->result.o, rows, !reverse},
      {reverse ? &b->m : &b->result.m, N, true},
      {reverse ? &b->z_inverse : &b->result.z, N, true},
      {&b->delta, N, reverse},
      {&b->dq, rows, reverse},
  };
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (parts[i].used) RF_TRY(rf_arena_take(arena, (size_t)parts[i].count, sizeof(real), parts[i].pointer));
  return RF_OK;
}

rf_status rf_ring_buffers_take(const rf_windows *w, bool reverse, rf_arena *arena, rf_ring_buffers **all) {
  const bool counts = rf_arena_counts(arena); /* and has no memory to write to */
  rf_ring_buffers counted;
  RF_TRY(rf_arena_take(arena, (size_t)rf_threads(), sizeof **all, all));
  for (int t = 0; t < rf_threads(); t++) {
    RF_TRY(take_thread(w, reverse, arena, counts ? &counted : &(*all)[t]));
    for (int32_t i = 0; i < RF_RING_BLOCK && !counts; i++) (*all)[t].key[i] = i;
  }
  return RF_OK;
}

/* A block of queries of one pair. */
typedef struct queries {
  const rf_pair *pair;
  int64_t first, n;
} queries;

static queries load_queries(const rf_windows *w, int64_t pair, int64_t block, rf_ring_buffers *b) {
  const rf_pair *p = &w->pairs[pair];
  const rf_rows q = {p->q, w->d_head, w->ld, NULL, 1};
  const queries loaded = {p, block * RF_RING_BLOCK, rf_min(RF_RING_BLOCK, p->n_rows - block * RF_RING_BLOCK)};
  for (int64_t i = 0; i < loaded.n; i++) {
    b->query[i] = (int32_t)(loaded.first + i);
    b->query_position[i] = p->position ? p->position[b->query[i]] : b->query[i];
    b->limit[i] = w->causal ? b->query_position[i] : RF_LIMIT_ALL;
  }
  rf_rows_gather(&q, loaded.n, b->query, b->q);
  return loaded;
}

static rf_rule rule_of(const rf_windows *w, const rf_pair *pair) {
  rf_rule rule = w->rule;
  rule.draw.head = pair->head;
  rule.draw.sequence = pair->sequence;
  return rule;
}

/* A block of keys of one pair, and whether none of the queries may see any. */
typedef struct key_block {
  int64_t at, n; /* first row over all pairs */
  bool hidden;
} key_block;

static key_block key_block_at(const rf_windows *w, const rf_ring_keys *keys, int64_t pair, int64_t block,
                              const queries *q, const rf_ring_buffers *b) {
  const int64_t first = block * RF_RING_BLOCK;
  key_block k = {pair * keys->n + first, rf_min(RF_RING_BLOCK, keys->n - first), false};
  k.hidden = w->causal && keys->position[k.at] > b->query_position[q->n - 1];
  return k;
}

void rf_ring_queries(const rf_windows *w, const rf_ring_keys *keys, int64_t pair, int64_t block, rf_ring_buffers *b) {
  const queries q = load_queries(w, pair, block, b);
  const rf_rule rule = rule_of(w, q.pair);
  const rf_attended whole = {q.pair->o, q.pair->m, q.pair->z};
  const int64_t dh = w->d_head;
  for (int64_t j = 0; j < rf_ring_blocks(keys->n); j++) {
    const key_block k = key_block_at(w, keys, pair, j, &q, b);
    /* a hidden block says nothing, except to a query that has not seen any key yet: it may see none at all */
    if (k.hidden) continue;
    const rf_rows k_rows = {keys->k + k.at * dh, dh, dh, NULL, 1};
    const rf_tokens of_queries = {.position = b->query_position, .limit = b->limit};
    const rf_tokens of_keys = {.position = keys->position + k.at, .order = keys->order + k.at};
    rf_rows_gather_transposed(&k_rows, k.n, b->key, b->kt, RF_RING_BLOCK);
    const rf_attend_window window = {q.n, k.n, dh, RF_RING_BLOCK, &rule, &of_queries, &of_keys};
    rf_attend(&window, b->q, b->kt, keys->v + k.at * dh, &b->scratch, &b->result);
    rf_attend_merge(q.n, dh, b->query, &b->result, &whole, w->ld);
  }
}

void rf_ring_tile_vjp(const rf_windows *w, const rf_ring_keys *keys, int64_t pair, int64_t query_block, int64_t block,
                      rf_ring_buffers *b) {
  const queries q = load_queries(w, pair, query_block, b);
  const key_block k = key_block_at(w, keys, pair, block, &q, b);
  if (k.hidden) return;
  const rf_rule rule = rule_of(w, q.pair);
  const int64_t dh = w->d_head;
  const rf_rows k_rows = {keys->k + k.at * dh, dh, dh, NULL, 1}, v_rows = {keys->v + k.at * dh, dh, dh, NULL, 1};
  const rf_rows d_o = {q.pair->d_o, dh, w->ld, NULL, 1};
  rf_rows_gather_transposed(&k_rows, k.n, b->key, b->kt, RF_RING_BLOCK);
  rf_rows_gather_transposed(&v_rows, k.n, b->key, b->vt, RF_RING_BLOCK);
  rf_rows_gather(&d_o, q.n, b->query, b->d_o);
  for (int64_t i = 0; i < q.n; i++) {
    b->m[i] = q.pair->m[q.first + i];
    b->z_inverse[i] = 1 / q.pair->z[q.first + i];
    b->delta[i] = q.pair->delta[q.first + i];
  }
  const rf_tokens of_queries = {.position = b->query_position, .limit = b->limit};
  const rf_tokens of_keys = {.position = keys->position + k.at, .order = keys->order + k.at};
  const rf_attend_window window = {q.n, k.n, dh, RF_RING_BLOCK, &rule, &of_queries, &of_keys};
  const rf_attend_reverse in = {.q = b->q,
                                .k = keys->k + k.at * dh,
                                .kt = b->kt,
                                .vt = b->vt,
                                .d_o = b->d_o,
                                .m = b->m,
                                .z_inverse = b->z_inverse,
                                .delta = b->delta};
  rf_attend_vjp(&window, &in, &b->scratch, &(rf_attend_gradient){b->dq, keys->dk + k.at * dh, keys->dv + k.at * dh});
  rf_rows_scatter_add(q.n, dh, b->query, b->dq, q.pair->dq, w->ld);
}
