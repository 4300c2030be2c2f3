#include "reformer/config_file.h"
#include "base/text.h"
#include "config/schema.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* What the emitter has written so far. */
typedef struct rf_text_buffer {
  char *data;
  size_t used, size;
} rf_text_buffer;

static int append_bytes(void *target, unsigned char *bytes, size_t count) {
  rf_text_buffer *buffer = target;
  if (buffer->used + count + 1 > buffer->size) {
    size_t size = 2 * (buffer->used + count + 1);
    char *data = realloc(buffer->data, size);
    if (!data) return 0;
    buffer->data = data;
    buffer->size = size;
  }
  memcpy(buffer->data + buffer->used, bytes, count);
  buffer->used += count;
  buffer->data[buffer->used] = '\0';
  return 1;
}

/* The emitter owns an event from the call on, also where it fails. */
static bool emit_scalar(yaml_emitter_t *emitter, const char *text, size_t length, bool quoted) {
  yaml_event_t event;
  yaml_scalar_style_t style = quoted ? YAML_SINGLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE;
  return yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)length, 1, 1, style) &&
         yaml_emitter_emit(emitter, &event);
}

static bool emit_map_start(yaml_emitter_t *emitter, bool on_one_line) {
  yaml_event_t event;
  yaml_mapping_style_t style = on_one_line ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE;
  return yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style) && yaml_emitter_emit(emitter, &event);
}

static bool emit_map_end(yaml_emitter_t *emitter) {
  yaml_event_t event;
  return yaml_mapping_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
}

static bool emit_value(yaml_emitter_t *emitter, const rf_key *key, const rf_config *config) {
  yaml_event_t event;
  bool list = rf_key_is_list(key, config);
  /* Text is quoted, or an empty one would read back as nothing. */
  bool quoted = key->kind == RF_KEY_TEXT || key->kind == RF_KEY_ROTATIONS;
  if (list && !(yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_FLOW_SEQUENCE_STYLE) &&
                yaml_emitter_emit(emitter, &event))) {
    return false;
  }
  for (int i = 0; i < rf_key_items(key, config); i++) {
    char item[RF_MAX_ITEM];
    (void)rf_key_item(key, config, i, item);
    if (!emit_scalar(emitter, item, strlen(item), quoted)) return false;
  }
  return !list || (yaml_sequence_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event));
}

/* Letters that two paths share up to and including their last common dot. */
static size_t common_section(const char *a, const char *b) {
  size_t common = 0;
  for (size_t i = 0; a[i] != '\0' && a[i] == b[i]; i++) {
    if (a[i] == '.') common = i + 1;
  }
  return common;
}

static int count_dots(const char *path) {
  int dots = 0;
  for (; *path != '\0'; path++) dots += *path == '.';
  return dots;
}

/* Keys come section by section: leave the sections that the next key is not in, enter those it is in. */
static bool emit_keys(yaml_emitter_t *emitter, const rf_config *config) {
  const char *last = "";
  for (int i = 0; i < rf_key_count(); i++) {
    const rf_key *key = rf_key_at(i);
    size_t common = common_section(last, key->path);
    for (int open = count_dots(last + common); open > 0; open--) {
      if (!emit_map_end(emitter)) return false;
    }
    const char *name = key->path + common, *dot = NULL;
    for (; (dot = strchr(name, '.')) != NULL; name = dot + 1) {
      bool inner = name != key->path;
      if (!emit_scalar(emitter, name, (size_t)(dot - name), false) || !emit_map_start(emitter, inner)) return false;
    }
    if (!emit_scalar(emitter, name, strlen(name), false) || !emit_value(emitter, key, config)) return false;
    last = key->path;
  }
  for (int open = count_dots(last); open > 0; open--) {
    if (!emit_map_end(emitter)) return false;
  }
  return true;
}

static bool emit_document(yaml_emitter_t *emitter, const rf_config *config) {
  yaml_event_t event;
  return yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) && yaml_emitter_emit(emitter, &event) &&
         yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) && yaml_emitter_emit(emitter, &event) &&
         emit_map_start(emitter, false) && emit_keys(emitter, config) && emit_map_end(emitter) &&
         yaml_document_end_event_initialize(&event, 1) && yaml_emitter_emit(emitter, &event) &&
         yaml_stream_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
}

rf_status rf_config_emit(const rf_config *config, char **text) {
  if (text) *text = NULL;
  if (!config || !text) return rf_fail(RF_BAD_CONFIG, "rf_config_emit: %s: " RF_NULL, config ? "text" : "config");
  yaml_emitter_t emitter;
  rf_text_buffer buffer = {0};
  if (!yaml_emitter_initialize(&emitter)) return rf_fail(RF_FAILED, "out of memory while writing the configuration");
  yaml_emitter_set_output(&emitter, append_bytes, &buffer);
  yaml_emitter_set_width(&emitter, 120);
  yaml_emitter_set_unicode(&emitter, 1);
  rf_status status = RF_OK;
  if (!emit_document(&emitter, config)) {
    status = rf_fail(RF_FAILED, "cannot write the configuration: %s", emitter.problem ? emitter.problem : "no memory");
  }
  yaml_emitter_delete(&emitter);
  if (status != RF_OK)
    free(buffer.data);
  else
    *text = buffer.data;
  return status;
}
