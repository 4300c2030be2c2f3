/* What attention would send, expected over random buckets: for planning. */
#ifndef RF_NN_ATTENTION_TRAFFIC_H
#define RF_NN_ATTENTION_TRAFFIC_H

#include "comm/scope.h"
#include "nn/wave.h"

/* What the exchange of a part of a wave is expected to move, seen from this rank of call->mesh (which
 * may be imagined). */
rf_exchange_expectation rf_attention_expect(const rf_sublayer *self, const rf_call *call, rf_wave_cut cut);

/* Of one sublayer, forward and reverse at call->level. */
typedef struct rf_attention_traffic {
  double bytes[RF_TRAFFIC_PURPOSES]; /* sent by all sequence ranks together */
  double rank_forward, rank_reverse; /* rows and halos: sent by this rank */
  double exchanges;                  /* moves and plans that every rank takes part in, each a message to most others */
  double plans;                      /* of these, for plans */
  double waves;                      /* or parts of waves */
  double owners;                     /* of a token and head, its home not counted, that its row goes to */
} rf_attention_traffic;

rf_attention_traffic rf_attention_traffic_of(const rf_sublayer *self, const rf_call *call);

#endif
