/* Full attention: every query against every allowed key, exactly, in square blocks with a running (o, m, z), so that no
 * [tokens, tokens] matrix exists (Milakov and Gimelshein 2018; Dao et al. 2022). The baseline of every scaling
 * experiment.
 *
 *        keys 0   1   2   3
 *   query 0   x                 causal: blocks above the diagonal are skipped
 *         1   x   x
 *         2   x   x   x         reverse: one diagonal after another; on a diagonal no two blocks share a query or a
 * key, 3   x   x   x   x     so the gradients need no locks and add up in a fixed order
 */
#include "kernel/gather.h"
#include "kernel/parallel.h"
#include "nn/attention.h"
#include <string.h>

enum { BLOCK = 256 };

static bool shared_qk(const rf_sublayer *self) { return self->config->full.shared_qk; }

static size_t saved_bytes(const rf_sublayer *self, int64_t sequences, int64_t tokens) {
  (void)self, (void)sequences, (void)tokens;
  return 0;
}

static rf_status prepare(rf_wave *w, void *saved, bool recompute) {
  (void)saved, (void)recompute;
  return rf_wave_prepare_windows(w);
}

/* Buffers of one thread: a block of queries and a block of keys. */
typedef struct blocks {
  int32_t *query_index, *key_index, *order, *limit;
  real *q, *k, *kt, *v, *vt, *d_o, *logits, *grads, *row, *o, *m, *z, *delta, *dq, *dk, *dv;
} blocks;

static rf_status take_blocks(const rf_windows *w, bool reverse, rf_arena *arena, blocks **all) {
  RF_TRY(rf_arena_take(arena, (size_t)rf_threads(), sizeof **all, all));
  for (int t = 0; t < rf_threads(); t++) {
    blocks *b = &(*all)[t];
    int32_t **indices[] = {&b->query_index, &b->key_index, &b->order, &b->limit};
    for (size_t i = 0; i < sizeof indices / sizeof *indices; i++)
      RF_TRY(rf_arena_take(arena, BLOCK, sizeof(int32_t), indices[i]));
    const int64_t rows = BLOCK * w->d_head;
    const struct {
      real **pointer;
      int64_t count;
      bool used;
    } parts[] = {
        {&b->q, rows, true},
        {&b->k, rows, reverse},
        {&b->kt, rows, true},
        {&b->v, rows, !reverse},
        {&b->vt, rows, reverse},
        {&b->d_o, rows, reverse},
        {&b->logits, BLOCK * BLOCK, true},
        {&b->grads, BLOCK * BLOCK, reverse},
        {&b->row, BLOCK, true},
        {&b->o, rows, !reverse},
        {&b->m, BLOCK, true},
        {&b->z, BLOCK, true},
        {&b->delta, BLOCK, reverse},
        {&b->dq, rows, reverse},
        {&b->dk, rows, reverse},
        {&b->dv, rows, reverse},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
      if (parts[i].used) RF_TRY(rf_arena_take(arena, (size_t)parts[i].count, sizeof(real), parts[i].pointer));
  }
  return RF_OK;
}

/* A block of queries against a block of keys of one pair. */
typedef struct tile {
  const rf_pair *pair;
  int64_t first_query, n_queries, first_key, n_keys;
} tile;

static tile tile_at(const rf_windows *w, int64_t pair, int64_t query_block, int64_t key_block) {
  const int64_t first_query = query_block * BLOCK, first_key = key_block * BLOCK;
  return (tile){&w->pairs[pair], first_query, rf_min(BLOCK, w->tokens - first_query), first_key,
                rf_min(BLOCK, w->tokens - first_key)};
}

static void load_queries(const rf_windows *w, const tile *t, blocks *b) {
  const rf_rows q = {t->pair->q, w->d_head, w->ld, NULL, 1};
  for (int64_t i = 0; i < t->n_queries; i++) {
    b->query_index[i] = (int32_t)(t->first_query + i);
    b->limit[i] = w->causal ? b->query_index[i] : RF_LIMIT_ALL;
  }
  rf_gather(&q, t->n_queries, b->query_index, b->q);
}

static rf_rows keys_of(const rf_windows *w, const rf_pair *p) {
  return (rf_rows){p->k, w->d_head, w->ld, p->key_scale, w->key_scale};
}

static void load_keys(const rf_windows *w, const tile *t, blocks *b) {
  const rf_rows k = keys_of(w, t->pair);
  for (int64_t i = 0; i < t->n_keys; i++) {
    b->key_index[i] = (int32_t)(t->first_key + i);
    b->order[i] = t->pair->mask && !t->pair->mask[b->key_index[i]] ? RF_ORDER_PADDING : b->key_index[i];
  }
  rf_gather_transposed(&k, t->n_keys, b->key_index, b->kt, BLOCK);
}

static rf_rule rule_of(const rf_windows *w, const rf_pair *pair) {
  rf_rule rule = w->rule;
  rule.draw.head = pair->head;
  rule.draw.sequence = pair->sequence;
  return rule;
}

static rf_tokens queries_in(const blocks *b) { return (rf_tokens){.position = b->query_index, .limit = b->limit}; }
static rf_tokens keys_in(const blocks *b) { return (rf_tokens){.position = b->key_index, .order = b->order}; }

static void attend_queries(const rf_windows *w, int64_t pair, int64_t query_block, int64_t key_blocks, blocks *b) {
  const rf_pair *p = &w->pairs[pair];
  const rf_rule rule = rule_of(w, p);
  const rf_rows v = {p->v, w->d_head, w->ld, NULL, 1};
  tile t = tile_at(w, pair, query_block, 0);
  load_queries(w, &t, b);
  memset(p->z + t.first_query, 0, (size_t)t.n_queries * sizeof(real));
  for (int64_t j = 0; j < key_blocks; j++) {
    t = tile_at(w, pair, query_block, j);
    load_keys(w, &t, b);
    rf_gather(&v, t.n_keys, b->key_index, b->v);
    const rf_block_shape shape = {t.n_queries, t.n_keys, w->d_head, BLOCK};
    const rf_tokens queries = queries_in(b), keys = keys_in(b);
    rf_attend(&shape, &rule, &queries, &keys, b->q, b->kt, b->v, b->logits, b->row, b->o, b->m, b->z);
    rf_attend_merge(t.n_queries, w->d_head, b->query_index, b->o, b->m, b->z, p->o, w->ld, p->m, p->z);
  }
}

static rf_status attend(const rf_windows *w, rf_arena *scratch) {
  const rf_mark mark = rf_arena_mark(scratch);
  const int64_t n = rf_ceil_div(w->tokens, BLOCK);
  blocks *all;
  RF_TRY(take_blocks(w, false, scratch, &all));
  /* later query blocks see more keys: longest first */
#pragma omp parallel for schedule(dynamic)
  for (int64_t i = 0; i < w->n_pairs * n; i++) {
    const int64_t query_block = n - 1 - i / w->n_pairs;
    attend_queries(w, i % w->n_pairs, query_block, w->causal ? query_block + 1 : n, &all[rf_thread()]);
  }
  rf_arena_release(scratch, mark);
  return RF_OK;
}

static void attend_tile_vjp(const rf_windows *w, const tile *t, blocks *b) {
  const rf_pair *p = t->pair;
  const rf_rule rule = rule_of(w, p);
  const rf_rows k = keys_of(w, p), v = {p->v, w->d_head, w->ld, NULL, 1}, d_o = {p->d_o, w->d_head, w->ld, NULL, 1};
  load_queries(w, t, b);
  load_keys(w, t, b);
  rf_gather(&k, t->n_keys, b->key_index, b->k);
  rf_gather_transposed(&v, t->n_keys, b->key_index, b->vt, BLOCK);
  rf_gather(&d_o, t->n_queries, b->query_index, b->d_o);
  for (int64_t i = 0; i < t->n_queries; i++) {
    b->m[i] = p->m[t->first_query + i];
    b->z[i] = 1 / p->z[t->first_query + i];
    b->delta[i] = p->delta[t->first_query + i];
  }
  memset(b->dk, 0, (size_t)(t->n_keys * w->d_head) * sizeof(real));
  memset(b->dv, 0, (size_t)(t->n_keys * w->d_head) * sizeof(real));
  const rf_block_shape shape = {t->n_queries, t->n_keys, w->d_head, BLOCK};
  const rf_tokens queries = queries_in(b), keys = keys_in(b);
  rf_attend_vjp(&shape, &rule, &queries, &keys, b->q, b->k, b->kt, b->vt, b->d_o, b->m, b->z, b->delta, b->logits,
                b->grads, b->row, b->dq, b->dk, b->dv);
  rf_scatter_add(t->n_queries, w->d_head, b->query_index, b->dq, p->dq, w->ld);
  rf_scatter_add(t->n_keys, w->d_head, b->key_index, b->dk, p->dk, w->ld);
  rf_scatter_add(t->n_keys, w->d_head, b->key_index, b->dv, p->dv, w->ld);
}

static rf_status attend_vjp(const rf_windows *w, rf_arena *scratch) {
  const rf_mark mark = rf_arena_mark(scratch);
  const int64_t n = rf_ceil_div(w->tokens, BLOCK);
  blocks *all;
  RF_TRY(take_blocks(w, true, scratch, &all));
  for (int64_t diagonal = 0; diagonal < n; diagonal++) {
    const int64_t length = w->causal ? n - diagonal : n;
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < w->n_pairs * length; i++) {
      const int64_t key_block = i % length;
      const tile t = tile_at(w, i / length, (key_block + diagonal) % n, key_block);
      attend_tile_vjp(w, &t, &all[rf_thread()]);
    }
  }
  rf_arena_release(scratch, mark);
  return RF_OK;
}

static const rf_attention_ops full_ops = {shared_qk, saved_bytes, prepare, attend, attend_vjp};

const rf_sublayer_ops rf_full_attention_ops = {rf_attention_describe, rf_attention_saved_bytes, rf_attention_apply,
                                               rf_attention_apply_vjp, &full_ops};
