#include "bench/checkpoint.h"
#include "bench/checkpoint_figures.h"
#include "kernel/parallel.h"
#include <inttypes.h>

enum { NAMES = 38 }; /* width of their column */

static void print_saving_time(const rf_checkpoint_figures *f, const char *what, rf_saving_time time) {
  rf_bench_row(NAMES, what, "%10.3f s %10.3f GB/s", f->seconds[time], (double)f->bytes / f->seconds[time] * 1e-9);
}

static void print_checkpoint(const rf_bench *b) {
  const rf_checkpoint_figures *f = b->figures;
  rf_bench_row(NAMES, "state", "%10.1f MiB of %d ranks, %d threads each; medians of %" PRId64,
               (double)f->bytes / 1048576, rf_mesh_size(b->mesh), rf_threads(), b->options->repeats);
  print_saving_time(f, "plain files written and synced", RF_TIME_PLAIN_WRITE);
  print_saving_time(f, "checkpoint written, training waits", RF_TIME_WRITE);
  rf_bench_row(NAMES, "speed of it, plain files = 1", "%10.2f", f->written);
  print_saving_time(f, "checkpoint written beside", RF_TIME_BESIDE);
  print_saving_time(f, "memcpy of the state, all threads", RF_TIME_COPY);
  print_saving_time(f, "training stood still", RF_TIME_STALL);
  rf_bench_row(NAMES, "of it, memcpy = 1", "%10.2f", f->still);
  print_saving_time(f, "plain files read", RF_TIME_PLAIN_READ);
  print_saving_time(f, "checkpoint read and checked", RF_TIME_READ);
  rf_bench_row(NAMES, "speed of it, plain files = 1", "%10.2f", f->read);
}

static json_t *checkpoint_to_json(const rf_bench *b) {
  const rf_checkpoint_figures *f = b->figures;
  const double *s = f->seconds;
  return json_pack("{s:I, s:i, s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "bytes",
                   (json_int_t)f->bytes, "ranks", rf_mesh_size(b->mesh), "threads", rf_threads(), "repeats",
                   (json_int_t)b->options->repeats, "plain_write_seconds", s[RF_TIME_PLAIN_WRITE], "write_seconds",
                   s[RF_TIME_WRITE], "write_speed", f->written, "beside_seconds", s[RF_TIME_BESIDE], "copy_seconds",
                   s[RF_TIME_COPY], "stall_seconds", s[RF_TIME_STALL], "stall_copies", f->still, "plain_read_seconds",
                   s[RF_TIME_PLAIN_READ], "read_seconds", s[RF_TIME_READ], "read_speed", f->read);
}

static rf_status measure_checkpoint(const rf_bench *b) {
  return rf_checkpoint_figures_measure(b->config, b->mesh, b->options, b->figures);
}

rf_status rf_bench_checkpoint(const rf_config *config, rf_mesh *mesh, const rf_bench_options *options) {
  rf_checkpoint_figures figures = {0};
  const rf_bench bench = {.mesh = mesh,
                          .config = config,
                          .options = options,
                          .figures = &figures,
                          .measure = measure_checkpoint,
                          .print = print_checkpoint,
                          .to_json = checkpoint_to_json};
  RF_TRY(rf_mesh_arrange(mesh, config->mesh.sequence, config->mesh.data));
  return rf_bench_run(&bench);
}
