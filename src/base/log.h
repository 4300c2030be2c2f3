/* What the program says while it works: lines on standard error, and a copy in a run's log.txt.
 *
 * Only rank 0 speaks; with verbose on, every rank does and lines name theirs. On a terminal one
 * status line may stand at the bottom; it is redrawn in place and wiped before any other line.
 * Call from the main thread only. */
#ifndef RF_BASE_LOG_H
#define RF_BASE_LOG_H

#include "reformer/error.h"
#include <stdbool.h>

void rf_log_set_rank(int rank);
void rf_log_set_verbose(bool verbose);
bool rf_log_is_verbose(void);
bool rf_log_speaks(void);      /* does this rank say anything at all? */
bool rf_log_is_terminal(void); /* would a status line be seen? */

/* From here on lines are appended to this file too (rank 0 only). RF_BAD_CONFIG where it cannot be opened. */
rf_status rf_log_open(const char *path);
/* RF_FAILED where the newest line could not be written. */
rf_status rf_log_close(void);

/* One line each, without its end. */
void rf_log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void rf_log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));  /* "warning: ..." */
void rf_log_error(const char *format, ...) __attribute__((format(printf, 1, 2))); /* "error: ..." */
void rf_log_quiet(const char *format, ...) __attribute__((format(printf, 1, 2))); /* into the file only */

/* Replaces the status line; an empty text wipes it. Nothing where standard error is no terminal. */
void rf_log_status(const char *text);

#endif
