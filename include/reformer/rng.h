/* Randomness as a pure function: Philox 4x32-10 (Salmon et al., SC 2011), keyed by the run's seed and
 * counted by what the number is for, never by rank, thread or order of calls.
 *
 * Layout of the 128 counter bits, word 0 first:
 *
 *   word 0   position, low 32 bits
 *   word 1   position, next 20 bits (bits 0..19) | low 12 bits of sequence (bits 20..31)
 *   word 2   step, 32 bits
 *   word 3   next 4 bits of sequence (0..3) | round, 6 bits (4..9) | head, 8 bits (10..17)
 *            | layer, 10 bits (18..27) | purpose, 4 bits (28..31)
 *
 * An attention probability is at position query * 2^26 + key. */
#ifndef REFORMER_RNG_H
#define REFORMER_RNG_H

#include "reformer/linkage.h"
#include <stdint.h>

RF_API_BEGIN

typedef enum rf_purpose {
  RF_RNG_INIT = 0,           /* layer = block, head = tensor of the block, position = element / 4 */
  RF_RNG_ROTATION = 1,       /* position = element / 4 of the head's rotations */
  RF_RNG_DROP_EMBEDDING = 2, /* position = (token * d + column) / 4; likewise below */
  RF_RNG_DROP_ATTENTION = 3, /* position = query * 2^26 + key */
  RF_RNG_DROP_ATTENTION_OUT = 4,
  RF_RNG_DROP_FF_INNER = 5,
  RF_RNG_DROP_FF_OUT = 6,
  RF_RNG_DROP_HEAD = 7,
  RF_RNG_WINDOW = 8, /* step = epoch; round = round of the permutation network, position = half of a
                      * window's number; round 63: the phase of the epoch */
  RF_RNG_TASK = 9,   /* step, sequence = low 32, next 16 bits of the index; round = split; position = symbol / 4 */
  RF_RNG_SAMPLE = 10 /* sampling from the model: position = token */
} rf_purpose;

enum { RF_EVAL_STEP = -1 }; /* as uint32_t: the step that evaluation uses */
#define RF_RNG_MAX_SEQUENCES (1 << 16)
#define RF_RNG_MAX_POSITION (1 << 26) /* tokens of a sequence */
#define RF_RNG_MAX_LAYERS (1 << 10)
#define RF_RNG_MAX_HEADS (1 << 8)
#define RF_RNG_MAX_ROUNDS (1 << 6)

typedef struct rf_draw {
  uint64_t seed;
  rf_purpose purpose;
  uint32_t step;
  uint32_t layer, head, round;
  uint32_t sequence; /* index in the global batch of the step, over ranks and accumulation */
} rf_draw;

void rf_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
void rf_draw_counter(const rf_draw *draw, uint64_t position, uint32_t counter[4]);
/* The four words at a position. */
void rf_draw_words(const rf_draw *draw, uint64_t position, uint32_t out[4]);
/* Element `index` of a stream of uniforms in (0, 1) / of standard normals (Box-Muller); always double, so
 * that the float and the double build draw the same. */
double rf_draw_uniform(const rf_draw *draw, uint64_t index);
double rf_draw_normal(const rf_draw *draw, uint64_t index);
/* Elements 4 * position .. 4 * position + 3 of the stream of normals, at the price of one. */
void rf_draw_normal4(const rf_draw *draw, uint64_t position, double out[4]);

RF_API_END

#endif
