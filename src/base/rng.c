#include "reformer/rng.h"

#include "base/philox.h"

#include <assert.h>
#include <math.h>

void rf_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  rf_philox_inline(counter[0], counter[1], counter[2], counter[3], key[0], key[1], out);
}

void rf_draw_counter(const rf_draw *draw, uint64_t position, uint32_t counter[4]) {
  assert(position < (UINT64_C(1) << 52));
  assert(draw->sequence < RF_RNG_MAX_SEQUENCES && draw->round < RF_RNG_MAX_ROUNDS);
  assert(draw->head < RF_RNG_MAX_HEADS && draw->layer < RF_RNG_MAX_LAYERS);
  assert((uint32_t)draw->purpose < 16);
  counter[0] = (uint32_t)position;
  counter[1] = (uint32_t)(position >> 32) | (draw->sequence & 0xFFFu) << 20;
  counter[2] = draw->step;
  counter[3] =
      draw->sequence >> 12 | draw->round << 4 | draw->head << 10 | draw->layer << 18 | (uint32_t)draw->purpose << 28;
}

void rf_draw_words(const rf_draw *draw, uint64_t position, uint32_t out[4]) {
  uint32_t counter[4];
  rf_draw_counter(draw, position, counter);
  rf_philox_inline(counter[0], counter[1], counter[2], counter[3], (uint32_t)draw->seed, (uint32_t)(draw->seed >> 32),
                   out);
}

/* The middle of one of 2^32 equal cells: never 0 or 1, so that its logarithm is finite. */
static double uniform(uint32_t word) { return ((double)word + 0.5) * 0x1p-32; }

double rf_draw_uniform(const rf_draw *draw, uint64_t index) {
  uint32_t words[4];
  rf_draw_words(draw, index / 4, words);
  return uniform(words[index % 4]);
}

void rf_draw_normal4(const rf_draw *draw, uint64_t position, double out[4]) {
  uint32_t words[4];
  rf_draw_words(draw, position, words);
  for (int pair = 0; pair < 2; pair++) {
    double radius = sqrt(-2.0 * log(uniform(words[2 * pair])));
    double angle = 6.283185307179586476925 * uniform(words[2 * pair + 1]);
    out[2 * pair] = radius * cos(angle);
    out[2 * pair + 1] = radius * sin(angle);
  }
}

double rf_draw_normal(const rf_draw *draw, uint64_t index) {
  double normals[4];
  rf_draw_normal4(draw, index / 4, normals);
  return normals[index % 4];
}
