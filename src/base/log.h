/* The log (reformer/log.h), and what only the program itself asks of it.
 *
 * On a terminal one status line may stand at the bottom; it is redrawn in place and wiped before any other line. */
#ifndef RF_BASE_LOG_H
#define RF_BASE_LOG_H

#include "reformer/log.h"
#include <stdbool.h>

void rf_log_set_rank(int rank);
bool rf_log_is_verbose(void);
bool rf_log_speaks(void);      /* does this rank say anything at all? */
bool rf_log_is_terminal(void); /* would a status line be seen? */

void rf_log_quiet(const char *format, ...) __attribute__((format(printf, 1, 2))); /* into the file only */

/* Replaces the status line; an empty text wipes it. Nothing where standard error is no terminal. */
void rf_log_status(const char *text);

#endif
