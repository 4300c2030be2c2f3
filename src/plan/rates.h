/* What a machine, or a cluster of them, does in a second, as measured for one shape of model: the constants that a plan
 * of a step's time is made of. Kept in a JSON file. */
#ifndef RF_PLAN_RATES_H
#define RF_PLAN_RATES_H

#include "reformer/config.h"
#include "reformer/error.h"
#include <jansson.h>

/* Between two ranks, with all ranks sending at once. */
typedef struct rf_link {
  double latency; /* seconds from a send to its arrival */
  double rate;    /* bytes a second of one rank; 0: there are no such pairs */
  /* Seconds of one rank's processors, which compute nothing meanwhile; 0: the network moves messages by itself */
  double message; /* sending a small one and receiving another */
  double byte;    /* sending a byte and receiving another */
} rf_link;

typedef struct rf_rates {
  int ranks, threads, hosts; /* that it was measured on */
  rf_precision precision;    /* model.precision that it was measured with */
  /* Operations a second of one rank with its threads, all ranks at work (model/operations.h counts them; recomputation
   * is work): */
  double peak;
  double projections, output, feed_forward, head;
  double lsh, local, full; /* scores and values of each kind */
  double hashing;
  /* Seconds of one rank: */
  double plan_item;        /* sorting a (token, head, round) into its slot, once */
  double embedding_value;  /* a number of a token's row, forward and reverse */
  double other_value;      /* the same of what has no phase */
  double parameter;        /* optimizer, a parameter of a shard */
  double move_byte;        /* packing and unpacking a byte that travels */
  double overlap;          /* share of arithmetic behind which messages travel */
  rf_link within, between; /* hosts */
  double disk;             /* bytes a second to stable storage, one rank */
} rf_rates;

json_t *rf_rates_to_json(const rf_rates *rates);
/* RF_BAD_CONFIG where the file is missing, is no JSON, or lacks a number. Without a precision it is full. */
rf_status rf_rates_read(const char *path, rf_rates *cluster);

#endif
