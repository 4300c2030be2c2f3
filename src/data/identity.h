/* Samples of a file of tokens: whether two of them are the same file, and what became of one. */
#ifndef RF_DATA_IDENTITY_H
#define RF_DATA_IDENTITY_H

#include "data/source.h"
#include "reformer/data_identity.h"

rf_status rf_source_identify(const rf_source *source, rf_data_identity *identity);
rf_status rf_source_compare(const rf_source *source, const rf_data_identity *before, rf_data_change *change);

#endif
