#include "plan/figures.h"
#include "base/phase.h"
#include "comm/traffic.h"

/* Takes the value over. */
static json_t *put_figure(json_t *object, const char *name, json_t *value) {
  if (json_object_set_new(object, name, value) == 0) return object;
  json_decref(object);
  return NULL;
}

json_t *rf_figures_of_phases(const double *seconds) {
  json_t *object = json_object();
  for (int p = 0; p < RF_PHASES && object; p++)
    object = put_figure(object, rf_phase_name((rf_phase)p), json_real(seconds[p]));
  return object;
}

json_t *rf_figures_of_bytes(const double *bytes) {
  json_t *object = json_object();
  for (int i = 0; i < RF_TRAFFIC_PURPOSES && object; i++)
    object = put_figure(object, rf_traffic_name((rf_traffic)i), json_real(bytes[i]));
  return object;
}

json_t *rf_figures_of_whole_bytes(const double *bytes) {
  json_t *object = json_object();
  for (int i = 0; i < RF_TRAFFIC_PURPOSES && object; i++)
    object = put_figure(object, rf_traffic_name((rf_traffic)i), json_integer((json_int_t)bytes[i]));
  return object;
}
