#include "config/value.h"
#include "base/text.h"
#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *raw_text(const yaml_node_t *node) { return (const char *)node->data.scalar.value; }

bool rf_value_is_null(const yaml_node_t *node) {
  if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return false;
  static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
  for (size_t i = 0; i < sizeof nulls / sizeof nulls[0]; i++) {
    if (strcmp(raw_text(node), nulls[i]) == 0) return true;
  }
  return false;
}

const char *rf_value_text(const yaml_node_t *node) {
  if (node->type != YAML_SCALAR_NODE || rf_value_is_null(node)) return NULL;
  return strlen(raw_text(node)) == node->data.scalar.length ? raw_text(node) : NULL;
}

const char *rf_value_name(const yaml_node_t *node, char *buffer) {
  const char *kind = NULL;
  char shown[RF_MAX_VALUE_NAME - 2];
  if (!node || node->type == YAML_NO_NODE)
    kind = "nothing";
  else if (node->type == YAML_SEQUENCE_NODE)
    kind = "a list";
  else if (node->type == YAML_MAPPING_NODE)
    kind = "a map of keys";
  else if (rf_value_is_null(node))
    kind = "nothing";
  else if (strlen(raw_text(node)) != node->data.scalar.length)
    kind = "text with a zero byte";
  if (kind)
    (void)snprintf(buffer, RF_MAX_VALUE_NAME, "%s", kind);
  else
    (void)snprintf(buffer, RF_MAX_VALUE_NAME, "'%s'", rf_text_show(raw_text(node), shown, sizeof shown));
  return buffer;
}

/* 010 is eight to some readers and ten to others. */
static bool has_leading_zero(const char *text) {
  text += *text == '-' || *text == '+';
  return text[0] == '0' && isdigit((unsigned char)text[1]);
}

static const char decimal[] = "+-.0123456789eE";

/* Decimals only: rf_text_number would take hexadecimal numbers, inf and nan. */
static bool read_decimal(const char *text, double *value) {
  if (strspn(text, decimal) != strlen(text) || has_leading_zero(text)) return false;
  const char *end = rf_text_number(text, value);
  return end && *end == '\0' && isfinite(*value);
}

/* A decimal without a sign, from its digits. Zeros at its end are kept back, as they may stand behind the point. */
static bool add_up(const char *text, uint64_t *value) {
  long shift = 0, zeros = 0;
  bool behind_point = false;
  for (*value = 0; *text == '.' || isdigit((unsigned char)*text); text++) {
    if (*text == '.') {
      behind_point = true;
      continue;
    }
    shift -= behind_point;
    zeros++;
    if (*text == '0') continue;
    for (; zeros > 0; zeros--)
      if (__builtin_mul_overflow(*value, 10, value)) return false;
    if (__builtin_add_overflow(*value, (uint64_t)(*text - '0'), value)) return false;
  }
  if (*value == 0) return true;
  const long exponent = *text != '\0' ? strtol(text + 1, NULL, 10) : 0;
  if (exponent < -INT_MAX || exponent > INT_MAX || shift + zeros + exponent < 0) return false;
  for (shift += zeros + exponent; shift > 0; shift--)
    if (__builtin_mul_overflow(*value, 10, value)) return false;
  return true;
}

/* Also what programs write for whole numbers that they hold as reals: 1e3, 1000.0; but only one that is a real: where
 * it was rounded nobody knows which number was meant. */
static bool read_natural(const char *text, uint64_t *value) {
  double real = 0;
  text += *text == '+';
  if (*text == '-' || *text == '+' || !read_decimal(text, &real) || !add_up(text, value)) return false;
  if (strspn(text, "0123456789") == strlen(text)) return true;
  return (double)*value < 0x1p64 && (uint64_t)(double)*value == *value;
}

static bool read_whole(const char *text, int64_t *value) {
  const bool negative = *text == '-';
  uint64_t size = 0;
  if ((negative && text[1] == '+') || !read_natural(text + negative, &size) || size > INT64_MAX) return false;
  *value = negative ? -(int64_t)size : (int64_t)size;
  return true;
}

static bool read_int(const rf_key *key, const yaml_node_t *node, int64_t *value) {
  const char *text = rf_value_text(node);
  if (!text) return false;
  if (key->automatic && key->kind == RF_KEY_INT && strcmp(text, "auto") == 0) {
    *value = 0;
    return true;
  }
  int64_t number = 0;
  if (!read_whole(text, &number)) return false;
  *value = number;
  return (double)number >= key->low && (double)number <= key->high && !(key->even && number % 2 != 0);
}

static bool read_byte_count(const yaml_node_t *node, int64_t *value) {
  static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
  const char *text = rf_value_text(node);
  if (text && strcmp(text, "auto") == 0) {
    *value = RF_MEMORY_AUTO;
    return true;
  }
  char number[64];
  const size_t length = text ? strspn(text, decimal) : 0;
  if (length == 0 || length >= sizeof number) return false;
  memcpy(number, text, length);
  number[length] = '\0';
  int unit = 0;
  uint64_t size = 0;
  while (unit < 5 && strcmp(text + length, units[unit]) != 0) unit++;
  if (unit == 5 || !read_natural(number, &size) || size > (uint64_t)INT64_MAX >> (10 * unit)) return false;
  *value = (int64_t)(size << (10 * unit));
  return true;
}

static bool read_seed(const yaml_node_t *node, uint64_t *value) {
  const char *text = rf_value_text(node);
  return text && read_natural(text, value);
}

static bool read_real(const rf_key *key, const yaml_node_t *node, double *value) {
  const char *text = rf_value_text(node);
  if (text && key->automatic && strcmp(text, "auto") == 0) {
    *value = NAN;
    return true;
  }
  double number = 0;
  if (!text || !read_decimal(text, &number)) return false;
  *value = number;
  bool above = key->low_open ? number > key->low : number >= key->low;
  bool below = key->high_open ? number < key->high : number <= key->high;
  return above && below;
}

static bool read_bool(const yaml_node_t *node, bool *value) {
  const char *text = rf_value_text(node);
  if (!text) return false;
  *value = strcmp(text, "true") == 0 || strcmp(text, "True") == 0 || strcmp(text, "TRUE") == 0;
  return *value || strcmp(text, "false") == 0 || strcmp(text, "False") == 0 || strcmp(text, "FALSE") == 0;
}

static bool read_word(const rf_key *key, const yaml_node_t *node, int *value) {
  const char *text = rf_value_text(node);
  if (!text) return false;
  for (int i = 0; key->words[i]; i++) {
    if (strcmp(text, key->words[i]) == 0) {
      *value = i;
      return true;
    }
  }
  return false;
}

static bool read_choice(const rf_key *key, const yaml_node_t *node, int *value) {
  const char *text = rf_value_text(node);
  int64_t number = 0;
  if (!text || !read_whole(text, &number)) return false;
  for (int i = 0; key->words[i]; i++) {
    *value = atoi(key->words[i]);
    if (*value == number) return true;
  }
  return false;
}

static bool read_text(const yaml_node_t *node, char *value) {
  const char *text = rf_value_text(node);
  if (!text || strlen(text) >= RF_MAX_PATH) return false;
  memset(value, 0, RF_MAX_PATH); /* equal configurations are equal bytes */
  memcpy(value, text, strlen(text) + 1);
  return true;
}

static bool read_rotations(const rf_key *key, const yaml_node_t *node, int *kind, char *file) {
  if (read_word(key, node, kind)) {
    memset(file, 0, RF_MAX_PATH);
    return true;
  }
  const char *text = rf_value_text(node);
  size_t length = text ? strlen(text) : 0;
  if (length < 4 || strcmp(text + length - 3, ".h5") != 0) return false;
  *kind = RF_ROTATIONS_FILE;
  return read_text(node, file);
}

/* An entry of a list, or the value itself where it is no list. */
static bool read_one(const rf_key *key, const yaml_node_t *node, rf_config *config, int item) {
  void *field = (char *)config + key->offset;
  switch (key->kind) {
  case RF_KEY_INT:
  case RF_KEY_INTS: return read_int(key, node, (int64_t *)field + item);
  case RF_KEY_SEED: return read_seed(node, field);
  case RF_KEY_BYTES: return read_byte_count(node, field);
  case RF_KEY_REAL:
  case RF_KEY_REALS: return read_real(key, node, (double *)field + item);
  case RF_KEY_BOOL: return read_bool(node, field);
  case RF_KEY_WORD:
  case RF_KEY_WORDS: return read_word(key, node, (int *)field + item);
  case RF_KEY_NUMBER: return read_choice(key, node, field);
  case RF_KEY_TEXT: return read_text(node, field);
  case RF_KEY_ROTATIONS: return read_rotations(key, node, field, (char *)config + key->file);
  }
  return false;
}

/* Where a value is nearly a number, what keeps it from being one. */
static const char *number_hint(const rf_key *key, const yaml_node_t *node) {
  const char *text = rf_value_text(node);
  const bool number = key->kind == RF_KEY_INT || key->kind == RF_KEY_INTS || key->kind == RF_KEY_SEED ||
                      key->kind == RF_KEY_BYTES || key->kind == RF_KEY_REAL || key->kind == RF_KEY_REALS;
  if (!number || !text || strpbrk(text, "0123456789") == NULL) return "";
  if (has_leading_zero(text)) return " (without the 0 in front, which means octal to some)";
  if (strchr(text, ',')) return " (with a point, not a comma)";
  if (strchr(text, '_')) return " (without _)";
  return "";
}

static rf_status refuse_value(const rf_key *key, const yaml_node_t *node, const char *where) {
  char name[RF_MAX_VALUE_NAME], allowed[RF_MAX_ALLOWED];
  return rf_fail(RF_BAD_CONFIG, "found %s%s; allowed: %s%s", rf_value_name(node, name), where,
                 rf_key_allowed(key, allowed), number_hint(key, node));
}

static void clear_items(const rf_key *key, rf_config *config) {
  size_t size = key->kind == RF_KEY_WORDS ? sizeof(int) : sizeof(int64_t);
  memset((char *)config + key->offset, 0, size * (size_t)key->items);
}

static void set_count(const rf_key *key, rf_config *config, int count) {
  if (key->count > 0) *(int *)(void *)((char *)config + key->count) = count;
}

static rf_status read_list(const rf_key *key, yaml_document_t *document, const yaml_node_t *node, rf_config *config) {
  const yaml_node_item_t *first = node->data.sequence.items.start, *end = node->data.sequence.items.top;
  int64_t count = end - first;
  if (count < 1 || count > key->items || (key->kind == RF_KEY_REALS && count != key->items)) {
    char allowed[RF_MAX_ALLOWED];
    return rf_fail(RF_BAD_CONFIG, "found a list of %lld; allowed: %s", (long long)count, rf_key_allowed(key, allowed));
  }
  clear_items(key, config);
  for (int i = 0; i < count; i++) {
    const yaml_node_t *item = yaml_document_get_node(document, first[i]);
    if (!read_one(key, item, config, i)) return refuse_value(key, item, " in the list");
  }
  set_count(key, config, (int)count);
  return RF_OK;
}

rf_status rf_value_read(const rf_key *key, yaml_document_t *document, const yaml_node_t *node, rf_config *config) {
  bool single_allowed = key->kind == RF_KEY_WORDS || key->kind == RF_KEY_INTS;
  bool list_allowed = single_allowed || key->kind == RF_KEY_REALS;
  if (list_allowed && node->type == YAML_SEQUENCE_NODE) return read_list(key, document, node, config);
  if (key->kind == RF_KEY_REALS) return refuse_value(key, node, "");
  if (!list_allowed) return read_one(key, node, config, 0) ? RF_OK : refuse_value(key, node, "");

  clear_items(key, config);
  const char *text = rf_value_text(node);
  bool automatic = key->automatic && text && strcmp(text, "auto") == 0;
  if (!automatic && !read_one(key, node, config, 0)) return refuse_value(key, node, "");
  set_count(key, config, automatic ? 0 : 1);
  return RF_OK;
}
