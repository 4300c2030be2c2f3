/* How every bench goes: all ranks measure; rank 0 prints a table on standard output, and writes the figures as JSON
 * where a path was given. */
#ifndef RF_BENCH_BENCH_H
#define RF_BENCH_BENCH_H

#include "comm/mesh.h"
#include "reformer/config.h"
#include "reformer/error.h"
#include <jansson.h>
#include <stdint.h>

typedef struct rf_bench_options {
  int64_t repeats;       /* training steps, or turns of what else is timed, of which medians are taken */
  int64_t longest;       /* attention: lengths are 1024, 2048, ... up to this */
  double skew;           /* exchange: 0: buckets are equally likely; s: bucket = n u^(1 + s), u uniform */
  const char *folder;    /* checkpoint: on the disk that is asked about */
  const char *json_path; /* NULL: none */
} rf_bench_options;

typedef struct rf_bench {
  rf_mesh *mesh;
  const rf_config *config;
  const rf_bench_options *options;
  void *figures;                                 /* what is measured, printed and written: of this bench's own type */
  rf_status (*measure)(const struct rf_bench *); /* on all ranks */
  void (*print)(const struct rf_bench *);
  json_t *(*to_json)(const struct rf_bench *); /* NULL: out of memory */
} rf_bench;

/* Called by all ranks, whose mesh has its shape. RF_BAD_CONFIG, before anything is measured, where the JSON file could
 * not be written. */
rf_status rf_bench_run(const rf_bench *bench);

/* The measured peak of all cores that the ranks use, operations a second (kernel/peak.h). Called by all ranks. */
rf_status rf_bench_peak(rf_mesh *mesh, double *rate);

/* A row of a table: the name in a column of `width`, and a line's rest. */
void rf_bench_row(int width, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
