#include "nn/head.h"
#include "base/integers.h"
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

typedef struct shape {
  int64_t d, width, vocab;
  int64_t norm_bias, weight, bias; /* offsets in the block; norm.scale is first */
  bool reversible, tied;
  rf_precision precision;
} shape;

static shape shape_of(const rf_config *config) {
  const rf_model_config *m = &config->model;
  shape s = {.d = m->d_model, .vocab = m->vocab_size, .tied = m->tied_embedding, .precision = m->precision};
  s.reversible = m->residual == RF_RESIDUAL_REVERSIBLE;
  s.width = s.reversible && !s.tied ? 2 * s.d : s.d;
  s.norm_bias = rf_aligned(s.width);
  s.weight = 2 * rf_aligned(s.width);
  s.bias = s.weight + (s.tied ? 0 : rf_aligned(s.vocab * s.width));
  return s;
}

rf_status rf_head_describe(const rf_config *config, rf_block *block) {
  const shape s = shape_of(config);
  const int64_t matrix[] = {s.vocab, s.width};
  RF_TRY(rf_block_add(block, RF_INIT_ONE, 1, &s.width, "head.norm.scale"));
  RF_TRY(rf_block_add(block, RF_INIT_ZERO, 1, &s.width, "head.norm.bias"));
  if (!s.tied) RF_TRY(rf_block_add(block, RF_INIT_NORMAL, 2, matrix, "head.weight"));
  return rf_block_add(block, RF_INIT_ZERO, 1, &s.vocab, "head.bias");
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

/* The weight [vocab, width], packed for the logits and for their reverse. */
typedef struct packed_weight {
  rf_packed forward, backward;
} packed_weight;

static rf_status pack_weight(const shape *s, const rf_head_input *in, bool reverse, rf_arena *arena,
                             packed_weight *packed) {
  const real *weight = s->tied ? in->tied : in->params + s->weight;
  RF_TRY(rf_weight_pack_forward(arena, s->precision, s->vocab, s->width, 1, weight, s->width, &packed->forward));
  return reverse ? rf_weight_pack_backward(arena, s->precision, s->vocab, s->width, weight, s->width, &packed->backward)
                 : RF_OK;
}

static int64_t superblock_rows(const shape *s) {
  return rf_max(2 * RF_TILE, rf_min(MOST_ROWS, MOST_LOGITS / s->vocab / RF_TILE * RF_TILE));
}

static rf_status take_buffers(const shape *s, int64_t rows, rf_arena *arena, buffers *b) {
  const size_t tile = (size_t)(rf_threads() * RF_TILE * s->width), tiles = (size_t)rf_ceil_div(rows, RF_TILE);
  b->rows = rows;
  RF_TRY(rf_arena_take(arena, tile, sizeof(real), &b->joined));
  RF_TRY(rf_arena_take(arena, tile, sizeof(real), &b->dnormed));
  RF_TRY(rf_arena_take(arena, tile, sizeof(real), &b->djoined));
  RF_TRY(rf_arena_take(arena, (size_t)(rows * s->width), sizeof(real), &b->normed));
  RF_TRY(rf_arena_take(arena, (size_t)(rows * s->vocab), sizeof(real), &b->logits));
  RF_TRY(rf_arena_take(arena, tiles * (size_t)(2 * s->width), sizeof(real), &b->norm_part));
  return rf_arena_take(arena, tiles, sizeof *b->part, &b->part);
}

static void join_streams(const shape *s, const rf_head_input *in, int64_t row, int64_t n, real *joined) {
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
static void part_streams(const shape *s, const rf_head_gradient *g, int64_t row, int64_t n, const real *djoined) {
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

static void drop(const rf_config *config, const rf_call *call, int64_t row, int64_t n, int64_t width, real *x) {
  if (!call->training || config->model.dropout <= 0) return;
  for (int64_t i = 0; i < n; i++) {
    const rf_draw draw = {.seed = call->seed,
                          .purpose = RF_RNG_DROP_HEAD,
                          .step = call->step,
                          .sequence = call->sequence[(row + i) / call->tokens]};
    rf_dropout(&draw, config->model.dropout, call->first_token + (row + i) % call->tokens, 1, width, x + i * width,
               width);
  }
}

/* normed and logits [n, ..] of rows [row, row + n). joined: [RF_TILE, width] scratch, holds the joined streams after.
 */
static void tile_logits(const rf_config *config, const rf_call *call, const shape *s, const rf_head_input *in,
                        const packed_weight *weight, int64_t row, int64_t n, real *joined, real *normed, real *logits) {
  const real *bias = in->params + s->bias;
  join_streams(s, in, row, n, joined);
  rf_norm(n, s->width, joined, s->width, in->params, in->params + s->norm_bias, (real)config->model.norm_eps, normed,
          s->width);
  drop(config, call, row, n, s->width, normed);
  rf_gemm_packed(n, s->vocab, s->width, normed, s->width, &weight->forward, false, logits, s->vocab);
  for (int64_t i = 0; i < n; i++) {
#pragma omp simd
    for (int64_t j = 0; j < s->vocab; j++) logits[i * s->vocab + j] += bias[j];
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
static void tile_loss(const rf_call *call, const shape *s, const int32_t *labels, int64_t row, int64_t n, double scale,
                      real *logits, rf_loss *part) {
  *part = (rf_loss){0};
  for (int64_t i = 0; i < n; i++) {
    real *of_row = logits + i * s->vocab;
    if (labels[row + i] == RF_IGNORE) {
      memset(of_row, 0, (size_t)s->vocab * sizeof(real));
      continue;
    }
    bool correct;
    const double loss = rf_cross_entropy(s->vocab, labels[row + i], (real)scale, of_row, &correct);
    count_token(part, call->first_token + (row + i) % call->tokens, loss, correct);
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

/* From dlogits: the streams' gradients and this tile's part of the norm's. dnormed, djoined: [RF_TILE, width] scratch.
 */
static void tile_vjp(const rf_config *config, const rf_call *call, const shape *s, const rf_head_input *in,
                     const packed_weight *weight, const rf_head_gradient *g, int64_t row, int64_t n,
                     const real *dlogits, const real *joined, real *dnormed, real *djoined, real *norm_part) {
  rf_gemm_packed(n, s->width, s->vocab, dlogits, s->vocab, &weight->backward, false, dnormed, s->width);
  drop(config, call, row, n, s->width, dnormed);
  memset(norm_part, 0, (size_t)(2 * s->width) * sizeof(real));
  memset(djoined, 0, (size_t)(n * s->width) * sizeof(real));
  rf_norm_vjp(n, s->width, joined, s->width, in->params, (real)config->model.norm_eps, dnormed, s->width, djoined,
              s->width, norm_part, norm_part + s->width);
  part_streams(s, g, row, n, djoined);
}

static void superblock_gradients(const shape *s, const buffers *b, const rf_head_gradient *g, int64_t rows) {
  const int64_t tiles = rf_ceil_div(rows, RF_TILE);
  rf_weight_gradient(rows, s->vocab, s->width, b->logits, s->vocab, b->normed, s->width,
                     s->tied ? g->tied : g->params + s->weight, s->width);
  rf_bias_gradient(rows, s->vocab, b->logits, s->vocab, g->params + s->bias);
  rf_sum_tiles(tiles, s->width, b->norm_part, 2 * s->width, g->params);
  rf_sum_tiles(tiles, s->width, b->norm_part + s->width, 2 * s->width, g->params + s->norm_bias);
}

rf_status rf_head_loss(const rf_config *config, const rf_call *call, const rf_head_input *input, const int32_t *labels,
                       double scale, rf_loss *loss, const rf_head_gradient *gradient) {
  const shape s = shape_of(config);
  const int64_t all = call->sequences * call->tokens, at_once = rf_min(superblock_rows(&s), all);
  const rf_mark mark = rf_arena_mark(call->scratch);
  buffers b;
  packed_weight weight;
  RF_TRY(take_buffers(&s, at_once, call->scratch, &b));
  RF_TRY(pack_weight(&s, input, gradient != NULL, call->scratch, &weight));
  for (int64_t block = 0; block < all; block += at_once) {
    const int64_t rows = rf_min(at_once, all - block), tiles = rf_ceil_div(rows, RF_TILE);
#pragma omp parallel for schedule(static)
    for (int64_t tile = 0; tile < tiles; tile++) {
      const int64_t local = tile * RF_TILE, row = block + local, n = rf_min(RF_TILE, rows - local);
      const int64_t scratch = rf_thread() * RF_TILE * s.width;
      real *logits = b.logits + local * s.vocab, *joined = b.joined + scratch;
      tile_logits(config, call, &s, input, &weight, row, n, joined, b.normed + local * s.width, logits);
      tile_loss(call, &s, labels, row, n, scale, logits, &b.part[tile]);
      if (gradient)
        tile_vjp(config, call, &s, input, &weight, gradient, row, n, logits, joined, b.dnormed + scratch,
                 b.djoined + scratch, b.norm_part + tile * 2 * s.width);
    }
    for (int64_t tile = 0; tile < tiles; tile++) add_loss(&b.part[tile], loss);
    if (gradient) superblock_gradients(&s, &b, gradient, rows);
  }
  rf_arena_release(call->scratch, mark);
  return RF_OK;
}

rf_status rf_head_measure(const rf_config *config, const rf_call *call) {
  static const real nothing;
  const rf_head_input input = {.params = &nothing, .tied = &nothing};
  const shape s = shape_of(config);
  const rf_mark mark = rf_arena_mark(call->scratch);
  packed_weight weight;
  buffers b;
  RF_TRY(pack_weight(&s, &input, true, call->scratch, &weight));
  RF_TRY(take_buffers(&s, rf_min(superblock_rows(&s), call->sequences * call->tokens), call->scratch, &b));
  rf_arena_release(call->scratch, mark);
  return RF_OK;
}

rf_status rf_head_logits(const rf_config *config, const rf_call *call, const rf_head_input *input, int64_t row,
                         int64_t n, real *logits) {
  const shape s = shape_of(config);
  const rf_mark mark = rf_arena_mark(call->scratch);
  real *joined, *normed;
  packed_weight weight;
  RF_TRY(pack_weight(&s, input, false, call->scratch, &weight));
  RF_TRY(rf_arena_take(call->scratch, (size_t)(rf_threads() * RF_TILE * s.width), sizeof(real), &joined));
  RF_TRY(rf_arena_take(call->scratch, (size_t)(rf_threads() * RF_TILE * s.width), sizeof(real), &normed));
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < n; first += RF_TILE) {
    const int64_t scratch = rf_thread() * RF_TILE * s.width;
    tile_logits(config, call, &s, input, &weight, row + first, rf_min(RF_TILE, n - first), joined + scratch,
                normed + scratch, logits + first * s.vocab);
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

static void tile_score(const rf_call *call, const shape *s, const int32_t *labels, int64_t row, int64_t n,
                       const real *logits, double *token_loss, rf_loss *part) {
  *part = (rf_loss){0};
  for (int64_t i = 0; i < n; i++) {
    bool correct;
    token_loss[row + i] = (double)NAN;
    if (labels[row + i] == RF_IGNORE) continue;
    token_loss[row + i] = row_loss(s->vocab, logits + i * s->vocab, labels[row + i], &correct);
    count_token(part, call->first_token + (row + i) % call->tokens, token_loss[row + i], correct);
  }
}

rf_status rf_head_score(const rf_config *config, const rf_call *call, const rf_head_input *input, const int32_t *labels,
                        double *token_loss, rf_logits_take take, void *context, rf_loss *loss) {
  const shape s = shape_of(config);
  const int64_t all = call->sequences * call->tokens, at_once = rf_min(superblock_rows(&s), all);
  const rf_mark mark = rf_arena_mark(call->scratch);
  buffers b;
  packed_weight weight;
  RF_TRY(take_buffers(&s, at_once, call->scratch, &b));
  RF_TRY(pack_weight(&s, input, false, call->scratch, &weight));
  for (int64_t block = 0; block < all; block += at_once) {
    const int64_t rows = rf_min(at_once, all - block), tiles = rf_ceil_div(rows, RF_TILE);
#pragma omp parallel for schedule(static)
    for (int64_t tile = 0; tile < tiles; tile++) {
      const int64_t local = tile * RF_TILE, row = block + local, n = rf_min(RF_TILE, rows - local);
      real *logits = b.logits + local * s.vocab;
      tile_logits(config, call, &s, input, &weight, row, n, b.joined + rf_thread() * RF_TILE * s.width,
                  b.normed + local * s.width, logits);
      tile_score(call, &s, labels, row, n, logits, token_loss, &b.part[tile]);
    }
    for (int64_t tile = 0; tile < tiles; tile++) add_loss(&b.part[tile], loss);
    if (take) RF_TRY(take(context, block, rows, b.logits));
  }
  rf_arena_release(call->scratch, mark);
  return RF_OK;
}
