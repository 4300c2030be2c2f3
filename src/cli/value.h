/* One value of the configuration, from a node of a YAML document into its field. */
#ifndef RF_CLI_VALUE_H
#define RF_CLI_VALUE_H

#include "cli/schema.h"
#include "reformer/config.h"
#include "reformer/error.h"
#include <yaml.h>

/* document and node are lent. RF_BAD_CONFIG "found ..., allowed: ..." where the value does not fit the key; the
 * caller adds the place. The field may then be half written. */
rf_status rf_value_read(const rf_key *key, yaml_document_t *document, const yaml_node_t *node, rf_config *config);

/* The node as a person would name it, shortened: "'relu'", "a list", "nothing". Returns buffer. */
const char *rf_value_name(const yaml_node_t *node, char *buffer, size_t size);

/* The text of a scalar node that is no null; NULL for any other node, and for text with a zero byte in it. */
const char *rf_value_text(const yaml_node_t *node);

#endif
