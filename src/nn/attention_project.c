#include "nn/attention_project.h"
#include "base/integers.h"
#include "nn/attention_rows.h"
#include "kernel/dropout.h"
#include "kernel/norm.h"
#include "kernel/parallel.h"
#include "nn/linear.h"
#include "nn/rotary.h"

rf_attention_tensors rf_attention_tensors_of(const rf_model_config *model, bool shared_qk) {
  const int64_t d = model->d_model, projection = rf_aligned(model->n_heads * model->d_head * d);
  rf_attention_tensors t = {.norm_bias = rf_aligned(d), .query = 2 * rf_aligned(d)};
  t.key = t.query + projection;
  t.value = shared_qk ? t.key : t.key + projection;
  t.output = t.value + projection;
  return t;
}

/* Sizes that the functions below all need. */
typedef struct dims {
  int64_t d, dh, all, tokens; /* all: H * d_head */
  int64_t ld;                 /* of rows of d that the weights' gradients read */
  int64_t row0;               /* first row of the wave in x */
  rf_attention_tensors at;
  int64_t head_rows; /* offset of the wave's heads in a [H * d_head, d] weight */
  int64_t head_cols; /* ... and in a row of the [d, H * d_head] weight */
  rf_precision precision;
} dims;

static dims dims_of(const rf_wave *w) {
  const rf_model_config *model = &w->self->config->model;
  dims s = {.d = model->d_model, .dh = model->d_head, .tokens = w->call->tokens, .precision = model->precision};
  s.ld = rf_row_stride(s.d);
  s.all = model->n_heads * model->d_head;
  s.row0 = w->first_sequence * s.tokens;
  s.at = rf_attention_tensors_of(model, w->shared_qk);
  s.head_cols = w->first_head * s.dh;
  s.head_rows = s.head_cols * s.d;
  return s;
}

static bool rotary(const rf_wave *w) { return w->self->config->model.positions.kind == RF_POSITIONS_ROTARY; }

/* Tiles may span sequences; positions start anew in each. */
static void rotate_rows(const rf_wave *w, int64_t first_row, int64_t rows, int direction, real *x) {
  const int64_t tokens = w->call->tokens;
  for (int64_t row = first_row; row < first_row + rows;) {
    const int64_t position = row % tokens, n = rf_min(first_row + rows - row, tokens - position);
    rf_rotary(n, w->n_heads, w->self->config->model.d_head, w->call->first_token + position, direction,
              x + row * w->width, w->width);
    row += n;
  }
}

/* Entry of (row of the wave, head of the wave) in a [pairs, tokens] array. */
static int64_t pair_entry(const rf_wave *w, int64_t row, int64_t head) {
  const int64_t tokens = w->call->tokens;
  return (row / tokens * w->n_heads + head) * tokens + row % tokens;
}

rf_status rf_wave_project(const rf_wave *w, const real *params, const real *x) {
  const dims s = dims_of(w);
  const real eps = (real)w->self->config->model.norm_eps;
  const rf_mark mark = rf_arena_mark(w->call->scratch);
  real *normed;
  rf_packed query, value, key;
  RF_TRY(rf_arena_take(w->call->scratch, (size_t)(rf_threads() * RF_TILE * s.d), sizeof(real), &normed));
  RF_TRY(rf_weight_pack_forward(w->call->scratch, s.precision, w->width, s.d, 1, params + s.at.query + s.head_rows, s.d,
                                &query));
  RF_TRY(rf_weight_pack_forward(w->call->scratch, s.precision, w->width, s.d, 1, params + s.at.value + s.head_rows, s.d,
                                &value));
  if (!w->shared_qk)
    RF_TRY(rf_weight_pack_forward(w->call->scratch, s.precision, w->width, s.d, 1, params + s.at.key + s.head_rows, s.d,
                                  &key));
  const int64_t tiles = rf_ceil_div(w->rows, RF_TILE);
#pragma omp parallel for schedule(static)
  for (int64_t tile = 0; tile < tiles; tile++) {
    const int64_t row = tile * RF_TILE, n = rf_min(RF_TILE, w->rows - row);
    rf_wave_progress(w);
    real *xn = normed + rf_thread() * RF_TILE * s.d;
    rf_norm(n, s.d, x + (s.row0 + row) * s.d, s.d, params + s.at.norm_scale, params + s.at.norm_bias, eps, xn, s.d);
    rf_gemm_packed(n, w->width, s.d, xn, s.d, &query, false, w->home.q + row * w->width, w->width);
    rf_gemm_packed(n, w->width, s.d, xn, s.d, &value, false, w->home.v + row * w->width, w->width);
    if (!w->shared_qk) rf_gemm_packed(n, w->width, s.d, xn, s.d, &key, false, w->home.k + row * w->width, w->width);
    if (rotary(w)) {
      rotate_rows(w, row, n, 1, w->home.q);
      if (!w->shared_qk) rotate_rows(w, row, n, 1, w->home.k);
    }
  }
  rf_arena_release(w->call->scratch, mark);
  return RF_OK;
}

static void normalise_output(const rf_wave *w, int64_t first_row, int64_t rows) {
  const int64_t dh = w->self->config->model.d_head;
  for (int64_t row = first_row; row < first_row + rows; row++)
    for (int64_t h = 0; h < w->n_heads; h++) {
      const real inverse = 1 / w->home.z[pair_entry(w, row, h)];
      real *restrict o = w->home.o + row * w->width + h * dh;
#pragma omp simd
      for (int64_t j = 0; j < dh; j++) o[j] *= inverse;
    }
}

/* Dropout of the sublayer's output or of its gradient, for rows of the call (not of the wave). */
static void drop_rows(const rf_wave *w, int64_t row, int64_t rows, real *y) {
  const int64_t tokens = w->call->tokens, d = w->self->config->model.d_model;
  rf_draw draw = rf_call_draw(w->call, w->self, RF_RNG_DROP_ATTENTION_OUT);
  for (int64_t done = 0; done < rows;) {
    const int64_t token = (row + done) % tokens, n = rf_min(rows - done, tokens - token);
    draw.sequence = w->call->sequence[(row + done) / tokens];
    rf_dropout(&draw, w->self->config->model.dropout, w->call->first_token + token, n, d, y + done * d, d);
    done += n;
  }
}

static bool dropping(const rf_wave *w) { return w->call->training && w->self->config->model.dropout > 0; }

rf_status rf_wave_output(const rf_wave *w, const real *params, real sign, real *y) {
  const dims s = dims_of(w);
  const rf_mark mark = rf_arena_mark(w->call->scratch);
  const bool drop = dropping(w);
  real *dropped = NULL;
  rf_packed weight;
  if (drop) RF_TRY(rf_arena_take(w->call->scratch, (size_t)(rf_threads() * RF_TILE * s.d), sizeof(real), &dropped));
  RF_TRY(rf_weight_pack_forward(w->call->scratch, s.precision, s.d, w->width, sign, params + s.at.output + s.head_cols,
                                s.all, &weight));
  const int64_t tiles = rf_ceil_div(w->rows, RF_TILE);
#pragma omp parallel for schedule(static)
  for (int64_t tile = 0; tile < tiles; tile++) {
    const int64_t row = tile * RF_TILE, n = rf_min(RF_TILE, w->rows - row);
    rf_wave_progress(w);
    if (!w->kept) normalise_output(w, row, n); /* what is kept is */
    if (!y) continue;
    const real *o = w->home.o + row * w->width;
    real *out = y + (s.row0 + row) * s.d;
    if (!drop) {
      rf_gemm_packed(n, s.d, w->width, o, w->width, &weight, true, out, s.d);
      continue;
    }
    real *part = dropped + rf_thread() * RF_TILE * s.d;
    rf_gemm_packed(n, s.d, w->width, o, w->width, &weight, false, part, s.d);
    drop_rows(w, s.row0 + row, n, part);
#pragma omp simd
    for (int64_t i = 0; i < n * s.d; i++) out[i] += part[i];
  }
  rf_arena_release(w->call->scratch, mark);
  return RF_OK;
}

static void output_delta(const rf_wave *w, int64_t first_row, int64_t rows) {
  const int64_t dh = w->self->config->model.d_head;
  for (int64_t row = first_row; row < first_row + rows; row++)
    for (int64_t h = 0; h < w->n_heads; h++) {
      const real *restrict o = w->home.o + row * w->width + h * dh, *restrict d_o =
                                                                        w->home.d_o + row * w->width + h * dh;
      real dot = 0;
#pragma omp simd reduction(+ : dot)
      for (int64_t j = 0; j < dh; j++) dot += d_o[j] * o[j];
      w->home.delta[pair_entry(w, row, h)] = dot;
    }
}

rf_status rf_wave_output_vjp(const rf_wave *w, const real *params, const real *dy, real *dparams) {
  const dims s = dims_of(w);
  const rf_mark mark = rf_arena_mark(w->call->scratch);
  const bool drop = dropping(w);
  real *dropped = NULL;
  rf_packed weight;
  if (drop) RF_TRY(rf_arena_take(w->call->scratch, (size_t)(rf_superblock() * s.d), sizeof(real), &dropped));
  RF_TRY(rf_weight_pack_backward(w->call->scratch, s.precision, s.d, w->width, params + s.at.output + s.head_cols,
                                 s.all, &weight));
  for (int64_t block = 0; block < w->rows; block += rf_superblock()) {
    const int64_t rows = rf_min(rf_superblock(), w->rows - block), tiles = rf_ceil_div(rows, RF_TILE);
    const real *upstream = dy + (s.row0 + block) * s.d;
#pragma omp parallel for schedule(static)
    for (int64_t tile = 0; tile < tiles; tile++) {
      const int64_t row = tile * RF_TILE, n = rf_min(RF_TILE, rows - row);
      const real *from = upstream + row * s.d;
      rf_wave_progress(w);
      if (drop) {
        real *copy = dropped + row * s.d;
#pragma omp simd
        for (int64_t i = 0; i < n * s.d; i++) copy[i] = from[i];
        drop_rows(w, s.row0 + block + row, n, copy);
        from = copy;
      }
      rf_gemm_packed(n, w->width, s.d, from, s.d, &weight, false, w->home.d_o + (block + row) * w->width, w->width);
      output_delta(w, block + row, n);
    }
    rf_weight_gradient(rows, s.d, w->width, drop ? dropped : upstream, s.d, w->home.o + block * w->width, w->width,
                       dparams + s.at.output + s.head_cols, s.all);
  }
  rf_arena_release(w->call->scratch, mark);
  return RF_OK;
}

/* dq and dk of the rows become the gradients of what the projections gave; shared keys are folded in by the owner. */
static void unscale_rows(const rf_wave *w, int64_t first_row, int64_t rows) {
  if (!w->shared_qk) {
    const real s = 1 / rf_sqrt((real)w->self->config->model.d_head);
    real *restrict dk = w->home.dk + first_row * w->width;
#pragma omp simd
    for (int64_t i = 0; i < rows * w->width; i++) dk[i] *= s;
  }
  if (rotary(w)) {
    rotate_rows(w, first_row, rows, -1, w->home.dq);
    if (!w->shared_qk) rotate_rows(w, first_row, rows, -1, w->home.dk);
  }
}

/* A super-block of rows: xn kept for the weight gradients, dx accumulated tile by tile. */
typedef struct project_scratch {
  real *xn;                    /* [rf_superblock(), ld] */
  real *dxn;                   /* [threads][RF_TILE, d] */
  real *norm_part;             /* [tiles of the super-block][2 d] gradients of scale and bias */
  rf_packed query, value, key; /* the weights packed */
} project_scratch;

static void project_tile_vjp(const rf_wave *w, const dims *s, const real *params, const real *x, real *dx,
                             int64_t block, int64_t tile, int64_t rows, const project_scratch *buffers) {
  const int64_t row = tile * RF_TILE, n = rf_min(RF_TILE, rows - row), at = (s->row0 + block + row) * s->d;
  const int64_t wave_at = (block + row) * w->width;
  const real eps = (real)w->self->config->model.norm_eps;
  real *xn = buffers->xn + row * s->ld, *dxn = buffers->dxn + rf_thread() * RF_TILE * s->d;
  real *part = buffers->norm_part + tile * 2 * s->d;
  rf_wave_progress(w);
  unscale_rows(w, block + row, n);
  rf_norm(n, s->d, x + at, s->d, params + s->at.norm_scale, params + s->at.norm_bias, eps, xn, s->ld);
  rf_gemm_packed(n, s->d, w->width, w->home.dq + wave_at, w->width, &buffers->query, false, dxn, s->d);
  rf_gemm_packed(n, s->d, w->width, w->home.dv + wave_at, w->width, &buffers->value, true, dxn, s->d);
  if (!w->shared_qk) rf_gemm_packed(n, s->d, w->width, w->home.dk + wave_at, w->width, &buffers->key, true, dxn, s->d);
  for (int64_t j = 0; j < 2 * s->d; j++) part[j] = 0;
  rf_norm_vjp(n, s->d, x + at, s->d, params + s->at.norm_scale, eps, dxn, s->d, dx + at, s->d, part, part + s->d);
}

static rf_status take_project_scratch(const rf_wave *w, const dims *s, const real *params, project_scratch *buffers) {
  rf_arena *arena = w->call->scratch;
  const int64_t d = s->d;
  params += s->head_rows;
  RF_TRY(rf_weight_pack_backward(arena, s->precision, w->width, d, params + s->at.query, d, &buffers->query));
  RF_TRY(rf_weight_pack_backward(arena, s->precision, w->width, d, params + s->at.value, d, &buffers->value));
  if (!w->shared_qk)
    RF_TRY(rf_weight_pack_backward(arena, s->precision, w->width, d, params + s->at.key, d, &buffers->key));
  RF_TRY(rf_arena_take(arena, (size_t)(rf_superblock() * s->ld), sizeof(real), &buffers->xn));
  RF_TRY(rf_arena_take(arena, (size_t)(rf_threads() * RF_TILE * d), sizeof(real), &buffers->dxn));
  return rf_arena_take(arena, (size_t)(rf_superblock() / RF_TILE * 2 * d), sizeof(real), &buffers->norm_part);
}

rf_status rf_wave_project_vjp(const rf_wave *w, const real *params, const real *x, real *dx, real *dparams) {
  const dims s = dims_of(w);
  const rf_mark mark = rf_arena_mark(w->call->scratch);
  project_scratch buffers;
  RF_TRY(take_project_scratch(w, &s, params, &buffers));
  for (int64_t block = 0; block < w->rows; block += rf_superblock()) {
    const int64_t rows = rf_min(rf_superblock(), w->rows - block), tiles = rf_ceil_div(rows, RF_TILE);
#pragma omp parallel for schedule(static)
    for (int64_t tile = 0; tile < tiles; tile++) project_tile_vjp(w, &s, params, x, dx, block, tile, rows, &buffers);
    const struct {
      const real *gradient;
      int64_t weight;
      bool used;
    } weights[] = {
        {w->home.dq, s.at.query, true}, {w->home.dv, s.at.value, true}, {w->home.dk, s.at.key, !w->shared_qk}};
    for (int i = 0; i < 3; i++)
      if (weights[i].used)
        rf_weight_gradient(rows, w->width, s.d, weights[i].gradient + block * w->width, w->width, buffers.xn, s.ld,
                           dparams + weights[i].weight + s.head_rows, s.d);
    /* scale and bias: partial sums of the tiles, in tile order */
    rf_sum_tiles(tiles, s.d, buffers.norm_part, 2 * s.d, dparams + s.at.norm_scale);
    rf_sum_tiles(tiles, s.d, buffers.norm_part + s.d, 2 * s.d, dparams + s.at.norm_bias);
  }
  rf_arena_release(w->call->scratch, mark);
  return RF_OK;
}

rf_status rf_wave_project_measure(const rf_wave *w) {
  static const real nothing;
  const dims s = dims_of(w);
  const rf_mark mark = rf_arena_mark(w->call->scratch);
  project_scratch buffers;
  real *dropped;
  RF_TRY(take_project_scratch(w, &s, &nothing, &buffers));
  rf_arena_release(w->call->scratch, mark);
  if (!dropping(w)) return RF_OK;
  RF_TRY(rf_arena_take(w->call->scratch, (size_t)(rf_superblock() * s.d), sizeof(real), &dropped));
  rf_arena_release(w->call->scratch, mark);
  return RF_OK;
}
