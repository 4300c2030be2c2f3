/* Why the system refused a file, in words that say what to do about it. */
#ifndef RF_BASE_FILE_ERROR_H
#define RF_BASE_FILE_ERROR_H

#include "reformer/error.h"

/* The system's text for a value of errno; a file that is too large is told with the limit that it met. Stays readable
 * until the next call on the same thread. */
const char *rf_file_error(int error);

/* Of a failed call that opens or reads: RF_BAD_DATA where there is no such file, so that what it should hold is lost;
 * RF_FAILED where it may be there, whole, and cannot be had now: permissions, a disk or a network that does not answer,
 * too many open files, memory. */
rf_status rf_file_read_status(int error);

#endif
