/* Ways of computing that a configuration chooses and kernels follow. */
#ifndef REFORMER_KINDS_H
#define REFORMER_KINDS_H

#include "reformer/linkage.h"

RF_API_BEGIN

typedef enum rf_activation { RF_RELU, RF_GELU } rf_activation;

/* What a number of a dense product with a weight is: a real, or a bfloat16 where sums stay float. */
typedef enum rf_precision { RF_PRECISION_FULL, RF_PRECISION_BF16 } rf_precision;

/* A key that a query meets several times counts each time, or its weight is divided by how often. */
typedef enum rf_duplicates { RF_DUPLICATES_KEEP, RF_DUPLICATES_DIVIDE, RF_DUPLICATES_LUCIDRAINS } rf_duplicates;

/* How a shared query becomes its key:
 * rms:  k = q / sqrt(mean(q^2) + 1e-6) / sqrt(d_head)   (HuggingFace, trax)
 * unit: k = q / max(|q|, 1e-12) / sqrt(d_head)          (lucidrains, its logit scale included) */
typedef enum rf_key_norm { RF_KEYS_RMS, RF_KEYS_UNIT } rf_key_norm;

RF_API_END

#endif
