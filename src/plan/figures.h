/* Times by phase and bytes by purpose as JSON objects: {"embedding": 0.1, ...}, {"rows": 4096, ...}. NULL: out of
 * memory. */
#ifndef RF_PLAN_FIGURES_H
#define RF_PLAN_FIGURES_H

#include <jansson.h>

json_t *rf_figures_of_phases(const double *seconds);
json_t *rf_figures_of_bytes(const double *bytes);
json_t *rf_figures_of_whole_bytes(const double *bytes); /* without what is behind the point */

#endif
