/* What a checkpoint (reformer/checkpoint.h) says of itself, besides its numbers. */
#ifndef REFORMER_CHECKPOINT_INFO_H
#define REFORMER_CHECKPOINT_INFO_H

#include "reformer/data_identity.h"
#include "reformer/layout.h"
#include <stdint.h>

enum { RF_CHECKPOINT_VERSION = 1, RF_MAX_MACHINE = 256 };

/* Of the run that wrote it. */
typedef struct rf_checkpoint_header {
  const char *config; /* YAML, as resolved */
  int64_t step;       /* steps done */
  uint64_t seed;
  int64_t mesh_sequence, mesh_data; /* ranks that share a sequence, data-parallel groups */
  double eval_loss;                 /* of an evaluation at this very step; NaN: there was none */
  char machine[RF_MAX_MACHINE];     /* program and processor that computed the state; "": not known */
  rf_data_identity data;            /* the file that was trained on; 0 bytes: none, or not known */
} rf_checkpoint_header;

typedef struct rf_checkpoint_info {
  int version;
  const char *attempt; /* 16 hexadecimal digits: which writing of it this is */
  rf_checkpoint_header header;
  int ranks;               /* that wrote it */
  int real_bytes;          /* of a number: 4 or 8 */
  int64_t bytes;           /* of all its files */
  const rf_layout *layout; /* the tensors as they were saved */
  int n_kinds;             /* "parameters", and moments such as "optimizer/first" */
  const char *const *kinds;
} rf_checkpoint_info;

#endif
