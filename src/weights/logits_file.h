/* Logits and losses of tokens, as an HDF5 file for whoever compares models.
 *
 *   logits       (sequences, length, vocab)
 *   token_loss   (sequences, length)      nats; NaN where a token is not counted
 *   loss         scalar                   mean over the counted tokens
 *
 * in the build's own precision. HDF5 lays the file out, in memory; that and the numbers are written by calls of our
 * own, whose failures are ours to tell (storage/memory_file.h). Room for all of it is taken at the beginning, and
 * the file appears whole under its name or not at all (storage/output.h). */
#ifndef RF_WEIGHTS_LOGITS_FILE_H
#define RF_WEIGHTS_LOGITS_FILE_H

#include "reformer/error.h"
#include "reformer/real.h"
#include "storage/output.h"
#include <stdint.h>

typedef struct rf_logits_file rf_logits_file;

/* For rf_output_check. */
extern const rf_output_kind rf_logits_kind;

typedef struct rf_logits_place {
  const char *path; /* lent until the file is finished */
  bool force;       /* whatever is there is replaced */
} rf_logits_place;

/* RF_BAD_CONFIG where the path is refused, RF_FAILED where the disk has no room. */
rf_status rf_logits_file_create(const rf_logits_place *place, int64_t sequences, int64_t length, int64_t vocab,
                                rf_logits_file **file);

/* logits [n, vocab] of tokens [first, first + n) of a sequence. */
rf_status rf_logits_file_add(rf_logits_file *file, int64_t sequence, int64_t first, int64_t n, const real *logits);
/* token_loss [length] of a sequence. */
rf_status rf_logits_file_add_losses(rf_logits_file *file, int64_t sequence, const double *token_loss);
/* Writes the mean loss and gives the file its name; frees, whatever the status. */
rf_status rf_logits_file_finish(rf_logits_file *file, double loss);
/* Frees and removes an unfinished file. NULL: nothing. */
void rf_logits_file_abandon(rf_logits_file *file);

#endif
