/* LSH, local and full attention side by side, over lengths. */
#ifndef RF_BENCH_ATTENTION_H
#define RF_BENCH_ATTENTION_H

#include "comm/mesh.h"
#include "reformer/config.h"
#include "reformer/error.h"

typedef struct rf_bench_attention_options {
  int64_t repeats;       /* of which medians are taken */
  int64_t longest;       /* lengths are 1024, 2048, ... up to this */
  const char *json_path; /* NULL: none */
} rf_bench_attention_options;

/* Times one attention sublayer of the configuration's shape, forward and reverse, as lsh with 1, 2, 4 and 8 rounds, as
 * local and as full attention, over lengths; prints a table and from which length on LSH beats full attention. A kind
 * whose time passes half a minute is not tried at greater lengths. Collective over all ranks. */
rf_status rf_bench_attention(const rf_config *config, rf_mesh *mesh, const rf_bench_attention_options *options);

#endif
