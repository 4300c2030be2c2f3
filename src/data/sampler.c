#include "data/sampler.h"

#include "data/permutation.h"

#include <assert.h>
#include <math.h>

rf_sampler rf_sampler_create(int64_t tokens, const double fractions[3], int64_t length, uint64_t seed) {
  rf_sampler sampler = {.seed = seed, .length = length};
  double sum = 0;
  for (int s = 0; s < 3; s++) {
    assert(fractions[s] >= 0);
    sum += fractions[s];
    /* 0.9 + 0.05 + 0.05 need not be 1: the last edge of a full split is the end of the file. */
    int64_t edge = sum > 1 - 1e-9 ? tokens : (int64_t)floor(sum * (double)tokens);
    sampler.edges[s + 1] = edge < tokens ? edge : tokens;
  }
  return sampler;
}

static int64_t split_tokens(const rf_sampler *sampler, rf_split split) {
  return sampler->edges[split + 1] - sampler->edges[split];
}

int64_t rf_sampler_sequences(const rf_sampler *sampler, rf_split split) {
  int64_t n = split_tokens(sampler, split), length = sampler->length;
  if (n < length) return 0;
  if (split != RF_SPLIT_TRAIN) return n / length;
  /* One window is given up so that every phase in [0, length) fits. */
  int64_t count = (n - length + 1) / length;
  return count > 1 ? count : 1;
}

/* The first token of an epoch's first window, counted from the start of the split. */
static int64_t phase_of(const rf_draw *epoch, int64_t tokens, int64_t count, int64_t length) {
  int64_t phases = tokens - count * length + 1;
  if (phases > length) phases = length;
  rf_draw draw = *epoch;
  draw.round = RF_RNG_MAX_ROUNDS - 1; /* beyond the rounds of the permutation */
  uint32_t words[4];
  rf_draw_words(&draw, 0, words);
  uint64_t word = (uint64_t)words[0] << 32 | words[1];
  return (int64_t)(word % (uint64_t)phases);
}

int64_t rf_sampler_start(const rf_sampler *sampler, rf_split split, uint64_t index) {
  int64_t count = rf_sampler_sequences(sampler, split), length = sampler->length;
  assert(count > 0);
  if (split != RF_SPLIT_TRAIN) {
    assert(index < (uint64_t)count);
    return sampler->edges[split] + (int64_t)index * length;
  }
  uint64_t epoch = index / (uint64_t)count; /* NOLINT(clang-analyzer-core.DivideZero): asserted above */
  rf_draw draw = {.seed = sampler->seed,
                  .purpose = RF_RNG_WINDOW,
                  .step = (uint32_t)epoch,
                  .sequence = (uint32_t)(epoch >> 32) % RF_RNG_MAX_SEQUENCES};
  int64_t phase = phase_of(&draw, split_tokens(sampler, split), count, length);
  uint64_t window = rf_permutation_at(&draw, (uint64_t)count, index % (uint64_t)count);
  return sampler->edges[split] + phase + (int64_t)window * length;
}
