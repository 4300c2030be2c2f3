/* A configuration (reformer/config_file.h): with it begins a program on the library that has no ranks. */
#include "reformer/config_file.h"
#include "base/every_processor.h"
#include "base/processor.h"
#include "base/text.h"
#include "config/read_file.h"
#include "config/read_text.h"
#include "config/settle.h"
#include "reformer/agree.h"

static rf_status check_arguments(const char *file, const char *const *sets, int n_sets, const rf_config *config) {
  const char *missing = !file ? "file" : !config ? "config" : n_sets > 0 && !sets ? "sets" : NULL;
  if (n_sets < 0) return rf_fail(RF_BAD_CONFIG, "a configuration: found n_sets %d; allowed: 0 or more", n_sets);
  for (int i = 0; !missing && i < n_sets; i++)
    if (!sets[i]) missing = "one of sets";
  return missing ? rf_fail(RF_BAD_CONFIG, "a configuration: %s: " RF_NULL, missing) : RF_OK;
}

rf_status rf_config_load(rf_mesh *mesh, const char *file, const char *const *sets, int n_sets, rf_config *config) {
  rf_origin origin;
  RF_TRY(rf_processor_check()); /* a mesh there is only where it was checked */
  RF_TRY(rf_agree(mesh, check_arguments(file, sets, n_sets, config)));
  RF_TRY(rf_config_read(mesh, file, sets, n_sets, config, &origin));
  return rf_agree(mesh, rf_config_settle(config, &origin));
}

rf_status rf_config_parse(const char *file, const char *text, size_t length, const char *const *sets, int n_sets,
                          rf_config *config) {
  rf_origin origin;
  RF_TRY(rf_processor_check());
  RF_TRY(check_arguments(file, sets, n_sets, config));
  if (!text) return rf_fail(RF_BAD_CONFIG, "%s: text: " RF_NULL, file);
  RF_TRY(rf_config_read_text(file, text, length, sets, n_sets, config, &origin));
  return rf_config_settle(config, &origin);
}
