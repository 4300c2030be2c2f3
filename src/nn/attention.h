/* What the three kinds of attention share: layer norm, projections to heads and back, waves of (sequence, head) pairs.
 *
 *   x [tokens, d] --LN--> xn --Wq,Wk,Wv--> q, k, v [tokens, heads of the wave, d_head]
 *                                             | attend (lsh, local or full)
 *   y [tokens, d] <--- Wo ---  o / z  <--- (o, m, z)
 *
 * A kind only says which keys a query meets: from q, k, v to (o, m, z), and from d_o to dq, dk, dv. Work goes in waves
 * of a few pairs, so that transients stay small whatever the number of heads. */
#ifndef RF_NN_ATTENTION_H
#define RF_NN_ATTENTION_H

#include "nn/wave.h"

/* The sublayer operations of every kind; self->ops->attention says which. */
rf_status rf_attention_describe(const rf_sublayer *self, const char *prefix, rf_block *block);
rf_status rf_attention_apply(const rf_sublayer *self, const rf_call *call, const real *params, const real *x, real sign,
                             real *y, void *saved);
rf_status rf_attention_apply_vjp(const rf_sublayer *self, const rf_call *call, const rf_sublayer_vjp *task);

#endif
