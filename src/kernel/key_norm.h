/* Keys of shared queries and keys: k = s q, where s depends on q, and the reverse of that. */
#ifndef RF_KERNEL_KEY_NORM_H
#define RF_KERNEL_KEY_NORM_H

#include "reformer/kinds.h"
#include "reformer/real.h"
#include <stdint.h>

/* The factor s that turns the query q [d_head] into its key, 1 / sqrt(d_head) included:
 *   rms    1 / (sqrt(mean(q^2) + 1e-6) sqrt(d_head))        (trax, HuggingFace)
 *   unit   1 / (max(|q|, 1e-12) sqrt(d_head))               (lucidrains, with its logit scale) */
real rf_key_factor(rf_key_norm kind, int64_t d_head, const real *q);

/* dq[d_head] += the gradient dk of the scaled key taken through k = s(q) q:
 * s dk - c (q . dk) q, where -c q = ds/dq. */
void rf_key_norm_vjp(rf_key_norm kind, int64_t d_head, const real *q, const real *dk, real *dq);

#endif
