#include "checkpoint/names.h"
#include "storage/attempt.h"
#include "storage/files.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STEP "step-"
enum { LEAST_DIGITS = 8 };

const char *rf_step_name(int64_t step, char name[RF_STEP_NAME]) {
  (void)snprintf(name, RF_STEP_NAME, STEP "%0*" PRId64, LEAST_DIGITS, step);
  return name;
}

rf_status rf_step_path(const char *folder, int64_t step, char path[RF_MAX_PATH]) {
  char name[RF_STEP_NAME];
  return rf_path_join(folder, rf_step_name(step, name), path);
}

const char *rf_step_read(const char *name, int64_t *step) {
  if (strncmp(name, STEP, strlen(STEP)) != 0) return NULL;
  const char *digits = name + strlen(STEP), *at = digits;
  for (*step = 0; *at >= '0' && *at <= '9'; at++)
    if (__builtin_mul_overflow(*step, 10, step) || __builtin_add_overflow(*step, *at - '0', step)) return NULL;
  const bool as_written = at - digits == LEAST_DIGITS || (at - digits > LEAST_DIGITS && digits[0] != '0');
  return as_written ? at : NULL;
}

int64_t rf_step_of_path(const char *path) {
  int64_t step;
  size_t end = strlen(path);
  while (end > 0 && path[end - 1] == '/') end--;
  size_t begin = end;
  while (begin > 0 && path[begin - 1] != '/') begin--;
  const char *rest = rf_step_read(path + begin, &step);
  return rest && rest == path + end ? step : -1;
}

bool rf_name_is_marked(const char *rest, const char *mark) {
  return strncmp(rest, mark, strlen(mark)) == 0 && rf_attempt_is(rest + strlen(mark));
}

bool rf_step_is_unfinished(const char *name, int64_t *step) {
  const char *rest = rf_step_read(name, step);
  return rest && (rf_name_is_marked(rest, RF_MARK_TEMPORARY) || strcmp(rest, RF_MARK_DELETING) == 0);
}

bool rf_step_is_replaced(const char *name, int64_t *step) {
  const char *rest = rf_step_read(name, step);
  return rest && rf_name_is_marked(rest, RF_MARK_REPLACED);
}

rf_status rf_name_beside(const char *path, const char *mark, const char *attempt, char beside[RF_MAX_PATH]) {
  const int length = snprintf(beside, RF_MAX_PATH, "%s%s%s", path, mark, attempt);
  if (length > 0 && length < RF_MAX_PATH) return RF_OK;
  return rf_fail(RF_FAILED, "%.64s...: the path is longer than %d bytes", path, RF_MAX_PATH - 1);
}
