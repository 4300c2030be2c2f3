/* Names in a file of HuggingFace's weights that are not quite those that are wanted. */
#ifndef RF_WEIGHTS_HUGGINGFACE_NAMES_H
#define RF_WEIGHTS_HUGGINGFACE_NAMES_H

#include "weights/safetensors.h"
#include <stdbool.h>

/* Wrappers (DistributedDataParallel, torch.compile, Lightning) put a word in front of every name: "module.",
 * "_orig_mod.", "model.", or several. It is cut off, and copied into prefix, RF_MAX_SAFE_NAME bytes; "": there is none.
 * RF_BAD_DATA where only some names have it: then the file holds more than one model. */
rf_status rf_huggingface_cut_prefix(rf_safetensors *file, char *prefix);

/* "; the nearest name there is ..." for a name that the file lacks, of those not `used` ([n_tensors]), or why it lacks
 * so many. Into text, RF_MAX_NAME_HINT bytes, which is returned; "" where nothing is left. */
enum { RF_MAX_NAME_HINT = RF_MAX_SAFE_NAME + 128 };
const char *rf_huggingface_name_hint(const rf_safetensors *file, const bool *used, const char *missing, char *text);

#endif
