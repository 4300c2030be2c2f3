/* Feed-forward: linear(d -> d_ff, bias) -> dropout -> activation -> linear(d_ff -> d, bias) -> dropout, over blocks of
 * tokens so that the hidden activations stay in cache and never exist for the whole sequence (paper, section 3:
 * chunking). */
#include "nn/sublayer.h"
#include "base/integers.h"
#include "comm/poll.h"
#include "kernel/activation.h"
#include "kernel/dropout.h"
#include "kernel/norm.h"
#include "kernel/parallel.h"
#include "nn/linear.h"
#include <stdio.h>
#include <string.h>

enum { NORM_SCALE, NORM_BIAS, INNER, INNER_BIAS, OUTER, OUTER_BIAS, TENSORS };

static void feed_forward_tensors(const rf_model_config *m, rf_tensor_entry table[TENSORS]) {
  const rf_tensor_entry tensors[TENSORS] = {[NORM_SCALE] = {"norm.scale", RF_INIT_ONE, 1, {m->d_model}},
                                            [NORM_BIAS] = {"norm.bias", RF_INIT_ZERO, 1, {m->d_model}},
                                            [INNER] = {"inner.weight", RF_INIT_NORMAL, 2, {m->d_ff, m->d_model}},
                                            [INNER_BIAS] = {"inner.bias", RF_INIT_ZERO, 1, {m->d_ff}},
                                            [OUTER] = {"outer.weight", RF_INIT_NORMAL, 2, {m->d_model, m->d_ff}},
                                            [OUTER_BIAS] = {"outer.bias", RF_INIT_ZERO, 1, {m->d_model}}};
  memcpy(table, tensors, sizeof tensors);
}

static rf_status feed_forward_describe(const rf_sublayer *self, const char *prefix, rf_block *block) {
  rf_tensor_entry table[TENSORS];
  char name[RF_MAX_NAME];
  feed_forward_tensors(&self->config->model, table);
  snprintf(name, sizeof name, "%s.feed_forward", prefix);
  return rf_tensors_describe(TENSORS, table, name, block);
}

/* Level 1 saves [rows, d_ff]: what the activation gets, or what it gives where that tells its derivative too. */
static bool saves_activated(const rf_sublayer *self) { return self->config->model.activation == RF_RELU; }

static size_t feed_forward_saved_bytes(const rf_sublayer *self, const rf_call *call) {
  if (call->level < 1) return 0;
  return (size_t)(call->sequences * call->tokens * self->config->model.d_ff) * sizeof(real);
}

/* What every tile of a call needs. */
typedef struct feed_forward_job {
  const rf_sublayer *self;
  const rf_call *call;
  const rf_sublayer_vjp *task; /* forward: params and x */
  int64_t at[TENSORS];
  int64_t d, d_ff;
  int64_t rows;      /* 0 where memory is only counted, so that no loop goes round */
  int64_t ld, ld_ff; /* strides of rows that the weights' gradients read */
  rf_norm_weights norm;
  double dropout;                   /* 0 outside training */
  rf_packed inner, outer;           /* the weights packed */
  rf_packed inner_back, outer_back; /* ... for the reverse */
} feed_forward_job;

static const real *weight_of(const feed_forward_job *j, int tensor) {
  return rf_tensor_at(j->task->params, j->at[tensor]);
}

static feed_forward_job feed_forward_job_of(const rf_sublayer *self, const rf_call *call, const rf_sublayer_vjp *task) {
  const rf_model_config *m = &self->config->model;
  rf_tensor_entry table[TENSORS];
  feed_forward_job j = {.self = self,
                        .call = call,
                        .task = task,
                        .d = m->d_model,
                        .d_ff = m->d_ff,
                        .rows = rf_arena_counts(call->scratch) ? 0 : call->sequences * call->tokens,
                        .ld = rf_row_stride(m->d_model),
                        .ld_ff = rf_row_stride(m->d_ff),
                        .dropout = call->training ? m->dropout : 0};
  feed_forward_tensors(m, table);
  rf_tensors_place(TENSORS, table, j.at);
  j.norm = (rf_norm_weights){m->d_model, weight_of(&j, NORM_SCALE), weight_of(&j, NORM_BIAS), (real)m->norm_eps};
  return j;
}

static rf_status pack_weights(feed_forward_job *j, bool reverse) {
  rf_arena *arena = j->call->scratch;
  const rf_precision precision = j->self->config->model.precision;
  const rf_view inner = {weight_of(j, INNER), j->d}, outer = {weight_of(j, OUTER), j->d_ff};
  RF_TRY(rf_weight_pack_forward(arena, precision, j->d_ff, j->d, 1, inner, &j->inner));
  RF_TRY(rf_weight_pack_forward(arena, precision, j->d, j->d_ff, 1, outer, &j->outer));
  if (!reverse) return RF_OK;
  RF_TRY(rf_weight_pack_backward(arena, precision, j->d_ff, j->d, inner, &j->inner_back));
  return rf_weight_pack_backward(arena, precision, j->d, j->d_ff, outer, &j->outer_back);
}

/* Dropout of rows [row, row + n) of the call, sequence by sequence. */
static void drop_hidden(const feed_forward_job *j, rf_purpose purpose, int64_t row, int64_t n, int64_t width, real *x,
                        int64_t ld) {
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

/* Between products: parameters and gradients of the blocks beside this one are under way. */
static void poll(const feed_forward_job *j) { rf_mesh_poll_within(j->call->mesh); }

static rf_view rows_of_x(const feed_forward_job *j, int64_t row) { return (rf_view){j->task->x + row * j->d, j->d}; }

/* xn [n, ld] and pre [n, d_ff] = dropout(xn W1^T + b1) of rows [row, row + n). */
static void inner_product(const feed_forward_job *j, int64_t row, int64_t n, real *xn, real *pre) {
  rf_norm(&j->norm, n, rows_of_x(j, row), (rf_matrix){xn, j->ld});
  rf_gemm_packed(n, j->d_ff, j->d, (rf_view){xn, j->ld}, &j->inner, false, (rf_matrix){pre, j->d_ff});
  add_bias(n, j->d_ff, weight_of(j, INNER_BIAS), pre);
  drop_hidden(j, RF_RNG_DROP_FF_INNER, row, n, j->d_ff, pre, j->d_ff);
}

/* y[rows] += sign dropout(h W2^T + b2). part: [n, d] scratch. */
static void outer_product(const feed_forward_job *j, rf_view h, int64_t row, int64_t n, real sign, real *part,
                          real *y) {
  rf_gemm_packed(n, j->d, j->d_ff, h, &j->outer, false, (rf_matrix){part, j->d});
  add_bias(n, j->d, weight_of(j, OUTER_BIAS), part);
  drop_hidden(j, RF_RNG_DROP_FF_OUT, row, n, j->d, part, j->d);
  real *restrict out = y + row * j->d;
#pragma omp simd
  for (int64_t i = 0; i < n * j->d; i++) out[i] += sign * part[i];
}

/* Of the forward pass: [threads][RF_TILE, ..]. */
typedef struct tile_buffers {
  real *normed, *hidden, *parts;
} tile_buffers;

static rf_status apply_tiles(feed_forward_job *j, real sign, real *y, real *saved) {
  rf_arena *arena = j->call->scratch;
  const rf_activation activation = j->self->config->model.activation;
  tile_buffers b;
  RF_TRY(rf_arena_take(arena, (size_t)(rf_threads() * RF_TILE * j->ld), sizeof(real), &b.normed));
  RF_TRY(rf_arena_take(arena, (size_t)(rf_threads() * RF_TILE * j->d), sizeof(real), &b.parts));
  RF_TRY(rf_arena_take(arena, (size_t)(rf_threads() * RF_TILE * j->d_ff), sizeof(real), &b.hidden));
  RF_TRY(pack_weights(j, false));
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < j->rows; row += RF_TILE) {
    const int64_t n = rf_min(RF_TILE, j->rows - row);
    real *pre = saved ? saved + row * j->d_ff : b.hidden + rf_thread() * RF_TILE * j->d_ff;
    real *h = saved && saves_activated(j->self) ? pre : b.hidden + rf_thread() * RF_TILE * j->d_ff;
    poll(j);
    inner_product(j, row, n, b.normed + rf_thread() * RF_TILE * j->ld, pre);
    poll(j);
    rf_activate(activation, n * j->d_ff, pre, h);
    outer_product(j, (rf_view){h, j->d_ff}, row, n, sign, b.parts + rf_thread() * RF_TILE * j->d, y);
  }
  return RF_OK;
}

static rf_status feed_forward_apply(const rf_sublayer *self, const rf_call *call, const real *params, const real *x,
                                    real sign, real *y, void *saved) {
  const rf_mark mark = rf_arena_mark(call->scratch);
  const rf_sublayer_vjp task = {.params = params, .x = x};
  feed_forward_job j = feed_forward_job_of(self, call, &task);
  RF_TRY_IN(call->phases, RF_PHASE_FEED_FORWARD, apply_tiles(&j, sign, y, call->level > 0 ? saved : NULL));
  rf_arena_release(call->scratch, mark);
  return RF_OK;
}

/* A super-block of rows in the reverse pass: held until the weight gradients have used it. */
typedef struct super {
  real *xn, *dy;     /* [rf_superblock(), ld]; dy after its dropout */
  real *h, *dpre;    /* [rf_superblock(), ld_ff] */
  real *pre, *part;  /* [threads][RF_TILE, d_ff], [threads][RF_TILE, d] */
  real *norm_part;   /* [tiles][2 d] */
  const real *saved; /* [rows, d_ff] of the call, by the forward pass; NULL: computed again */
} super;

static rf_status take_super(const feed_forward_job *j, super *s) {
  *s = (super){.saved = j->call->level > 0 ? j->task->saved : NULL};
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

/* What the outer product takes of the super-block at row `first`: what the forward pass saved, if it was that. */
static rf_view hidden_of(const feed_forward_job *j, const super *s, int64_t first) {
  if (s->saved && saves_activated(j->self)) return (rf_view){s->saved + first * j->d_ff, j->d_ff};
  return (rf_view){s->h, j->ld_ff};
}

/* The activations of a tile, row by row. slope: [n, d_ff], may be pre. */
static void activate_tile(const feed_forward_job *j, int64_t n, const real *pre, real *h, real *slope) {
  for (int64_t i = 0; i < n; i++)
    rf_activate_with_slope(j->self->config->model.activation, j->d_ff, pre + i * j->d_ff, h + i * j->ld_ff,
                           slope + i * j->d_ff);
}

/* dpre[n, ld_ff] = what comes back through outer product and activation. */
static void hidden_vjp(const feed_forward_job *j, const real *dy, rf_view h, const real *slope, int64_t row, int64_t n,
                       real *dpre) {
  rf_gemm_packed(n, j->d_ff, j->d, (rf_view){dy, j->ld}, &j->outer_back, false, (rf_matrix){dpre, j->ld_ff});
  for (int64_t i = 0; i < n; i++)
    rf_activate_vjp(j->self->config->model.activation, j->d_ff, h.data + i * h.ld, slope + i * j->d_ff,
                    dpre + i * j->ld_ff);
  drop_hidden(j, RF_RNG_DROP_FF_INNER, row, n, j->d_ff, dpre, j->ld_ff);
}

static void feed_forward_tile_vjp(const feed_forward_job *j, const super *s, int64_t first, int64_t tile, int64_t n) {
  const int64_t local = tile * RF_TILE, row = first + local;
  real *xn = s->xn + local * j->ld, *own_dy = s->dy + local * j->ld, *part = s->part + rf_thread() * RF_TILE * j->d;
  real *fresh = s->pre + rf_thread() * RF_TILE * j->d_ff, *norm_part = s->norm_part + tile * 2 * j->d;
  real *dpre = s->dpre + local * j->ld_ff;
  const rf_view h = rf_view_row(hidden_of(j, s, first), local);

  poll(j);
  if (s->saved)
    rf_norm(&j->norm, n, rows_of_x(j, row), (rf_matrix){xn, j->ld});
  else
    inner_product(j, row, n, xn, fresh);
  if (!s->saved || !saves_activated(j->self))
    activate_tile(j, n, s->saved ? s->saved + row * j->d_ff : fresh, s->h + local * j->ld_ff, fresh);
  poll(j);
  if (j->task->y) outer_product(j, h, row, n, -1, part, j->task->y);

  const real *dy = j->task->dy + row * j->d;
  for (int64_t i = 0; i < n; i++) memcpy(own_dy + i * j->ld, dy + i * j->d, (size_t)j->d * sizeof(real));
  drop_hidden(j, RF_RNG_DROP_FF_OUT, row, n, j->d, own_dy, j->ld);
  poll(j);
  hidden_vjp(j, own_dy, h, fresh, row, n, dpre);
  poll(j);
  rf_gemm_packed(n, j->d, j->d_ff, (rf_view){dpre, j->ld_ff}, &j->inner_back, false, (rf_matrix){part, j->d});
  memset(norm_part, 0, (size_t)(2 * j->d) * sizeof(real));
  rf_norm_vjp(&j->norm, n, rows_of_x(j, row), (rf_view){part, j->d}, (rf_matrix){j->task->dx + row * j->d, j->d},
              norm_part, norm_part + j->d);
}

static void feed_forward_gradients(const feed_forward_job *j, const super *s, int64_t first, int64_t rows) {
  const int64_t tiles = rf_ceil_div(rows, RF_TILE);
  const rf_view dpre = {s->dpre, j->ld_ff}, dy = {s->dy, j->ld};
  real *dparams = j->task->dparams;
  rf_weight_gradient(rows, j->d_ff, j->d, dpre, (rf_view){s->xn, j->ld}, (rf_matrix){dparams + j->at[INNER], j->d});
  poll(j);
  rf_weight_gradient(rows, j->d, j->d_ff, dy, hidden_of(j, s, first), (rf_matrix){dparams + j->at[OUTER], j->d_ff});
  poll(j);
  rf_bias_gradient(rows, j->d_ff, dpre, dparams + j->at[INNER_BIAS]);
  rf_bias_gradient(rows, j->d, dy, dparams + j->at[OUTER_BIAS]);
  rf_sum_tiles(tiles, j->d, s->norm_part, 2 * j->d, dparams + j->at[NORM_SCALE]);
  rf_sum_tiles(tiles, j->d, s->norm_part + j->d, 2 * j->d, dparams + j->at[NORM_BIAS]);
}

static rf_status reverse_tiles(feed_forward_job *j) {
  super s;
  RF_TRY(take_super(j, &s));
  RF_TRY(pack_weights(j, true));
  for (int64_t first = 0; first < j->rows; first += rf_superblock()) {
    const int64_t rows = rf_min(rf_superblock(), j->rows - first), tiles = rf_ceil_div(rows, RF_TILE);
#pragma omp parallel for schedule(static)
    for (int64_t tile = 0; tile < tiles; tile++)
      feed_forward_tile_vjp(j, &s, first, tile, rf_min(RF_TILE, rows - tile * RF_TILE));
    feed_forward_gradients(j, &s, first, rows);
  }
  return RF_OK;
}

static rf_status feed_forward_apply_vjp(const rf_sublayer *self, const rf_call *call, const rf_sublayer_vjp *task) {
  const rf_mark mark = rf_arena_mark(call->scratch);
  feed_forward_job j = feed_forward_job_of(self, call, task);
  RF_TRY_IN(call->phases, RF_PHASE_FEED_FORWARD, reverse_tiles(&j));
  rf_arena_release(call->scratch, mark);
  return RF_OK;
}

const rf_sublayer_ops rf_feed_forward_ops = {feed_forward_describe,  2,   feed_forward_saved_bytes, feed_forward_apply,
                                             feed_forward_apply_vjp, NULL};
