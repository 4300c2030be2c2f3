/* Feed-forward: linear(d -> d_ff, bias) -> dropout -> activation -> linear(d_ff -> d, bias) -> dropout, over blocks of
 * tokens so that the hidden activations stay in cache and never exist for the whole sequence (paper, section 3:
 * chunking). */
#include "kernel/activation.h"
#include "base/integers.h"
#include "kernel/dropout.h"
#include "kernel/norm.h"
#include "kernel/parallel.h"
#include "nn/linear.h"
#include "nn/sublayer.h"
#include <string.h>

typedef struct tensors {
  int64_t norm_scale, norm_bias; /* [d] */
  int64_t inner, inner_bias;     /* [d_ff, d], [d_ff] */
  int64_t outer, outer_bias;     /* [d, d_ff], [d] */
} tensors;

static tensors tensors_of(const rf_model_config *m) {
  const int64_t d = rf_aligned(m->d_model), weight = rf_aligned(m->d_model * m->d_ff);
  tensors t = {.norm_bias = d, .inner = 2 * d};
  t.inner_bias = t.inner + weight;
  t.outer = t.inner_bias + rf_aligned(m->d_ff);
  t.outer_bias = t.outer + weight;
  return t;
}

static rf_status describe(const rf_sublayer *self, const char *prefix, rf_block *block) {
  const rf_model_config *m = &self->config->model;
  const int64_t inner[] = {m->d_ff, m->d_model}, outer[] = {m->d_model, m->d_ff};
  RF_TRY(rf_block_add(block, RF_INIT_ONE, 1, outer, "%s.feed_forward.norm.scale", prefix));
  RF_TRY(rf_block_add(block, RF_INIT_ZERO, 1, outer, "%s.feed_forward.norm.bias", prefix));
  RF_TRY(rf_block_add(block, RF_INIT_NORMAL, 2, inner, "%s.feed_forward.inner.weight", prefix));
  RF_TRY(rf_block_add(block, RF_INIT_ZERO, 1, inner, "%s.feed_forward.inner.bias", prefix));
  RF_TRY(rf_block_add(block, RF_INIT_NORMAL, 2, outer, "%s.feed_forward.outer.weight", prefix));
  return rf_block_add(block, RF_INIT_ZERO, 1, outer, "%s.feed_forward.outer.bias", prefix);
}

/* Level 1 keeps [rows, d_ff]: what the activation gets, or what it gives where that tells its derivative too. */
static bool keeps_activated(const rf_sublayer *self) { return self->config->model.activation == RF_RELU; }

static size_t saved_bytes(const rf_sublayer *self, const rf_call *call) {
  if (call->level < 1) return 0;
  return (size_t)(call->sequences * call->tokens * self->config->model.d_ff) * sizeof(real);
}

/* What every tile of a call needs. */
typedef struct job {
  const rf_sublayer *self;
  const rf_call *call;
  const real *params;
  tensors at;
  int64_t d, d_ff, rows;
  int64_t ld, ld_ff; /* strides of rows that the weights' gradients read */
  real eps;
  double dropout;                   /* 0 outside training */
  rf_packed inner, outer;           /* the weights packed */
  rf_packed inner_back, outer_back; /* ... for the reverse */
} job;

static job job_of(const rf_sublayer *self, const rf_call *call, const real *params) {
  const rf_model_config *m = &self->config->model;
  return (job){.self = self,
               .call = call,
               .params = params,
               .at = tensors_of(m),
               .d = m->d_model,
               .d_ff = m->d_ff,
               .rows = call->sequences * call->tokens,
               .ld = rf_row_stride(m->d_model),
               .ld_ff = rf_row_stride(m->d_ff),
               .eps = (real)m->norm_eps,
               .dropout = call->training ? m->dropout : 0};
}

static rf_status pack_weights(job *j, bool reverse) {
  rf_arena *arena = j->call->scratch;
  const rf_precision precision = j->self->config->model.precision;
  const real *inner = j->params + j->at.inner, *outer = j->params + j->at.outer;
  RF_TRY(rf_weight_pack_forward(arena, precision, j->d_ff, j->d, 1, inner, j->d, &j->inner));
  RF_TRY(rf_weight_pack_forward(arena, precision, j->d, j->d_ff, 1, outer, j->d_ff, &j->outer));
  if (!reverse) return RF_OK;
  RF_TRY(rf_weight_pack_backward(arena, precision, j->d_ff, j->d, inner, j->d, &j->inner_back));
  return rf_weight_pack_backward(arena, precision, j->d, j->d_ff, outer, j->d_ff, &j->outer_back);
}

/* Dropout of rows [row, row + n) of the call, sequence by sequence. */
static void drop(const job *j, rf_purpose purpose, int64_t row, int64_t n, int64_t width, real *x, int64_t ld) {
  if (j->dropout <= 0) return;
  rf_draw draw = rf_call_draw(j->call, j->self, purpose);
  for (int64_t done = 0; done < n;) {
    const int64_t token = (row + done) % j->call->tokens, part = rf_min(n - done, j->call->tokens - token);
    draw.sequence = j->call->sequence[(row + done) / j->call->tokens];
    rf_dropout(&draw, j->dropout, j->call->first_token + token, part, width, x + done * ld, ld);
    done += part;
  }
}

static void add_bias(int64_t rows, int64_t width, const real *restrict bias, real *restrict x) {
  for (int64_t i = 0; i < rows; i++) {
#pragma omp simd
    for (int64_t c = 0; c < width; c++) x[i * width + c] += bias[c];
  }
}

static void norm(const job *j, const real *x, int64_t row, int64_t n, real *xn) {
  rf_norm(n, j->d, x + row * j->d, j->d, j->params + j->at.norm_scale, j->params + j->at.norm_bias, j->eps, xn, j->ld);
}

/* xn [n, ld] and pre [n, d_ff] = dropout(xn W1^T + b1) of rows [row, row + n). */
static void inner(const job *j, const real *x, int64_t row, int64_t n, real *xn, real *pre) {
  norm(j, x, row, n, xn);
  rf_gemm_packed(n, j->d_ff, j->d, xn, j->ld, &j->inner, false, pre, j->d_ff);
  add_bias(n, j->d_ff, j->params + j->at.inner_bias, pre);
  drop(j, RF_RNG_DROP_FF_INNER, row, n, j->d_ff, pre, j->d_ff);
}

/* y[rows] += sign dropout(h W2^T + b2). part: [n, d] scratch. */
static void outer(const job *j, const real *h, int64_t ldh, int64_t row, int64_t n, real sign, real *part, real *y) {
  rf_gemm_packed(n, j->d, j->d_ff, h, ldh, &j->outer, false, part, j->d);
  add_bias(n, j->d, j->params + j->at.outer_bias, part);
  drop(j, RF_RNG_DROP_FF_OUT, row, n, j->d, part, j->d);
  real *restrict out = y + row * j->d;
#pragma omp simd
  for (int64_t i = 0; i < n * j->d; i++) out[i] += sign * part[i];
}

static rf_status apply(const rf_sublayer *self, const rf_call *call, const real *params, const real *x, real sign,
                       real *y, void *saved) {
  real *kept = call->level > 0 ? saved : NULL;
  job j = job_of(self, call, params);
  const rf_mark mark = rf_arena_mark(call->scratch);
  real *normed, *hidden, *parts;
  RF_TRY(rf_arena_take(call->scratch, (size_t)(rf_threads() * RF_TILE * j.ld), sizeof(real), &normed));
  RF_TRY(rf_arena_take(call->scratch, (size_t)(rf_threads() * RF_TILE * j.d), sizeof(real), &parts));
  RF_TRY(rf_arena_take(call->scratch, (size_t)(rf_threads() * RF_TILE * j.d_ff), sizeof(real), &hidden));
  const rf_phase before = rf_phase_enter(call->phases, RF_PHASE_FEED_FORWARD);
  RF_TRY(pack_weights(&j, false));
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < j.rows; row += RF_TILE) {
    const int64_t n = rf_min(RF_TILE, j.rows - row);
    real *pre = kept ? kept + row * j.d_ff : hidden + rf_thread() * RF_TILE * j.d_ff;
    real *h = kept && keeps_activated(self) ? pre : hidden + rf_thread() * RF_TILE * j.d_ff;
    inner(&j, x, row, n, normed + rf_thread() * RF_TILE * j.ld, pre);
    rf_activate(self->config->model.activation, n * j.d_ff, pre, h);
    outer(&j, h, j.d_ff, row, n, sign, parts + rf_thread() * RF_TILE * j.d, y);
  }
  rf_phase_leave(call->phases, before);
  rf_arena_release(call->scratch, mark);
  return RF_OK;
}

/* A super-block of rows in the reverse pass: kept until the weight gradients have used it. */
typedef struct super {
  real *xn, *dy;    /* [rf_superblock(), ld]; dy after its dropout */
  real *h, *dpre;   /* [rf_superblock(), ld_ff] */
  real *pre, *part; /* [threads][RF_TILE, d_ff], [threads][RF_TILE, d] */
  real *norm_part;  /* [tiles][2 d] */
  const real *kept; /* [rows, d_ff] of the call, kept by the forward pass; NULL: computed again */
} super;

static rf_status take_super(const job *j, const void *saved, super *s) {
  *s = (super){.kept = j->call->level > 0 ? saved : NULL};
  rf_arena *arena = j->call->scratch;
  const int64_t threads = rf_threads();
  const struct {
    real **pointer;
    int64_t count;
  } parts[] = {
      {&s->xn, rf_superblock() * j->ld},
      {&s->dy, rf_superblock() * j->ld},
      {&s->h, rf_superblock() * j->ld_ff},
      {&s->dpre, rf_superblock() * j->ld_ff},
      {&s->pre, threads * RF_TILE * j->d_ff},
      {&s->part, threads * RF_TILE * j->d},
      {&s->norm_part, rf_superblock() / RF_TILE * 2 * j->d},
  };
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    RF_TRY(rf_arena_take(arena, (size_t)parts[i].count, sizeof(real), parts[i].pointer));
  return RF_OK;
}

/* What the forward pass kept of a block, if it kept what the outer product takes; else the block's own. */
static const real *hidden_of(const job *j, const super *s, int64_t block, int64_t *ld) {
  const bool kept = s->kept && keeps_activated(j->self);
  *ld = kept ? j->d_ff : j->ld_ff;
  return kept ? s->kept + block * j->d_ff : s->h;
}

/* The activations of a tile, row by row. slope: [n, d_ff], may be pre. */
static void activate_tile(const job *j, int64_t n, const real *pre, real *h, real *slope) {
  for (int64_t i = 0; i < n; i++)
    rf_activate_with_slope(j->self->config->model.activation, j->d_ff, pre + i * j->d_ff, h + i * j->ld_ff,
                           slope + i * j->d_ff);
}

/* dpre[n, ld_ff] = what comes back through outer product and activation. */
static void hidden_vjp(const job *j, const real *dy, const real *h, int64_t ldh, const real *slope, int64_t row,
                       int64_t n, real *dpre) {
  rf_gemm_packed(n, j->d_ff, j->d, dy, j->ld, &j->outer_back, false, dpre, j->ld_ff);
  for (int64_t i = 0; i < n; i++)
    rf_activate_vjp(j->self->config->model.activation, j->d_ff, h + i * ldh, slope + i * j->d_ff, dpre + i * j->ld_ff);
  drop(j, RF_RNG_DROP_FF_INNER, row, n, j->d_ff, dpre, j->ld_ff);
}

static void tile_vjp(const job *j, const super *s, const real *x, const real *dy, real *y, real *dx, int64_t block,
                     int64_t tile, int64_t n) {
  const int64_t local = tile * RF_TILE, row = block + local;
  real *xn = s->xn + local * j->ld, *own_dy = s->dy + local * j->ld, *part = s->part + rf_thread() * RF_TILE * j->d;
  real *fresh = s->pre + rf_thread() * RF_TILE * j->d_ff, *norm_part = s->norm_part + tile * 2 * j->d;
  real *dpre = s->dpre + local * j->ld_ff;
  int64_t ldh;
  const real *h = hidden_of(j, s, block, &ldh) + local * ldh;

  if (s->kept)
    norm(j, x, row, n, xn);
  else
    inner(j, x, row, n, xn, fresh);
  if (!s->kept || !keeps_activated(j->self))
    activate_tile(j, n, s->kept ? s->kept + row * j->d_ff : fresh, s->h + local * j->ld_ff, fresh);
  if (y) outer(j, h, ldh, row, n, -1, part, y);

  for (int64_t i = 0; i < n; i++) memcpy(own_dy + i * j->ld, dy + (row + i) * j->d, (size_t)j->d * sizeof(real));
  drop(j, RF_RNG_DROP_FF_OUT, row, n, j->d, own_dy, j->ld);
  hidden_vjp(j, own_dy, h, ldh, fresh, row, n, dpre);
  rf_gemm_packed(n, j->d, j->d_ff, dpre, j->ld_ff, &j->inner_back, false, part, j->d);
  memset(norm_part, 0, (size_t)(2 * j->d) * sizeof(real));
  rf_norm_vjp(n, j->d, x + row * j->d, j->d, j->params + j->at.norm_scale, j->eps, part, j->d, dx + row * j->d, j->d,
              norm_part, norm_part + j->d);
}

static rf_status apply_vjp(const rf_sublayer *self, const rf_call *call, const real *params, const real *x,
                           const real *dy, real *y, real *dx, real *dparams, const void *saved) {
  job j = job_of(self, call, params);
  const rf_mark mark = rf_arena_mark(call->scratch);
  super s;
  RF_TRY(take_super(&j, saved, &s));
  const rf_phase before = rf_phase_enter(call->phases, RF_PHASE_FEED_FORWARD);
  RF_TRY(pack_weights(&j, true));
  for (int64_t block = 0; block < j.rows; block += rf_superblock()) {
    const int64_t rows = rf_min(rf_superblock(), j.rows - block), tiles = rf_ceil_div(rows, RF_TILE);
#pragma omp parallel for schedule(static)
    for (int64_t tile = 0; tile < tiles; tile++)
      tile_vjp(&j, &s, x, dy, y, dx, block, tile, rf_min(RF_TILE, rows - tile * RF_TILE));
    int64_t ldh;
    const real *h = hidden_of(&j, &s, block, &ldh);
    rf_weight_gradient(rows, j.d_ff, j.d, s.dpre, j.ld_ff, s.xn, j.ld, dparams + j.at.inner, j.d);
    rf_weight_gradient(rows, j.d, j.d_ff, s.dy, j.ld, h, ldh, dparams + j.at.outer, j.d_ff);
    rf_bias_gradient(rows, j.d_ff, s.dpre, j.ld_ff, dparams + j.at.inner_bias);
    rf_bias_gradient(rows, j.d, s.dy, j.ld, dparams + j.at.outer_bias);
    rf_sum_tiles(tiles, j.d, s.norm_part, 2 * j.d, dparams + j.at.norm_scale);
    rf_sum_tiles(tiles, j.d, s.norm_part + j.d, 2 * j.d, dparams + j.at.norm_bias);
  }
  rf_phase_leave(call->phases, before);
  rf_arena_release(call->scratch, mark);
  return RF_OK;
}

static rf_status measure(const rf_sublayer *self, const rf_call *call) {
  static const real nothing;
  job j = job_of(self, call, &nothing);
  const rf_mark mark = rf_arena_mark(call->scratch);
  super s;
  RF_TRY(pack_weights(&j, true));
  RF_TRY(take_super(&j, NULL, &s));
  rf_arena_release(call->scratch, mark);
  return RF_OK;
}

const rf_sublayer_ops rf_feed_forward_ops = {describe, 2, saved_bytes, apply, apply_vjp, measure, NULL};
