/* A configuration in, and out again: YAML (JSON is YAML) checked against the schema, and the resolved values as YAML.
 * docs/configuration.md tells the language, reformer help config every key. */
#ifndef REFORMER_CONFIG_FILE_H
#define REFORMER_CONFIG_FILE_H

#include "reformer/config.h"
#include "reformer/error.h"
#include "reformer/linkage.h"
#include "reformer/mesh.h"
#include <stddef.h>

RF_API_BEGIN

/* What is `auto` in a configuration that these return is resolved: it does not follow fields that a program changes
 * afterwards. To have it resolved again by rf_session_create, set what was `auto` back to what says so in a struct:
 *
 *   after a change of               set back
 *   model.d_model, model.n_heads    model.d_head = 0, model.d_ff = 0, model.positions.dims = {0}
 *   data.length, chunks, attention  model.positions.shape = {0}, lsh.n_factors = 0 with lsh.n_buckets = {0}
 *   optimizer.kind                  optimizer.beta1 = NAN
 *
 * mesh.data, training.step_timeout and training.memory_limit stay `auto` until the run knows them. Or give the changes
 * as `sets`, before anything is resolved. */

/* Defaults, then the file, then each "key.path=value" of `sets` (its value is YAML; "key.path?=value" leaves what was
 * given already), with what is `auto` resolved, and checked. Collective, with the same `sets`: rank 0 reads the file,
 * whatever it is, and all have its bytes. mesh NULL: this process alone. RF_BAD_CONFIG, on all ranks: the message names
 * file, line, key, what was found and what is allowed. What looks odd but works is warned about.
 * RF_BAD_CONFIG also where the processor lacks instructions that this library was compiled for. */
rf_status rf_config_load(rf_mesh *mesh, const char *file, const char *const *sets, int n_sets, rf_config *config);

/* The same from memory, not collective. text: `length` bytes; `file` is for messages. */
rf_status rf_config_parse(const char *file, const char *text, size_t length, const char *const *sets, int n_sets,
                          rf_config *config);

/* Every key with its value, as YAML that rf_config_parse reads back to the same configuration. Free *text. */
rf_status rf_config_emit(const rf_config *config, char **text);

RF_API_END

#endif
