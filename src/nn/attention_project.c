#include "nn/attention_project.h"
#include "base/integers.h"
#include "comm/poll.h"
#include "kernel/dropout.h"
#include "kernel/norm.h"
#include "kernel/parallel.h"
#include "nn/attention_rows.h"
#include "nn/attention_saved.h"
#include "nn/linear.h"
#include "nn/rotary.h"
#include <string.h>

void rf_attention_tensors(const rf_model_config *model, bool shared_qk, rf_tensor_entry table[RF_ATTENTION_TENSORS]) {
  const int64_t d = model->d_model, all = model->n_heads * model->d_head;
  const rf_tensor_entry tensors[RF_ATTENTION_TENSORS] = {
      [RF_ATTENTION_NORM_SCALE] = {"norm.scale", RF_INIT_ONE, 1, {d}},
      [RF_ATTENTION_NORM_BIAS] = {"norm.bias", RF_INIT_ZERO, 1, {d}},
      [RF_ATTENTION_QUERY] = {shared_qk ? "query_key.weight" : "query.weight", RF_INIT_NORMAL, 2, {all, d}},
      [RF_ATTENTION_KEY] = {"key.weight", RF_INIT_NORMAL, shared_qk ? 0 : 2, {all, d}},
      [RF_ATTENTION_VALUE] = {"value.weight", RF_INIT_NORMAL, 2, {all, d}},
      [RF_ATTENTION_OUTPUT] = {"output.weight", RF_INIT_NORMAL, 2, {d, all}}};
  memcpy(table, tensors, sizeof tensors);
}

/* Sizes that the functions below all need. */
typedef struct dims {
  int64_t d, dh, all, tokens; /* all: H * d_head */
  int64_t ld;                 /* of rows of d that the weights' gradients read */
  int64_t row0;               /* first row of the wave in x */
  int64_t rows;               /* of the wave; 0 where its rows are only expected, so that no loop goes round */
  int64_t at[RF_ATTENTION_TENSORS];
  int64_t head_rows; /* offset of the wave's heads in a [H * d_head, d] weight */
  int64_t head_cols; /* ... and in a row of the [d, H * d_head] weight */
  rf_precision precision;
} dims;

static dims dims_of(const rf_wave *w) {
  const rf_model_config *model = &w->self->config->model;
  rf_tensor_entry table[RF_ATTENTION_TENSORS];
  dims s = {.d = model->d_model, .dh = model->d_head, .tokens = w->call->tokens, .precision = model->precision};
  s.ld = rf_row_stride(s.d);
  s.all = model->n_heads * model->d_head;
  s.row0 = w->first_sequence * s.tokens;
  s.rows = w->expected ? 0 : w->rows;
  rf_attention_tensors(model, w->shared_qk, table);
  rf_tensors_place(RF_ATTENTION_TENSORS, table, s.at);
  s.head_cols = w->first_head * s.dh;
  s.head_rows = s.head_cols * s.d;
  return s;
}

static rf_norm_weights norm_of(const rf_wave *w, const dims *s, const real *params) {
  return (rf_norm_weights){.d = s->d,
                           .scale = rf_tensor_at(params, s->at[RF_ATTENTION_NORM_SCALE]),
                           .bias = rf_tensor_at(params, s->at[RF_ATTENTION_NORM_BIAS]),
                           .eps = (real)w->self->config->model.norm_eps};
}

/* The rows of a projection that make the wave's heads, [width, d], and the columns of the output that take them,
 * [d, width]. */
static rf_view projection_of(const dims *s, const real *params, int tensor) {
  return (rf_view){rf_tensor_at(params, s->at[tensor] + s->head_rows), s->d};
}

static rf_view output_of(const dims *s, const real *params) {
  return (rf_view){rf_tensor_at(params, s->at[RF_ATTENTION_OUTPUT] + s->head_cols), s->all};
}

/* A wave's array from a row on. */
static rf_matrix rows_of(const rf_wave *w, real *array, int64_t row) {
  return (rf_matrix){array + row * w->width, w->width};
}
static rf_view view_rows(const rf_wave *w, const real *array, int64_t row) {
  return (rf_view){array + row * w->width, w->width};
}

static bool rotary(const rf_wave *w) { return w->self->config->model.positions.kind == RF_POSITIONS_ROTARY; }

/* Tiles may span sequences; positions start anew in each. */
static void rotate_rows(const rf_wave *w, int64_t first_row, int64_t rows, int direction, real *x) {
  const int64_t tokens = w->call->tokens;
  for (int64_t row = first_row; row < first_row + rows;) {
    const int64_t position = row % tokens, n = rf_min(first_row + rows - row, tokens - position);
    rf_rotary(n, w->n_heads, w->self->config->model.d_head, w->call->first_token + position, direction,
              rows_of(w, x, row));
    row += n;
  }
}

/* Entry of (row of the wave, head of the wave) in a [pairs, tokens] array. */
static int64_t pair_entry(const rf_wave *w, int64_t row, int64_t head) {
  const int64_t tokens = w->call->tokens;
  return (row / tokens * w->n_heads + head) * tokens + row % tokens;
}

/* A wave's weights of queries, values and, where separate, keys, packed for the projection or for its reverse. */
typedef struct packed_projections {
  rf_packed query, value, key;
} packed_projections;

static rf_status pack_projections(const rf_wave *w, const dims *s, const real *params, bool reverse,
                                  packed_projections *packed) {
  static const int tensors[] = {RF_ATTENTION_QUERY, RF_ATTENTION_VALUE, RF_ATTENTION_KEY};
  rf_packed *const to[] = {&packed->query, &packed->value, &packed->key};
  rf_arena *arena = w->call->scratch;
  for (int i = 0; i < (w->shared_qk ? 2 : 3); i++) {
    const rf_view weight = projection_of(s, params, tensors[i]);
    RF_TRY(reverse ? rf_weight_pack_backward(arena, s->precision, w->width, s->d, weight, to[i])
                   : rf_weight_pack_forward(arena, s->precision, w->width, s->d, 1, weight, to[i]));
  }
  return RF_OK;
}

rf_status rf_wave_project(const rf_wave *w, const real *params, const real *x) {
  const dims s = dims_of(w);
  const rf_norm_weights norm = norm_of(w, &s, params);
  const rf_mark mark = rf_arena_mark(w->call->scratch);
  real *normed;
  packed_projections packed;
  RF_TRY(rf_arena_take(w->call->scratch, (size_t)(rf_threads() * RF_TILE * s.d), sizeof(real), &normed));
  RF_TRY(pack_projections(w, &s, params, false, &packed));
  const int64_t tiles = rf_ceil_div(s.rows, RF_TILE);
#pragma omp parallel for schedule(static)
  for (int64_t tile = 0; tile < tiles; tile++) {
    const int64_t row = tile * RF_TILE, n = rf_min(RF_TILE, s.rows - row);
    rf_mesh_poll_within(rf_wave_mesh(w));
    const rf_matrix xn = {normed + rf_thread() * RF_TILE * s.d, s.d};
    rf_norm(&norm, n, (rf_view){x + (s.row0 + row) * s.d, s.d}, xn);
    rf_gemm_packed(n, w->width, s.d, rf_view_of(xn), &packed.query, false, rows_of(w, w->home.q, row));
    rf_gemm_packed(n, w->width, s.d, rf_view_of(xn), &packed.value, false, rows_of(w, w->home.v, row));
    if (!w->shared_qk) rf_gemm_packed(n, w->width, s.d, rf_view_of(xn), &packed.key, false, rows_of(w, w->home.k, row));
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
  RF_TRY(rf_weight_pack_forward(w->call->scratch, s.precision, s.d, w->width, sign, output_of(&s, params), &weight));
  const int64_t tiles = rf_ceil_div(s.rows, RF_TILE);
#pragma omp parallel for schedule(static)
  for (int64_t tile = 0; tile < tiles; tile++) {
    const int64_t row = tile * RF_TILE, n = rf_min(RF_TILE, s.rows - row);
    rf_mesh_poll_within(rf_wave_mesh(w));
    if (w->level < RF_LEVEL_OUTPUT) normalise_output(w, row, n); /* what was saved is */
    if (!y) continue;
    const rf_view o = view_rows(w, w->home.o, row);
    real *out = y + (s.row0 + row) * s.d;
    if (!drop) {
      rf_gemm_packed(n, s.d, w->width, o, &weight, true, (rf_matrix){out, s.d});
      continue;
    }
    real *part = dropped + rf_thread() * RF_TILE * s.d;
    rf_gemm_packed(n, s.d, w->width, o, &weight, false, (rf_matrix){part, s.d});
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
      const int64_t at = row * w->width + h * dh;
      const real *restrict o = w->home.o + at, *restrict d_o = w->home.d_o + at;
      real dot = 0;
#pragma omp simd reduction(+ : dot)
      for (int64_t j = 0; j < dh; j++) dot += d_o[j] * o[j];
      w->home.delta[pair_entry(w, row, h)] = dot;
    }
}

rf_status rf_wave_output_vjp(const rf_wave *w, const rf_sublayer_vjp *task) {
  const dims s = dims_of(w);
  const rf_mark mark = rf_arena_mark(w->call->scratch);
  const bool drop = dropping(w);
  real *dropped = NULL;
  rf_packed weight;
  if (drop) RF_TRY(rf_arena_take(w->call->scratch, (size_t)(rf_superblock() * s.d), sizeof(real), &dropped));
  RF_TRY(rf_weight_pack_backward(w->call->scratch, s.precision, s.d, w->width, output_of(&s, task->params), &weight));
  for (int64_t block = 0; block < s.rows; block += rf_superblock()) {
    const int64_t rows = rf_min(rf_superblock(), s.rows - block), tiles = rf_ceil_div(rows, RF_TILE);
    const real *upstream = task->dy + (s.row0 + block) * s.d;
#pragma omp parallel for schedule(static)
    for (int64_t tile = 0; tile < tiles; tile++) {
      const int64_t row = tile * RF_TILE, n = rf_min(RF_TILE, rows - row);
      const real *from = upstream + row * s.d;
      rf_mesh_poll_within(rf_wave_mesh(w));
      if (drop) {
        real *copy = dropped + row * s.d;
#pragma omp simd
        for (int64_t i = 0; i < n * s.d; i++) copy[i] = from[i];
        drop_rows(w, s.row0 + block + row, n, copy);
        from = copy;
      }
      rf_gemm_packed(n, w->width, s.d, (rf_view){from, s.d}, &weight, false, rows_of(w, w->home.d_o, block + row));
      output_delta(w, block + row, n);
    }
    rf_mesh_poll_within(w->call->mesh);
    rf_weight_gradient(rows, s.d, w->width, (rf_view){drop ? dropped : upstream, s.d}, view_rows(w, w->home.o, block),
                       (rf_matrix){task->dparams + s.at[RF_ATTENTION_OUTPUT] + s.head_cols, s.all});
  }
  rf_arena_release(w->call->scratch, mark);
  return RF_OK;
}

/* dq and dk of the rows become the gradients of what the projections gave; shared keys' are added by the owner. */
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

/* What a super-block of rows needs: xn for the weight gradients, and parts that tiles leave. */
typedef struct project_scratch {
  real *xn;        /* [rf_superblock(), ld] */
  real *dxn;       /* [threads][RF_TILE, d] */
  real *norm_part; /* [tiles of the super-block][2 d] gradients of scale and bias */
  packed_projections packed;
} project_scratch;

/* All that the tiles of a super-block share. */
typedef struct project_job {
  const rf_wave *w;
  const rf_sublayer_vjp *task;
  dims s;
  rf_norm_weights norm;
  project_scratch buffers;
} project_job;

static void project_tile_vjp(const project_job *j, int64_t block, int64_t tile, int64_t rows) {
  const rf_wave *w = j->w;
  const dims *s = &j->s;
  const int64_t row = tile * RF_TILE, n = rf_min(RF_TILE, rows - row), at = (s->row0 + block + row) * s->d;
  const rf_view x = {j->task->x + at, s->d};
  const rf_matrix dxn = {j->buffers.dxn + rf_thread() * RF_TILE * s->d, s->d};
  real *part = j->buffers.norm_part + tile * 2 * s->d;
  rf_mesh_poll_within(rf_wave_mesh(w));
  unscale_rows(w, block + row, n);
  rf_norm(&j->norm, n, x, (rf_matrix){j->buffers.xn + row * s->ld, s->ld});
  rf_gemm_packed(n, s->d, w->width, view_rows(w, w->home.dq, block + row), &j->buffers.packed.query, false, dxn);
  rf_gemm_packed(n, s->d, w->width, view_rows(w, w->home.dv, block + row), &j->buffers.packed.value, true, dxn);
  if (!w->shared_qk)
    rf_gemm_packed(n, s->d, w->width, view_rows(w, w->home.dk, block + row), &j->buffers.packed.key, true, dxn);
  for (int64_t i = 0; i < 2 * s->d; i++) part[i] = 0;
  rf_norm_vjp(&j->norm, n, x, rf_view_of(dxn), (rf_matrix){j->task->dx + at, s->d}, part, part + s->d);
}

static rf_status take_project_scratch(const project_job *j, project_scratch *buffers) {
  const dims *s = &j->s;
  rf_arena *arena = j->w->call->scratch;
  RF_TRY(pack_projections(j->w, s, j->task->params, true, &buffers->packed));
  RF_TRY(rf_arena_take(arena, (size_t)(rf_superblock() * s->ld), sizeof(real), &buffers->xn));
  RF_TRY(rf_arena_take(arena, (size_t)(rf_threads() * RF_TILE * s->d), sizeof(real), &buffers->dxn));
  return rf_arena_take(arena, (size_t)(rf_superblock() / RF_TILE * 2 * s->d), sizeof(real), &buffers->norm_part);
}

static void project_gradients(const project_job *j, int64_t block, int64_t rows) {
  const rf_wave *w = j->w;
  const dims *s = &j->s;
  const int64_t tiles = rf_ceil_div(rows, RF_TILE);
  const struct {
    const real *gradient;
    int tensor;
  } weights[] = {{w->home.dq, RF_ATTENTION_QUERY}, {w->home.dv, RF_ATTENTION_VALUE}, {w->home.dk, RF_ATTENTION_KEY}};
  real *dparams = j->task->dparams;
  for (int i = 0; i < (w->shared_qk ? 2 : 3); i++) {
    rf_mesh_poll_within(w->call->mesh);
    rf_weight_gradient(rows, w->width, s->d, view_rows(w, weights[i].gradient, block), (rf_view){j->buffers.xn, s->ld},
                       (rf_matrix){dparams + s->at[weights[i].tensor] + s->head_rows, s->d});
  }
  /* scale and bias: partial sums of the tiles, in tile order */
  const real *parts = j->buffers.norm_part;
  rf_sum_tiles(tiles, s->d, parts, 2 * s->d, dparams + s->at[RF_ATTENTION_NORM_SCALE]);
  rf_sum_tiles(tiles, s->d, parts + s->d, 2 * s->d, dparams + s->at[RF_ATTENTION_NORM_BIAS]);
}

rf_status rf_wave_project_vjp(const rf_wave *w, const rf_sublayer_vjp *task) {
  project_job j = {.w = w, .task = task, .s = dims_of(w)};
  const rf_mark mark = rf_arena_mark(w->call->scratch);
  j.norm = norm_of(w, &j.s, task->params);
  RF_TRY(take_project_scratch(&j, &j.buffers));
  for (int64_t block = 0; block < j.s.rows; block += rf_superblock()) {
    const int64_t rows = rf_min(rf_superblock(), j.s.rows - block), tiles = rf_ceil_div(rows, RF_TILE);
#pragma omp parallel for schedule(static)
    for (int64_t tile = 0; tile < tiles; tile++) project_tile_vjp(&j, block, tile, rows);
    project_gradients(&j, block, rows);
  }
  rf_arena_release(w->call->scratch, mark);
  return RF_OK;
}
