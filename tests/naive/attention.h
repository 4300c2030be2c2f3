/* Attention over windows of slots, slot by slot and in double: the specification of lsh/window_attention and
 * kernel/attend.
 *
 * Every query's keys of all rounds form one list, and the output is one softmax over that list; what the fast version
 * merges round by round is here never apart. */
#ifndef TESTS_NAIVE_ATTENTION_H
#define TESTS_NAIVE_ATTENTION_H

#include "lsh/windows.h"
#include "support/numbers.h"

typedef struct naive_result {
  double *o, *m;        /* [tokens, d_head] normalised; [tokens] largest logit */
  double *dq, *dk, *dv; /* [tokens, d_head] */
} naive_result;

typedef struct naive_slots {
  const rf_windows *w;
  const rf_pair *pair;
  int64_t items, chunks;
} naive_slots;

static inline int64_t naive_token(const naive_slots *s, int64_t slot) {
  const int64_t tokens = s->w->tokens, halo = s->w->owners.before + s->w->owners.after;
  return s->pair
      ->row_of_slot[slot / tokens * (tokens + halo * s->w->chunk) + s->w->owners.before * s->w->chunk + slot % tokens];
}

/* The bucket, told apart by rounds. */
static inline int64_t naive_bucket(const naive_slots *s, int64_t slot) {
  const int64_t round = slot / s->w->tokens;
  return s->pair->bucket_in_round[round * s->w->tokens + naive_token(s, slot)];
}

/* The n-th slot of the window of a slot's chunk, in the ring of all chunks. */
static inline int64_t naive_key_slot(const naive_slots *s, int64_t slot, int64_t n) {
  int64_t chunk = slot / s->w->chunk - s->w->owners.before + n / s->w->chunk;
  chunk = ((chunk % s->chunks) + s->chunks) % s->chunks;
  return chunk * s->w->chunk + n % s->w->chunk;
}

static inline int64_t naive_window(const naive_slots *s) {
  return (s->w->owners.before + 1 + s->w->owners.after) * s->w->chunk;
}

/* In how many ways the key token is seen by the query token: by brute force over all pairs of their slots. */
static inline int64_t naive_count(const naive_slots *s, int64_t query, int64_t key) {
  int64_t count = 0;
  for (int64_t a = 0; a < s->items; a++) {
    if (naive_token(s, a) != query) continue;
    for (int64_t n = 0; n < naive_window(s); n++) {
      const int64_t b = naive_key_slot(s, a, n);
      if (naive_token(s, b) != key) continue;
      if (s->w->rule.same_bucket && naive_bucket(s, a) != naive_bucket(s, b)) continue;
      if (s->w->rule.duplicates == RF_DUPLICATES_LUCIDRAINS && a / s->w->tokens != b / s->w->tokens) continue;
      count++;
    }
  }
  return count;
}

typedef struct naive_logit {
  double value;
  bool constant;
  double factor; /* of the probability: dropout */
} naive_logit;

static inline double naive_key(const naive_slots *s, int64_t token, int64_t column) {
  const double scale = s->pair->key_scale ? (double)s->pair->key_scale[token] : (double)s->w->key_scale;
  return (double)s->pair->k[token * s->w->ld + column] * scale;
}

static inline double naive_factor(const naive_slots *s, int64_t round, int64_t query, int64_t key) {
  if (s->w->rule.dropout <= 0) return 1;
  rf_draw draw = s->w->rule.draw;
  draw.head = s->pair->head;
  draw.sequence = s->pair->sequence;
  draw.round = (uint32_t)round;
  uint32_t word[4];
  rf_draw_words(&draw, (uint64_t)query * RF_RNG_MAX_POSITION + (uint64_t)key, word);
  return (double)word[0] < floor(s->w->rule.dropout * 4294967296.0) ? 0 : 1 / (1 - s->w->rule.dropout);
}

/* counts: [tokens, tokens] of naive_count, read where duplicates matter. */
static inline naive_logit naive_logit_of(const naive_slots *s, int64_t slot, int64_t key_slot, const int64_t *counts) {
  const rf_windows *w = s->w;
  const int64_t i = naive_token(s, slot), j = naive_token(s, key_slot);
  naive_logit logit = {.factor = naive_factor(s, slot / w->tokens, i, j)};
  for (int64_t c = 0; c < w->d_head; c++) logit.value += (double)s->pair->q[i * w->ld + c] * naive_key(s, j, c);
  const bool key_padding = s->pair->mask && !s->pair->mask[j], query_padding = s->pair->mask && !s->pair->mask[i];
  if ((w->causal && j > i) || key_padding || (query_padding && w->mask_padding_queries))
    logit = (naive_logit){-1e9, true, logit.factor};
  if (w->rule.self_rule && i == j) logit = (naive_logit){-1e5, true, logit.factor};
  if (w->rule.same_bucket && naive_bucket(s, slot) != naive_bucket(s, key_slot))
    logit = (naive_logit){-1e9, true, logit.factor};
  if (w->rule.duplicates == RF_DUPLICATES_DIVIDE) logit.value -= log((double)counts[i * w->tokens + j]);
  if (w->rule.duplicates == RF_DUPLICATES_LUCIDRAINS) logit.value -= log((double)counts[i * w->tokens + j] + 1e-9);
  return logit;
}

/* A pair of different buckets need not be seen at all; its logit is forbidden whatever its count. */
static inline int64_t *naive_counts(const naive_slots *s) {
  if (s->w->rule.duplicates == RF_DUPLICATES_KEEP) return NULL;
  const int64_t tokens = s->w->tokens;
  int64_t *counts = NEW(int64_t, tokens * tokens);
  for (int64_t i = 0; i < tokens; i++)
    for (int64_t j = 0; j < tokens; j++) {
      const int64_t count = naive_count(s, i, j);
      counts[i * tokens + j] = s->w->rule.duplicates == RF_DUPLICATES_DIVIDE && count == 0 ? 1 : count;
    }
  return counts;
}

/* d_o: gradient of the normalised output. */
static inline naive_result naive_attend(const rf_windows *w, const rf_pair *pair) {
  const int64_t tokens = w->tokens, dh = w->d_head, rows = tokens * dh;
  const naive_slots s = {w, pair, w->owners.rounds * tokens, w->owners.rounds * tokens / w->chunk};
  const int64_t window = naive_window(&s);
  naive_result r = {NEW(double, rows), NEW(double, tokens), NEW(double, rows), NEW(double, rows), NEW(double, rows)};
  double *z = NEW(double, tokens);
  int64_t *counts = naive_counts(&s);
  for (int64_t t = 0; t < tokens; t++) r.m[t] = -INFINITY;
  for (int64_t a = 0; a < s.items; a++)
    for (int64_t n = 0; n < window; n++) {
      const double x = naive_logit_of(&s, a, naive_key_slot(&s, a, n), counts).value;
      const int64_t i = naive_token(&s, a);
      r.m[i] = x > r.m[i] ? x : r.m[i];
    }
  for (int64_t a = 0; a < s.items; a++)
    for (int64_t n = 0; n < window; n++) {
      const int64_t b = naive_key_slot(&s, a, n), i = naive_token(&s, a), j = naive_token(&s, b);
      const naive_logit x = naive_logit_of(&s, a, b, counts);
      const double e = exp(x.value - r.m[i]);
      z[i] += e;
      for (int64_t c = 0; c < dh; c++) r.o[i * dh + c] += e * x.factor * (double)pair->v[j * w->ld + c];
    }
  for (int64_t i = 0; i < rows; i++) r.o[i] /= z[i / dh];
  if (pair->d_o)
    for (int64_t a = 0; a < s.items; a++)
      for (int64_t n = 0; n < window; n++) {
        const int64_t b = naive_key_slot(&s, a, n), i = naive_token(&s, a), j = naive_token(&s, b);
        const naive_logit x = naive_logit_of(&s, a, b, counts);
        const double p = exp(x.value - r.m[i]) / z[i];
        double dp = 0, delta = 0;
        for (int64_t c = 0; c < dh; c++) {
          dp += (double)pair->d_o[i * w->ld + c] * (double)pair->v[j * w->ld + c] * x.factor;
          delta += (double)pair->d_o[i * w->ld + c] * r.o[i * dh + c];
        }
        const double ds = x.constant ? 0 : p * (dp - delta);
        for (int64_t c = 0; c < dh; c++) {
          r.dv[j * dh + c] += p * x.factor * (double)pair->d_o[i * w->ld + c];
          r.dq[i * dh + c] += ds * naive_key(&s, j, c);
          r.dk[j * dh + c] += ds * (double)pair->q[i * w->ld + c];
        }
      }
  free(z);
  free(counts);
  return r;
}

static inline void naive_result_free(naive_result *r) {
  free(r->o);
  free(r->m);
  free(r->dq);
  free(r->dk);
  free(r->dv);
}

#endif
