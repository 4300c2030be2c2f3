/* Reading plain files: a pipe that stands in a file's place must end in a message, not in waiting for its writer. */
#ifndef RF_BASE_PLAIN_FILE_H
#define RF_BASE_PLAIN_FILE_H

#include "reformer/error.h"
#include <stdint.h>
#include <sys/stat.h>

/* The descriptor of a plain file open for reading; -1, with errno, where there is none: EISDIR of a folder, ESPIPE of
 * what is neither. Sets no message. */
int rf_plain_open(const char *path, struct stat *about);

/* The same with a message. RF_BAD_DATA where the file is missing or is something else; RF_FAILED where it cannot be
 * opened for another reason, which may pass (rf_file_read_status). */
rf_status rf_file_open(const char *path, int *file, int64_t *size);
/* All the bytes at an offset, or an error: RF_BAD_DATA where the file is too short, else RF_FAILED. */
rf_status rf_file_read(int file, const char *path, int64_t offset, void *data, int64_t bytes);

#endif
