#include "bench/bench.h"
#include "comm/collective.h"
#include "kernel/peak.h"
#include "plan/json_file.h"
#include "reformer/agree.h"
#include <stdarg.h>
#include <stdio.h>

static rf_status bench_and_tell(const rf_bench *b) {
  const bool first = rf_mesh_rank(b->mesh) == 0;
  RF_TRY(rf_agree(b->mesh, first ? rf_json_file_check(b->options->json_path) : RF_OK));
  RF_TRY(b->measure(b));
  if (!first) return RF_OK;
  b->print(b);
  return b->options->json_path ? rf_json_file_write(b->to_json(b), b->options->json_path) : RF_OK;
}

rf_status rf_bench_run(const rf_bench *bench) { return rf_agree(bench->mesh, bench_and_tell(bench)); }

rf_status rf_bench_peak(rf_mesh *mesh, double *rate) {
  *rate = rf_peak_rate(0.1);
  return rf_sum_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, rate);
}

void rf_bench_row(int width, const char *name, const char *format, ...) {
  va_list values;
  printf("%-*s ", width, name);
  va_start(values, format);
  vprintf(format, values);
  va_end(values);
  printf("\n");
}
