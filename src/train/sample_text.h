/* What a sample begins with, and how it is shown: text where data are bytes, ids of tokens elsewhere. */
#ifndef RF_TRAIN_SAMPLE_TEXT_H
#define RF_TRAIN_SAMPLE_TEXT_H

#include "reformer/config.h"
#include "reformer/error.h"

/* The ids of output.sample_prompt: of its bytes, or one newline for none, where data.kind is bytes; elsewhere the
 * numbers that it holds, or 0 for none. ids: [strlen(prompt) + 1]; NULL: they are only counted. RF_BAD_CONFIG at a word
 * that is no id of the vocabulary. */
rf_status rf_sample_prompt(const rf_config *config, int32_t *ids, int64_t *n);

/* Of bytes: text that no terminal takes for commands (rf_text_plain), an id that is no byte as <300>. Of others: ids
 * with blanks between them. Free it; NULL: no memory. */
char *rf_sample_show(const rf_config *config, const int32_t *ids, int64_t n);

#endif
