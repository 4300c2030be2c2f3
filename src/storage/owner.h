/* The line that says who owns a run's folder, in its lock:
 *
 *   host H
 *   pid P
 *   job J
 *   attempt A
 *   since T */
#ifndef RF_STORAGE_OWNER_H
#define RF_STORAGE_OWNER_H

#include "reformer/error.h"
#include "storage/attempt.h"
#include <stdbool.h>
#include <time.h>

enum { RF_MAX_OWNER = 1024 };

/* Of this process; attempt: under which it owns. */
void rf_owner_describe(const char *attempt, char text[RF_MAX_OWNER]);
/* The text of a file, and when it was last written: of one and the same file, however names move meanwhile. *there:
 * false where no file has that name. RF_FAILED where it cannot be read. */
rf_status rf_owner_look(const char *path, char text[RF_MAX_OWNER], struct timespec *renewed, bool *there);
/* The text alone. RF_FAILED where there is none. */
rf_status rf_owner_read(const char *path, char text[RF_MAX_OWNER]);
rf_status rf_owner_read_open(int file, const char *path, char text[RF_MAX_OWNER]);
/* Empty where there is none. */
void rf_owner_attempt(const char *text, char attempt[RF_ATTEMPT_LENGTH + 1]);
/* "host H, process P, job J, since T". Returns line. */
const char *rf_owner_line(const char *text, char line[RF_MAX_OWNER]);
/* RF_BAD_CONFIG: the folder belongs to the owner of this text, and what to do. */
rf_status rf_owner_refuse(const char *path, const char *text);

#endif
