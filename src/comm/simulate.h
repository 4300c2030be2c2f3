/* What an exchange would move, for any number of ranks, from the buckets of a whole sequence and without communication:
 * for planning a run, and for tests. */
#ifndef RF_COMM_SIMULATE_H
#define RF_COMM_SIMULATE_H

#include "comm/exchange_types.h"
#include "reformer/arena.h"

typedef struct rf_exchange_simulation {
  int64_t rows, halo_rows;          /* that travel, of all ranks: distinct (token, other rank) */
  double rows_per_token;            /* rows / (pairs * tokens): r of docs/design.md 3.3 */
  int64_t most_rows_of_token;       /* never above min(rounds, ranks - 1) */
  int64_t most_sent, most_received; /* own rows that travel, of the rank with the most */
  int64_t most_halo_received;
  int64_t most_rows;       /* rows at an owner, home ones and halo included: what memory must hold */
  int64_t histogram_bytes; /* sent by all ranks for counts and starts, the choice of dense or sparse as it would be */
  int64_t plan_bytes;      /* sent by all ranks for slots */
} rf_exchange_simulation;

/* buckets: [pairs] each [rounds, tokens] ids of bucket_bytes (2 or 4). Scratch is given back. */
rf_status rf_exchange_simulate(const rf_exchange_shape *shape, int ranks, int bucket_bytes, const void *const *buckets,
                               rf_arena *scratch, rf_exchange_simulation *result);

#endif
