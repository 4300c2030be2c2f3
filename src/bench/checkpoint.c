#include "bench/checkpoint.h"
#include "base/plain_file.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/median.h"
#include "checkpoint/names.h"
#include "storage/files.h"
#include "checkpoint/shard.h"
#include "comm/collective.h"
#include "kernel/parallel.h"
#include "reformer/agree.h"
#include "reformer/model.h"
#include "reformer/saver.h"
#include "storage/attempt.h"
#include "storage/json_file.h"
#include "train/stop.h"
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Between two polls, as a step would take. */
enum { STEP_MILLISECONDS = 50 };

enum { PLAIN_WRITE, WRITE, COPY, STALL, BESIDE, PLAIN_READ, READ, TIMES };

typedef struct bench {
  const rf_config *config;
  const rf_bench_checkpoint_options *options;
  rf_mesh *mesh;
  rf_model *model;
  rf_optimizer *optimizer;
  rf_state state;
  char folder[RF_MAX_PATH], plain[RF_MAX_PATH];   /* this bench's; this rank's plain file */
  char waiting[RF_MAX_PATH], beside[RF_MAX_PATH]; /* folders of checkpoints */
  char *copy;                                     /* [bytes] */
  int64_t bytes, all_bytes;                       /* that this rank saves; that all do */
  double *times[TIMES + 1];                       /* [repeats] seconds, of the slowest rank; the last: room */
} bench;

/* --- one measurement of each kind ------------------------------------------------------------- */

static bool is_saved(const bench *b, int i) { return rf_shard_holds(&b->state.arrays[i], rf_mesh_rank(b->mesh)); }

static int64_t bytes_of(const bench *b, int i) { return b->state.arrays[i].count * (int64_t)sizeof(real); }

/* As slow as the slowest rank. Turn 0 counts for nothing: it touches memory for the first time. */
static rf_status note(const bench *b, int what, int64_t turn, double seconds) {
  RF_TRY(rf_max_doubles(b->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &seconds));
  if (turn > 0) b->times[what][turn - 1] = seconds;
  return RF_OK;
}

/* All start together, with a disk that has nothing left to do. */
static rf_status line_up(const bench *b, double *start) {
  sync();
  RF_TRY(rf_agree(b->mesh, RF_OK));
  *start = rf_clock_seconds();
  return RF_OK;
}

static rf_status fill_plain(const bench *b, int file) {
  int64_t at = 0;
  for (int i = 0; i < b->state.n_arrays; i++) {
    if (!is_saved(b, i)) continue;
    RF_TRY(rf_file_write(file, b->plain, at, b->state.arrays[i].values, bytes_of(b, i)));
    at += bytes_of(b, i);
  }
  return RF_OK;
}

static rf_status write_plain(const bench *b, int64_t turn) {
  int file;
  double start;
  (void)unlink(b->plain);
  RF_TRY(line_up(b, &start));
  rf_status status = rf_file_create(b->plain, &file);
  if (status == RF_OK) {
    status = fill_plain(b, file);
    const rf_status finished = rf_file_finish(file, b->plain);
    if (status == RF_OK) status = finished;
  }
  const double seconds = rf_clock_seconds() - start;
  RF_TRY(rf_agree(b->mesh, status));
  return note(b, PLAIN_WRITE, turn, seconds);
}

/* Each kind of writing starts by removing what it wrote before: so each finds as much memory freed for the file
 * system's cache as the others, which on a virtual machine decides how fast it writes. */
static rf_status open_saver(const bench *b, const char *folder, int64_t turn, bool async, rf_saver **saver) {
  const rf_saver_options options = {.folder = folder, .config = {.every = 1, .async = async}, .resumed_step = -1};
  char before[RF_MAX_PATH];
  RF_TRY(rf_agree(b->mesh,
                  rf_saver_create(&options, b->mesh, rf_store_layout(rf_model_store(b->model)), &b->state, saver)));
  RF_TRY(rf_step_path(folder, turn - 1, before));
  if (turn > 0 && rf_mesh_rank(b->mesh) == 0) (void)rf_folder_remove(before);
  return RF_OK;
}

static rf_status begin(const bench *b, rf_saver *saver, int64_t step) {
  const rf_checkpoint_header header = {.config = "bench: {}\n",
                                       .step = step,
                                       .mesh_sequence = rf_mesh_sequence_size(b->mesh),
                                       .mesh_data = rf_mesh_data_size(b->mesh),
                                       .eval_loss = NAN};
  return rf_saver_begin(saver, &header);
}

static rf_status check_saved(rf_saver *saver) {
  if (!rf_saver_report_of(saver).failed) return RF_OK;
  return rf_fail(RF_FAILED, "bench checkpoint: a checkpoint could not be saved");
}

static rf_status save_waiting(const bench *b, int64_t turn) {
  rf_saver *saver;
  double start;
  RF_TRY(open_saver(b, b->waiting, turn, false, &saver));
  rf_status status = line_up(b, &start);
  if (status == RF_OK) status = begin(b, saver, turn);
  if (status == RF_OK) status = note(b, WRITE, turn, rf_clock_seconds() - start);
  if (status == RF_OK) status = check_saved(saver);
  rf_saver_destroy(saver);
  return status;
}

/* Each thread copies one part of each array, as large as can be: the fastest that this machine copies. */
static rf_status copy_state(const bench *b, int64_t turn) {
  double start;
  RF_TRY(line_up(b, &start));
  char *to = b->copy;
  for (int i = 0; i < b->state.n_arrays; i++) {
    if (!is_saved(b, i)) continue;
    const char *from = (const char *)b->state.arrays[i].values;
    const int64_t bytes = bytes_of(b, i);
#pragma omp parallel
    {
      const int64_t first = bytes * rf_thread() / rf_threads(), end = bytes * (rf_thread() + 1) / rf_threads();
      memcpy(to + first, from + first, (size_t)(end - first));
    }
    to += bytes;
  }
  return note(b, COPY, turn, rf_clock_seconds() - start);
}

static rf_status poll(rf_saver *saver, int64_t step) {
  static const struct timespec step_time = {.tv_nsec = STEP_MILLISECONDS * 1000000L};
  while (rf_saver_report_of(saver).saved_step != step) {
    (void)nanosleep(&step_time, NULL);
    RF_TRY(rf_saver_poll(saver));
    RF_TRY(check_saved(saver));
  }
  return RF_OK;
}

static rf_status save_beside(const bench *b, int64_t turn) {
  rf_saver *saver;
  double start;
  RF_TRY(open_saver(b, b->beside, turn, true, &saver));
  rf_status status = line_up(b, &start);
  if (status == RF_OK) status = begin(b, saver, turn);
  if (status == RF_OK) status = poll(saver, turn);
  const rf_saver_report report = rf_saver_report_of(saver);
  if (status == RF_OK) status = note(b, STALL, turn, report.stall_seconds);
  if (status == RF_OK) status = note(b, BESIDE, turn, report.write_seconds);
  if (status == RF_OK) status = rf_saver_finish(saver);
  rf_saver_destroy(saver);
  return status;
}

/* The next reader has to ask the disk. */
static rf_status forget(const char *path, int *file) {
  int64_t size;
  RF_TRY(rf_file_open(path, file, &size));
  (void)posix_fadvise(*file, 0, 0, POSIX_FADV_DONTNEED);
  return RF_OK;
}

static rf_status read_plain(const bench *b, int64_t turn) {
  int file;
  double start;
  RF_TRY(rf_agree(b->mesh, forget(b->plain, &file)));
  RF_TRY(line_up(b, &start));
  const rf_status status = rf_file_read(file, b->plain, 0, b->copy, b->bytes);
  const double seconds = rf_clock_seconds() - start;
  (void)close(file);
  RF_TRY(rf_agree(b->mesh, status));
  return note(b, PLAIN_READ, turn, seconds);
}

static rf_status forget_shard(const bench *b, const char *folder) {
  char name[RF_MAX_FILE_NAME], path[RF_MAX_PATH];
  int file;
  rf_shard_name(rf_mesh_rank(b->mesh), rf_mesh_size(b->mesh), name);
  RF_TRY(rf_path_join(folder, name, path));
  RF_TRY(forget(path, &file));
  (void)close(file);
  return RF_OK;
}

static rf_status load(const bench *b, const char *folder) {
  rf_checkpoint *checkpoint;
  RF_TRY(rf_checkpoint_open(folder, &checkpoint));
  const rf_status status =
      rf_checkpoint_load(checkpoint, rf_store_layout(rf_model_store(b->model)), b->state.n_arrays, b->state.arrays);
  rf_checkpoint_close(checkpoint);
  return status;
}

static rf_status read_back(const bench *b, int64_t turn) {
  char folder[RF_MAX_PATH];
  double start;
  RF_TRY(rf_step_path(b->beside, turn, folder));
  RF_TRY(rf_agree(b->mesh, forget_shard(b, folder)));
  RF_TRY(line_up(b, &start));
  const rf_status status = load(b, folder);
  const double seconds = rf_clock_seconds() - start;
  RF_TRY(rf_agree(b->mesh, status));
  return note(b, READ, turn, seconds);
}

/* --- all of them ------------------------------------------------------------------------------ */

/* A signal that ended the process at once would leave the state's files. */
static rf_status look_for_stop(rf_stop *stop) {
  RF_TRY(rf_stop_look(stop));
  if (stop->reason == 0) return RF_OK;
  rf_log_info("stopped by %s; nothing of the bench is kept", rf_stop_reason(stop));
  return rf_fail(RF_STOPPED, "stopped by %s", rf_stop_reason(stop));
}

static rf_status measure(const bench *b) {
  rf_stop stop;
  rf_stop_start(b->mesh, 0, &stop);
  for (int64_t turn = 0; turn <= b->options->repeats; turn++) {
    RF_TRY(look_for_stop(&stop));
    if (turn % 2 == 0) RF_TRY(write_plain(b, turn));
    RF_TRY(save_waiting(b, turn));
    if (turn % 2 != 0) RF_TRY(write_plain(b, turn)); /* neither is always the first */
    RF_TRY(copy_state(b, turn));
    RF_TRY(save_beside(b, turn));
    RF_TRY(read_plain(b, turn));
    RF_TRY(read_back(b, turn));
  }
  return RF_OK;
}

static rf_status make_folder(bench *b) {
  char name[64], path[RF_MAX_PATH];
  char attempt[RF_ATTEMPT_LENGTH + 1] = "";
  if (rf_mesh_rank(b->mesh) == 0) rf_attempt_draw(attempt);
  RF_TRY(rf_share(b->mesh, attempt, sizeof attempt));
  (void)snprintf(name, sizeof name, "reformer-bench-%s", attempt);
  rf_status status = b->options->folder[0] != '\0' ? rf_path_join(b->options->folder, name, path)
                                                   : rf_fail(RF_BAD_CONFIG, "--folder: found an empty path");
  if (status == RF_OK && rf_mesh_rank(b->mesh) == 0) status = rf_folder_make(path);
  if (status == RF_OK) memcpy(b->folder, path, sizeof path);
  RF_TRY(rf_agree(b->mesh, status));
  (void)snprintf(name, sizeof name, "plain-%05d", rf_mesh_rank(b->mesh));
  RF_TRY(rf_path_join(b->folder, name, b->plain));
  RF_TRY(rf_path_join(b->folder, "waiting", b->waiting));
  return rf_path_join(b->folder, "beside", b->beside);
}

static rf_status set_up(bench *b) {
  RF_TRY(rf_model_create(b->config, b->mesh, &b->model));
  rf_store *store = rf_model_store(b->model);
  rf_store_initialise(store, b->config->training.seed, b->config->model.init_std);
  RF_TRY(rf_optimizer_create(&b->config->optimizer, store, &b->optimizer));
  RF_TRY(rf_state_create(store, b->optimizer, &b->state));
  for (int i = 0; i < b->state.n_arrays; i++) b->bytes += is_saved(b, i) ? bytes_of(b, i) : 0;
  for (int t = 0; t <= TIMES; t++) {
    b->times[t] = calloc((size_t)b->options->repeats, sizeof *b->times[t]);
    if (!b->times[t]) return rf_fail(RF_FAILED, "out of memory: times of %" PRId64 " turns", b->options->repeats);
  }
  b->copy = malloc((size_t)b->bytes + 1);
  if (!b->copy) return rf_fail(RF_FAILED, "out of memory: a copy of %" PRId64 " bytes of the state", b->bytes);
  memset(b->copy, 0, (size_t)b->bytes + 1);
  return RF_OK;
}

static void remove_saved(const bench *b, const char *folder) {
  char path[RF_MAX_PATH];
  for (int64_t turn = 0; turn <= b->options->repeats; turn++)
    if (rf_step_path(folder, turn, path) == RF_OK) (void)rf_folder_remove(path);
  (void)rf_folder_remove(folder);
}

/* By every rank, as after a failure none can wait for the others: what one leaves, the last one takes. */
static void remove_files(const bench *b) {
  if (b->beside[0] == '\0') return;
  (void)unlink(b->plain);
  remove_saved(b, b->waiting);
  remove_saved(b, b->beside);
  (void)rf_folder_remove(b->folder);
}

static void tear_down(bench *b) {
  for (int t = 0; t <= TIMES; t++) free(b->times[t]);
  free(b->copy);
  rf_state_destroy(&b->state);
  rf_optimizer_destroy(b->optimizer);
  rf_model_destroy(b->model);
}

/* --- what comes of it ------------------------------------------------------------------------- */

typedef struct figures {
  double seconds[TIMES];       /* medians */
  double written, read, still; /* medians over turns of: plain / checkpoint, twice; stall / memcpy */
} figures;

static double ratio(const bench *b, int of, int to, double *room) {
  for (int64_t i = 0; i < b->options->repeats; i++) room[i] = b->times[of][i] / b->times[to][i];
  return rf_median(b->options->repeats, room);
}

static rf_status digest(bench *b, figures *f) {
  double *room = b->times[TIMES];
  f->written = ratio(b, PLAIN_WRITE, WRITE, room);
  f->read = ratio(b, PLAIN_READ, READ, room);
  f->still = ratio(b, STALL, COPY, room);
  for (int t = 0; t < TIMES; t++) f->seconds[t] = rf_median(b->options->repeats, b->times[t]);
  b->all_bytes = b->bytes;
  return rf_sum_integers(b->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &b->all_bytes);
}

static void print_rate(const bench *b, const char *what, double seconds) {
  printf("%-38s %10.3f s %10.3f GB/s\n", what, seconds, (double)b->all_bytes / seconds * 1e-9);
}

static void print(const bench *b, const figures *f) {
  printf("%-38s %10.1f MiB of %d ranks, %d threads each; medians of %" PRId64 "\n", "state",
         (double)b->all_bytes / 1048576, rf_mesh_size(b->mesh), rf_threads(), b->options->repeats);
  print_rate(b, "plain files written and synced", f->seconds[PLAIN_WRITE]);
  print_rate(b, "checkpoint written, training waits", f->seconds[WRITE]);
  printf("%-38s %10.2f\n", "speed of it, plain files = 1", f->written);
  print_rate(b, "checkpoint written beside", f->seconds[BESIDE]);
  print_rate(b, "memcpy of the state, all threads", f->seconds[COPY]);
  print_rate(b, "training stood still", f->seconds[STALL]);
  printf("%-38s %10.2f\n", "of it, memcpy = 1", f->still);
  print_rate(b, "plain files read", f->seconds[PLAIN_READ]);
  print_rate(b, "checkpoint read and checked", f->seconds[READ]);
  printf("%-38s %10.2f\n", "speed of it, plain files = 1", f->read);
}

static rf_status write_json(const bench *b, const figures *f) {
  json_t *object =
      json_pack("{s:I, s:i, s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "bytes",
                (json_int_t)b->all_bytes, "ranks", rf_mesh_size(b->mesh), "threads", rf_threads(), "repeats",
                (json_int_t)b->options->repeats, "plain_write_seconds", f->seconds[PLAIN_WRITE], "write_seconds",
                f->seconds[WRITE], "write_speed", f->written, "beside_seconds", f->seconds[BESIDE], "copy_seconds",
                f->seconds[COPY], "stall_seconds", f->seconds[STALL], "stall_copies", f->still, "plain_read_seconds",
                f->seconds[PLAIN_READ], "read_seconds", f->seconds[READ], "read_speed", f->read);
  return rf_json_file_write(object, b->options->json_path);
}

static rf_status run(bench *b) {
  figures f = {0};
  RF_TRY(rf_agree(b->mesh, rf_mesh_rank(b->mesh) == 0 ? rf_json_file_check(b->options->json_path) : RF_OK));
  RF_TRY(rf_agree(b->mesh, set_up(b)));
  RF_TRY(rf_agree(b->mesh, rf_stop_listen()));
  RF_TRY(make_folder(b));
  RF_TRY(measure(b));
  RF_TRY(digest(b, &f));
  if (rf_mesh_rank(b->mesh) != 0) return RF_OK;
  print(b, &f);
  return write_json(b, &f);
}

rf_status rf_bench_checkpoint(const rf_config *config, rf_mesh *mesh, const rf_bench_checkpoint_options *options) {
  bench b = {.config = config, .options = options, .mesh = mesh};
  RF_TRY(rf_mesh_arrange(mesh, config->mesh.sequence, config->mesh.data));
  const rf_status status = rf_agree(b.mesh, run(&b));
  remove_files(&b);
  if (status != RF_OK && rf_mesh_size(b.mesh) > 1)
    return status; /* NOLINT(clang-analyzer-unix.Malloc): messages may be under way */
  tear_down(&b);
  return status;
}
