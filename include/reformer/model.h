/* The Reformer language model: configuration, parameters, and what can be done with a batch of sequences. */
#ifndef REFORMER_MODEL_H
#define REFORMER_MODEL_H

#include "reformer/config.h"
#include "reformer/error.h"
#include "reformer/linkage.h"
#include "reformer/loss.h"
#include "reformer/real.h"
#include "reformer/stash.h"
#include "reformer/store.h"
#include <stddef.h>
#include <stdint.h>

RF_API_BEGIN

/* Sequences of one (micro-)batch on this rank, padded. All arrays are lent. */
typedef struct rf_batch {
  int64_t sequences, tokens; /* tokens: of each sequence, on this rank */
  int64_t length;            /* of the whole sequence, padded; 0: all of it is here */
  int64_t first_token;       /* this rank's first */
  const int32_t *ids;        /* [sequences, tokens], 0 <= id < vocab_size */
  const int32_t *labels;     /* [sequences, tokens] the id to be predicted at each token; RF_IGNORE: not counted */
  const uint8_t *mask;       /* [sequences, tokens] 1 = real, 0 = padding; NULL: all real */
  const uint32_t *sequence;  /* [sequences] index in the step's global batch */
  uint64_t seed;
  uint32_t step; /* RF_EVAL_STEP in evaluation */
} rf_batch;

typedef struct rf_model rf_model;

/* mesh: lent, outlives the model; NULL: this process alone. Copies the configuration; lsh.n_buckets must be resolved.
 * Parameters are zero until rf_store_initialise. Where lsh.rotations is a file, its rotations are read here:
 * RF_BAD_DATA where it is missing or does not fit. */
rf_status rf_model_create(const rf_config *config, struct rf_mesh *mesh, rf_model **model);
void rf_model_destroy(rf_model *model);
bool rf_model_is_valid(const rf_model *model);

const rf_config *rf_model_config_of(const rf_model *model);
/* Goes on under a configuration that differs only in what shapes no parameter (data, hash rounds, masks ...).
 * RF_BAD_CONFIG, and nothing changed, where rotations were given (by a caller or a file) for other rounds or buckets.
 */
rf_status rf_model_set_config(rf_model *model, const rf_config *config);
rf_store *rf_model_store(rf_model *model);

/* Rotations of the i-th LSH layer (i from 0, in the order of the layers), used in every step from now on instead of
 * drawn ones: [n_heads, d_head, n_hashes, columns], columns = sum of the factors of n_buckets / 2. Copied. NULL: drawn
 * again. RF_BAD_CONFIG where the model has no such layer. */
rf_status rf_model_set_rotations(rf_model *model, int64_t lsh_layer, const real *rotations);

/* From now on rf_model_gradients, for batches of `sequences` sequences of a padded length, stashes what fits into
 * `bytes` on this rank, beside what it always holds; bytes 0: nothing. Collective: all ranks stash what the one with
 * least room can. Losses are the same whatever is stashed. Gradients too, to the last bit, with ordinary residuals;
 * with reversible ones they differ by roundings, as what is stashed was computed from the layer's input, and what is
 * computed again from the input as it was rebuilt. */
rf_status rf_model_stash(rf_model *model, int64_t sequences, int64_t length, int64_t bytes, rf_stash_summary *summary);

/* Forward and backward: adds the batch's losses to *loss and the gradient of scale * (their sum) to the store. */
rf_status rf_model_gradients(rf_model *model, const rf_batch *batch, double scale, rf_loss *loss);

/* Forward only, no dropout. */
rf_status rf_model_evaluate(rf_model *model, const rf_batch *batch, rf_loss *loss);

/* logits[n, vocab_size] of tokens [first, first + n) of sequence 0 of the batch; labels are not read. */
rf_status rf_model_logits(rf_model *model, const rf_batch *batch, int64_t first, int64_t n, real *logits);

/* Forward only, no dropout, token by token: token_loss[sequences, tokens] in nats and in double whatever the build, NaN
 * where a label is RF_IGNORE. take: NULL where the logits are not wanted. */
rf_status rf_model_score(rf_model *model, const rf_batch *batch, double *token_loss, rf_logits_take take, void *context,
                         rf_loss *loss);

/* Bytes that activations and scratch took at their highest, and how often that mark rose: constant from the second
 * step. */
size_t rf_model_scratch_used(const rf_model *model);
size_t rf_model_scratch_growths(const rf_model *model);

RF_API_END

#endif
