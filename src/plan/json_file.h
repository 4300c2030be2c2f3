/* Figures as a JSON file: an object whose first key says that this program wrote it. */
#ifndef RF_PLAN_JSON_FILE_H
#define RF_PLAN_JSON_FILE_H

#include "reformer/error.h"
#include <jansson.h>

/* Whether it could be written (storage/output.h); nothing is made. path NULL: fine. */
rf_status rf_json_file_check(const char *path);
/* Takes the object over; NULL, where there was no memory for it, fails too. path NULL: nothing is written. */
rf_status rf_json_file_write(json_t *object, const char *path);

#endif
