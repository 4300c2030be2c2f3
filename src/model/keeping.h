/* What of the forward pass layers keep for the backward pass, in words. */
#ifndef RF_MODEL_KEEPING_H
#define RF_MODEL_KEEPING_H

#include "reformer/model.h"
#include <stddef.h>

/* "attention outputs of 6, second streams of 4", or "nothing". Returns buffer. */
const char *rf_keeping_describe(const rf_keeping *keeping, char *buffer, size_t size);

#endif
