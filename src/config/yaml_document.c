#include "config/yaml_document.h"
#include "base/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* libyaml's time grows with the square of either: 500,000 brackets take it minutes. */
enum { MOST_DEPTH = 32, MOST_ANCHORS = 1000, MOST_SHOWN = 96 };

/* --- what libyaml has to say ------------------------------------------------------------------------- */

/* Whether a tab stands in front of a line's first word, which YAML forbids where depth is told by indentation. */
static bool is_indented_by_tab(const rf_yaml_text *source, size_t line) {
  const char *at = source->text, *end = at + source->length;
  for (; line > 0 && at; line--) {
    at = memchr(at, '\n', (size_t)(end - at));
    if (at) at++;
  }
  while (at && at < end && *at == ' ') at++;
  return at && at < end && *at == '\t';
}

static const char *hint_of(const yaml_parser_t *parser, const rf_yaml_text *source) {
  if (parser->error == YAML_READER_ERROR) return "; allowed: text in UTF-8, or in UTF-16 with its byte order mark";
  if (is_indented_by_tab(source, parser->problem_mark.line)) return "; indent by spaces, not by tabs";
  if (parser->problem && strstr(parser->problem, "<document start>")) return "; the configuration ends before it";
  if (parser->problem && strstr(parser->problem, "Unicode character escape"))
    return "; write the letter itself (Python: json.dump(..., ensure_ascii=False))";
  if (!source->has_lines) return "; text that is to be taken as it stands is quoted: --set 'KEY=\"VALUE\"'";
  return "";
}

static rf_status fail_syntax(const yaml_parser_t *parser, const rf_yaml_text *source) {
  const char *where = source->where;
  if (parser->error == YAML_MEMORY_ERROR) return rf_fail(RF_FAILED, "%s: out of memory", where);
  const char *context = parser->context ? parser->context : "", *comma = parser->context ? ", " : "";
  const char *problem = parser->problem ? parser->problem : "cannot be read", *hint = hint_of(parser, source);
  /* The reader, which decodes bytes, knows an offset; the scanner and the parser know a line. */
  if (parser->error == YAML_READER_ERROR)
    return rf_fail(RF_BAD_CONFIG, "%s: not valid YAML: %s (byte %zu)%s", where, problem, parser->problem_offset, hint);
  if (!source->has_lines)
    return rf_fail(RF_BAD_CONFIG, "%s: not valid YAML: %s%s%s%s", where, context, comma, problem, hint);
  return rf_fail(RF_BAD_CONFIG, "%s:%zu: not valid YAML: %s%s%s (column %zu)%s", where, parser->problem_mark.line + 1,
                 context, comma, problem, parser->problem_mark.column + 1, hint);
}

/* --- a look through, before anything is built --------------------------------------------------------- */

typedef struct look {
  const rf_yaml_text *source;
  int depth, anchors, documents;
} look;

static rf_status refuse_yaml(const look *l, const yaml_event_t *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static rf_status refuse_yaml(const look *l, const yaml_event_t *event, const char *format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (!l->source->has_lines) return rf_fail(RF_BAD_CONFIG, "%s: %s", l->source->where, text);
  return rf_fail(RF_BAD_CONFIG, "%s:%zu: %s", l->source->where, event->start_mark.line + 1, text);
}

/* anchor, tag: NULL where there is none. */
static rf_status look_at_node(look *l, const yaml_event_t *event, const yaml_char_t *anchor, const yaml_char_t *tag) {
  char shown[64];
  if (anchor && ++l->anchors > MOST_ANCHORS)
    return refuse_yaml(l, event, "found one anchor more than the %d that are allowed", MOST_ANCHORS);
  if (l->depth > MOST_DEPTH)
    return refuse_yaml(l, event, "found maps or lists in each other %d deep; allowed: %d", l->depth, MOST_DEPTH);
  if (tag)
    return refuse_yaml(l, event, "found the tag %s; allowed: none, as every key knows the type of its value",
                       rf_text_show((const char *)tag, shown, sizeof shown));
  return RF_OK;
}

static rf_status look_at_event(look *l, const yaml_event_t *event) {
  switch (event->type) {
  case YAML_DOCUMENT_START_EVENT:
    /* A second document behind the first would be ignored in silence. */
    return l->documents++ == 0 ? RF_OK : refuse_yaml(l, event, "a second YAML document begins here; allowed: one");
  case YAML_SEQUENCE_START_EVENT:
    l->depth++;
    return look_at_node(l, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
  case YAML_MAPPING_START_EVENT:
    l->depth++;
    return look_at_node(l, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
  case YAML_SCALAR_EVENT: return look_at_node(l, event, event->data.scalar.anchor, event->data.scalar.tag);
  case YAML_SEQUENCE_END_EVENT:
  case YAML_MAPPING_END_EVENT: l->depth--; return RF_OK;
  default: return RF_OK;
  }
}

static rf_status start(yaml_parser_t *parser, const rf_yaml_text *source) {
  if (!yaml_parser_initialize(parser)) return rf_fail(RF_FAILED, "%s: out of memory", source->where);
  yaml_parser_set_input_string(parser, (const unsigned char *)source->text, source->length);
  return RF_OK;
}

static rf_status look_through(const rf_yaml_text *source) {
  yaml_parser_t parser;
  look l = {.source = source};
  rf_status status = RF_OK;
  RF_TRY(start(&parser, source));
  for (bool ended = false; status == RF_OK && !ended;) {
    yaml_event_t event;
    if (!yaml_parser_parse(&parser, &event)) {
      status = fail_syntax(&parser, source);
      break;
    }
    status = look_at_event(&l, &event);
    ended = event.type == YAML_STREAM_END_EVENT;
    yaml_event_delete(&event);
  }
  yaml_parser_delete(&parser);
  return status;
}

rf_status rf_yaml_load(const rf_yaml_text *source, yaml_document_t *document) {
  yaml_parser_t parser;
  RF_TRY(look_through(source));
  RF_TRY(start(&parser, source));
  const rf_status status = yaml_parser_load(&parser, document) ? RF_OK : fail_syntax(&parser, source);
  yaml_parser_delete(&parser);
  return status;
}

/* --- maps --------------------------------------------------------------------------------------------- */

typedef struct merging {
  yaml_document_t *document;
  rf_yaml_pairs *pairs;
  int n_seen;
  const yaml_node_t *seen[RF_YAML_MOST_PAIRS]; /* maps that are merged */
} merging;

static const char too_many_keys[] = "found more than 256 keys in one map; allowed: those of reformer help config";

static bool is_merge(const yaml_node_t *key) {
  return key->type == YAML_SCALAR_NODE && key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
         strcmp((const char *)key->data.scalar.value, "<<") == 0;
}

static bool is_same_name(const yaml_node_t *a, const yaml_node_t *b) {
  return a->type == YAML_SCALAR_NODE && b->type == YAML_SCALAR_NODE && is_merge(a) == is_merge(b) &&
         a->data.scalar.length == b->data.scalar.length &&
         memcmp(a->data.scalar.value, b->data.scalar.value, a->data.scalar.length) == 0;
}

/* Whether another map than the one of this layer has the name. */
static bool has_name(const rf_yaml_pairs *pairs, const yaml_node_t *key, int layer) {
  for (int i = 0; i < pairs->n; i++)
    if (pairs->pair[i].layer != layer && is_same_name(pairs->pair[i].key, key)) return true;
  return false;
}

static void find_wrong(const merging *m, const yaml_node_t *key, const char *problem) {
  m->pairs->wrong = key;
  m->pairs->problem = problem;
}

/* The pairs of the map that was seen last, without its merges: names that are there already stay what they are. */
static void add_pairs(const merging *m, const yaml_node_t *map) {
  const yaml_node_pair_t *end = map->data.mapping.pairs.top;
  for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < end && !m->pairs->wrong; pair++) {
    const yaml_node_t *key = yaml_document_get_node(m->document, pair->key);
    if (is_merge(key) || has_name(m->pairs, key, m->n_seen - 1)) continue;
    if (m->pairs->n == RF_YAML_MOST_PAIRS)
      find_wrong(m, key, too_many_keys);
    else
      m->pairs->pair[m->pairs->n++] =
          (rf_yaml_pair){key, yaml_document_get_node(m->document, pair->value), m->n_seen - 1};
  }
}

static void add_merges(merging *m, const yaml_node_t *map);

/* Each map once: a ring of them ends, and so does a tower in which each names the one below many times. */
static void add_merged(merging *m, const yaml_node_t *map, const yaml_node_t *key) {
  for (int i = 0; i < m->n_seen; i++)
    if (m->seen[i] == map) return;
  if (map->type != YAML_MAPPING_NODE || m->n_seen == RF_YAML_MOST_PAIRS) {
    find_wrong(m, key, "found no map behind <<; allowed: an alias (*NAME) of a map, or a list of such");
    return;
  }
  m->seen[m->n_seen++] = map;
  add_pairs(m, map);
  add_merges(m, map);
}

static void add_merges(merging *m, const yaml_node_t *map) {
  const yaml_node_pair_t *end = map->data.mapping.pairs.top;
  for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < end && !m->pairs->wrong; pair++) {
    const yaml_node_t *key = yaml_document_get_node(m->document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(m->document, pair->value);
    if (!is_merge(key)) continue;
    if (value->type != YAML_SEQUENCE_NODE) {
      add_merged(m, value, key);
      continue;
    }
    const yaml_node_item_t *last = value->data.sequence.items.top;
    for (const yaml_node_item_t *item = value->data.sequence.items.start; item < last && !m->pairs->wrong; item++)
      add_merged(m, yaml_document_get_node(m->document, *item), key);
  }
}

void rf_yaml_pairs_of(yaml_document_t *document, const yaml_node_t *map, rf_yaml_pairs *pairs) {
  merging m = {.document = document, .pairs = pairs, .n_seen = 1, .seen = {map}};
  pairs->n = 0;
  pairs->wrong = NULL;
  add_pairs(&m, map);
  add_merges(&m, map);
  pairs->layers = m.n_seen;
}

/* --- names that stand twice, which libyaml lets pass --------------------------------------------------- */

static rf_status refuse_second_name(const rf_yaml_text *source, const yaml_node_t *first, const yaml_node_t *second) {
  char shown[MOST_SHOWN];
  (void)rf_text_show((const char *)second->data.scalar.value, shown, sizeof shown);
  const char *list = is_merge(second) ? "; allowed: one, of a list: <<: [*a, *b]" : "; keep one";
  if (!source->has_lines)
    return rf_fail(RF_BAD_CONFIG, "%s: %s: given twice in one value%s", source->where, shown, list);
  return rf_fail(RF_BAD_CONFIG, "%s:%d: %s: given twice, first on line %d%s", source->where, rf_yaml_line(second),
                 shown, rf_yaml_line(first), list);
}

static rf_status check_map_names(const rf_yaml_text *source, yaml_document_t *document, const yaml_node_t *map) {
  const yaml_node_pair_t *start = map->data.mapping.pairs.start, *end = map->data.mapping.pairs.top;
  for (const yaml_node_pair_t *pair = start; pair < end; pair++) {
    const yaml_node_t *key = yaml_document_get_node(document, pair->key);
    for (const yaml_node_pair_t *before = start; before < pair; before++) {
      const yaml_node_t *other = yaml_document_get_node(document, before->key);
      if (is_same_name(other, key)) return refuse_second_name(source, other, key);
    }
    if (pair - start < RF_YAML_MOST_PAIRS) continue;
    if (!source->has_lines) return rf_fail(RF_BAD_CONFIG, "%s: %s", source->where, too_many_keys);
    return rf_fail(RF_BAD_CONFIG, "%s:%d: %s", source->where, rf_yaml_line(key), too_many_keys);
  }
  return RF_OK;
}

rf_status rf_yaml_check_names(const rf_yaml_text *source, yaml_document_t *document) {
  const yaml_node_t *node;
  for (int i = 1; (node = yaml_document_get_node(document, i)); i++)
    if (node->type == YAML_MAPPING_NODE) RF_TRY(check_map_names(source, document, node));
  return RF_OK;
}
