/* One sublayer on a whole sequence by one rank, and on shards of it by all: what comes out must be the same.
 *
 * Every rank computes the one-rank result (mesh NULL) of the whole input, then its own share with the others, and
 * compares. */
#ifndef TESTS_MPI_SHARDED_CASE_H
#define TESTS_MPI_SHARDED_CASE_H

#include "lsh/hash.h"
#include "mpi/ranks.h"
#include "nn/wave.h"
#include "support/small_config.h"
#include "support/sublayer_case.h"

typedef enum padding {
  ALL_REAL,
  UNEQUAL,   /* sequences of different real lengths */
  HALF,      /* more than the last half: last ranks of padding only */
  ONE_TOKEN, /* one real token */
  NOTHING    /* the last sequence is nothing but padding */
} padding;

typedef enum inputs {
  NORMAL,
  EQUAL,      /* all tokens the same: all in one bucket of every round */
  BY_POSITION /* neighbours are alike: a bucket has its items on few ranks, and none on the others */
} inputs;

typedef struct sharded_case {
  const char *name;
  const rf_sublayer_ops *ops;
  bool causal;
  int64_t sequences, heads, tokens; /* tokens 0: one chunk for each rank */
  int64_t d_head;                   /* 0: small_config's */
  padding padding;
  inputs inputs;
  bool zero_rotations; /* LSH: every query in bucket 0 */
  double query_gain;   /* 0: logits near 1; g: logits of up to about +-g */
  int64_t wave_bytes;
  int64_t wave_memory; /* 0: plenty */
  rf_lsh_config lsh;   /* chunk 0: small_config's */
  rf_local_config local;
  bool shared_qk, dropout;
  bool relu; /* else gelu */
  uint64_t seed;
} sharded_case;

/* What a call gives. */
typedef struct results {
  real *y, *vjp_y, *dx, *dparams;
  void *saved;
} results;

static inline results results_take(int64_t values, int64_t params, size_t saved) {
  return (results){NEW(real, values), NEW(real, values), NEW(real, values), NEW(real, params), NEW(char, saved)};
}

static inline void results_free(results *r) {
  void *all[] = {r->y, r->vjp_y, r->dx, r->dparams, r->saved};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* A case and everything it is made of, whole on every rank. */
typedef struct sharded {
  const sharded_case *c;
  rf_mesh *mesh;
  sublayer_case *sublayer; /* with the call of the whole */
  rf_span own;             /* tokens of this rank */
  uint8_t *mask;           /* [sequences, tokens] */
  bool *counts;            /* [sequences, tokens] whether the token's output is compared */
  real *x, *dy, *rotations;
  int64_t d, buckets_of_head; /* width; 0 where nothing is hashed */
  int bucket_bytes;
} sharded;

static inline rf_config sharded_config(const sharded_case *c) {
  rf_config config = small_config();
  config.model.causal = c->causal;
  config.model.n_heads = c->heads;
  if (c->d_head > 0) config.model.d_head = c->d_head;
  if (c->lsh.chunk > 0) config.lsh = c->lsh;
  if (c->local.chunk > 0) config.local = c->local;
  if (c->wave_memory > 0) config.mesh.wave_memory = c->wave_memory;
  config.full.shared_qk = c->shared_qk;
  if (c->relu) config.model.activation = RF_RELU;
  if (c->dropout) config.model.dropout = config.model.attention_dropout = 0.2;
  return config;
}

static inline int64_t real_tokens(const sharded_case *c, int64_t sequence, int64_t tokens) {
  switch (c->padding) {
  case UNEQUAL: return tokens - sequence * tokens / 5 - (tokens > 3 ? 3 : 0);
  case HALF: return tokens * 2 / 5 + 1;
  case ONE_TOKEN: return 1;
  case NOTHING: return sequence == c->sequences - 1 ? 0 : tokens;
  default: return tokens;
  }
}

/* Full attention with a causal mask skips blocks of keys that a query may not see. A query that may see no key at all
 * (only in a sequence of nothing but padding) averages over the values of the blocks that were not skipped, which
 * depends on the mesh: the output of such padding is not compared, and says nothing about gradients. */
static inline bool may_differ(const sharded_case *c, int64_t sequence, int64_t tokens) {
  return c->ops == &rf_full_attention_ops && c->causal && real_tokens(c, sequence, tokens) == 0;
}

static inline void fill_inputs(sharded *s, dice *d) {
  const int64_t tokens = s->sublayer->call.tokens, n = s->c->sequences * tokens;
  s->x = dice_reals(d, n * s->d, 1);
  s->dy = dice_reals(d, n * s->d, 1);
  for (int64_t i = 0; i < n; i++) {
    real *x = s->x + i * s->d;
    const int64_t t = i % tokens;
    if (s->c->inputs == EQUAL) memcpy(x, s->x, (size_t)s->d * sizeof *x);
    if (s->c->inputs == BY_POSITION)
      for (int64_t j = 0; j < s->d; j++) x[j] = x[j] / 100 + s->x[(t / 8 * 8) * s->d + j];
    s->mask[i] = t < real_tokens(s->c, i / tokens, tokens);
    s->counts[i] = !may_differ(s->c, i / tokens, tokens);
    for (int64_t j = 0; j < s->d && !s->counts[i]; j++) s->dy[i * s->d + j] = 0;
  }
}

/* Larger logits by larger queries; where keys are queries too, they are normalised. */
static inline void enlarge_queries(sublayer_case *c, double gain) {
  for (int t = 0; t < c->block.n_tensors && gain > 0; t++) {
    const rf_tensor *tensor = &c->block.tensors[t];
    if (!strstr(tensor->name, ".query")) continue;
    for (int64_t i = 0; i < rf_tensor_count(tensor); i++) c->params[tensor->offset + i] *= (real)gain;
  }
}

static inline void set_up_buckets(sharded *s) {
  const rf_config *config = &s->sublayer->config;
  if (s->c->ops != &rf_lsh_attention_ops || s->sublayer->call.tokens <= config->lsh.chunk) return;
  const rf_hash_shape shape = rf_hash_shape_of(&config->lsh, config->model.d_head);
  s->buckets_of_head = shape.rounds;
  s->bucket_bytes = rf_bucket_bytes(shape.buckets);
  if (!s->c->zero_rotations) return;
  s->rotations = NEW(real, s->c->heads * shape.d_head * shape.rounds * shape.columns);
  s->sublayer->sublayer.rotations = s->rotations;
}

/* Of the global batch. */
static const uint32_t sequence_index[] = {4, 0, 9};

static inline sharded sharded_create(rf_mesh *mesh, const sharded_case *c) {
  const rf_config config = sharded_config(c);
  const int64_t tokens = c->tokens > 0 ? c->tokens : config.lsh.chunk * rf_mesh_size(mesh);
  sharded s = {.c = c, .mesh = mesh, .d = config.model.d_model};
  dice d = {.seed = c->seed};
  s.own = rf_span_of(tokens, rf_mesh_sequence_size(mesh), rf_mesh_sequence_rank(mesh));
  s.mask = NEW(uint8_t, c->sequences * tokens);
  s.counts = NEW(bool, c->sequences *tokens);
  const rf_call call = {.sequences = c->sequences,
                        .tokens = tokens,
                        .mask = c->padding == ALL_REAL ? NULL : s.mask,
                        .sequence = sequence_index,
                        .seed = c->seed,
                        .step = 6,
                        .training = c->dropout,
                        .wave_bytes = c->wave_bytes};
  s.sublayer = sublayer_case_create(&config, c->ops, &call);
  sublayer_case_randomise(s.sublayer, &d, 1);
  enlarge_queries(s.sublayer, c->query_gain);
  fill_inputs(&s, &d);
  set_up_buckets(&s);
  return s;
}

static inline void sharded_free(sharded *s) {
  sublayer_case_destroy(s->sublayer);
  void *all[] = {s->mask, s->counts, s->x, s->dy, s->rotations};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* This rank's part of an array [sequences, outer, tokens, bytes]. */
static inline void *own_part(const sharded *s, const void *whole, int64_t outer, size_t bytes) {
  const int64_t tokens = s->sublayer->call.tokens, rows = s->c->sequences * outer;
  char *part = NEW(char, (size_t)(rows * s->own.count) * bytes);
  for (int64_t i = 0; i < rows; i++)
    memcpy(part + (size_t)(i * s->own.count) * bytes, (const char *)whole + (size_t)(i * tokens + s->own.first) * bytes,
           (size_t)s->own.count * bytes);
  return part;
}

/* Apply, then apply_vjp at the buckets in `saved` (NULL: those that apply found). */
static inline results run_sublayer(const sharded *s, const rf_call *call, const real *x, const real *dy,
                                   const void *saved) {
  const rf_sublayer *sublayer = &s->sublayer->sublayer;
  results r = results_take(call->sequences * call->tokens * s->d, s->sublayer->block.size,
                           sublayer->ops->saved_bytes(sublayer, call));
  assert_ok(sublayer->ops->apply(sublayer, call, s->sublayer->params, x, 1, r.y, r.saved));
  const rf_sublayer_vjp task = {s->sublayer->params, x, dy, r.vjp_y, r.dx, r.dparams, saved ? saved : r.saved};
  assert_ok(sublayer->ops->apply_vjp(sublayer, call, &task));
  return r;
}

/* The same by all ranks together; at the buckets of the whole. dparams: summed over ranks. */
static inline results run_shard(const sharded *s, const void *saved) {
  rf_call call = s->sublayer->call;
  uint8_t *mask = own_part(s, s->mask, 1, 1);
  real *x = own_part(s, s->x, 1, (size_t)s->d * sizeof(real)), *dy = own_part(s, s->dy, 1, (size_t)s->d * sizeof(real));
  void *buckets = own_part(s, saved, s->c->heads * s->buckets_of_head, (size_t)s->bucket_bytes);
  call.mesh = s->mesh;
  call.tokens = s->own.count;
  call.first_token = s->own.first;
  if (call.mask) call.mask = mask;
  const int ranks = rf_mesh_sequence_size(s->mesh);
  if (s->c->wave_memory > 0 && ranks > 1 && s->sublayer->call.tokens >= 2 * ranks * s->c->lsh.chunk)
    assert_true(rf_wave_size_of(&s->sublayer->sublayer, &call).parts > 1);
  results r = run_sublayer(s, &call, x, dy, buckets);
  const int64_t n = s->sublayer->block.size;
  double *sum = NEW(double, n);
  for (int64_t i = 0; i < n; i++) sum[i] = (double)r.dparams[i];
  assert_ok(rf_sum_doubles(s->mesh, RF_SCOPE_SEQUENCE, RF_TRAFFIC_OTHER, n, sum));
  for (int64_t i = 0; i < n; i++) r.dparams[i] = (real)sum[i];
  void *all[] = {mask, x, dy, buckets, sum};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
  return r;
}

#endif
