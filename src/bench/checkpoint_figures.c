#include "bench/checkpoint_figures.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/median.h"
#include "base/plain_file.h"
#include "checkpoint/names.h"
#include "checkpoint/shard.h"
#include "comm/collective.h"
#include "kernel/parallel.h"
#include "reformer/agree.h"
#include "reformer/model.h"
#include "reformer/saver.h"
#include "storage/attempt.h"
#include "storage/files.h"
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

typedef struct saving_bench {
  const rf_config *config;
  const rf_bench_options *options;
  rf_mesh *mesh;
  rf_model *model;
  rf_optimizer *optimizer;
  rf_state state;
  char folder[RF_MAX_PATH], plain[RF_MAX_PATH];   /* this bench's; this rank's plain file */
  char waiting[RF_MAX_PATH], beside[RF_MAX_PATH]; /* folders of checkpoints */
  char *copy;                                     /* [bytes] */
  int64_t bytes;                                  /* that this rank saves */
  double *times[RF_SAVING_TIMES + 1];             /* [repeats] seconds, of the slowest rank; the last: room */
} saving_bench;

/* --- one measurement of each kind ------------------------------------------------------------- */

static bool is_saved(const saving_bench *b, int i) {
  return rf_shard_holds(&b->state.arrays[i], rf_mesh_rank(b->mesh));
}

static int64_t bytes_of_array(const saving_bench *b, int i) { return b->state.arrays[i].count * (int64_t)sizeof(real); }

/* As slow as the slowest rank. Turn 0 counts for nothing: it touches memory for the first time. */
static rf_status note_time(const saving_bench *b, int what, int64_t turn, double seconds) {
  RF_TRY(rf_max_doubles(b->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &seconds));
  if (turn > 0) b->times[what][turn - 1] = seconds;
  return RF_OK;
}

/* All start together, with a disk that has nothing left to do. */
static rf_status line_up_ranks(const saving_bench *b, double *start) {
  sync();
  RF_TRY(rf_agree(b->mesh, RF_OK));
  *start = rf_clock_seconds();
  return RF_OK;
}

static rf_status fill_plain(const saving_bench *b, int file) {
  int64_t at = 0;
  for (int i = 0; i < b->state.n_arrays; i++) {
    if (!is_saved(b, i)) continue;
    RF_TRY(rf_file_write(file, b->plain, at, b->state.arrays[i].values, bytes_of_array(b, i)));
    at += bytes_of_array(b, i);
  }
  return RF_OK;
}

static rf_status write_plain(const saving_bench *b, int64_t turn) {
  int file;
  double start;
  (void)unlink(b->plain);
  RF_TRY(line_up_ranks(b, &start));
  rf_status status = rf_file_create(b->plain, &file);
  if (status == RF_OK) {
    status = fill_plain(b, file);
    const rf_status finished = rf_file_finish(file, b->plain);
    if (status == RF_OK) status = finished;
  }
  const double seconds = rf_clock_seconds() - start;
  RF_TRY(rf_agree(b->mesh, status));
  return note_time(b, RF_TIME_PLAIN_WRITE, turn, seconds);
}

/* Each kind of writing starts by removing what it wrote before: so each finds as much memory freed for the file
 * system's cache as the others, which on a virtual machine decides how fast it writes. */
static rf_status open_bench_saver(const saving_bench *b, const char *folder, int64_t turn, bool async,
                                  rf_saver **saver) {
  const rf_saver_options options = {.folder = folder, .config = {.every = 1, .async = async}, .resumed_step = -1};
  char before[RF_MAX_PATH];
  RF_TRY(rf_agree(b->mesh,
                  rf_saver_create(&options, b->mesh, rf_store_layout(rf_model_store(b->model)), &b->state, saver)));
  RF_TRY(rf_step_path(folder, turn - 1, before));
  if (turn > 0 && rf_mesh_rank(b->mesh) == 0) (void)rf_folder_remove(before);
  return RF_OK;
}

/* Opens a saver, and begins when all ranks are there. *start: when it began. On failure there is no saver. */
static rf_status begin_saving(const saving_bench *b, const char *folder, int64_t turn, bool async, rf_saver **saver,
                              double *start) {
  const rf_checkpoint_header header = {.config = "bench: {}\n",
                                       .step = turn,
                                       .mesh_sequence = rf_mesh_sequence_size(b->mesh),
                                       .mesh_data = rf_mesh_data_size(b->mesh),
                                       .eval_loss = NAN};
  RF_TRY(open_bench_saver(b, folder, turn, async, saver));
  rf_status status = line_up_ranks(b, start);
  if (status == RF_OK) status = rf_saver_begin(*saver, &header);
  if (status != RF_OK) rf_saver_destroy(*saver);
  return status;
}

static rf_status check_saved(rf_saver *saver) {
  if (!rf_saver_report_of(saver).failed) return RF_OK;
  return rf_fail(RF_FAILED, "bench checkpoint: a checkpoint could not be saved");
}

static rf_status save_waiting(const saving_bench *b, int64_t turn) {
  rf_saver *saver;
  double start;
  RF_TRY(begin_saving(b, b->waiting, turn, false, &saver, &start));
  rf_status status = note_time(b, RF_TIME_WRITE, turn, rf_clock_seconds() - start);
  if (status == RF_OK) status = check_saved(saver);
  rf_saver_destroy(saver);
  return status;
}

/* Each thread copies one part of each array, as large as can be: the fastest that this machine copies. */
static rf_status copy_state(const saving_bench *b, int64_t turn) {
  double start;
  RF_TRY(line_up_ranks(b, &start));
  char *to = b->copy;
  for (int i = 0; i < b->state.n_arrays; i++) {
    if (!is_saved(b, i)) continue;
    const char *from = (const char *)b->state.arrays[i].values;
    const int64_t bytes = bytes_of_array(b, i);
#pragma omp parallel
    {
      const int64_t first = bytes * rf_thread() / rf_threads(), end = bytes * (rf_thread() + 1) / rf_threads();
      memcpy(to + first, from + first, (size_t)(end - first));
    }
    to += bytes;
  }
  return note_time(b, RF_TIME_COPY, turn, rf_clock_seconds() - start);
}

static rf_status poll_saver(rf_saver *saver, int64_t step) {
  static const struct timespec step_time = {.tv_nsec = STEP_MILLISECONDS * 1000000L};
  while (rf_saver_report_of(saver).saved_step != step) {
    (void)nanosleep(&step_time, NULL);
    RF_TRY(rf_saver_poll(saver));
    RF_TRY(check_saved(saver));
  }
  return RF_OK;
}

static rf_status save_beside(const saving_bench *b, int64_t turn) {
  rf_saver *saver;
  double start;
  RF_TRY(begin_saving(b, b->beside, turn, true, &saver, &start));
  rf_status status = poll_saver(saver, turn);
  const rf_saver_report report = rf_saver_report_of(saver);
  if (status == RF_OK) status = note_time(b, RF_TIME_STALL, turn, report.stall_seconds);
  if (status == RF_OK) status = note_time(b, RF_TIME_BESIDE, turn, report.write_seconds);
  if (status == RF_OK) status = rf_saver_finish(saver);
  rf_saver_destroy(saver);
  return status;
}

/* The next reader has to ask the disk. */
static rf_status forget_file(const char *path, int *file) {
  int64_t size;
  RF_TRY(rf_file_open(path, file, &size));
  (void)posix_fadvise(*file, 0, 0, POSIX_FADV_DONTNEED);
  return RF_OK;
}

static rf_status read_plain(const saving_bench *b, int64_t turn) {
  int file;
  double start;
  RF_TRY(rf_agree(b->mesh, forget_file(b->plain, &file)));
  RF_TRY(line_up_ranks(b, &start));
  const rf_status status = rf_file_read(file, b->plain, 0, b->copy, b->bytes);
  const double seconds = rf_clock_seconds() - start;
  (void)close(file);
  RF_TRY(rf_agree(b->mesh, status));
  return note_time(b, RF_TIME_PLAIN_READ, turn, seconds);
}

static rf_status forget_shard(const saving_bench *b, const char *folder) {
  char name[RF_MAX_FILE_NAME], path[RF_MAX_PATH];
  int file;
  rf_shard_name(rf_mesh_rank(b->mesh), rf_mesh_size(b->mesh), name);
  RF_TRY(rf_path_join(folder, name, path));
  RF_TRY(forget_file(path, &file));
  (void)close(file);
  return RF_OK;
}

static rf_status load_back(const saving_bench *b, const char *folder) {
  rf_checkpoint *checkpoint;
  RF_TRY(rf_checkpoint_open(folder, &checkpoint));
  const rf_status status =
      rf_checkpoint_load(checkpoint, rf_store_layout(rf_model_store(b->model)), b->state.n_arrays, b->state.arrays);
  rf_checkpoint_close(checkpoint);
  return status;
}

static rf_status read_back(const saving_bench *b, int64_t turn) {
  char folder[RF_MAX_PATH];
  double start;
  RF_TRY(rf_step_path(b->beside, turn, folder));
  RF_TRY(rf_agree(b->mesh, forget_shard(b, folder)));
  RF_TRY(line_up_ranks(b, &start));
  const rf_status status = load_back(b, folder);
  const double seconds = rf_clock_seconds() - start;
  RF_TRY(rf_agree(b->mesh, status));
  return note_time(b, RF_TIME_READ, turn, seconds);
}

/* --- all of them ------------------------------------------------------------------------------ */

/* A signal that ended the process at once would leave the state's files. */
static rf_status look_for_bench_stop(rf_stop *stop) {
  RF_TRY(rf_stop_look(stop));
  if (stop->reason == 0) return RF_OK;
  rf_log_info("stopped by %s; nothing of the bench is kept", rf_stop_reason(stop));
  return rf_fail(RF_STOPPED, "stopped by %s", rf_stop_reason(stop));
}

static rf_status take_turns(const saving_bench *b) {
  rf_stop stop;
  rf_stop_start(b->mesh, 0, &stop);
  for (int64_t turn = 0; turn <= b->options->repeats; turn++) {
    RF_TRY(look_for_bench_stop(&stop));
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

static rf_status make_bench_folder(saving_bench *b) {
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

static rf_status set_up_state(saving_bench *b) {
  RF_TRY(rf_model_create(b->config, b->mesh, &b->model));
  rf_store *store = rf_model_store(b->model);
  rf_store_initialise(store, b->config->training.seed, b->config->model.init_std);
  RF_TRY(rf_optimizer_create(&b->config->optimizer, store, &b->optimizer));
  RF_TRY(rf_state_create(store, b->optimizer, &b->state));
  for (int i = 0; i < b->state.n_arrays; i++) b->bytes += is_saved(b, i) ? bytes_of_array(b, i) : 0;
  for (int t = 0; t <= RF_SAVING_TIMES; t++) {
    b->times[t] = calloc((size_t)b->options->repeats, sizeof *b->times[t]);
    if (!b->times[t]) return rf_fail(RF_FAILED, "out of memory: times of %" PRId64 " turns", b->options->repeats);
  }
  b->copy = malloc((size_t)b->bytes + 1);
  if (!b->copy) return rf_fail(RF_FAILED, "out of memory: a copy of %" PRId64 " bytes of the state", b->bytes);
  memset(b->copy, 0, (size_t)b->bytes + 1);
  return RF_OK;
}

static void remove_saved(const saving_bench *b, const char *folder) {
  char path[RF_MAX_PATH];
  for (int64_t turn = 0; turn <= b->options->repeats; turn++)
    if (rf_step_path(folder, turn, path) == RF_OK) (void)rf_folder_remove(path);
  (void)rf_folder_remove(folder);
}

/* By every rank, as after a failure none can wait for the others: what one leaves, the last one takes. */
static void remove_files(const saving_bench *b) {
  if (b->beside[0] == '\0') return;
  (void)unlink(b->plain);
  remove_saved(b, b->waiting);
  remove_saved(b, b->beside);
  (void)rf_folder_remove(b->folder);
}

static void tear_down_state(saving_bench *b) {
  for (int t = 0; t <= RF_SAVING_TIMES; t++) free(b->times[t]);
  free(b->copy);
  rf_state_destroy(&b->state);
  rf_optimizer_destroy(b->optimizer);
  rf_model_destroy(b->model);
}

static double median_ratio(const saving_bench *b, int of, int to, double *room) {
  for (int64_t i = 0; i < b->options->repeats; i++) room[i] = b->times[of][i] / b->times[to][i];
  return rf_median(b->options->repeats, room);
}

static rf_status digest_turns(const saving_bench *b, rf_checkpoint_figures *f) {
  double *room = b->times[RF_SAVING_TIMES];
  f->written = median_ratio(b, RF_TIME_PLAIN_WRITE, RF_TIME_WRITE, room);
  f->read = median_ratio(b, RF_TIME_PLAIN_READ, RF_TIME_READ, room);
  f->still = median_ratio(b, RF_TIME_STALL, RF_TIME_COPY, room);
  for (int t = 0; t < RF_SAVING_TIMES; t++) f->seconds[t] = rf_median(b->options->repeats, b->times[t]);
  f->bytes = b->bytes;
  return rf_sum_integers(b->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &f->bytes);
}

static rf_status measure_saving(saving_bench *b, rf_checkpoint_figures *f) {
  RF_TRY(rf_agree(b->mesh, set_up_state(b)));
  RF_TRY(rf_agree(b->mesh, rf_stop_listen()));
  RF_TRY(make_bench_folder(b));
  RF_TRY(take_turns(b));
  return digest_turns(b, f);
}

rf_status rf_checkpoint_figures_measure(const rf_config *config, rf_mesh *mesh, const rf_bench_options *options,
                                        rf_checkpoint_figures *f) {
  saving_bench b = {.config = config, .options = options, .mesh = mesh};
  const rf_status status = rf_agree(mesh, measure_saving(&b, f));
  remove_files(&b);
  if (status != RF_OK && rf_mesh_size(mesh) > 1)
    return status; /* NOLINT(clang-analyzer-unix.Malloc): messages may be under way */
  tear_down_state(&b);
  return status;
}
