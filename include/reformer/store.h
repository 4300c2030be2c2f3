/* The parameter store: the one place that knows where parameters, gradients and optimizer state live.
 *
 * It lends the full vector of a block (reformer/layout.h) just before it is needed and takes its gradient back right
 * after; what it owns of a block for good is its shard [first, first + count). */
#ifndef REFORMER_STORE_H
#define REFORMER_STORE_H

#include "reformer/error.h"
#include "reformer/layout.h"
#include "reformer/linkage.h"
#include "reformer/real.h"
#include <stddef.h>
#include <stdint.h>

RF_API_BEGIN

typedef struct rf_store rf_store;

struct rf_mesh;

/* Cuts every block evenly over all ranks of the mesh. layout, mesh: lent, outlive the store; mesh NULL: this process
 * has it all. Parameters and gradients start at zero. What lends and takes back below is called by all ranks in the
 * same order. */
rf_status rf_store_create(const rf_layout *layout, struct rf_mesh *mesh, rf_store **store);
void rf_store_destroy(rf_store *store);
const rf_layout *rf_store_layout(const rf_store *store);
struct rf_mesh *rf_store_mesh(const rf_store *store);

/* Draws every parameter as its tensor says (normal: mean 0, deviation init_std), from the seed alone. */
void rf_store_initialise(rf_store *store, uint64_t seed, double init_std);

/* The full parameters of a block, valid until returned; at most two blocks are lent at a time, each once, and one more
 * is refused (RF_FAILED). What is not lent cannot be returned; what is must be before the store goes. Prefetching
 * starts to bring a block that will be lent next, where there is room; a block that does not exist is fine. */
rf_status rf_store_prefetch(rf_store *store, int block);
rf_status rf_store_lend(rf_store *store, int block, const real **params);
void rf_store_return(rf_store *store, int block);
/* Say so after the shards' parameters have changed: what was gathered before is stale. */
void rf_store_updated(rf_store *store);

/* A full gradient vector of a block to add to; handing it back sends it to its owners, who add it to the sum over
 * micro-batches. At most two blocks at a time, each once; one more is refused, and one that was not borrowed is not
 * handed back (RF_FAILED). The sums are complete after rf_store_finish_gradients. */
rf_status rf_store_borrow_gradient(rf_store *store, int block, real **gradient);
rf_status rf_store_hand_back(rf_store *store, int block);
rf_status rf_store_finish_gradients(rf_store *store);
/* After a failure: all that is lent counts as returned, and what was added to borrowed gradients is lost. */
void rf_store_recall(rf_store *store);
void rf_store_clear_gradients(rf_store *store);

/* What this rank owns of a block: elements [first, first + count) of its flat vector. */
typedef struct rf_shard {
  int64_t first, count;
  real *params;   /* [count] */
  real *gradient; /* [count] */
} rf_shard;

rf_shard rf_store_shard(const rf_store *store, int block);
int64_t rf_store_parameters(const rf_store *store); /* of the model, padding not counted */
size_t rf_store_memory_used(const rf_store *store);

RF_API_END

#endif
