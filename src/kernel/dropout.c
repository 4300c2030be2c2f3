#include "kernel/dropout.h"
#include "base/philox.h"

void rf_dropout(const rf_draw *draw, double rate, int64_t first_token, int64_t rows, int64_t d, real *x, int64_t ld) {
  if (rate <= 0) return;
  const uint32_t threshold = rf_dropout_threshold(rate);
  const real keep = (real)(1 / (1 - rate));
  for (int64_t i = 0; i < rows; i++, x += ld) {
    const uint64_t first = (uint64_t)(first_token + i) * (uint64_t)d;
    uint32_t word[4];
    for (int64_t j = 0; j < d; j++) {
      const uint64_t element = first + (uint64_t)j;
      if (j == 0 || element % 4 == 0) rf_draw_words(draw, element / 4, word);
      x[j] = word[element % 4] >= threshold ? x[j] * keep : 0;
    }
  }
}

/* One Philox call a pair: keys stand in no order, so neighbours share no call. The loop is branch-free and vectorises,
 * but not with #pragma omp simd, by which gcc gives every lane an `out` of its own in memory: four times the time. */
void rf_dropout_factors(const rf_draw *draw, double rate, int32_t query, const int32_t *key, int64_t n, real *factor) {
  const uint32_t threshold = rf_dropout_threshold(rate);
  const real keep = (real)(1 / (1 - rate));
  const uint32_t seed[2] = {(uint32_t)draw->seed, (uint32_t)(draw->seed >> 32)};
  uint32_t base[4];
  rf_draw_counter(draw, (uint64_t)(uint32_t)query * RF_RNG_MAX_POSITION, base);
  for (int64_t j = 0; j < n; j++) {
    /* the key fills the low 26 bits of word 0, which the query leaves zero */
    uint32_t out[4];
    rf_philox_inline(base[0] | (uint32_t)key[j], base[1], base[2], base[3], seed[0], seed[1], out);
    factor[j] = out[0] >= threshold ? keep : 0;
  }
}
