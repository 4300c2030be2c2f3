#include "kernel/attend.h"
#include "kernel/dropout.h"
#include "kernel/exponential.h"
#include "kernel/gemm.h"
#include "kernel/largest.h"
#include <string.h>

void rf_attend_log_counts(rf_duplicates duplicates, int64_t n, real *log_count) {
  for (int64_t c = 0; c <= n; c++) {
    /* a count of 0 arises only under lucidrains' rule, for pairs that meet only across a round edge */
    const double count = duplicates == RF_DUPLICATES_LUCIDRAINS ? (double)c + 1e-9 : (double)(c > 0 ? c : 1);
    log_count[c] = (real)log(count);
  }
}

/* How many chunks of the window [-before, after] around chunk q hold chunk k, chunks in a ring. A ring shorter than the
 * window shows a chunk more than once. */
static inline int32_t window_count(int32_t q, int32_t k, const rf_rule *rule) {
  const int64_t ring = rule->chunks, window = rule->chunks_before + 1 + rule->chunks_after;
  int64_t ahead = (int64_t)k - q + rule->chunks_before; /* place of k in the window, as a ring */
  if (ahead < 0) ahead += ring;
  while (ahead >= ring) ahead -= ring;
  return ahead < window ? (int32_t)((window - ahead + ring - 1) / ring) : 0;
}

/* Subtracts from a row of logits the log of the number of slot pairs in which the query sees the key. `divide` counts
 * all pairs of rounds (the N_ij of the paper's appendix); `lucidrains` only pairs of equal rounds. */
static void subtract_duplicates(const rf_rule *rule, const rf_tokens *queries, int64_t i, const rf_tokens *keys,
                                int64_t n, real *restrict logits) {
  for (int64_t j = 0; j < n; j++) {
    int32_t count = 0;
    for (int64_t r = 0; r < rule->rounds; r++) {
      const int32_t chunk = queries->chunk_in_round[r * queries->stride + i];
      const int32_t bucket = queries->bucket_in_round[r * queries->stride + i];
      const bool all_pairs = rule->duplicates == RF_DUPLICATES_DIVIDE && !rule->same_bucket;
      for (int64_t r2 = all_pairs ? 0 : r; r2 < (all_pairs ? rule->rounds : r + 1); r2++) {
        /* buckets of different rounds are different buckets, so only equal rounds can meet under same_bucket */
        if (rule->same_bucket && keys->bucket_in_round[r2 * keys->stride + j] != bucket) continue;
        count += window_count(chunk, keys->chunk_in_round[r2 * keys->stride + j], rule);
      }
    }
    logits[j] -= rule->log_count[count];
  }
}

/* What takes the place of a logit, or of its derivative: where a key is forbidden, and where it is the query's own. */
typedef struct constants {
  real forbidden, self;
} constants;

static inline __attribute__((always_inline)) void mask_row(bool self_rule, bool same_bucket, constants put,
                                                           const rf_tokens *queries, int64_t i, const rf_tokens *keys,
                                                           int64_t n, real *restrict s) {
  const int32_t *restrict order = keys->order, *restrict position = keys->position, *restrict bucket = keys->bucket;
  const int32_t limit = queries->limit[i], own = queries->position[i];
  const int32_t own_bucket = same_bucket ? queries->bucket[i] : 0;
#pragma omp simd
  for (int64_t j = 0; j < n; j++) {
    real x = order[j] > limit ? put.forbidden : s[j];
    if (self_rule) x = position[j] == own ? put.self : x;
    if (same_bucket) x = bucket[j] != own_bucket ? put.forbidden : x;
    s[j] = x;
  }
}

/* A loop for each pair of rules, without the other's comparisons. */
static inline __attribute__((always_inline)) void mask_by_rule(const rf_rule *rule, constants put,
                                                               const rf_tokens *queries, int64_t i,
                                                               const rf_tokens *keys, int64_t n, real *s) {
  if (rule->same_bucket && rule->self_rule)
    mask_row(true, true, put, queries, i, keys, n, s);
  else if (rule->same_bucket)
    mask_row(false, true, put, queries, i, keys, n, s);
  else if (rule->self_rule)
    mask_row(true, false, put, queries, i, keys, n, s);
  else
    mask_row(false, false, put, queries, i, keys, n, s);
}

/* Applies the rules to a row of raw logits. */
static void apply_rules(const rf_rule *rule, const rf_tokens *queries, int64_t i, const rf_tokens *keys, int64_t n,
                        real *s) {
  mask_by_rule(rule, (constants){RF_LOGIT_FORBIDDEN, RF_LOGIT_SELF}, queries, i, keys, n, s);
  if (rule->duplicates != RF_DUPLICATES_KEEP) subtract_duplicates(rule, queries, i, keys, n, s);
}

void rf_attend(const rf_attend_window *w, const real *q, const real *kt, const real *v,
               const rf_attend_scratch *scratch, const rf_attended *out) {
  const int64_t nq = w->n_queries, n = w->n_keys, dh = w->d_head;
  const rf_rule *rule = w->rule;
  const rf_tokens *queries = w->queries, *keys = w->keys;
  real *logits = scratch->logits, *factors = scratch->factors, *m = out->m, *z = out->z;
  rf_gemm_nn(nq, n, dh, (rf_view){q, dh}, (rf_view){kt, w->ldkt}, false, (rf_matrix){logits, n});
  for (int64_t i = 0; i < nq; i++) {
    real *restrict s = logits + i * n;
    apply_rules(rule, queries, i, keys, n, s);
    const real largest = rf_largest(n, 1, s);
    const real sum = rf_exp_row(n, largest, s);
    if (rule->dropout > 0) {
      rf_dropout_factors(&rule->draw, rule->dropout, queries->position[i], keys->position, n, factors);
#pragma omp simd
      for (int64_t j = 0; j < n; j++) s[j] *= factors[j];
    }
    m[i] = largest;
    z[i] = sum;
  }
  rf_gemm_nn(nq, dh, n, (rf_view){logits, n}, (rf_view){v, dh}, false, (rf_matrix){out->o, dh});
}

enum { MERGE_AT_ONCE = 64 };

void rf_attend_merge(int64_t n, int64_t d_head, const int32_t *token, const rf_attended *part, const rf_attended *whole,
                     int64_t ld) {
  const real *o = part->o, *m = part->m, *z = part->z;
  real *to_o = whole->o, *to_m = whole->m, *to_z = whole->z;
  real old[MERGE_AT_ONCE], new[MERGE_AT_ONCE];
  for (int64_t first = 0; first < n; first += MERGE_AT_ONCE) {
    const int64_t some = n - first < MERGE_AT_ONCE ? n - first : MERGE_AT_ONCE;
    /* what both sides are multiplied by; an untouched token's (z = 0) own side weighs nothing */
    for (int64_t i = 0; i < some; i++) {
      const int32_t t = token[first + i];
      const real before = to_z[t] == 0 ? -RF_REAL_MAX : to_m[t], here = m[first + i];
      to_m[t] = here > before ? here : before;
      old[i] = before - to_m[t];
      new[i] = here - to_m[t];
    }
    rf_exp_row(some, 0, old);
    rf_exp_row(some, 0, new);
    for (int64_t i = 0; i < some; i++) {
      const int32_t t = token[first + i];
      const real *restrict from = o + (first + i) * d_head;
      real *restrict to = to_o + t * ld;
      if (to_z[t] == 0) {
        memcpy(to, from, (size_t)d_head * sizeof(real));
      } else {
#pragma omp simd
        for (int64_t j = 0; j < d_head; j++) to[j] = to[j] * old[i] + from[j] * new[i];
      }
      to_z[t] = to_z[t] * old[i] + z[first + i] * new[i];
    }
  }
}

/* Where a logit was replaced by a constant: its derivative is exactly 0. */
static void drop_constants(const rf_rule *rule, const rf_tokens *queries, int64_t i, const rf_tokens *keys, int64_t n,
                           real *ds) {
  mask_by_rule(rule, (constants){0, 0}, queries, i, keys, n, ds);
}

void rf_attend_vjp(const rf_attend_window *w, const rf_attend_reverse *in, const rf_attend_scratch *scratch,
                   const rf_attend_gradient *out) {
  const int64_t nq = w->n_queries, n = w->n_keys, dh = w->d_head;
  const rf_rule *rule = w->rule;
  const rf_tokens *queries = w->queries, *keys = w->keys;
  const real *m = in->m, *z_inverse = in->z_inverse, *delta = in->delta;
  const rf_view q = {in->q, dh}, d_o = {in->d_o, dh};
  real *logits = scratch->logits, *grads = scratch->grads, *row = scratch->factors;
  rf_gemm_nn(nq, n, dh, q, (rf_view){in->kt, w->ldkt}, false, (rf_matrix){logits, n});
  rf_gemm_nn(nq, n, dh, d_o, (rf_view){in->vt, w->ldkt}, false, (rf_matrix){grads, n});
  for (int64_t i = 0; i < nq; i++) {
    real *restrict p = logits + i * n, *restrict ds = grads + i * n;
    const real largest = m[i], inverse = z_inverse[i], d = delta[i];
    apply_rules(rule, queries, i, keys, n, p);
    rf_exp_row(n, largest, p);
    if (rule->dropout > 0) {
      rf_dropout_factors(&rule->draw, rule->dropout, queries->position[i], keys->position, n, row);
#pragma omp simd
      for (int64_t j = 0; j < n; j++) {
        const real full = p[j] * inverse;
        ds[j] = full * (ds[j] * row[j] - d);
        p[j] = full * row[j];
      }
    } else {
#pragma omp simd
      for (int64_t j = 0; j < n; j++) {
        p[j] = p[j] * inverse;
        ds[j] = p[j] * (ds[j] - d);
      }
    }
    drop_constants(rule, queries, i, keys, n, ds);
  }
  rf_gemm_tn(n, dh, nq, (rf_view){logits, n}, d_o, true, (rf_matrix){out->dv, dh});
  rf_gemm_nn(nq, dh, n, (rf_view){grads, n}, (rf_view){in->k, dh}, false, (rf_matrix){out->dq, dh});
  rf_gemm_tn(n, dh, nq, (rf_view){grads, n}, q, true, (rf_matrix){out->dk, dh});
}
