/* What a model says of tokens: logits, and losses that are summed over those that count. */
#ifndef REFORMER_LOSS_H
#define REFORMER_LOSS_H

#include "reformer/error.h"
#include "reformer/linkage.h"
#include "reformer/real.h"
#include <stdint.h>

RF_API_BEGIN

enum { RF_IGNORE = -100 }; /* a label that is not counted */

enum { RF_POSITION_CLASSES = 27 };

/* Sums over counted tokens. Losses are in nats. Class i holds the positions [2^i - 1, 2^(i+1) - 1). */
typedef struct rf_loss {
  double sum;
  int64_t counted, correct;
  double sum_by_position[RF_POSITION_CLASSES];
  int64_t counted_by_position[RF_POSITION_CLASSES];
} rf_loss;

/* Of sums: the mean in nats, the mean in bits, and the share of tokens that were predicted; NaN where nothing was
 * counted. */
double rf_loss_mean(const rf_loss *loss);
double rf_loss_bits(const rf_loss *loss);
double rf_loss_accuracy(const rf_loss *loss);

/* Takes logits[n, vocab_size] of rows [row, row + n), row = sequence * tokens + token; called with all rows in order.
 */
typedef rf_status (*rf_logits_take)(void *context, int64_t row, int64_t n, const real *logits);

RF_API_END

#endif
