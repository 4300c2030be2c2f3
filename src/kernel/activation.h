/* Activations of the feed-forward sublayer, over n contiguous values. */
#ifndef RF_KERNEL_ACTIVATION_H
#define RF_KERNEL_ACTIVATION_H

#include "reformer/config.h"
#include "reformer/real.h"

/* h[n] = act(pre[n]); h may be pre. gelu is the exact form x Phi(x) (Hendrycks and Gimpel 2016). */
void rf_activate(rf_activation kind, int64_t n, const real *pre, real *h);

/* dh[n] *= act'(pre[n]), in place. */
void rf_activate_vjp(rf_activation kind, int64_t n, const real *pre, real *dh);

#endif
