/* The processor that runs this, beside what the program was compiled for. Compiled without any of that itself: it is
 * what runs first. */
#ifndef RF_BASE_PROCESSOR_H
#define RF_BASE_PROCESSOR_H

#include "base/features.h"
#include "reformer/error.h"
#include "reformer/linkage.h"
#include <stddef.h>

enum { RF_MAX_PROCESSOR = 96, RF_MAX_FEATURES = 640, RF_MAX_LEVEL = 32 };

RF_API_BEGIN

/* RF_BAD_CONFIG where this processor lacks something that the program was compiled for. */
rf_status rf_processor_check(void);

RF_API_END

/* "AMD EPYC 9R14 96-Core Processor"; where it has no name, the kind of machine. Returns name. */
const char *rf_processor_name(char name[RF_MAX_PROCESSOR]);

/* What a user can do who has another processor than the program was compiled for, in place or installed. */
const char *rf_processor_remedy(const char *base_level, bool installed);

/* How many of the table this processor lacks though they were compiled for, and their names: "avx512f, avx512bw". */
int rf_processor_lacks(const rf_feature *table, char names[RF_MAX_FEATURES]);

/* The highest level of x86-64 that was compiled for all of, "x86-64-v3", and what beyond it: how many features, and
 * their names. Elsewhere the lowest there is. */
int rf_built_for(const rf_feature *table, char level[RF_MAX_LEVEL], char names[RF_MAX_FEATURES]);

#endif
