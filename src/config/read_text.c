#include "config/read_text.h"
#include "base/recognise.h"
#include "base/text.h"
#include "config/value.h"
#include "config/yaml_document.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_PATH = 256, MOST_SHOWN = 160 };

typedef struct rf_reader {
  rf_config *config;
  rf_origin *origin;
  bool from_set; /* the document is the value of a --set */
  yaml_document_t *document;
  bool fills_gaps;        /* ... which leaves every key that was given already */
  bool merging;           /* the walk that reads what sections merge, behind the one that reads their own keys */
  int layer;              /* counts the maps that are read, each with the sections in it */
  int first[RF_MAX_KEYS]; /* line of the document on which a key is given; 0: not yet */
  int by[RF_MAX_KEYS];    /* ... and by which layer */
} rf_reader;

/* A list or map whose end is told by a bracket, not by what follows. */
static bool is_in_brackets(const yaml_node_t *node) {
  return (node->type == YAML_SEQUENCE_NODE && node->data.sequence.style == YAML_FLOW_SEQUENCE_STYLE) ||
         (node->type == YAML_MAPPING_NODE && node->data.mapping.style == YAML_FLOW_MAPPING_STYLE);
}

/* Puts the place in front of the present message. */
static rf_status at(const rf_reader *reader, const yaml_node_t *node, const char *path, rf_status status) {
  char shown[MOST_SHOWN];
  (void)rf_text_show(path, shown, sizeof shown);
  if (reader->from_set) return rf_context(status, "--set %s", shown);
  if (path[0] == '\0') return rf_context(status, "%s:%d", reader->origin->file, rf_yaml_line(node));
  return rf_context(status, "%s:%d: %s", reader->origin->file, rf_yaml_line(node), shown);
}

static rf_status read_default(const rf_key *key, rf_config *config);
static rf_status read_section(rf_reader *reader, const yaml_node_t *node, const char *section);

static rf_status refuse_second(const rf_reader *reader, const yaml_node_t *node, const char *path, int first) {
  return at(reader, node, path,
            reader->from_set ? rf_fail(RF_BAD_CONFIG, "given twice in one value; keep one")
                             : rf_fail(RF_BAD_CONFIG, "given twice, first on line %d; keep one", first));
}

static rf_status read_key(rf_reader *reader, const yaml_node_t *key_node, const yaml_node_t *node, int index) {
  const rf_key *key = rf_key_at(index);
  if (reader->merging) return RF_OK;
  if (reader->first[index] > 0 && reader->by[index] < reader->layer) return RF_OK; /* which counts before this one */
  if (reader->first[index] > 0) return refuse_second(reader, key_node, key->path, reader->first[index]);
  reader->first[index] = rf_yaml_line(key_node);
  reader->by[index] = reader->layer;
  if (reader->fills_gaps && reader->origin->line[index] != 0) return RF_OK;
  /* What programs write where they have no value. One that is left out, as in "chunk:", is a slip. */
  if (rf_value_is_null(node) && node->data.scalar.length > 0) {
    reader->origin->line[index] = 0;
    return read_default(key, reader->config);
  }
  reader->origin->line[index] = reader->from_set ? RF_LINE_SET : rf_yaml_line(key_node);
  return at(reader, key_node, key->path, rf_value_read(key, reader->document, node, reader->config));
}

static rf_status refuse_unknown(const rf_reader *reader, const yaml_node_t *node, const char *path) {
  char nearest[RF_MAX_KEY];
  const bool odd = strspn(path, "abcdefghijklmnopqrstuvwxyz0123456789_.") != strlen(path);
  return at(reader, node, path,
            rf_fail(RF_BAD_CONFIG, "unknown key%s; the nearest known key is %s",
                    odd ? " (names are of small letters, digits and _)" : "", rf_key_nearest(path, nearest)));
}

/* node: the value of `path`, which is a key, a section or neither; key_node: where it is named. */
static rf_status read_entry(rf_reader *reader, const yaml_node_t *key_node, const yaml_node_t *node, const char *path) {
  int index = rf_key_index(path);
  if (index >= 0) return read_key(reader, key_node, node, index);
  if (!rf_key_is_section(path)) return refuse_unknown(reader, key_node, path);
  if (rf_value_is_null(node)) return RF_OK; /* a section all of whose keys are comments */
  /* "positions: rotary" is short for "positions: {kind: rotary}". */
  char kind[LONGEST_PATH];
  (void)snprintf(kind, sizeof kind, "%s.kind", path);
  if (rf_value_text(node) && rf_key_index(kind) >= 0) return read_entry(reader, key_node, node, kind);
  if (node->type == YAML_MAPPING_NODE) return read_section(reader, node, path);
  char name[RF_MAX_VALUE_NAME];
  return at(reader, key_node, path,
            rf_fail(RF_BAD_CONFIG, "found %s; allowed: a map of keys", rf_value_name(node, name)));
}

static rf_status read_pair(rf_reader *reader, const rf_yaml_pair *pair, const char *section) {
  const yaml_node_t *key = pair->key;
  const char *name = rf_value_text(key);
  char path[LONGEST_PATH], found[RF_MAX_VALUE_NAME];
  if (!name || name[0] == '\0' || strlen(section) + strlen(name) + 2 > LONGEST_PATH / 2)
    return at(reader, key, section,
              rf_fail(RF_BAD_CONFIG, "found %s where the name of a key belongs", rf_value_name(key, found)));
  (void)snprintf(path, sizeof path, "%s%s%s", section, section[0] != '\0' ? "." : "", name);
  return read_entry(reader, key, pair->value, path);
}

/* Room for anchors: what stands under x-... at the top is nobody's setting. */
static bool is_passed_over(const char *section, const yaml_node_t *key) {
  const char *name = rf_value_text(key);
  return section[0] == '\0' && name && strncmp(name, "x-", 2) == 0;
}

static rf_status read_pairs(rf_reader *reader, const rf_yaml_pairs *pairs, int layer, const char *section) {
  for (int i = 0; i < pairs->n; i++)
    if (pairs->pair[i].layer == layer && !is_passed_over(section, pairs->pair[i].key))
      RF_TRY(read_pair(reader, &pairs->pair[i], section));
  return RF_OK;
}

/* A map's own keys count before what it merges however either is spelled. So all own keys are read before anything that
 * is merged: two walks, the second of which finds the merges, those of the inner sections first. What is merged is read
 * likewise. Within one map and its sections a key is given once; between two of them the first counts. */
static rf_status read_section(rf_reader *reader, const yaml_node_t *node, const char *section) {
  rf_yaml_pairs pairs;
  rf_yaml_pairs_of(reader->document, node, &pairs);
  if (pairs.wrong) return at(reader, pairs.wrong, section, rf_fail(RF_BAD_CONFIG, "%s", pairs.problem));
  RF_TRY(read_pairs(reader, &pairs, 0, section));
  for (int layer = 1; reader->merging && layer < pairs.layers; layer++) {
    reader->layer++;
    reader->merging = false;
    RF_TRY(read_pairs(reader, &pairs, layer, section));
    reader->merging = true;
    RF_TRY(read_pairs(reader, &pairs, layer, section));
  }
  return RF_OK;
}

static rf_status read_root(rf_reader *reader, const char *where, const char *path) {
  const yaml_node_t *root = yaml_document_get_root_node(reader->document);
  char name[RF_MAX_VALUE_NAME];
  if (reader->from_set && root) return read_entry(reader, root, root, path);
  if (root && root->type == YAML_MAPPING_NODE) return read_section(reader, root, "");
  return rf_fail(RF_BAD_CONFIG, "%s: found %s; allowed: %s", where, rf_value_name(root, name),
                 reader->from_set ? "a value behind the =" : "a map of sections (model, data, training, ...)");
}

/* Letters of UTF-8 in front of a byte. */
static size_t letters(const char *text, const char *end) {
  size_t n = 0;
  for (; text < end; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
  return n;
}

/* What a value of --set is made of must be all that was typed: YAML drops blanks around it and all from " #" on, and a
 * line's end within it becomes a blank. Another system's line ends around it, and its byte order mark, are dropped. */
static rf_status check_whole(const rf_reader *reader, const char *text, const char *where) {
  static const char byte_order_mark[] = "\xef\xbb\xbf", quote[] = "quote the value: --set 'KEY=\"VALUE\"'";
  size_t first = SIZE_MAX, last = 0;
  if (strncmp(text, byte_order_mark, 3) == 0) text += 3;
  const char *start = text + strspn(text, "\r\n"), *end = text + strlen(text);
  while (end > start && (end[-1] == '\r' || end[-1] == '\n')) end--;
  if (start == end) return RF_OK; /* nothing: its key will tell */
  for (int i = 1; yaml_document_get_node(reader->document, i); i++) {
    const yaml_node_t *node = yaml_document_get_node(reader->document, i);
    const bool scalar = node->type == YAML_SCALAR_NODE;
    const bool block = scalar && (node->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
                                  node->data.scalar.style == YAML_FOLDED_SCALAR_STYLE);
    if (scalar && !block && node->start_mark.line != node->end_mark.line)
      return rf_fail(RF_BAD_CONFIG,
                     "%s: found a line's end within the value, which YAML takes for a blank; write it as "
                     "\\n and %s",
                     where, quote);
    if (!scalar && !is_in_brackets(node)) { /* told by indentation: blanks in front of it are its */
      first = 0;
      continue;
    }
    if (node->start_mark.index < first) first = node->start_mark.index;
    if (node->end_mark.index > last) last = node->end_mark.index;
  }
  if (first <= letters(text, start) && last >= letters(text, end)) return RF_OK;
  char shown[MOST_SHOWN];
  return rf_fail(
      RF_BAD_CONFIG,
      "%s: found '%s', of which YAML drops a part: blanks in front or behind, or all from ' #' on, a comment; "
      "%s",
      where, rf_text_show(text, shown, sizeof shown), quote);
}

/* Loads the one document of a text and reads it: a file from the top, the value of a --set as that of `path`. */
static rf_status with_document(const char *text, size_t length, const char *where, const rf_reader *reader,
                               const char *path) {
  const rf_yaml_text source = {.text = text, .length = length, .where = where, .has_lines = !reader->from_set};
  yaml_document_t document;
  rf_reader with = *reader;
  RF_TRY(rf_yaml_load(&source, &document));
  with.document = &document;
  rf_status status = reader->from_set ? check_whole(&with, text, where) : RF_OK;
  if (status == RF_OK) status = read_root(&with, where, path);
  with.merging = true;
  if (status == RF_OK) status = read_root(&with, where, path);
  if (status == RF_OK) status = rf_yaml_check_names(&source, &document);
  yaml_document_delete(&document);
  return status;
}

/* setting: "key.path=value"; "key.path?=value" leaves what was given already */
static rf_status read_set(const rf_reader *reader, const char *setting) {
  const char *equals = strchr(setting, '=');
  rf_reader with = *reader;
  with.fills_gaps = equals && equals > setting && equals[-1] == '?';
  size_t length = equals ? (size_t)(equals - setting) - with.fills_gaps : 0;
  if (length == 0 || length >= LONGEST_PATH / 2) {
    return rf_fail(RF_BAD_CONFIG, "--set %s: found no key; allowed: --set key.path=value", setting);
  }
  char path[LONGEST_PATH / 2], where[LONGEST_PATH];
  memcpy(path, setting, length);
  path[length] = '\0';
  (void)snprintf(where, sizeof where, "--set %s", path);
  return with_document(equals + 1, strlen(equals + 1), where, &with, path);
}

static rf_status read_default(const rf_key *key, rf_config *config) {
  rf_origin nowhere = {.file = "default"};
  const rf_reader reader = {.config = config, .origin = &nowhere, .from_set = true};
  if (!key->initial) return RF_OK;
  return with_document(key->initial, strlen(key->initial), "default", &reader, key->path);
}

rf_status rf_config_defaults(rf_config *config) {
  memset(config, 0, sizeof *config);
  for (int i = 0; i < rf_key_count(); i++) RF_TRY(read_default(rf_key_at(i), config));
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
  const rf_recognised *what = rf_recognise(text, length);
  if (what)
    return rf_fail(RF_BAD_CONFIG, "%s: is %s; %s", file, what->name,
                   what->content == RF_CONTENT_STAND_IN ? what->remedy : "allowed: a configuration in YAML or JSON");
  RF_TRY(rf_config_defaults(config));
  rf_reader reader = {.config = config, .origin = origin};
  RF_TRY(with_document(text, length, file, &reader, ""));
  reader.from_set = true;
  for (int i = 0; i < n_sets; i++) RF_TRY(read_set(&reader, sets[i]));
  return refuse_missing(origin);
}
