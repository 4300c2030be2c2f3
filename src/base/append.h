/* A file that lines are added to while the program runs: log.txt, metrics.jsonl. Other programs remove and rotate such
 * files; what is written to one without a name is lost. */
#ifndef RF_BASE_APPEND_H
#define RF_BASE_APPEND_H

#include "reformer/error.h"
#include <limits.h>
#include <stdbool.h>

typedef struct rf_append {
  int file;                /* its number stays the same; -1: not open */
  int folder;              /* that it is in, wherever that is moved to */
  char name[NAME_MAX + 1]; /* in the folder */
} rf_append;

/* Opens a plain file or a device (/dev/null), and makes it where there is none. RF_BAD_CONFIG where that cannot be; a
 * pipe would wait for its reader. */
rf_status rf_append_open(const char *path, rf_append *append);

/* Where the file bears its name no more, another is opened under the same number: true. False: it does, or no other can
 * be opened now, and the old one stays open. */
bool rf_append_renew(rf_append *append);

/* The folder, and the file unless that is -1 (closed by whoever else had it). */
rf_status rf_append_close(rf_append *append);

#endif
