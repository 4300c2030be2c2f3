/* What a model and its training step would hold, the stash included, at any number of ranks, without holding it: for
 * planning. */
#ifndef RF_MODEL_FOOTPRINT_H
#define RF_MODEL_FOOTPRINT_H

#include "comm/mesh.h"
#include "model/stash.h"
#include "nn/sublayer.h"
#include "reformer/config.h"

/* Bytes of the arenas of a model's step at one rank, by what they are for. Parts of transients are not alive together:
 * the largest counts. */
typedef struct rf_model_sizes {
  size_t streams;      /* activations between layers, and their gradients */
  size_t buckets;      /* hash buckets, and pointers */
  size_t stash;        /* what the backward pass need not compute again (model/budget.h) */
  size_t activations;  /* ordinary residuals: the input of every sublayer */
  size_t attention;    /* transients of its waves */
  size_t feed_forward; /* transients */
  size_t head;         /* transients */
  size_t plans;        /* plans of exchanges */
  size_t messages;     /* rows on their way between ranks */
  size_t scratch;      /* all of them at their highest: what rf_model_scratch_used would tell */
} rf_model_sizes;

/* A training pass of so many sequences, a micro-batch, at the mesh's rank; without arenas. */
rf_call rf_model_planned_call(const rf_config *config, rf_mesh *mesh, int64_t sequences);

/* mesh: of the rank in question, may be imagined. sequences: of a micro-batch of its data group. stash:
 * [n_layers] what layers stash; NULL: nothing. */
rf_status rf_model_footprint(const rf_config *config, rf_mesh *mesh, int64_t sequences, const rf_layer_stash *stash,
                             rf_model_sizes *sizes);
/* What rf_model_stash would choose, given `bytes` on every rank: stash [n_layers] out. */
rf_status rf_model_plan_stash(const rf_config *config, rf_mesh *mesh, int64_t sequences, int64_t bytes,
                              rf_layer_stash *stash, rf_stash_summary *summary);

/* Bytes of a parameter store (rf_store_memory_used): shards of parameters and gradients, and the slots of full vectors,
 * of which there are none on one rank. */
typedef struct rf_store_sizes {
  size_t parameters, gradients, slots;
} rf_store_sizes;

rf_store_sizes rf_store_footprint(const rf_layout *layout, const rf_mesh *mesh);

#endif
