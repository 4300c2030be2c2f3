/* A file of tokens, one, two or four bytes each (little endian). It is read, not mapped: where a disk does not answer,
 * or the file was cut short, a read says so, and a mapping ends the process (SIGBUS). */
#ifndef RF_DATA_SOURCE_H
#define RF_DATA_SOURCE_H

#include "reformer/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct rf_source {
  char *path; /* owned */
  int file;
  int token_bytes;
  int64_t tokens; /* at the time of opening */
  int64_t vocab_size;
} rf_source;

/* RF_BAD_DATA where the file is missing, not a plain file, empty or not whole tokens; where it is a pointer to another
 * file; and, for tokens, where it is another format's, or holds text or ids that are twice as wide or more. RF_FAILED
 * where it cannot be read for another reason. */
rf_status rf_source_open(const char *path, int token_bytes, int64_t vocab_size, rf_source *source);
void rf_source_close(rf_source *source);

/* Bytes [from, from + count) of the file. RF_BAD_DATA where it has been cut short since it was opened, RF_FAILED where
 * it cannot be read. Any thread may call it. */
rf_status rf_source_bytes(const rf_source *source, int64_t from, int64_t count, void *bytes);

/* Tokens [first, first + count) of the file. RF_BAD_DATA at an id >= vocab_size, too. */
rf_status rf_source_read(const rf_source *source, int64_t first, int64_t count, int32_t *tokens);

#endif
