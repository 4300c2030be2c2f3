/* What an exchange would move at any number of ranks, expected over random buckets: for planning a run whose buckets
 * are not known. comm/simulate.h counts the same exactly where they are. */
#ifndef RF_COMM_EXPECT_H
#define RF_COMM_EXPECT_H

#include "comm/exchange_types.h"

/* Of all pairs of a shape. Rows are numbers of (pair, token, rank). */
typedef struct rf_exchange_expectation {
  double own_sent, halo_sent;         /* by this rank, to others */
  double own_received, halo_received; /* here, from others */
  double own_home, halo_home;         /* of own tokens, that stay */
  double all_own, all_halo;           /* that travel, of all ranks */
  double all_histogram;               /* bytes of counts and starts, of all ranks */
  double all_plan;                    /* bytes of slots, likewise */
  int exchanges;                      /* of a plan: times that every rank sends to every other */
  double entries;                     /* of the histogram, that a rank has items of */
} rf_exchange_expectation;

/* Buckets are equally likely and independent of the position; with one bucket slots are positions, and the numbers
 * exact. The padding bucket is empty. rank: of the sequence ranks. */
rf_exchange_expectation rf_exchange_expect(const rf_exchange_shape *shape, int ranks, int rank, int bucket_bytes);

/* The same where each rank gets one early and one late piece of 2 ranks pieces of the sequence, in the order 0, 2 ranks
 * - 1, 1, ... (full attention's ring): known, not expected. */
rf_exchange_expectation rf_exchange_expect_zigzag(const rf_exchange_shape *shape, int ranks, int rank);

/* Rows at this rank; of its own tokens that go anywhere, itself included. */
static inline double rf_expected_rows(const rf_exchange_expectation *e) {
  return e->own_received + e->halo_received + e->own_home + e->halo_home;
}
static inline double rf_expected_out(const rf_exchange_expectation *e) {
  return e->own_sent + e->halo_sent + e->own_home + e->halo_home;
}

#endif
