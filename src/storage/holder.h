/* The line that says who holds a run's folder, in its lock:
 *
 *   host H
 *   pid P
 *   job J
 *   attempt A
 *   since T */
#ifndef RF_STORAGE_HOLDER_H
#define RF_STORAGE_HOLDER_H

#include "reformer/error.h"
#include "storage/attempt.h"
#include <stdbool.h>
#include <time.h>

enum { RF_MAX_HOLDER = 1024 };

/* Of this process; attempt: under which it holds. */
void rf_holder_describe(const char *attempt, char text[RF_MAX_HOLDER]);
/* The text of a file, and when it was last written: of one and the same file, however names move meanwhile. *there:
 * false where no file has that name. RF_FAILED where it cannot be read. */
rf_status rf_holder_look(const char *path, char text[RF_MAX_HOLDER], struct timespec *renewed, bool *there);
/* The text alone. RF_FAILED where there is none. */
rf_status rf_holder_read(const char *path, char text[RF_MAX_HOLDER]);
rf_status rf_holder_read_open(int file, const char *path, char text[RF_MAX_HOLDER]);
/* Empty where there is none. */
void rf_holder_attempt(const char *text, char attempt[RF_ATTEMPT_LENGTH + 1]);
/* "host H, process P, job J, since T". Returns line. */
const char *rf_holder_line(const char *text, char line[RF_MAX_HOLDER]);
/* RF_BAD_CONFIG: the folder belongs to the holder of this text, and what to do. */
rf_status rf_holder_refuse(const char *path, const char *text);

#endif
