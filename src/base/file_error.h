/* Why the system refused a file, in words that say what to do about it. */
#ifndef RF_BASE_FILE_ERROR_H
#define RF_BASE_FILE_ERROR_H

/* The system's text for a value of errno; a file that is too large is told with the limit that it met. Stays readable
 * until the next call on the same thread. */
const char *rf_file_error(int error);

#endif
