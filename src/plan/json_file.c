#include "plan/json_file.h"
#include "checkpoint/bearer.h"
#include "storage/output.h"
#include <stdlib.h>
#include <string.h>

static const rf_output_kind kind = {
    .what = "a file of figures", .own = "{\n  \"program\": \"reformer\"", .check_folder = rf_bearer_check_file};

rf_status rf_json_file_check(const char *path) { return path ? rf_output_check(path, &kind, false) : RF_OK; }

/* Free it; NULL: out of memory. */
static char *text_of(json_t *object) {
  json_t *whole = json_pack("{s:s}", "program", "reformer");
  char *text = whole && object && json_object_update(whole, object) == 0 ? json_dumps(whole, JSON_INDENT(2)) : NULL;
  json_decref(whole);
  return text;
}

rf_status rf_json_file_write(json_t *object, const char *path) {
  char *text = path ? text_of(object) : NULL;
  json_decref(object);
  if (!path) return RF_OK;
  if (!text) return rf_fail(RF_FAILED, "%s: out of memory", path);
  const rf_status status = rf_output_store(path, &kind, text, (int64_t)strlen(text));
  free(text);
  return status;
}
