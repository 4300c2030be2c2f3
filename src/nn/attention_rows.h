/* The way of a wave's rows from home to the owners of their slots and back. The one place where attention meets the
 * exchange; what attends sees rows, what projects sees tokens. */
#ifndef RF_NN_ATTENTION_ROWS_H
#define RF_NN_ATTENTION_ROWS_H

#include "nn/wave.h"

/* Makes wave->exchange and fills wave->windows with what every kind sets the same way: pairs, sizes, causality,
 * dropout. */
rf_status rf_wave_plan(rf_wave *wave, const rf_slot_layout *layout);

/* Take the arrays that do not lie in `saved`: those at home first, the owner's after rf_wave_plan, which points the
 * pairs at them too. Arrays that are never needed at the same time share a place. */
rf_status rf_wave_take_home(rf_wave *wave, bool reverse);
rf_status rf_wave_take_owner(rf_wave *wave, bool reverse);
/* Each of these starts rows on their way; they are there after rf_wave_arrive, which all must be followed by.
 *
 * q, k, v go to the owners;  o, m, z come back, rounds merged. */
rf_status rf_wave_scatter(rf_wave *wave);
rf_status rf_wave_gather(rf_wave *wave);

/* Reverse: d_o, m, z and delta go to the owners, whose dq, dk, dv are cleared; dq, dk, dv come back, summed. Shared
 * keys' gradients are folded into their queries' before they travel, so that dk is not used at home. */
rf_status rf_wave_scatter_vjp(rf_wave *wave);
rf_status rf_wave_gather_vjp(rf_wave *wave);

rf_status rf_wave_arrive(rf_wave *wave);

/* Shared keys get their scale, once their queries have arrived. */
void rf_wave_scale_keys(const rf_wave *wave);

#endif
