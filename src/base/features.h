/* What of a processor this build was compiled for: constants, which say it without running anything. */
#ifndef RF_BASE_FEATURES_H
#define RF_BASE_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

/* Where a processor says that it has it. x86-64: a bit of what `cpuid` leaves in a register (0: eax to 3: edx), and the
 * registers that the system must keep for it (bits of xcr0); bit -N: the register's lowest byte is a version, of which
 * it takes N or a later one. aarch64: a bit of a word of the auxiliary vector. */
typedef struct rf_feature_place {
  uint32_t leaf, subleaf;
  int word, bit;
  uint32_t state;
} rf_feature_place;

typedef struct rf_feature {
  const char *name; /* as /proc/cpuinfo has it (but sse3 and lzcnt); NULL: the end of the table */
  bool built;       /* the compiler used it wherever it saw fit */
  int level;        /* of x86-64, that has it: 2 to 4; 0: none */
  rf_feature_place place;
} rf_feature;

/* All of which instructions may stand in the program unasked: not those that take an intrinsic (AES, SHA, AMX) or are
 * for systems, which virtual machines often hide. */
extern const rf_feature rf_features[];

/* "x86-64-", "armv8-a": what all processors of the kind have. */
extern const char rf_base_level[];

#endif
