/* One block of queries against one window of keys: logits, masks, exponentials, values, and the reverse.
 *
 * Results are carried as (o, M, Z): M the largest logit of a query, Z the sum of exp(s - M), o the sum of exp(s - M) v.
 * Never as a log-sum-exp: near -1e5, where a token sees only itself, one ulp of float is 0.008.
 *
 * The rules (DESIGN 2.1), in order: a forbidden key's logit becomes -1e9; the query's own token gets -1e5, so that it
 * wins only against forbidden ones; a key of another bucket becomes forbidden; log of the duplicate count is
 * subtracted. A replaced logit is a constant: its derivative is exactly 0. */
#ifndef RF_KERNEL_ATTEND_H
#define RF_KERNEL_ATTEND_H

#include "reformer/config.h"
#include "reformer/real.h"
#include "reformer/rng.h"
#include <stdbool.h>
#include <stdint.h>

#define RF_LOGIT_FORBIDDEN R_(-1e9)
#define RF_LOGIT_SELF R_(-1e5)

enum {
  RF_ORDER_PADDING = INT32_MAX, /* order of a key nobody may see */
  RF_LIMIT_ALL = INT32_MAX - 1, /* limit of a query that sees every real key */
  RF_LIMIT_NONE = -1            /* limit of a query that sees none */
};

/* What queries and keys say about themselves; one entry a row of the block. */
typedef struct rf_tokens {
  const int32_t *position; /* token's place in the sequence: equal means the same token */
  const int32_t *order;    /* keys: position, or RF_ORDER_PADDING */
  const int32_t *limit;    /* queries: sees keys of order <= limit */
  const int32_t *bucket;   /* round * (buckets + 1) + bucket of this slot; read where same_bucket */
  /* [rounds][stride]: the token's chunk of slots and its bucket in each round; read for duplicates */
  const int32_t *chunk_in_round, *bucket_in_round;
  int64_t stride;
} rf_tokens;

typedef struct rf_rule {
  bool self_rule;   /* shared queries and keys: the own logit is -1e5 */
  bool same_bucket; /* keys of another bucket are forbidden */
  rf_duplicates duplicates;
  int64_t rounds, chunks;              /* chunks: of all rounds together */
  int64_t chunks_before, chunks_after; /* of the window, for counting duplicates */
  const real *log_count;               /* [rounds * rounds * window + 1] log of a duplicate count */
  double dropout;                      /* of the probabilities */
  rf_draw draw;                        /* with head, sequence and round filled in */
} rf_rule;

/* Fills log_count[n + 1] for a rule's duplicates mode. */
void rf_log_counts(rf_duplicates duplicates, int64_t n, real *log_count);

/* Sizes of a block. */
typedef struct rf_block_shape {
  int64_t queries, keys, d_head;
  int64_t ldkt; /* row stride of the transposed keys (and values) */
} rf_block_shape;

/* q: [queries, d_head]; kt: [d_head, ldkt] keys transposed and scaled; v: [keys, d_head].
 * Out: o [queries, d_head], m, z [queries]. logits: [queries, keys], row: [2 keys], scratch. */
void rf_attend(const rf_block_shape *shape, const rf_rule *rule, const rf_tokens *queries, const rf_tokens *keys,
               const real *q, const real *kt, const real *v, real *logits, real *row, real *o, real *m, real *z);

/* Merges a block's result into its tokens' running (o, m, z): both are brought to the larger m. z = 0 marks a token not
 * reached yet. to_o: rows of stride ld; token: [n] entry of each row of the block. */
void rf_attend_merge(int64_t n, int64_t d_head, const int32_t *token, const real *o, const real *m, const real *z,
                     real *to_o, int64_t ld, real *to_m, real *to_z);

/* The reverse at the combined result of all rounds: p = exp(s - m) / z, ds = p (dO.v - delta), delta = dO.O.
 * k: [keys, d_head] scaled; kt, vt: [d_head, ldkt]; d_o: [queries, d_head]; m, z_inverse, delta: [queries].
 * Out: dq [queries, d_head] = ds k; dk, dv [keys, d_head] += ds^T q, p^T d_o. logits, grads: [queries, keys] scratch.
 */
void rf_attend_vjp(const rf_block_shape *shape, const rf_rule *rule, const rf_tokens *queries, const rf_tokens *keys,
                   const real *q, const real *k, const real *kt, const real *vt, const real *d_o, const real *m,
                   const real *z_inverse, const real *delta, real *logits, real *grads, real *row, real *dq, real *dk,
                   real *dv);

#endif
