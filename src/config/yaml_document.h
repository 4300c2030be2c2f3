/* One YAML document out of a text, and its maps with what they merge. JSON is YAML, so it reads too. */
#ifndef RF_CONFIG_YAML_DOCUMENT_H
#define RF_CONFIG_YAML_DOCUMENT_H

#include "reformer/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

typedef struct rf_yaml_text {
  const char *text; /* UTF-8, or UTF-16 with its mark */
  size_t length;
  const char *where; /* for messages: the file, or "--set KEY" */
  bool has_lines;    /* whether its lines are worth naming */
} rf_yaml_text;

/* The document; end it with yaml_document_delete, unless this fails. An empty text has one without a root.
 * RF_BAD_CONFIG, with the place: no YAML, a second document, a tag, or more depth or anchors than libyaml reads in
 * linear time. */
rf_status rf_yaml_load(const rf_yaml_text *source, yaml_document_t *document);

/* On which a node begins, from 1. */
static inline int rf_yaml_line(const yaml_node_t *node) { return (int)node->start_mark.line + 1; }

/* Whether each map, be it one that nothing reads or merges, has every name once, and << once. RF_BAD_CONFIG, with both
 * places. */
rf_status rf_yaml_check_names(const rf_yaml_text *source, yaml_document_t *document);

enum { RF_YAML_MOST_PAIRS = 256 };

typedef struct rf_yaml_pair {
  const yaml_node_t *key, *value;
  int layer; /* which map it stands in: 0 the map's own, others in the order in which they count */
} rf_yaml_pair;

/* What a map holds: its own pairs as they stand, then those of the maps that its key << names, in their order, but for
 * names that are there already. */
typedef struct rf_yaml_pairs {
  int n, layers;
  rf_yaml_pair pair[RF_YAML_MOST_PAIRS];
  const yaml_node_t *wrong; /* the key at which it cannot be told; NULL: none */
  const char *problem;      /* what is wrong there */
} rf_yaml_pairs;

void rf_yaml_pairs_of(yaml_document_t *document, const yaml_node_t *map, rf_yaml_pairs *pairs);

#endif
