#include "cli/config_file.h"
#include "cli/config_check.h"
#include "cli/value.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_PATH = 256 };

typedef struct rf_reader {
  rf_config *config;
  rf_origin *origin;
  bool from_set; /* the document is the value of a --set */
  yaml_document_t *document;
} rf_reader;

static int line_of(const rf_reader *reader, const yaml_node_t *node) {
  return reader->from_set ? RF_LINE_SET : (int)node->start_mark.line + 1;
}

/* Puts the place in front of the present message. */
static rf_status at(const rf_reader *reader, const yaml_node_t *node, const char *path, rf_status status) {
  if (reader->from_set) return rf_context(status, "--set %s", path);
  if (path[0] == '\0') return rf_context(status, "%s:%d", reader->origin->file, line_of(reader, node));
  return rf_context(status, "%s:%d: %s", reader->origin->file, line_of(reader, node), path);
}

static rf_status read_section(const rf_reader *reader, const yaml_node_t *node, const char *section);

/* node: the value of `path`, which is a key, a section or neither; key_node: where it is named. */
static rf_status read_entry(const rf_reader *reader, const yaml_node_t *key_node, const yaml_node_t *node,
                            const char *path) {
  int index = rf_key_index(path);
  if (index >= 0) {
    reader->origin->line[index] = line_of(reader, key_node);
    return at(reader, key_node, path, rf_value_read(rf_key_at(index), reader->document, node, reader->config));
  }
  if (!rf_key_is_section(path)) {
    return at(reader, key_node, path,
              rf_fail(RF_BAD_CONFIG, "unknown key; the nearest known key is %s", rf_key_nearest(path)));
  }
  /* "positions: rotary" is short for "positions: {kind: rotary}". */
  char kind[LONGEST_PATH];
  (void)snprintf(kind, sizeof kind, "%s.kind", path);
  if (node->type == YAML_SCALAR_NODE && rf_value_text(node) && rf_key_index(kind) >= 0) {
    return read_entry(reader, key_node, node, kind);
  }
  if (node->type == YAML_MAPPING_NODE) return read_section(reader, node, path);
  char name[96];
  return at(reader, key_node, path,
            rf_fail(RF_BAD_CONFIG, "found %s; allowed: a map of keys", rf_value_name(node, name, sizeof name)));
}

static rf_status refuse_second(const rf_reader *reader, const yaml_node_t *section, const yaml_node_pair_t *pair,
                               const char *name, const char *path) {
  for (const yaml_node_pair_t *other = section->data.mapping.pairs.start; other < pair; other++) {
    const yaml_node_t *key = yaml_document_get_node(reader->document, other->key);
    const char *text = rf_value_text(key);
    if (!text || strcmp(text, name) != 0) continue;
    return at(reader, yaml_document_get_node(reader->document, pair->key), path,
              rf_fail(RF_BAD_CONFIG, "given twice, first on line %d; keep one", (int)key->start_mark.line + 1));
  }
  return RF_OK;
}

static rf_status read_section(const rf_reader *reader, const yaml_node_t *node, const char *section) {
  const yaml_node_pair_t *end = node->data.mapping.pairs.top;
  for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < end; pair++) {
    const yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(reader->document, pair->value);
    const char *name = rf_value_text(key);
    if (!name || strlen(section) + strlen(name) + 2 > LONGEST_PATH / 2) {
      char found[96];
      return at(
          reader, key, section,
          rf_fail(RF_BAD_CONFIG, "found %s where the name of a key belongs", rf_value_name(key, found, sizeof found)));
    }
    char path[LONGEST_PATH];
    (void)snprintf(path, sizeof path, "%s%s%s", section, section[0] != '\0' ? "." : "", name);
    RF_TRY(refuse_second(reader, node, pair, name, path));
    RF_TRY(read_entry(reader, key, value, path));
  }
  return RF_OK;
}

/* What libyaml has to say about text that is no YAML. `where`: the file, or "--set KEY". */
static rf_status fail_syntax(const yaml_parser_t *parser, const char *where, bool has_lines) {
  if (parser->error == YAML_MEMORY_ERROR) return rf_fail(RF_FAILED, "%s: out of memory", where);
  const char *context = parser->context ? parser->context : "", *comma = parser->context ? ", " : "";
  const char *problem = parser->problem ? parser->problem : "cannot be read";
  /* The reader, which decodes bytes, knows an offset; the scanner and the parser know a line. */
  if (parser->error == YAML_READER_ERROR) {
    return rf_fail(RF_BAD_CONFIG, "%s: not valid YAML: %s (byte %zu)", where, problem, parser->problem_offset);
  }
  if (!has_lines) return rf_fail(RF_BAD_CONFIG, "%s: not valid YAML: %s%s%s", where, context, comma, problem);
  return rf_fail(RF_BAD_CONFIG, "%s:%zu: not valid YAML: %s%s%s (column %zu)", where, parser->problem_mark.line + 1,
                 context, comma, problem, parser->problem_mark.column + 1);
}

/* A second document behind the first would be ignored in silence. */
static rf_status refuse_more(yaml_parser_t *parser, const char *where, bool has_lines) {
  yaml_document_t next;
  if (!yaml_parser_load(parser, &next)) return fail_syntax(parser, where, has_lines);
  const yaml_node_t *root = yaml_document_get_root_node(&next);
  size_t line = root ? root->start_mark.line + 1 : 0;
  yaml_document_delete(&next);
  if (line == 0) return RF_OK;
  return rf_fail(RF_BAD_CONFIG, "%s:%zu: a second YAML document begins here; allowed: one", where, line);
}

/* Loads the one document of a text and reads it: a file from the top, the value of a --set as that of `path`. */
static rf_status with_document(const char *text, size_t length, const char *where, const rf_reader *reader,
                               const char *path) {
  yaml_parser_t parser;
  yaml_document_t document;
  if (!yaml_parser_initialize(&parser)) return rf_fail(RF_FAILED, "%s: out of memory", where);
  yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
  if (!yaml_parser_load(&parser, &document)) {
    rf_status status = fail_syntax(&parser, where, !reader->from_set);
    yaml_parser_delete(&parser);
    return status;
  }
  rf_reader with = *reader;
  with.document = &document;
  const yaml_node_t *root = yaml_document_get_root_node(&document);
  rf_status status = root ? refuse_more(&parser, where, !reader->from_set) : RF_OK;
  char name[96];
  if (status != RF_OK) {
    ; /* said already */
  } else if (reader->from_set && root) {
    status = read_entry(&with, root, root, path);
  } else if (root && root->type == YAML_MAPPING_NODE) {
    status = read_section(&with, root, "");
  } else {
    status = rf_fail(RF_BAD_CONFIG, "%s: found %s; allowed: %s", where, rf_value_name(root, name, sizeof name),
                     reader->from_set ? "a value behind the =" : "a map of sections (model, data, training, ...)");
  }
  yaml_document_delete(&document);
  yaml_parser_delete(&parser);
  return status;
}

/* setting: "key.path=value" */
static rf_status read_set(const rf_reader *reader, const char *setting) {
  const char *equals = strchr(setting, '=');
  size_t length = equals ? (size_t)(equals - setting) : 0;
  if (length == 0 || length >= LONGEST_PATH / 2) {
    return rf_fail(RF_BAD_CONFIG, "--set %s: found no key; allowed: --set key.path=value", setting);
  }
  char path[LONGEST_PATH / 2], where[LONGEST_PATH];
  memcpy(path, setting, length);
  path[length] = '\0';
  (void)snprintf(where, sizeof where, "--set %s", path);
  return with_document(equals + 1, strlen(equals + 1), where, reader, path);
}

rf_status rf_config_defaults(rf_config *config) {
  memset(config, 0, sizeof *config);
  for (int i = 0; i < rf_key_count(); i++) {
    const rf_key *key = rf_key_at(i);
    if (!key->initial) continue;
    rf_origin nowhere = {.file = "default"};
    rf_reader reader = {.config = config, .origin = &nowhere, .from_set = true};
    RF_TRY(with_document(key->initial, strlen(key->initial), "default", &reader, key->path));
  }
  return RF_OK;
}

static rf_status refuse_missing(const rf_origin *origin) {
  for (int i = 0; i < rf_key_count(); i++) {
    const rf_key *key = rf_key_at(i);
    if (key->initial || origin->line[i] != 0) continue;
    char allowed[RF_MAX_ALLOWED];
    return rf_fail(RF_BAD_CONFIG, "%s: %s is missing; allowed: %s", origin->file, key->path,
                   rf_key_allowed(key, allowed));
  }
  return RF_OK;
}

rf_status rf_config_read_text(const char *file, const char *text, size_t length, const char *const *sets, int n_sets,
                              rf_config *config, rf_origin *origin) {
  *origin = (rf_origin){.file = file};
  RF_TRY(rf_config_defaults(config));
  rf_reader reader = {.config = config, .origin = origin};
  RF_TRY(with_document(text, length, file, &reader, ""));
  reader.from_set = true;
  for (int i = 0; i < n_sets; i++) RF_TRY(read_set(&reader, sets[i]));
  return refuse_missing(origin);
}

rf_status rf_config_parse(const char *file, const char *text, size_t length, const char *const *sets, int n_sets,
                          rf_config *config) {
  rf_origin origin;
  RF_TRY(rf_config_read_text(file, text, length, sets, n_sets, config, &origin));
  return rf_config_settle(config, &origin);
}

const char *rf_origin_place(const rf_origin *origin, const char *path, char *place) {
  const int index = rf_key_index(path);
  assert(index >= 0);
  const int line = origin->line[index];
  if (line > 0)
    (void)snprintf(place, RF_MAX_PLACE, "%s:%d: %s", origin->file, line, path);
  else if (line == RF_LINE_SET)
    (void)snprintf(place, RF_MAX_PLACE, "--set %s", path);
  else
    (void)snprintf(place, RF_MAX_PLACE, "%s: %s (not given)", origin->file, path);
  return place;
}
