/* A file that a command makes for whoever started it: there whole, or not at all.
 *
 *   open     looks where the path leads, and makes NAME.tmp-ATTEMPT beside the file that it leads to
 *   finish   brings that to the disk and gives it the name; or abandon, which removes it
 *
 * A symbolic link is followed, one that leads nowhere yet too: the file it names is made or replaced, and the link
 * stays. A file that is replaced keeps its permissions and, where the system allows that, its owner; its other names
 * (hard links) keep what they had. A folder, a socket, a disk, and what a kind's check_folder refuses (a checkpoint's
 * folder) are refused.
 *
 * What is there already is replaced on request (--force); text, which is made anew all the time, also where the file
 * is empty or begins as such text does. Text goes into pipes and devices too, and to the end of the file that standard
 * output is. What is refused is the command line's fault (RF_BAD_CONFIG); what the disk does not take is RF_FAILED. */
#ifndef RF_STORAGE_OUTPUT_H
#define RF_STORAGE_OUTPUT_H

#include "reformer/config.h"
#include "reformer/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct rf_output_kind {
  const char *what; /* "a model", for messages */
  const char *own;  /* of text: what it begins with; NULL: no text */
  /* Refuses a folder, which ends in a slash, that no such file may lie in; path: for the message. */
  rf_status (*check_folder)(const char *path, const char *folder);
} rf_output_kind;

typedef struct rf_output {
  const char *path; /* as it was given, for messages; lent */
  int file;         /* to be written to, by rf_file_write where it is not a stream */
  bool streams, replaces;
  char target[RF_MAX_PATH]; /* where the path leads */
  char temporary[RF_MAX_PATH + 32];
} rf_output;

/* Whether it could be opened; nothing is made. For the time before long work. */
rf_status rf_output_check(const char *path, const rf_output_kind *kind, bool force);
/* Refuses a path that leads to a file that is read. what: "--data", for messages. input NULL or missing: fine. */
rf_status rf_output_differs(const char *path, const char *input, const char *what);

rf_status rf_output_open(const char *path, const rf_output_kind *kind, bool force, rf_output *output);
/* Room for so many bytes, as far as the file system can promise: a disk that is too full is met before the work. */
rf_status rf_output_reserve(const rf_output *output, int64_t bytes);
rf_status rf_output_finish(rf_output *output);
/* After a failure, in place of finish. Removes what was made. */
void rf_output_abandon(rf_output *output);

/* A whole text at once. */
rf_status rf_output_store(const char *path, const rf_output_kind *kind, const char *text, int64_t size);

#endif
