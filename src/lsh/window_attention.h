/* Attention over windows of slots (lsh/windows.h), round after round, a stripe at a time. */
#ifndef RF_LSH_WINDOW_ATTENTION_H
#define RF_LSH_WINDOW_ATTENTION_H

#include "lsh/windows.h"
#include "reformer/arena.h"

/* o, m, z of every pair; what they held before is overwritten. Scratch comes from the arena and is given
 * back; where it only counts, nothing else is done, and pairs are not looked at. */
rf_status rf_windows_attend(const rf_windows *windows, rf_arena *scratch);

/* dq, dk, dv of every pair, from d_o and delta at the combined (m, z). */
rf_status rf_windows_attend_vjp(const rf_windows *windows, rf_arena *scratch);

#endif
