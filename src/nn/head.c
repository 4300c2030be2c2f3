#include "nn/head.h"
#include "base/integers.h"
#include "comm/poll.h"
#include "kernel/cross_entropy.h"
#include "kernel/dropout.h"
#include "kernel/norm.h"
#include "kernel/parallel.h"
#include "nn/linear.h"
#include <assert.h>
#include <math.h>
#include <string.h>

/* Most logits, and rows of them, that exist at a time. */
#define MOST_LOGITS ((int64_t)1 << 24)
enum { MOST_ROWS = 2048 };

enum { NORM_SCALE, NORM_BIAS, WEIGHT, BIAS, TENSORS };

/* Numbers of a row that the logits are made of. */
static int64_t head_width(const rf_model_config *m) {
  return m->residual == RF_RESIDUAL_REVERSIBLE && !m->tied_embedding ? 2 * m->d_model : m->d_model;
}

static void head_tensors(const rf_model_config *m, rf_tensor_entry table[TENSORS]) {
  const int64_t width = head_width(m);
  const rf_tensor_entry tensors[TENSORS] = {
      [NORM_SCALE] = {"norm.scale", RF_INIT_ONE, 1, {width}},
      [NORM_BIAS] = {"norm.bias", RF_INIT_ZERO, 1, {width}},
      [WEIGHT] = {"weight", RF_INIT_NORMAL, m->tied_embedding ? 0 : 2, {m->vocab_size, width}},
      [BIAS] = {"bias", RF_INIT_ZERO, 1, {m->vocab_size}}};
  memcpy(table, tensors, sizeof tensors);
}

rf_status rf_head_describe(const rf_config *config, rf_block *block) {
  rf_tensor_entry table[TENSORS];
  head_tensors(&config->model, table);
  return rf_tensors_describe(TENSORS, table, "head", block);
}

/* Rows of a super-block and the buffers they need. */
typedef struct buffers {
  int64_t rows;            /* of a super-block */
  real *joined;            /* [threads][RF_TILE, width] streams brought together */
  real *normed;            /* [rows, width] after norm and dropout */
  real *logits;            /* [rows, vocab] */
  real *dnormed, *djoined; /* [threads][RF_TILE, width] their gradients */
  real *norm_part;         /* [tiles][2 width] */
  rf_loss *part;           /* [tiles] */
} buffers;

/* What every tile of a pass needs. */
typedef struct head_job {
  const rf_config *config;
  const rf_call *call;
  const rf_head_input *in;
  const rf_head_gradient *gradient; /* NULL: none wanted */
  const int32_t *labels;
  double scale;
  int64_t d, width, vocab, at[TENSORS];
  int64_t rows; /* of the call; 0 where memory is only counted, so that no loop goes round */
  rf_norm_weights norm;
  rf_packed forward, backward; /* the weight [vocab, width], for the logits and for their reverse */
  buffers b;
} head_job;

static const real *head_tensor(const head_job *j, int tensor) { return rf_tensor_at(j->in->params, j->at[tensor]); }

static head_job head_job_of(const rf_config *config, const rf_call *call, const rf_head_input *input) {
  const rf_model_config *m = &config->model;
  rf_tensor_entry table[TENSORS];
  head_job j = {.config = config,
                .call = call,
                .in = input,
                .d = m->d_model,
                .width = head_width(m),
                .vocab = m->vocab_size,
                .rows = rf_arena_counts(call->scratch) ? 0 : call->sequences * call->tokens};
  head_tensors(m, table);
  rf_tensors_place(TENSORS, table, j.at);
  j.norm = (rf_norm_weights){j.width, head_tensor(&j, NORM_SCALE), head_tensor(&j, NORM_BIAS), (real)m->norm_eps};
  return j;
}

static rf_status pack_head_weight(head_job *j, bool reverse) {
  const rf_model_config *m = &j->config->model;
  const rf_view weight = {m->tied_embedding ? j->in->tied : head_tensor(j, WEIGHT), j->width};
  rf_arena *arena = j->call->scratch;
  RF_TRY(rf_weight_pack_forward(arena, m->precision, j->vocab, j->width, 1, weight, &j->forward));
  if (!reverse) return RF_OK;
  return rf_weight_pack_backward(arena, m->precision, j->vocab, j->width, weight, &j->backward);
}

static rf_status take_buffers(head_job *j) {
  const int64_t most = rf_max(2 * RF_TILE, rf_min(MOST_ROWS, MOST_LOGITS / j->vocab / RF_TILE * RF_TILE));
  const int64_t rows = rf_min(most, j->call->sequences * j->call->tokens);
  const size_t tile = (size_t)(rf_threads() * RF_TILE * j->width), tiles = (size_t)rf_ceil_div(rows, RF_TILE);
  rf_arena *arena = j->call->scratch;
  buffers *b = &j->b;
  b->rows = rows;
  RF_TRY(rf_arena_take(arena, tile, sizeof(real), &b->joined));
  RF_TRY(rf_arena_take(arena, tile, sizeof(real), &b->dnormed));
  RF_TRY(rf_arena_take(arena, tile, sizeof(real), &b->djoined));
  RF_TRY(rf_arena_take(arena, (size_t)(rows * j->width), sizeof(real), &b->normed));
  RF_TRY(rf_arena_take(arena, (size_t)(rows * j->vocab), sizeof(real), &b->logits));
  RF_TRY(rf_arena_take(arena, tiles * (size_t)(2 * j->width), sizeof(real), &b->norm_part));
  return rf_arena_take(arena, tiles, sizeof *b->part, &b->part);
}

static void join_streams(const head_job *s, int64_t row, int64_t n, real *joined) {
  const rf_head_input *in = s->in;
  for (int64_t i = 0; i < n; i++) {
    const real *restrict y1 = in->y1 + (row + i) * s->d, *restrict y2 = in->y2 ? in->y2 + (row + i) * s->d : NULL;
    real *restrict to = joined + i * s->width;
    if (s->width == 2 * s->d) {
      assert(y2);
      memcpy(to, y1, (size_t)s->d * sizeof(real));
      memcpy(to + s->d, y2, (size_t)s->d * sizeof(real));
    } else if (y2) {
#pragma omp simd
      for (int64_t j = 0; j < s->d; j++) to[j] = R_(0.5) * (y1[j] + y2[j]);
    } else {
      memcpy(to, y1, (size_t)s->d * sizeof(real));
    }
  }
}

/* The gradient of the joined streams goes back to each; overwrites dy1, dy2. */
static void part_streams(const head_job *s, int64_t row, int64_t n, const real *djoined) {
  const rf_head_gradient *g = s->gradient;
  for (int64_t i = 0; i < n; i++) {
    const real *restrict from = djoined + i * s->width;
    real *restrict dy1 = g->dy1 + (row + i) * s->d, *restrict dy2 = g->dy2 ? g->dy2 + (row + i) * s->d : NULL;
    if (s->width == 2 * s->d) {
      assert(dy2);
      memcpy(dy1, from, (size_t)s->d * sizeof(real));
      memcpy(dy2, from + s->d, (size_t)s->d * sizeof(real));
    } else if (dy2) {
#pragma omp simd
      for (int64_t j = 0; j < s->d; j++) dy1[j] = dy2[j] = R_(0.5) * from[j];
    } else {
      memcpy(dy1, from, (size_t)s->d * sizeof(real));
    }
  }
}

static void drop_rows_of_head(const head_job *j, int64_t row, int64_t n, real *x) {
  const rf_call *call = j->call;
  const double rate = j->config->model.dropout;
  if (!call->training || rate <= 0) return;
  for (int64_t i = 0; i < n; i++) {
    const rf_draw draw = {.seed = call->seed,
                          .purpose = RF_RNG_DROP_HEAD,
                          .step = call->step,
                          .sequence = call->sequence[(row + i) / call->tokens]};
    rf_dropout(&draw, rate, call->first_token + (row + i) % call->tokens, 1, j->width, x + i * j->width, j->width);
  }
}

/* normed and logits [n, ..] of rows [row, row + n). joined: [RF_TILE, width] scratch, holds the joined streams after.
 */
static void tile_logits(const head_job *j, int64_t row, int64_t n, real *joined, real *normed, real *logits) {
  const real *bias = head_tensor(j, BIAS);
  join_streams(j, row, n, joined);
  rf_norm(&j->norm, n, (rf_view){joined, j->width}, (rf_matrix){normed, j->width});
  drop_rows_of_head(j, row, n, normed);
  rf_gemm_packed(n, j->vocab, j->width, (rf_view){normed, j->width}, &j->forward, false, (rf_matrix){logits, j->vocab});
  for (int64_t i = 0; i < n; i++) {
#pragma omp simd
    for (int64_t c = 0; c < j->vocab; c++) logits[i * j->vocab + c] += bias[c];
  }
}

static int position_class(int64_t position) {
  int class = 0;
  while ((position + 1) >> (class + 1)) class ++;
  return class;
}

static void count_token(rf_loss *part, int64_t position, double loss, bool correct) {
  const int class = position_class(position);
  part->sum += loss;
  part->counted++;
  part->correct += correct;
  part->sum_by_position[class] += loss;
  part->counted_by_position[class]++;
}

/* Losses of a tile; its logits become their gradient, zero where a token is not counted. */
static void tile_loss(const head_job *j, int64_t row, int64_t n, real *logits, rf_loss *part) {
  *part = (rf_loss){0};
  for (int64_t i = 0; i < n; i++) {
    real *of_row = logits + i * j->vocab;
    const int32_t label = j->labels[row + i];
    if (label == RF_IGNORE) {
      memset(of_row, 0, (size_t)j->vocab * sizeof(real));
      continue;
    }
    bool correct;
    const double loss = rf_cross_entropy(j->vocab, label, (real)j->scale, of_row, &correct);
    count_token(part, j->call->first_token + (row + i) % j->call->tokens, loss, correct);
  }
}

static void add_loss(const rf_loss *part, rf_loss *loss) {
  loss->sum += part->sum;
  loss->counted += part->counted;
  loss->correct += part->correct;
  for (int i = 0; i < RF_POSITION_CLASSES; i++) {
    loss->sum_by_position[i] += part->sum_by_position[i];
    loss->counted_by_position[i] += part->counted_by_position[i];
  }
}

/* A tile of a super-block: rows [row, row + n) of the call, from row `local` of the super-block on. */
typedef struct tile_rows {
  int64_t index, local, row, n;
} tile_rows;

/* From dlogits: the streams' gradients and this tile's part of the norm's. */
static void head_tile_vjp(const head_job *j, const tile_rows *t, const real *dlogits, const real *joined) {
  const int64_t scratch = rf_thread() * RF_TILE * j->width;
  real *dnormed = j->b.dnormed + scratch, *djoined = j->b.djoined + scratch;
  real *norm_part = j->b.norm_part + t->index * 2 * j->width;
  rf_gemm_packed(t->n, j->width, j->vocab, (rf_view){dlogits, j->vocab}, &j->backward, false,
                 (rf_matrix){dnormed, j->width});
  drop_rows_of_head(j, t->row, t->n, dnormed);
  memset(norm_part, 0, (size_t)(2 * j->width) * sizeof(real));
  memset(djoined, 0, (size_t)(t->n * j->width) * sizeof(real));
  rf_norm_vjp(&j->norm, t->n, (rf_view){joined, j->width}, (rf_view){dnormed, j->width}, (rf_matrix){djoined, j->width},
              norm_part, norm_part + j->width);
  part_streams(j, t->row, t->n, djoined);
}

static void head_gradients(const head_job *j, int64_t rows) {
  const int64_t tiles = rf_ceil_div(rows, RF_TILE);
  const rf_head_gradient *g = j->gradient;
  const rf_view dlogits = {j->b.logits, j->vocab};
  real *dweight = j->config->model.tied_embedding ? g->tied : g->params + j->at[WEIGHT];
  rf_weight_gradient(rows, j->vocab, j->width, dlogits, (rf_view){j->b.normed, j->width},
                     (rf_matrix){dweight, j->width});
  rf_bias_gradient(rows, j->vocab, dlogits, g->params + j->at[BIAS]);
  rf_sum_tiles(tiles, j->width, j->b.norm_part, 2 * j->width, g->params + j->at[NORM_SCALE]);
  rf_sum_tiles(tiles, j->width, j->b.norm_part + j->width, 2 * j->width, g->params + j->at[NORM_BIAS]);
}

/* What becomes of a tile's logits and, once its tiles are done, of a super-block's. */
typedef struct logits_use {
  void (*tile)(const head_job *j, void *context, const tile_rows *tile, const real *joined, real *logits);
  rf_status (*superblock)(const head_job *j, void *context, int64_t row, int64_t rows);
  void *context;
} logits_use;

/* Logits of all rows, a super-block at a time; losses of its tiles are added in their order. */
static rf_status head_pass(head_job *j, bool reverse, const logits_use *use, rf_loss *loss) {
  const rf_mark mark = rf_arena_mark(j->call->scratch);
  RF_TRY(take_buffers(j));
  RF_TRY(pack_head_weight(j, reverse));
  for (int64_t first = 0; first < j->rows; first += j->b.rows) {
    const int64_t rows = rf_min(j->b.rows, j->rows - first), tiles = rf_ceil_div(rows, RF_TILE);
#pragma omp parallel for schedule(static)
    for (int64_t index = 0; index < tiles; index++) {
      const int64_t local = index * RF_TILE;
      const tile_rows tile = {index, local, first + local, rf_min(RF_TILE, rows - local)};
      rf_mesh_poll_within(j->call->mesh);
      real *logits = j->b.logits + local * j->vocab, *joined = j->b.joined + rf_thread() * RF_TILE * j->width;
      tile_logits(j, tile.row, tile.n, joined, j->b.normed + local * j->width, logits);
      use->tile(j, use->context, &tile, joined, logits);
    }
    for (int64_t tile = 0; tile < tiles; tile++) add_loss(&j->b.part[tile], loss);
    RF_TRY(use->superblock(j, use->context, first, rows));
  }
  rf_arena_release(j->call->scratch, mark);
  return RF_OK;
}

static void loss_of_tile(const head_job *j, void *context, const tile_rows *tile, const real *joined, real *logits) {
  (void)context;
  tile_loss(j, tile->row, tile->n, logits, &j->b.part[tile->index]);
  if (j->gradient) head_tile_vjp(j, tile, logits, joined);
}

static rf_status gradients_of_superblock(const head_job *j, void *context, int64_t row, int64_t rows) {
  (void)context, (void)row;
  if (j->gradient) head_gradients(j, rows);
  return RF_OK;
}

rf_status rf_head_loss(const rf_config *config, const rf_call *call, const rf_head_input *input, const int32_t *labels,
                       double scale, rf_loss *loss, const rf_head_gradient *gradient) {
  head_job j = head_job_of(config, call, input);
  j.labels = labels;
  j.scale = scale;
  j.gradient = gradient;
  return head_pass(&j, gradient != NULL, &(logits_use){loss_of_tile, gradients_of_superblock, NULL}, loss);
}

rf_status rf_head_logits(const rf_config *config, const rf_call *call, const rf_head_input *input, int64_t row,
                         int64_t n, real *logits) {
  head_job j = head_job_of(config, call, input);
  const rf_mark mark = rf_arena_mark(call->scratch);
  real *joined, *normed;
  RF_TRY(pack_head_weight(&j, false));
  RF_TRY(rf_arena_take(call->scratch, (size_t)(rf_threads() * RF_TILE * j.width), sizeof(real), &joined));
  RF_TRY(rf_arena_take(call->scratch, (size_t)(rf_threads() * RF_TILE * j.width), sizeof(real), &normed));
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < n; first += RF_TILE) {
    const int64_t scratch = rf_thread() * RF_TILE * j.width;
    tile_logits(&j, row + first, rf_min(RF_TILE, n - first), joined + scratch, normed + scratch,
                logits + first * j.vocab);
  }
  rf_arena_release(call->scratch, mark);
  return RF_OK;
}

/* -log softmax(logits)[label], in double; *correct: whether the label has the largest logit. */
static double row_loss(int64_t n, const real *logits, int32_t label, bool *correct) {
  int64_t largest = 0;
  for (int64_t j = 1; j < n; j++)
    if (logits[j] > logits[largest]) largest = j;
  double sum = 0;
  for (int64_t j = 0; j < n; j++) sum += exp((double)logits[j] - (double)logits[largest]);
  *correct = largest == label;
  return log(sum) - ((double)logits[label] - (double)logits[largest]);
}

/* Where the scores go. */
typedef struct score_output {
  double *token_loss;
  rf_logits_take take;
  void *context;
} score_output;

static void score_of_tile(const head_job *j, void *context, const tile_rows *tile, const real *joined, real *logits) {
  const score_output *to = context;
  rf_loss *part = &j->b.part[tile->index];
  (void)joined;
  *part = (rf_loss){0};
  for (int64_t i = 0; i < tile->n; i++) {
    const int64_t row = tile->row + i;
    bool correct;
    to->token_loss[row] = (double)NAN;
    if (j->labels[row] == RF_IGNORE) continue;
    to->token_loss[row] = row_loss(j->vocab, logits + i * j->vocab, j->labels[row], &correct);
    count_token(part, j->call->first_token + row % j->call->tokens, to->token_loss[row], correct);
  }
}

static rf_status take_superblock(const head_job *j, void *context, int64_t row, int64_t rows) {
  const score_output *to = context;
  return to->take ? to->take(to->context, row, rows, j->b.logits) : RF_OK;
}

rf_status rf_head_score(const rf_config *config, const rf_call *call, const rf_head_input *input, const int32_t *labels,
                        double *token_loss, rf_logits_take take, void *context, rf_loss *loss) {
  head_job j = head_job_of(config, call, input);
  score_output to = {token_loss, take, context};
  j.labels = labels;
  return head_pass(&j, false, &(logits_use){score_of_tile, take_superblock, &to}, loss);
}
