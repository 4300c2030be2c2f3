/* One value of the configuration, from a node of a YAML document into its field. */
#ifndef RF_CONFIG_VALUE_H
#define RF_CONFIG_VALUE_H

#include "config/schema.h"
#include "reformer/config.h"
#include "reformer/error.h"
#include <yaml.h>

/* The key's type alone says what a value is: quotes around a number or a word change nothing. A number is written as
 * people write it, not as some reader of YAML might (010, 1_000, 1:30, 0x10, yes and no are refused).
 * document and node are lent. RF_BAD_CONFIG "found ..., allowed: ..." where the value does not fit the key; the
 * caller adds the place. The field may then be half written. */
rf_status rf_value_read(const rf_key *key, yaml_document_t *document, const yaml_node_t *node, rf_config *config);

enum { RF_MAX_VALUE_NAME = 96 };

/* The node as a person would name it, shortened: "'relu'", "a list", "nothing". Returns buffer, RF_MAX_VALUE_NAME
 * bytes.
 */
const char *rf_value_name(const yaml_node_t *node, char *buffer);

/* null, ~ or nothing at all, not in quotes. */
bool rf_value_is_null(const yaml_node_t *node);

/* The text of a scalar node that is no null; NULL for any other node, and for text with a zero byte in it. */
const char *rf_value_text(const yaml_node_t *node);

#endif
