/* HuggingFace's Reformer (transformers, ReformerModelWithLMHead and ReformerForMaskedLM): its names, shapes and
 * configuration for ours.
 *
 *   ours                                   theirs                                                        shape
 *   embedding.token.weight                 reformer.embeddings.word_embeddings.weight                    same
 *   embedding.position.axisI [n, d]        reformer.embeddings.position_embeddings.weights.I   [1, .., n, .., 1, d]
 *   embedding.position.weight              reformer.embeddings.position_embeddings.embedding.weight      same
 *   layers.N.attention.norm.scale ...      reformer.encoder.layers.N.attention.layer_norm.weight ...     same
 *   head.norm.scale, .bias                 reformer.encoder.layer_norm.weight, .bias                     same
 *   head.weight, head.bias                 lm_head.decoder.weight, lm_head.bias                          same
 */
#ifndef RF_WEIGHTS_HUGGINGFACE_H
#define RF_WEIGHTS_HUGGINGFACE_H

#include "reformer/config.h"
#include "reformer/store.h"
#include "weights/safetensors.h"

/* RF_BAD_DATA where their Reformer has no such model: full attention, ordinary residuals, a tied head, or other
 * positions than axial and learned. The message names the key. */
rf_status rf_huggingface_check(const rf_config *config);

/* What import found on its way. */
typedef struct rf_import_report {
  int64_t tensors, rounded;      /* values that the file holds more exactly than this build */
  int64_t left_out;              /* tensors of the file that hold no parameters */
  char prefix[RF_MAX_SAFE_NAME]; /* that every name of the file began with, and that was cut off */
} rf_import_report;

/* Fills the parameters of a store of one rank from a file. RF_BAD_DATA, by name: a tensor that is missing, of another
 * shape, of no floating type, not finite, or that is none of the model's. */
rf_status rf_huggingface_import(const char *path, const rf_config *config, rf_store *store, rf_import_report *report);

/* Writes the parameters, and config.json beside the file (storage/output.h; force: over what is there). */
rf_status rf_huggingface_export(const char *path, bool force, rf_dtype dtype, const rf_config *config,
                                const rf_store *store);
/* Whether both could be written; nothing is made. */
rf_status rf_huggingface_export_check(const char *path, bool force);

/* "FOLDER OF PATH/config.json" into config_path, RF_MAX_PATH bytes. */
rf_status rf_huggingface_config_path(const char *path, char *config_path);
/* config.json's text; free it. NULL: out of memory. */
char *rf_huggingface_config(const rf_config *config, rf_dtype dtype);

#endif
