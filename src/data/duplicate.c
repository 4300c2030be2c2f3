#include "data/duplicate.h"

#include "reformer/rng.h"

int32_t rf_duplicate_token(uint64_t seed, rf_split split, uint64_t index, int64_t length, int64_t position) {
  int64_t in_half = position % (length / 2);
  if (in_half == 0) return 0;
  /* An index passes 2^16, which the sequence field alone would hold: its low 32 bits are the step,
   * the next 16 the sequence. The split is the round. */
  rf_draw draw = {.seed = seed,
                  .purpose = RF_RNG_TASK,
                  .step = (uint32_t)index,
                  .sequence = (uint32_t)(index >> 32) % RF_RNG_MAX_SEQUENCES,
                  .round = (uint32_t)split};
  uint64_t symbol = (uint64_t)(in_half - 1);
  uint32_t words[4];
  rf_draw_words(&draw, symbol / 4, words);
  return 1 + (int32_t)((uint64_t)words[symbol % 4] * RF_DUPLICATE_SYMBOLS >> 32);
}
