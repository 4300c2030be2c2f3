#include "config/filled.h"
#include "base/text.h"
#include "comm/collective.h"
#include "comm/host.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FOUND = 64 };

/* What is out of range is written into found, MOST_FOUND bytes; false then. */
static bool is_int(const rf_key *key, int64_t value, char *found) {
  (void)snprintf(found, MOST_FOUND, "%lld", (long long)value);
  return (double)value >= key->low && (double)value <= key->high && !(key->even && value % 2 != 0);
}

static bool is_real(const rf_key *key, double value, char *found) {
  (void)rf_text_real(value, found, MOST_FOUND);
  if (isnan(value)) return key->automatic;
  const bool above = key->low_open ? value > key->low : value >= key->low;
  return above && (key->high_open ? value < key->high : value <= key->high);
}

static bool is_word(const rf_key *key, int value, char *found) {
  int n = 0;
  while (key->words[n]) n++;
  n += key->kind == RF_KEY_ROTATIONS; /* a file, beside the words */
  (void)snprintf(found, MOST_FOUND, "the number %d for a word", value);
  return value >= 0 && value < n;
}

static bool is_choice(const rf_key *key, int value, char *found) {
  (void)snprintf(found, MOST_FOUND, "%d", value);
  for (int i = 0; key->words[i]; i++)
    if (atoi(key->words[i]) == value) return true;
  return false;
}

static bool is_any_text(const char *text, char *found) {
  (void)snprintf(found, MOST_FOUND, "text without an end");
  return memchr(text, '\0', RF_MAX_PATH) != NULL;
}

/* Other values than 0 and 1 may not even be looked at as a bool. */
static bool is_bool(const void *field, char *found) {
  unsigned char byte;
  memcpy(&byte, field, 1);
  (void)snprintf(found, MOST_FOUND, "the byte %d", byte);
  return byte <= 1;
}

static bool are_words(const rf_key *key, const int *values, int count, char *found) {
  (void)snprintf(found, MOST_FOUND, "%d entries", count);
  if (count < 1 || count > key->items) return false;
  for (int i = 0; i < count; i++)
    if (!is_word(key, values[i], found)) return false;
  return true;
}

/* count NULL: what is not 0 counts. Behind the last all are 0. */
static bool are_ints(const rf_key *key, const int64_t *values, const int *count, char *found) {
  int n = 0;
  while (n < key->items && values[n] != 0) n++;
  (void)snprintf(found, MOST_FOUND, "%d entries that are not 0, and a count of %d", n, count ? *count : n);
  if ((count && *count != n) || (n == 0 && !key->automatic)) return false;
  for (int i = 0; i < n; i++)
    if (!is_int(key, values[i], found)) return false;
  for (int i = n; i < key->items; i++) {
    (void)snprintf(found, MOST_FOUND, "%lld behind a 0", (long long)values[i]);
    if (values[i] != 0) return false;
  }
  return true;
}

static bool are_reals(const rf_key *key, const double *values, char *found) {
  for (int i = 0; i < key->items; i++)
    if (!is_real(key, values[i], found)) return false;
  return true;
}

static bool is_in_range(const rf_key *key, const rf_config *config, char *found) {
  const void *field = (const char *)config + key->offset;
  const int *count = key->count > 0 ? (const int *)(const void *)((const char *)config + key->count) : NULL;
  switch (key->kind) {
  case RF_KEY_INT:
    return (key->automatic && *(const int64_t *)field == 0) || is_int(key, *(const int64_t *)field, found);
  case RF_KEY_SEED: return true;
  case RF_KEY_BYTES:
    (void)snprintf(found, MOST_FOUND, "%lld", (long long)*(const int64_t *)field);
    return *(const int64_t *)field >= 0 || *(const int64_t *)field == RF_MEMORY_AUTO;
  case RF_KEY_REAL: return is_real(key, *(const double *)field, found);
  case RF_KEY_REALS: return are_reals(key, field, found);
  case RF_KEY_BOOL: return is_bool(field, found);
  case RF_KEY_WORD: return is_word(key, *(const int *)field, found);
  case RF_KEY_NUMBER: return is_choice(key, *(const int *)field, found);
  case RF_KEY_TEXT: return is_any_text(field, found);
  case RF_KEY_WORDS: return count && are_words(key, field, *count, found);
  case RF_KEY_INTS: return are_ints(key, field, count, found);
  case RF_KEY_ROTATIONS:
    return is_word(key, *(const int *)field, found) && is_any_text((const char *)config + key->file, found);
  }
  return true;
}

const char *rf_config_automatic(const rf_key *key) {
  if (!key->automatic) return "";
  switch (key->kind) {
  case RF_KEY_REAL: return "; in a struct auto is NaN";
  case RF_KEY_BYTES: return "; in a struct auto is RF_MEMORY_AUTO";
  case RF_KEY_INTS:
    return key->count > 0 ? "; in a struct auto is a count of 0, and zeros" : "; in a struct auto is zeros";
  default: return "; in a struct auto is 0";
  }
}

rf_status rf_config_check_ranges(const char *name, const rf_config *config) {
  for (int i = 0; i < rf_key_count(); i++) {
    const rf_key *key = rf_key_at(i);
    char found[MOST_FOUND], allowed[RF_MAX_ALLOWED];
    if (!is_in_range(key, config, found))
      return rf_fail(RF_BAD_CONFIG, "%s: %s: found %s; allowed: %s%s", name, key->path, found,
                     rf_key_allowed(key, allowed), rf_config_automatic(key));
  }
  return RF_OK;
}

rf_status rf_config_compare(rf_mesh *mesh, const rf_config *config) {
  rf_config first = *config;
  if (rf_mesh_size(mesh) == 1) return RF_OK;
  RF_TRY(rf_share(mesh, &first, sizeof first));
  for (int i = 0; i < rf_key_count(); i++) {
    const rf_key *key = rf_key_at(i);
    char own[RF_MAX_VALUE], there[RF_MAX_VALUE];
    if (strcmp(key->path, "data.path") == 0) continue;
    (void)rf_key_value(key, config, own);
    (void)rf_key_value(key, &first, there);
    if (strcmp(own, there) != 0)
      return rf_fail(RF_BAD_CONFIG,
                     "its configuration is not that of rank 0 on host %s: %s: found %.200s, there %.200s; allowed: the "
                     "same on all ranks",
                     rf_host_name(mesh, 0), key->path, own, there);
  }
  return RF_OK;
}
