/* Some queries against one window of keys: logits, masks, exponentials, values, and the reverse.
 *
 * Results are carried as (o, M, Z): M the largest logit of a query, Z the sum of exp(s - M), o the sum of exp(s - M) v.
 * Never as a log-sum-exp: near -1e5, where a token sees only itself, one ulp of float is 0.008.
 *
 * The rules (docs/design.md 2.2), in order: a forbidden key's logit becomes -1e9; the query's own token gets -1e5, so
 * that it wins only against forbidden ones; a key of another bucket becomes forbidden; log of the duplicate count is
 * subtracted. A replaced logit is a constant: its derivative is exactly 0. */
#ifndef RF_KERNEL_ATTEND_H
#define RF_KERNEL_ATTEND_H

#include "reformer/kinds.h"
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

/* What queries and keys say about themselves; one entry a row. */
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
void rf_attend_log_counts(rf_duplicates duplicates, int64_t n, real *log_count);

/* Queries, and the window of keys that they meet. */
typedef struct rf_attend_window {
  int64_t n_queries, n_keys, d_head;
  int64_t ldkt; /* row stride of the transposed keys and values */
  const rf_rule *rule;
  const rf_tokens *queries, *keys;
} rf_attend_window;

/* What attention gives a query, unnormalised. */
typedef struct rf_attended {
  real *o;     /* rows of d_head */
  real *m, *z; /* one a row */
} rf_attended;

/* Of one window at a time. */
typedef struct rf_attend_scratch {
  real *logits, *grads; /* [n_queries, n_keys]; grads: reverse */
  real *factors;        /* [n_keys] dropout's, of one query */
} rf_attend_scratch;

/* q: [n_queries, d_head]; kt: [d_head, ldkt] keys transposed and scaled; v: [n_keys, d_head]; out: one row a query. */
void rf_attend(const rf_attend_window *window, const real *q, const real *kt, const real *v,
               const rf_attend_scratch *scratch, const rf_attended *out);

/* Merges a window's result into its tokens' running one: both are brought to the larger m. z = 0 marks a token not
 * reached yet. token: [n] row in `to` of each row of `from`; rows of to->o are ld apart. */
void rf_attend_merge(int64_t n, int64_t d_head, const int32_t *token, const rf_attended *from, const rf_attended *to,
                     int64_t ld);

/* What the reverse reads; results are those of all rounds together. */
typedef struct rf_attend_reverse {
  const real *q;                     /* [n_queries, d_head] */
  const real *k;                     /* [n_keys, d_head] scaled */
  const real *kt, *vt;               /* [d_head, ldkt] */
  const real *d_o;                   /* [n_queries, d_head] */
  const real *m, *z_inverse, *delta; /* [n_queries]; delta = d_o . O */
} rf_attend_reverse;

typedef struct rf_attend_gradient {
  real *dq;      /* [n_queries, d_head] */
  real *dk, *dv; /* [n_keys, d_head] added to */
} rf_attend_gradient;

/* p = exp(s - m) / z, ds = p (d_o . v - delta);  dq = ds k, dk += ds^T q, dv += p^T d_o. */
void rf_attend_vjp(const rf_attend_window *window, const rf_attend_reverse *in, const rf_attend_scratch *scratch,
                   const rf_attend_gradient *out);

#endif
