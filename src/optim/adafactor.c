#include "optim/adafactor.h"

#include <math.h>
#include <string.h>

static rf_status take_reals(rf_arena *arena, int64_t count, real **reals) {
  return rf_arena_take_zero(arena, (size_t)count, sizeof(real), reals);
}

static rf_status create_tensor(rf_arena *arena, rf_adafactor_tensor *tensor) {
  const rf_piece *piece = &tensor->piece;
  if (!rf_piece_is_matrix(piece)) return take_reals(arena, piece->to - piece->from, &tensor->second);
  RF_TRY(take_reals(arena, piece->rows, &tensor->row));
  RF_TRY(take_reals(arena, piece->columns, &tensor->column));
  RF_TRY(take_reals(arena, piece->rows, &tensor->row_rsqrt));
  return take_reals(arena, piece->columns, &tensor->column_rsqrt);
}

/* Lays the sums of all tensors in one vector, so that one reduction serves them all. */
static rf_status create_sums(rf_arena *arena, rf_adafactor *adafactor) {
  int64_t n = adafactor->n_tensors, most_columns = 1;
  for (int t = 0; t < adafactor->n_tensors; t++) {
    const rf_piece *piece = &adafactor->tensors[t].piece;
    if (!rf_piece_is_matrix(piece)) continue;
    n += piece->rows + piece->columns;
    if (piece->columns > most_columns) most_columns = piece->columns;
  }
  adafactor->n_sums = n;
  RF_TRY(rf_arena_take_zero(arena, (size_t)n, sizeof(double), &adafactor->sums));
  double *next = adafactor->sums + adafactor->n_tensors;
  for (int t = 0; t < adafactor->n_tensors; t++) {
    rf_adafactor_tensor *tensor = &adafactor->tensors[t];
    if (!rf_piece_is_matrix(&tensor->piece)) continue;
    tensor->row_sums = next;
    tensor->column_sums = next + tensor->piece.rows;
    next += tensor->piece.rows + tensor->piece.columns;
  }
  RF_TRY(rf_arena_take_zero(arena, (size_t)adafactor->n_tensors, sizeof(double), &adafactor->squares));
  return rf_arena_take(arena, (size_t)(RF_SLICES * most_columns), sizeof(double), &adafactor->slices);
}

rf_status rf_adafactor_create(const rf_optimizer_config *config, rf_store *store, rf_arena *arena,
                              rf_adafactor *adafactor) {
  rf_piece *pieces;
  RF_TRY(rf_pieces_create(store, arena, &adafactor->n_tensors, &pieces));
  RF_TRY(rf_arena_take_zero(arena, (size_t)adafactor->n_tensors, sizeof *adafactor->tensors, &adafactor->tensors));
  for (int t = 0; t < adafactor->n_tensors; t++) {
    adafactor->tensors[t].piece = pieces[t];
    RF_TRY(create_tensor(arena, &adafactor->tensors[t]));
  }
  RF_TRY(create_sums(arena, adafactor));
  adafactor->first = NULL;
  if (config->beta1 <= 0) return RF_OK;
  int n_blocks = rf_store_layout(store)->n_blocks;
  RF_TRY(rf_arena_take(arena, (size_t)n_blocks, sizeof *adafactor->first, &adafactor->first));
  for (int b = 0; b < n_blocks; b++) RF_TRY(take_reals(arena, rf_store_shard(store, b).count, &adafactor->first[b]));
  return RF_OK;
}

/* Elements of slice s that are here; a matrix is cut between rows. */
static rf_range slice_of(const rf_piece *piece, int s) {
  rf_range span = rf_piece_is_matrix(piece) ? rf_slice(piece->rows, s) : rf_slice(piece->columns, s);
  int64_t width = rf_piece_is_matrix(piece) ? piece->columns : 1;
  return rf_range_cut((rf_range){span.from * width, span.to * width}, piece->from, piece->to);
}

static int is_large(const rf_piece *piece) { return piece->to - piece->from > RF_SERIAL_BELOW; }

static double sum_slices(const double slices[RF_SLICES]) {
  double sum = 0;
  for (int s = 0; s < RF_SLICES; s++) sum += slices[s];
  return sum;
}

/* The part of one row that a span begins with. */
typedef struct row_part {
  int64_t row, column, count;
  int64_t here; /* its first element, counted from the piece's */
} row_part;

static row_part row_part_at(const rf_piece *piece, int64_t element, int64_t to) {
  int64_t row = element / piece->columns, end = (row + 1) * piece->columns;
  return (row_part){.row = row,
                    .column = element - row * piece->columns,
                    .count = (end < to ? end : to) - element,
                    .here = element - piece->from};
}

/* --- collect ------------------------------------------------------------------------------------ */

/* G^2 of the elements `span` of a matrix, added by row and by column. */
static void add_slice(const rf_piece *piece, rf_range span, const real *gradient, double scale, double *row_sums,
                      double *column_sums) {
  for (int64_t element = span.from; element < span.to;) {
    row_part r = row_part_at(piece, element, span.to);
    const real *g = gradient + r.here;
    double *restrict sums = column_sums + r.column;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < r.count; i++) {
      double scaled = scale * (double)g[i], square = scaled * scaled;
      sums[i] += square;
      sum += square;
    }
    row_sums[r.row] += sum;
    element += r.count;
  }
}

static void collect_matrix(const rf_adafactor_tensor *tensor, const real *gradient, double scale, double *slices) {
  const rf_piece *piece = &tensor->piece;
  const int64_t columns = piece->columns;
  memset(tensor->row_sums, 0, (size_t)piece->rows * sizeof(double));
#pragma omp parallel if (is_large(piece))
  {
#pragma omp for schedule(static)
    for (int s = 0; s < RF_SLICES; s++) {
      memset(slices + s * columns, 0, (size_t)columns * sizeof(double));
      add_slice(piece, slice_of(piece, s), gradient, scale, tensor->row_sums, slices + s * columns);
    }
#pragma omp for schedule(static)
    for (int64_t c = 0; c < columns; c++) {
      double sum = 0;
      for (int s = 0; s < RF_SLICES; s++) sum += slices[s * columns + c];
      tensor->column_sums[c] = sum;
    }
  }
}

static double param_squares(const rf_piece *piece, const real *params) {
  double slices[RF_SLICES];
#pragma omp parallel for schedule(static) if (is_large(piece))
  for (int s = 0; s < RF_SLICES; s++) {
    rf_range span = slice_of(piece, s);
    slices[s] = rf_sum_of_squares(span.to - span.from, params + (span.from - piece->from));
  }
  return sum_slices(slices);
}

void rf_adafactor_collect(rf_adafactor *adafactor, const rf_store *store, double gradient_scale) {
  for (int t = 0; t < adafactor->n_tensors; t++) {
    const rf_adafactor_tensor *tensor = &adafactor->tensors[t];
    rf_shard shard = rf_store_shard(store, tensor->piece.block);
    adafactor->sums[t] = param_squares(&tensor->piece, shard.params + tensor->piece.at);
    if (rf_piece_is_matrix(&tensor->piece))
      collect_matrix(tensor, shard.gradient + tensor->piece.at, gradient_scale, adafactor->slices);
  }
}

/* --- update_moments ----------------------------------------------------------------------------- */

/* Decays the means of rows or columns towards this step's, which come as sums over `width` elements. */
static void decay_means(int64_t n, double beta2, double width, double eps, const double *sums, real *means) {
  for (int64_t i = 0; i < n; i++) means[i] = R_(beta2 * (double)means[i] + (1 - beta2) * (sums[i] / width + eps));
}

/* V = R C / sum(R) (Algorithm 4). With means r, c instead of sums: V_ij = r_i c_j / mean(r). Its square
 * root is applied as two factors, since the product of two small means can underflow. */
static void update_matrix(const rf_adafactor_tensor *tensor, double beta2, double eps) {
  const int64_t rows = tensor->piece.rows, columns = tensor->piece.columns;
  decay_means(rows, beta2, (double)columns, eps, tensor->row_sums, tensor->row);
  decay_means(columns, beta2, (double)rows, eps, tensor->column_sums, tensor->column);
  double mean = 0;
  for (int64_t i = 0; i < rows; i++) mean += (double)tensor->row[i];
  mean /= (double)rows;
  for (int64_t i = 0; i < rows; i++) tensor->row_rsqrt[i] = R_(1 / sqrt((double)tensor->row[i] / mean));
  for (int64_t i = 0; i < columns; i++) tensor->column_rsqrt[i] = R_(1 / sqrt((double)tensor->column[i]));
}

/* What U is computed from: the same lines serve `update_moments` and `apply`, so that both see the same U. */
static inline real matrix_u(real scale, real gradient, real row_rsqrt, real column_rsqrt) {
  return scale * gradient * row_rsqrt * column_rsqrt;
}
static inline real vector_u(real scale, real gradient, real second) { return scale * gradient / rf_sqrt(second); }

static double matrix_squares(const rf_adafactor_tensor *tensor, rf_range span, const real *gradient, real scale) {
  double total = 0;
  for (int64_t element = span.from; element < span.to;) {
    row_part r = row_part_at(&tensor->piece, element, span.to);
    const real *g = gradient + r.here, *column = tensor->column_rsqrt + r.column;
    real row = tensor->row_rsqrt[r.row];
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < r.count; i++) {
      real u = matrix_u(scale, g[i], row, column[i]);
      sum += (double)u * (double)u;
    }
    total += sum;
    element += r.count;
  }
  return total;
}

/* Also decays the second moments: V = b V + (1 - b) (G^2 + eps). gradient, second: of element span.from. */
static double vector_squares(int64_t n, const real *gradient, real scale, double beta2, double eps, real *second) {
  real keep = R_(beta2), take = R_(1 - beta2), eps1 = R_(eps);
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; i++) {
    real g = scale * gradient[i];
    second[i] = keep * second[i] + take * (g * g + eps1);
    real u = vector_u(scale, gradient[i], second[i]);
    sum += (double)u * (double)u;
  }
  return sum;
}

void rf_adafactor_update_moments(rf_adafactor *adafactor, const rf_optimizer_config *config, const rf_store *store,
                                 int64_t step, double gradient_scale) {
  const double beta2 = 1 - pow((double)step, config->decay_exponent);
  /* Rows and columns that have seen no gradient must not become 0, or U would be 0 / 0. */
  const double eps = fmax(config->factor_eps, FLT_MIN);
  const real scale = R_(gradient_scale);
  for (int t = 0; t < adafactor->n_tensors; t++) {
    const rf_adafactor_tensor *tensor = &adafactor->tensors[t];
    const rf_piece *piece = &tensor->piece;
    const real *gradient = rf_store_shard(store, piece->block).gradient + piece->at;
    if (rf_piece_is_matrix(piece)) update_matrix(tensor, beta2, eps);
    double slices[RF_SLICES];
#pragma omp parallel for schedule(static) if (is_large(piece))
    for (int s = 0; s < RF_SLICES; s++) {
      rf_range span = slice_of(piece, s);
      int64_t first = span.from - piece->from;
      slices[s] = rf_piece_is_matrix(piece) ? matrix_squares(tensor, span, gradient, scale)
                                            : vector_squares(span.to - span.from, gradient + first, scale, beta2, eps,
                                                             tensor->second + first);
    }
    adafactor->squares[t] = sum_slices(slices);
  }
}

/* --- apply -------------------------------------------------------------------------------------- */

typedef struct adafactor_factors {
  real scale; /* of the gradient */
  real rate;  /* alpha / max(1, RMS(U) / d) */
  real decay; /* alpha * weight_decay */
  real beta1;
} adafactor_factors;

/* X -= alpha U, or with momentum M = b M + (1 - b) alpha U;  X -= M. */
static inline void apply_one(adafactor_factors f, real u, real *x) { *x -= f.rate * u + f.decay * *x; }
static inline void apply_one_momentum(adafactor_factors f, real u, real *x, real *m) {
  *m = f.beta1 * *m + (1 - f.beta1) * f.rate * u;
  *x -= *m + f.decay * *x;
}

/* params, gradient, first (or NULL): of the piece's first element. */
static void apply_matrix(const rf_adafactor_tensor *tensor, rf_range span, adafactor_factors f, real *params,
                         const real *gradient, real *first) {
  for (int64_t element = span.from; element < span.to;) {
    row_part r = row_part_at(&tensor->piece, element, span.to);
    const real *restrict g = gradient + r.here, *restrict column = tensor->column_rsqrt + r.column;
    real *restrict x = params + r.here, row = tensor->row_rsqrt[r.row];
    if (first) {
      real *restrict m = first + r.here;
#pragma omp simd
      for (int64_t i = 0; i < r.count; i++)
        apply_one_momentum(f, matrix_u(f.scale, g[i], row, column[i]), &x[i], &m[i]);
    } else {
#pragma omp simd
      for (int64_t i = 0; i < r.count; i++) apply_one(f, matrix_u(f.scale, g[i], row, column[i]), &x[i]);
    }
    element += r.count;
  }
}

/* All [n]; m or NULL. */
static void apply_vector(int64_t n, adafactor_factors f, real *restrict x, const real *restrict g,
                         const real *restrict second, real *restrict m) {
  if (m) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) apply_one_momentum(f, vector_u(f.scale, g[i], second[i]), &x[i], &m[i]);
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) apply_one(f, vector_u(f.scale, g[i], second[i]), &x[i]);
  }
}

static adafactor_factors factors_of(const rf_optimizer_config *config, const rf_piece *piece, double param_square,
                                    double update_square, double rate, double gradient_scale) {
  const double n = (double)piece->rows * (double)piece->columns;
  double alpha = rate;
  if (config->relative_step || config->scale_parameter) alpha *= fmax(config->scale_eps, sqrt(param_square / n));
  double clip = fmax(1, sqrt(update_square / n) / config->clip_threshold);
  return (adafactor_factors){.scale = R_(gradient_scale),
                             .rate = R_(alpha / clip),
                             .decay = R_(rf_piece_is_matrix(piece) ? alpha * config->weight_decay : 0),
                             .beta1 = R_(config->beta1)};
}

void rf_adafactor_apply(rf_adafactor *adafactor, const rf_optimizer_config *config, rf_store *store, double rate,
                        double gradient_scale) {
  for (int t = 0; t < adafactor->n_tensors; t++) {
    const rf_adafactor_tensor *tensor = &adafactor->tensors[t];
    const rf_piece *piece = &tensor->piece;
    rf_shard shard = rf_store_shard(store, piece->block);
    adafactor_factors f = factors_of(config, piece, adafactor->sums[t], adafactor->squares[t], rate, gradient_scale);
    real *params = shard.params + piece->at, *gradient = shard.gradient + piece->at;
    real *first = adafactor->first ? adafactor->first[piece->block] + piece->at : NULL;
#pragma omp parallel for schedule(static) if (is_large(piece))
    for (int s = 0; s < RF_SLICES; s++) {
      rf_range span = slice_of(piece, s);
      int64_t i = span.from - piece->from;
      if (rf_piece_is_matrix(piece))
        apply_matrix(tensor, span, f, params, gradient, first);
      else
        apply_vector(span.to - span.from, f, params + i, gradient + i, tensor->second + i, first ? first + i : NULL);
    }
  }
}
