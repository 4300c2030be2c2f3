/* What the exchange of LSH attention costs, measured. */
#ifndef RF_BENCH_EXCHANGE_FIGURES_H
#define RF_BENCH_EXCHANGE_FIGURES_H

#include "bench/bench.h"
#include "bench/spent.h"
#include "comm/exchange.h"

typedef struct rf_exchange_figures {
  rf_exchange_shape shape;
  int64_t buckets;
  double plan, scatter, gather; /* median seconds */
  double forward, reverse;      /* of a sublayer, seconds */
  double waited;                /* share of forward and reverse that stood waiting, mean over ranks */
  int64_t rows;                 /* that travelled in a scatter, of all ranks */
  int64_t most_bytes;           /* of a scatter, at the rank that sent most */
  double rows_a_token;          /* remote owners of a token and head, mean */
  rf_spent spent;               /* by plan, forward and reverse */
} rf_exchange_figures;

/* Called by all ranks; all get the same. RF_BAD_CONFIG where the configuration has no LSH layer. */
rf_status rf_exchange_figures_measure(const rf_config *config, rf_mesh *mesh, const rf_bench_options *options,
                                      rf_exchange_figures *figures);

#endif
