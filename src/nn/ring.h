/* Every query against every key, in blocks: queries stay where their rows are, keys and values go around the ring of
 * sequence ranks. The chunks of the windows are not looked at. */
#ifndef RF_NN_RING_H
#define RF_NN_RING_H

#include "lsh/windows.h"
#include "reformer/arena.h"

/* As rf_windows_attend and rf_windows_attend_vjp. Rows stand by position. */
rf_status rf_ring_attend(const rf_windows *windows, rf_arena *scratch);
rf_status rf_ring_attend_vjp(const rf_windows *windows, rf_arena *scratch);

#endif
