/* The last block: final norm over the streams, dropout, linear to the vocabulary, softmax cross-entropy; some
 * tokens at a time, so that logits never exist for the whole sequence (paper, section 3).
 *
 *   reversible:      concat(y1, y2) [2 d] -> LN -> dropout -> W [vocab, 2 d] + b
 *   tied embedding:  (y1 + y2) / 2  [d]   -> LN -> dropout -> token embedding [vocab, d] + b
 *   ordinary:        y1             [d]   -> LN -> dropout -> W [vocab, d] + b (or tied)  */
#ifndef RF_NN_HEAD_H
#define RF_NN_HEAD_H

#include "nn/sublayer.h"
#include "reformer/loss.h"

rf_status rf_head_describe(const rf_config *config, rf_block *block);

typedef struct rf_head_input {
  const real *params;  /* the head block */
  const real *tied;    /* [vocab, d] token embedding where tied; else NULL */
  const real *y1, *y2; /* [sequences, tokens, d]; y2 NULL with ordinary residuals */
} rf_head_input;

/* Gradients, added to; dy1 and dy2 are overwritten. */
typedef struct rf_head_gradient {
  real *params, *tied;
  real *dy1, *dy2;
} rf_head_gradient;

/* Adds the counted tokens' losses to *loss. labels: [sequences, tokens], RF_IGNORE is not counted. gradient: of
 * scale * (sum of losses); NULL: none wanted. For planning too: where the call's scratch only counts, it takes what it
 * would take and gives it back; no number is read or written. */
rf_status rf_head_loss(const rf_config *config, const rf_call *call, const rf_head_input *input, const int32_t *labels,
                       double scale, rf_loss *loss, const rf_head_gradient *gradient);

/* logits[n, vocab] of rows [row, row + n), without dropout. */
rf_status rf_head_logits(const rf_config *config, const rf_call *call, const rf_head_input *input, int64_t row,
                         int64_t n, real *logits);

/* Logits and losses of all rows, without dropout, a block of rows at a time. token_loss[sequences * tokens] in nats, in
 * double whatever the build; NaN where a label is RF_IGNORE. take: may be NULL; see rf_logits_take. *loss: added to. */
rf_status rf_head_score(const rf_config *config, const rf_call *call, const rf_head_input *input, const int32_t *labels,
                        double *token_loss, rf_logits_take take, void *context, rf_loss *loss);

#endif
