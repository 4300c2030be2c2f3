/* Activations of the feed-forward sublayer, over n contiguous values. */
#ifndef RF_KERNEL_ACTIVATION_H
#define RF_KERNEL_ACTIVATION_H

#include "reformer/kinds.h"
#include "reformer/real.h"
#include <stdint.h>

/* h[n] = act(pre[n]); h may be pre. gelu is the exact form x Phi(x) (Hendrycks and Gimpel 2016). */
void rf_activate(rf_activation kind, int64_t n, const real *pre, real *h);

/* As rf_activate, and slope[n] = act'(pre[n]) where h does not tell it (gelu); slope may be pre. */
void rf_activate_with_slope(rf_activation kind, int64_t n, const real *pre, real *h, real *slope);

/* dh[n] *= act'(pre[n]), in place, by what rf_activate_with_slope gave. */
void rf_activate_vjp(rf_activation kind, int64_t n, const real *h, const real *slope, real *dh);

#endif
