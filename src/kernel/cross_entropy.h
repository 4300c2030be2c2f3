/* Softmax cross-entropy of one token, loss and gradient in one pass over its logits. */
#ifndef RF_KERNEL_CROSS_ENTROPY_H
#define RF_KERNEL_CROSS_ENTROPY_H

#include "reformer/real.h"
#include <stdbool.h>
#include <stdint.h>

/* Returns -log softmax(logits)[label] in double; *correct: whether the label has the largest logit (the first of equals
 * counts). logits[n] become (softmax - onehot(label)) * scale, the gradient of scale * loss. */
double rf_cross_entropy(int64_t n, int32_t label, real scale, real *logits, bool *correct);

#endif
