/* What is said while a program works: lines on standard error, and a copy in a file. Call from the main thread only.
 *
 * Only rank 0 of the mesh speaks; with verbose on, every rank does, and lines name theirs. */
#ifndef REFORMER_LOG_H
#define REFORMER_LOG_H

#include "reformer/error.h"
#include "reformer/linkage.h"
#include <stdbool.h>

RF_API_BEGIN

void rf_log_set_verbose(bool verbose);
/* Nothing on standard error any more, warnings included; the file gets its lines. */
void rf_log_set_silent(bool silent);

/* From here on lines are appended to this file too (rank 0 only). RF_BAD_CONFIG where it cannot be opened. */
rf_status rf_log_open(const char *path);
/* RF_FAILED where the newest line could not be written. */
rf_status rf_log_close(void);

/* One line each, without its end. */
void rf_log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void rf_log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));  /* "warning: ..." */
void rf_log_error(const char *format, ...) __attribute__((format(printf, 1, 2))); /* "error: ..." */

RF_API_END

#endif
