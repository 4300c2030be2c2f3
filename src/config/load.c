#include "reformer/config_file.h"
#include "config/read_file.h"
#include "config/read_text.h"
#include "config/settle.h"
#include "reformer/agree.h"

rf_status rf_config_load(rf_mesh *mesh, const char *file, const char *const *sets, int n_sets, rf_config *config) {
  rf_origin origin;
  RF_TRY(rf_config_read(mesh, file, sets, n_sets, config, &origin));
  return rf_agree(mesh, rf_config_settle(config, &origin));
}

rf_status rf_config_parse(const char *file, const char *text, size_t length, const char *const *sets, int n_sets,
                          rf_config *config) {
  rf_origin origin;
  RF_TRY(rf_config_read_text(file, text, length, sets, n_sets, config, &origin));
  return rf_config_settle(config, &origin);
}
