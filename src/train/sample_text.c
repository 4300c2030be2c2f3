#include "train/sample_text.h"
#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_ID = 12 }; /* "2147483647" with what stands around it */

static const char blanks[] = " \t\r\n";

static void add_id(int32_t id, int32_t *ids, int64_t *n) {
  if (ids) ids[*n] = id;
  ++*n;
}

static rf_status refuse_prompt(const rf_config *config, const char *word, size_t length) {
  char text[64], shown[64];
  (void)snprintf(text, sizeof text, "%.*s", (int)(length < 40 ? length : 40), word);
  return rf_fail(RF_BAD_CONFIG,
                 "found '%s'; allowed: ids of tokens from 0 to %lld, with blanks between them, where data.kind is %s",
                 rf_text_show(text, shown, sizeof shown), (long long)config->model.vocab_size - 1,
                 config->data.kind == RF_DATA_TOKENS ? "tokens" : "duplicate");
}

static rf_status read_ids(const rf_config *config, int32_t *ids, int64_t *n) {
  const char *at = config->output.sample_prompt + strspn(config->output.sample_prompt, blanks);
  while (*at != '\0') {
    const size_t length = strcspn(at, blanks);
    int64_t id = 0;
    const bool is_number = strspn(at, "0123456789") == length && rf_text_whole(at, &id) == at + length;
    if (!is_number || id >= config->model.vocab_size) return refuse_prompt(config, at, length);
    add_id((int32_t)id, ids, n);
    at += length;
    at += strspn(at, blanks);
  }
  return RF_OK;
}

rf_status rf_sample_prompt(const rf_config *config, int32_t *ids, int64_t *n) {
  const bool bytes = config->data.kind == RF_DATA_BYTES;
  *n = 0;
  if (!bytes) RF_TRY(read_ids(config, ids, n));
  for (const char *at = config->output.sample_prompt; bytes && *at; at++) add_id((unsigned char)*at, ids, n);
  if (*n == 0) add_id(bytes ? '\n' : 0, ids, n);
  return RF_OK;
}

static void write_ids(const int32_t *ids, int64_t n, char *text) {
  for (int64_t i = 0; i < n; i++) text += sprintf(text, i > 0 ? " %d" : "%d", ids[i]);
}

/* bytes: [n] room for what stands between ids that are none. */
static void write_text_of_bytes(const int32_t *ids, int64_t n, unsigned char *bytes, char *text) {
  for (int64_t i = 0; i < n;) {
    size_t count = 0;
    while (i < n && ids[i] < 256) bytes[count++] = (unsigned char)ids[i++];
    text = rf_text_plain(bytes, count, text);
    for (; i < n && ids[i] >= 256; i++) text += sprintf(text, "<%d>", ids[i]);
  }
}

char *rf_sample_show(const rf_config *config, const int32_t *ids, int64_t n) {
  char *text = malloc((size_t)n * LONGEST_ID + 1);
  unsigned char *bytes = malloc((size_t)n + 1);
  if (text && bytes && config->data.kind == RF_DATA_BYTES) write_text_of_bytes(ids, n, bytes, text);
  if (text && bytes && config->data.kind != RF_DATA_BYTES) write_ids(ids, n, text);
  if (!bytes) {
    free(text);
    text = NULL;
  }
  free(bytes);
  return text;
}
