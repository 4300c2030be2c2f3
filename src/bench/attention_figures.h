/* What one attention sublayer costs, measured. */
#ifndef RF_BENCH_ATTENTION_FIGURES_H
#define RF_BENCH_ATTENTION_FIGURES_H

#include "bench/spent.h"
#include "comm/mesh.h"
#include "model/operations.h"
#include "reformer/config.h"

typedef struct rf_attention_figures {
  rf_attention_kind kind;
  int64_t rounds;          /* lsh; else 0 */
  int64_t length;          /* of the sequence, padded */
  double forward, reverse; /* median seconds, of the slowest rank */
  rf_spent spent;          /* by forward and reverse together */
  double operations;       /* dense and attention, forward and reverse with its recomputation, all ranks */
  double scratch;          /* bytes of the sublayer's own memory, of the rank with most */
} rf_attention_figures;

/* The configuration with one layer of that attention, for sequences of *length tokens, which are padded as it needs.
 * lsh: of so many rounds, with the buckets of `auto`. */
rf_config rf_config_of_attention(const rf_config *config, rf_attention_kind kind, int64_t rounds, int64_t *length);

/* Times forward and reverse of the first attention sublayer of the configuration over one random sequence of `length`
 * tokens (padded), shared by the mesh's sequence ranks, `repeats` times after one that touches memory. Called by all
 * ranks; all get the same. */
rf_status rf_attention_figures_measure(const rf_config *config, rf_mesh *mesh, int64_t length, int64_t repeats,
                                       rf_attention_figures *figures);

#endif
