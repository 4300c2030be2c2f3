/* Where sequences come from: a file of bytes, a file of tokens, or the duplication task.
 *
 * Sequence `index` is a pure function of (configuration, seed, split, index); there is no loader
 * state to save, and any part of a sequence can be read by itself, so that each rank reads only
 * its own tokens. */
#ifndef REFORMER_DATASET_H
#define REFORMER_DATASET_H

#include "reformer/config.h"
#include "reformer/data_identity.h"
#include "reformer/error.h"
#include "reformer/linkage.h"
#include "reformer/loss.h"
#include "reformer/split.h"

RF_API_BEGIN

enum { RF_MAX_SHORTAGE = 256 };

typedef struct rf_dataset rf_dataset;

/* config: copied. RF_BAD_DATA where a file is missing, empty, too short, not whole tokens or of another format;
 * RF_BAD_CONFIG where the vocabulary is too small for the kind, or the length of the duplication task is odd. */
rf_status rf_dataset_open(const rf_data_config *config, int64_t vocab_size, uint64_t seed, rf_dataset **dataset);
void rf_dataset_destroy(rf_dataset *dataset);

/* The file as it is now. RF_BAD_DATA where it cannot be read. */
rf_status rf_dataset_identify(const rf_dataset *dataset, rf_data_identity *identity);
/* The file against what it was; `before` with 0 bytes tells nothing: RF_DATA_SAME. */
rf_status rf_dataset_compare(const rf_dataset *dataset, const rf_data_identity *before, rf_data_change *change);

/* Sequences of a split: of one epoch in training, of the whole split in evaluation. 0 where data.split gives it
 * nothing, or less than one sequence (for training that is an error at opening), and where it is none of rf_split. The
 * duplication task never repeats in training (2^48) and has 512 sequences in either evaluation split. */
int64_t rf_dataset_sequences(const rf_dataset *dataset, rf_split split);

/* Why a split that data.split gives a share has no sequence: "validation: 410 tokens (data.split: 0.05 of 8192), and
 * one sequence needs 1024 (data.length)", into text (RF_MAX_SHORTAGE bytes), which is returned; NULL where it has one,
 * or no share. */
const char *rf_dataset_shortage(const rf_dataset *dataset, rf_split split, char *text);

/* Warns, once before the data are used, of what can be used and may not have been meant: bytes of an archive, a page or
 * token ids, and where it is trained on, splits without a sequence, tokens of no split, fewer training sequences than a
 * step takes. batch: sequences of a step; 0: nobody trains. */
void rf_dataset_warn(const rf_dataset *dataset, int64_t batch);

/* Tokens [first, first + count) of a sequence, first + count <= length, and their labels: label t is
 * token t + 1 of the sequence; RF_IGNORE at the last token and where the task does not count.
 * Training: index = step * batch + i over the whole run; epoch after epoch, each window once an epoch.
 * Evaluation: index < rf_dataset_sequences, windows in order.
 * Several threads may read at once.
 * RF_BAD_DATA at a token id >= vocab_size (file, byte offset, value, what is allowed); RF_BAD_CONFIG where split is
 * none of rf_split. */
rf_status rf_dataset_read(const rf_dataset *dataset, rf_split split, uint64_t index, int64_t first, int64_t count,
                          int32_t *tokens, int32_t *labels);

RF_API_END

#endif
