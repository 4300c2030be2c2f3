#include "train/json_file.h"

rf_status rf_json_file_write(json_t *object, const char *path) {
  const int failed = path && (!object || json_dump_file(object, path, JSON_INDENT(2)) != 0);
  json_decref(object);
  return failed ? rf_fail(RF_FAILED, "cannot write %s; is the folder there, and not full?", path) : RF_OK;
}
