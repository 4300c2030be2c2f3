/* The way of a wave's rows from home to the owners of their slots and back. The one place where attention meets the
 * exchange; what attends sees rows, what projects sees tokens. */
#ifndef RF_NN_ATTENTION_ROWS_H
#define RF_NN_ATTENTION_ROWS_H

#include "comm/exchange.h"
#include "nn/attention.h"

/* Makes wave->exchange and fills wave->windows with what every kind sets the same way: pairs, sizes, causality,
 * dropout. */
rf_status rf_wave_plan(rf_wave *wave, const rf_slot_layout *layout);

/* Take the arrays of a side that do not lie in `saved`: at home first, the owner's after rf_wave_plan, which points the
 * pairs at them too. Arrays that are never needed at the same time share a place. */
rf_status rf_wave_take_home(rf_wave *wave, bool reverse);
rf_status rf_wave_take_owner(rf_wave *wave, bool reverse);
/* The owner's arrays alone, of so many rows; on several ranks. */
rf_status rf_wave_take_rows(rf_wave *wave, int64_t rows, bool reverse);

/* Most rows of a pair that a rank may own, whatever the buckets are. */
int64_t rf_most_rows(const rf_slot_layout *layout, int64_t length, int64_t ranks);

/* Numbers in the arrays of a pair on both sides, reverse, nothing kept: about, and the same on all ranks and levels. */
int64_t rf_pair_reals(const rf_sublayer *self, const rf_call *call);

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

/* To be called now and then by whoever computes for long, in parallel regions too: moves what is under way. */
void rf_wave_progress(const rf_wave *wave);

#endif
