/* The stash: parts of a layer's forward pass that training holds until its backward pass, which then need not compute
 * them again. */
#ifndef REFORMER_STASH_H
#define REFORMER_STASH_H

#include "reformer/linkage.h"
#include <stdint.h>

RF_API_BEGIN

typedef enum rf_stash_part {
  RF_STASH_OUTPUT,        /* of attention, before its projection */
  RF_STASH_SECOND_STREAM, /* before the feed-forward added to it */
  RF_STASH_QUERIES,       /* and keys and values */
  RF_STASH_FIRST_STREAM,  /* before attention added to it */
  RF_STASH_HIDDEN,        /* activations of the feed-forward */
  RF_STASH_PARTS          /* how many there are */
} rf_stash_part;

typedef struct rf_stash_summary {
  int64_t layers[RF_STASH_PARTS]; /* how many layers stash each part */
  int64_t bytes;                  /* of all parts, on the rank with most */
  double dense, attention;        /* operations that this saves a training step, per token (src/model/operations.h) */
} rf_stash_summary;

RF_API_END

#endif
