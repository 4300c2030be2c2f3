#include "lsh/stripe.h"
#include "base/integers.h"
#include "kernel/gather.h"
#include <string.h>

enum { STRIPE_TOKENS = 512, VECTOR = 16 };

int64_t rf_stripe_chunks(const rf_windows *w) {
  return rf_max(1, rf_min(STRIPE_TOKENS / w->chunk, w->tokens / w->chunk));
}

static int64_t stripes_of(const rf_windows *w, int64_t round, int64_t pair) {
  return rf_ceil_div(rf_owners_stretch(&w->owners, w->rank, pair, round).count, rf_stripe_chunks(w));
}

static int64_t stripes_of_round(const rf_windows *w, int64_t round) {
  int64_t n = 0;
  for (int64_t p = 0; p < w->n_pairs; p++) n += stripes_of(w, round, p);
  return n;
}

int64_t rf_stripes_most(const rf_windows *w) {
  int64_t most = 0;
  for (int64_t r = 0; r < w->owners.rounds; r++) most = rf_max(most, stripes_of_round(w, r));
  return most;
}

/* The stripes of one stretch. Returns how many. */
static int64_t cut_stretch(const rf_windows *w, int64_t round, int64_t pair, rf_stripe *stripe) {
  const rf_span own = rf_owners_stretch(&w->owners, w->rank, pair, round);
  const int64_t seen = rf_owners_seen_before(&w->owners, w->rank, pair, round), most = rf_stripe_chunks(w);
  int64_t n = 0;
  for (int64_t at = 0; at < own.count; at += most) {
    const int64_t chunks = rf_min(most, own.count - at);
    stripe[n++] = (rf_stripe){.pair = pair,
                              .round = round,
                              .first_chunk = rf_owners_in_ring(&w->owners, round, own.first + at),
                              .n_chunks = chunks,
                              .first_seen = seen + at,
                              .keys = (w->owners.before + chunks + w->owners.after) * w->chunk};
  }
  return n;
}

rf_status rf_stripes_take(const rf_windows *w, rf_arena *arena, rf_stripes *s) {
  const int64_t rounds = w->owners.rounds;
  int64_t n = 0;
  for (int64_t r = 0; r < rounds; r++) n += stripes_of_round(w, r);
  RF_TRY(rf_arena_take(arena, (size_t)n, sizeof *s->stripe, &s->stripe));
  RF_TRY(rf_arena_take(arena, (size_t)(rounds * w->n_pairs) + 1, sizeof *s->first, &s->first));
  if (rf_arena_counts(arena)) return RF_OK;
  s->first[0] = 0;
  for (int64_t i = 0; i < rounds * w->n_pairs; i++)
    s->first[i + 1] = s->first[i] + cut_stretch(w, i / w->n_pairs, i % w->n_pairs, s->stripe + s->first[i]);
  return RF_OK;
}

static rf_status take_stripe_tokens(const rf_windows *w, int64_t keys, rf_arena *arena, rf_stripe_buffers *b) {
  int32_t **fields[] = {&b->row, &b->position, &b->order, &b->limit, &b->bucket};
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    RF_TRY(rf_arena_take(arena, (size_t)keys, sizeof(int32_t), fields[i]));
  b->chunk_in_round = b->bucket_in_round = NULL;
  if (w->rule.duplicates != RF_DUPLICATES_KEEP) {
    RF_TRY(rf_arena_take(arena, (size_t)(keys * w->owners.rounds), sizeof(int32_t), &b->chunk_in_round));
    RF_TRY(rf_arena_take(arena, (size_t)(keys * w->owners.rounds), sizeof(int32_t), &b->bucket_in_round));
  }
  b->as_keys = (rf_tokens){.position = b->position,
                           .order = b->order,
                           .limit = b->limit,
                           .bucket = b->bucket,
                           .chunk_in_round = b->chunk_in_round,
                           .bucket_in_round = b->bucket_in_round,
                           .stride = keys};
  return RF_OK;
}

rf_status rf_stripe_buffers_take(const rf_windows *w, bool reverse, rf_arena *arena, rf_stripe_buffers *b) {
  const int64_t queries = rf_stripe_chunks(w) * w->chunk, dh = w->d_head;
  const int64_t window = (w->owners.before + 1 + w->owners.after) * w->chunk;
  const int64_t keys = queries + window - w->chunk;
  const int64_t ldkt = rf_ceil_div(keys, VECTOR) * VECTOR + VECTOR; /* off powers of two: no cache aliasing */
  *b = (rf_stripe_buffers){.ldkt = ldkt};
  RF_TRY(take_stripe_tokens(w, keys, arena, b));
  const struct {
    real **pointer;
    int64_t count;
    bool used;
  } parts[] = {
      {&b->q, queries * dh, true},
      {&b->k, keys * dh, reverse},
      {&b->kt, b->ldkt * dh, true},
      {&b->v, keys * dh, !reverse},
      {&b->vt, b->ldkt * dh, reverse},
      {&b->d_o, queries * dh, reverse},
      {&b->scratch.logits, w->chunk * window, true},
      {&b->scratch.grads, w->chunk * window, reverse},
      {&b->scratch.factors, window, true},
      {&b->result.o, w->chunk * dh, !reverse},
      {reverse ? &b->m : &b->result.m, queries, true},
      {reverse ? &b->z_inverse : &b->result.z, queries, true},
      {&b->delta, queries, reverse},
      {&b->dq, w->chunk * dh, reverse},
      {&b->dk, keys * dh, reverse},
      {&b->dv, keys * dh, reverse},
  };
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (parts[i].used) RF_TRY(rf_arena_take(arena, (size_t)parts[i].count, sizeof(real), parts[i].pointer));
  return RF_OK;
}

static void gather_stripe_tokens(const rf_windows *w, const rf_stripe *stripe, const rf_pair *pair,
                                 rf_stripe_buffers *b) {
  const int64_t chunks = rf_owners_chunks(&w->owners);
  const int32_t *row_of_slot = pair->row_of_slot + stripe->first_seen * w->chunk;
  for (int64_t i = 0; i < stripe->keys; i++) {
    const int32_t row = row_of_slot[i], position = pair->position ? pair->position[row] : row;
    const bool padding = pair->mask && !pair->mask[row];
    b->row[i] = row;
    b->position[i] = position;
    b->order[i] = padding ? RF_ORDER_PADDING : position;
    b->limit[i] = padding && w->mask_padding_queries ? RF_LIMIT_NONE : w->causal ? position : RF_LIMIT_ALL;
    if (w->rule.same_bucket) {
      int64_t chunk = stripe->first_chunk - w->owners.before + i / w->chunk;
      while (chunk < 0) chunk += chunks;
      while (chunk >= chunks) chunk -= chunks;
      b->bucket[i] = pair->bucket_in_round[chunk / w->owners.per_round * pair->n_rows + row];
    }
    if (!b->chunk_in_round) continue;
    for (int64_t r = 0; r < w->owners.rounds; r++) {
      b->chunk_in_round[r * b->as_keys.stride + i] = pair->chunk_in_round[r * pair->n_rows + row];
      b->bucket_in_round[r * b->as_keys.stride + i] = pair->bucket_in_round[r * pair->n_rows + row];
    }
  }
}

void rf_stripe_gather(const rf_windows *w, const rf_stripe *stripe, bool reverse, rf_stripe_buffers *b) {
  const rf_pair *pair = &w->pairs[stripe->pair];
  const int64_t halo = w->owners.before * w->chunk, queries = stripe->n_chunks * w->chunk, dh = w->d_head;
  gather_stripe_tokens(w, stripe, pair, b);
  const int32_t *own = b->row + halo;
  const rf_rows q = {pair->q, dh, w->ld, NULL, 1}, v = {pair->v, dh, w->ld, NULL, 1};
  const rf_rows k = {pair->k, dh, w->ld, pair->key_scale, w->key_scale}, d_o = {pair->d_o, dh, w->ld, NULL, 1};
  rf_rows_gather(&q, queries, own, b->q);
  rf_rows_gather_transposed(&k, stripe->keys, b->row, b->kt, b->ldkt);
  if (!reverse) {
    rf_rows_gather(&v, stripe->keys, b->row, b->v);
    return;
  }
  rf_rows_gather(&k, stripe->keys, b->row, b->k);
  rf_rows_gather_transposed(&v, stripe->keys, b->row, b->vt, b->ldkt);
  rf_rows_gather(&d_o, queries, own, b->d_o);
  for (int64_t i = 0; i < queries; i++) {
    b->m[i] = pair->m[own[i]];
    b->z_inverse[i] = 1 / pair->z[own[i]];
    b->delta[i] = pair->delta[own[i]];
  }
  memset(b->dk, 0, (size_t)(stripe->keys * dh) * sizeof(real));
  memset(b->dv, 0, (size_t)(stripe->keys * dh) * sizeof(real));
}
