/* Adafactor (Shazeer and Stern 2018, Algorithms 4 and 5).
 *
 * A matrix of n x m keeps n + m second moments instead of n * m. These statistics are whole on every
 * rank, computed from partial sums over the elements of each; a step is therefore three passes with a
 * place for a sum over ranks after each of the first two:
 *
 *   collect          sums:     per matrix, of G^2 by row and by column; per tensor, of X^2
 *   update_moments   squares:  per tensor, of U^2, by the statistics of now
 *   apply            X -= alpha * U / max(1, RMS(U) / d)
 */
#ifndef RF_OPTIM_ADAFACTOR_H
#define RF_OPTIM_ADAFACTOR_H

#include "optim/pieces.h"
#include "reformer/config.h"

typedef struct rf_adafactor_tensor {
  rf_piece piece;
  real *row, *column;  /* matrices: [rows], [columns], means of G^2 decayed over time */
  double *row_sums;    /* matrices: [rows], within `sums`: of this step */
  double *column_sums; /* matrices: [columns], within `sums` */
  real *row_rsqrt;     /* matrices: [rows], this step's factor 1 / sqrt(row / mean of row) */
  real *column_rsqrt;  /* matrices: [columns], 1 / sqrt(column) */
  real *second;        /* vectors: [to - from], the second moment of each element */
} rf_adafactor_tensor;

typedef struct rf_adafactor {
  int n_tensors;
  rf_adafactor_tensor *tensors;
  real **first; /* [blocks][count of the block's shard]: momentum; NULL where beta1 is 0 */
  int64_t n_sums;
  double *sums;    /* [n_sums]: X^2 of every tensor, then rows and columns of every matrix */
  double *squares; /* [n_tensors]: U^2 */
  double *slices;  /* scratch: [RF_SLICES, most columns] */
} rf_adafactor;

rf_status rf_adafactor_create(const rf_optimizer_config *config, rf_store *store, rf_arena *arena,
                              rf_adafactor *adafactor);

void rf_adafactor_collect(rf_adafactor *adafactor, const rf_store *store, double gradient_scale);
void rf_adafactor_update_moments(rf_adafactor *adafactor, const rf_optimizer_config *config, const rf_store *store,
                                 int64_t step, double gradient_scale);
void rf_adafactor_apply(rf_adafactor *adafactor, const rf_optimizer_config *config, rf_store *store, double rate,
                        double gradient_scale);

#endif
