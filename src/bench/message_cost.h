/* What messages cost the processors: seconds of a small one, and of a byte. Apart from links.h, which tells how long
 * they take. */
#ifndef RF_BENCH_MESSAGE_COST_H
#define RF_BENCH_MESSAGE_COST_H

#include "comm/mesh.h"
#include "plan/rates.h"

/* Where a rank stands in the ring of those that send to their next at once. to, from: ranks of the world; -1: it is
 * alone in its ring, and takes part in the agreement only. */
typedef struct rf_ring_partners {
  int to, from;
  bool first;     /* of its ring */
  char *out, *in; /* messages; room for a large one each */
} rf_ring_partners;

/* Fills link->message and link->byte: the mean over ranks with a partner. bytes: of a large message. Called
 * by all ranks; all get the same. */
rf_status rf_message_cost_measure(rf_mesh *mesh, const rf_ring_partners *partners, int64_t bytes, rf_link *link);

#endif
