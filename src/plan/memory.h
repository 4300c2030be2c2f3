/* Memory of a rank of a training run, computed from sizes: nothing of it is taken. */
#ifndef RF_PLAN_MEMORY_H
#define RF_PLAN_MEMORY_H

#include "model/footprint.h"

/* Bytes at one rank. */
typedef struct rf_plan_memory {
  rf_store_sizes store;
  size_t optimizer;
  rf_model_sizes model;
  size_t sequences;  /* token ids, labels, mask of a step */
  size_t checkpoint; /* the copy that is written while training goes on */
  size_t process;    /* program, libraries, MPI, and what is not counted apart */
  size_t total;      /* resident at the highest */
} rf_plan_memory;

/* What training.memory_limit lets layers stash (train/memory.h). */
typedef struct rf_plan_stash {
  rf_layer_stash *layers; /* [n_layers]; NULL: nothing is stashed */
  rf_stash_summary summary;
} rf_plan_stash;

/* The same for all ranks. room: bytes that a rank may take, of which `auto` uses what train/memory.h says; 0: not
 * known, and `auto` stashes nothing. */
rf_status rf_plan_stash_create(const rf_config *config, int64_t sequence, int64_t data, double room,
                               rf_plan_stash *stash);
void rf_plan_stash_destroy(rf_plan_stash *stash);
/* Of layer i. */
rf_layer_stash rf_plan_stash_at(const rf_plan_stash *stash, int64_t layer);

/* Of rank `rank` of sequence x data. The configuration is checked; its batch must divide (RF_BAD_CONFIG). */
rf_status rf_plan_memory_of(const rf_config *config, int64_t sequence, int64_t data, int rank,
                            const rf_plan_stash *stash, rf_plan_memory *memory);
/* Of the rank that needs most. */
rf_status rf_plan_memory_most(const rf_config *config, int64_t sequence, int64_t data, const rf_plan_stash *stash,
                              rf_plan_memory *memory);

/* What training.memory_limit leaves on a rank for what layers stash; below 0: the limit is too low. there: parameters,
 * gradients, moments and sequences; coming: what the run takes besides; free: what the machine has for it beside what
 * is there, of which auto takes four fifths. */
int64_t rf_plan_memory_left(int64_t limit, int64_t there, int64_t coming, int64_t free);

/* Most bytes of a step that stashes nothing, of what was counted. On several ranks transients are counted as expected
 * of random buckets: others may bring up to half as much more. */
int64_t rf_plan_memory_step(const rf_model_sizes *sizes, int64_t sequence_ranks);

/* The longest sequence, padded to whole chunks, whose run fits `bytes` a rank, stashing nothing; 0: none. Positions'
 * tables are taken to grow with it, and n_buckets as `auto`. */
rf_status rf_plan_longest(const rf_config *config, int64_t sequence, int64_t data, double bytes, int64_t *length);

/* The configuration at another length: positions and buckets as `auto` makes them. */
rf_config rf_plan_at_length(const rf_config *config, int64_t length);

#endif
