#include "optim/adam.h"

#include <math.h>

static rf_status take_moments(const rf_store *store, rf_arena *arena, real ***moments) {
  int n_blocks = rf_store_layout(store)->n_blocks;
  RF_TRY(rf_arena_take(arena, (size_t)n_blocks, sizeof **moments, moments));
  for (int b = 0; b < n_blocks; b++)
    RF_TRY(rf_arena_take_zero(arena, (size_t)rf_store_shard(store, b).count, sizeof(real), &(*moments)[b]));
  return RF_OK;
}

rf_status rf_adam_create(rf_store *store, rf_arena *arena, rf_adam *adam) {
  RF_TRY(rf_pieces_create(store, arena, &adam->n_pieces, &adam->pieces));
  RF_TRY(take_moments(store, arena, &adam->first));
  return take_moments(store, arena, &adam->second);
}

/* The step's constants, computed once in double. */
typedef struct adam_factors {
  real scale, keep1, take1, keep2, take2, unbias2, eps, rate, decay;
} adam_factors;

/* m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  x -= rate (mhat / (sqrt(vhat) + eps) + decay x) */
static void update_elements(int64_t n, adam_factors f, real *restrict x, const real *restrict gradient,
                            real *restrict m, real *restrict v) {
#pragma omp parallel for simd schedule(static) if (parallel : n > RF_SERIAL_BELOW)
  for (int64_t i = 0; i < n; i++) {
    real g = f.scale * gradient[i];
    m[i] = f.keep1 * m[i] + f.take1 * g;
    v[i] = f.keep2 * v[i] + f.take2 * g * g;
    x[i] -= f.rate * m[i] / (rf_sqrt(v[i] * f.unbias2) + f.eps) + f.decay * x[i];
  }
}

void rf_adam_update(const rf_adam *adam, const rf_optimizer_config *config, rf_store *store, int64_t step, double rate,
                    double gradient_scale) {
  const double beta1 = config->beta1, beta2 = config->beta2, t = (double)step;
  for (int p = 0; p < adam->n_pieces; p++) {
    const rf_piece *piece = &adam->pieces[p];
    rf_shard shard = rf_store_shard(store, piece->block);
    adam_factors f = {.scale = R_(gradient_scale),
                      .keep1 = R_(beta1),
                      .take1 = R_(1 - beta1),
                      .keep2 = R_(beta2),
                      .take2 = R_(1 - beta2),
                      .unbias2 = R_(1 / (1 - pow(beta2, t))),
                      .eps = R_(config->eps),
                      .rate = R_(rate / (1 - pow(beta1, t))),
                      .decay = R_(rf_piece_is_matrix(piece) ? rate * config->weight_decay : 0)};
    update_elements(piece->to - piece->from, f, shard.params + piece->at, shard.gradient + piece->at,
                    adam->first[piece->block] + piece->at, adam->second[piece->block] + piece->at);
  }
}
