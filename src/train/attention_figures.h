/* What one attention sublayer costs, measured. */
#ifndef RF_TRAIN_ATTENTION_FIGURES_H
#define RF_TRAIN_ATTENTION_FIGURES_H

#include "base/phase.h"
#include "comm/mesh.h"
#include "model/operations.h"
#include "reformer/config.h"

typedef struct rf_attention_figures {
  rf_attention_kind kind;
  int64_t rounds;                     /* lsh; else 0 */
  int64_t length;                     /* of the sequence, padded */
  double forward, reverse;            /* median seconds, of the slowest rank */
  double seconds[RF_PHASES];          /* of forward and reverse together, mean over repeats and ranks */
  double waited[RF_PHASES];           /* of these, standing still for other ranks */
  int64_t bytes[RF_TRAFFIC_PURPOSES]; /* sent by all ranks, forward and reverse */
  double operations;                  /* dense and attention, forward and reverse with its recomputation, all ranks */
  double scratch;                     /* bytes of the sublayer's own memory, of the rank with most */
} rf_attention_figures;

const char *rf_attention_kind_name(rf_attention_kind kind);

/* Times forward and reverse of one attention sublayer of the configuration's shape over one random sequence of
 * figures->length tokens, shared by the mesh's sequence ranks, `repeats` times after one that touches memory. Given in
 * figures: kind, length, and for lsh rounds; buckets are those of `auto`. Called by all ranks; all get the same. */
rf_status rf_attention_figures_measure(const rf_config *config, rf_mesh *mesh, int64_t repeats,
                                       rf_attention_figures *figures);

#endif
