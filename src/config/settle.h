/* What no single key can tell: what `auto` is, and whether the values fit each other. */
#ifndef RF_CONFIG_SETTLE_H
#define RF_CONFIG_SETTLE_H

#include "config/origin.h"
#include "reformer/error.h"

/* Resolves what is `auto` (d_head, d_ff, axial shape and dims, n_buckets, beta1), then checks. RF_BAD_CONFIG names the
 * place of the value to change. Warns about settings that have no effect or cost more than they seem to. */
rf_status rf_config_settle(rf_config *config, const rf_origin *origin);

/* The same for a struct that a program may have filled in by itself: what is out of range is refused first, and nothing
 * is warned about. Leaves one that was settled as it is. name: for messages. */
rf_status rf_config_settle_filled(const char *name, rf_config *config);

/* What only training asks for: a model that is not causal can be imported, evaluated and exported, and not trained. */
rf_status rf_config_check_training(const char *file, const rf_config *config);

#endif
