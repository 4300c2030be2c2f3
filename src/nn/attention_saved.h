/* What attention saves for the backward pass, by levels (nn/sublayer.h):
 *
 *   saved   | buckets |  m  |  z  |  o  |  q  |  k  |  v  |     each part at a multiple of 64 bytes
 *           level 0   '---level 1------' '----level 2-----'
 *
 *   m, z    [sequences, heads, tokens], and
 *   o       normalised, wave after wave as a wave wants it: [tokens, heads of the wave * d_head]
 *   q, k, v where shared no k; as their owner has them: on one rank as o, else [pairs][most rows, d_head]
 *
 * A wave works in these places itself; nothing is copied. */
#ifndef RF_NN_ATTENTION_SAVED_H
#define RF_NN_ATTENTION_SAVED_H

#include "nn/wave.h"

enum { RF_LEVEL_BUCKETS, RF_LEVEL_OUTPUT, RF_LEVEL_ROWS, RF_ATTENTION_LEVELS };

size_t rf_attention_saved_bytes(const rf_sublayer *self, const rf_call *call);

/* Points the wave's arrays at what call->level saves; reverse: and sets wave->level. */
rf_status rf_wave_find_saved(rf_wave *wave, void *saved, bool reverse);

#endif
