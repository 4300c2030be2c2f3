/* A file of tokens, one, two or four bytes each (little endian), memory-mapped. */
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
  const unsigned char *map; /* [tokens * token_bytes] */
} rf_source;

/* RF_BAD_DATA where the file is missing, unreadable, not a plain file, empty or not whole tokens; where it is a pointer
 * to another file; and, for tokens, where it is another format's, or holds text or ids that are twice as wide or more.
 */
rf_status rf_source_open(const char *path, int token_bytes, int64_t vocab_size, rf_source *source);
void rf_source_close(rf_source *source);

/* Tokens [first, first + count) of the file. RF_BAD_DATA at an id >= vocab_size, or where the file has
 * been cut short since it was opened. */
rf_status rf_source_read(const rf_source *source, int64_t first, int64_t count, int32_t *tokens);

#endif
