/* An even cut of a row of things over ranks: part i of `parts` holds [floor(i total / parts), floor((i + 1) total /
 * parts)). Counts differ by at most one and may be zero; later parts never hold earlier things. */
#ifndef RF_COMM_SPAN_H
#define RF_COMM_SPAN_H

#include <stdint.h>

typedef struct rf_span {
  int64_t first, count;
} rf_span;

/* total * parts must fit 63 bits. */
static inline rf_span rf_span_of(int64_t total, int64_t parts, int64_t i) {
  const int64_t first = i * total / parts;
  return (rf_span){first, (i + 1) * total / parts - first};
}

/* The part that holds thing `index` < total. */
static inline int64_t rf_span_owner(int64_t total, int64_t parts, int64_t index) {
  return ((index + 1) * parts - 1) / total;
}

#endif
