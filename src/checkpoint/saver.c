#include "reformer/saver.h"
#include "base/clock.h"
#include "base/fault_io.h"
#include "base/log.h"
#include "checkpoint/catalog.h"
#include "checkpoint/names.h"
#include "checkpoint/snapshot.h"
#include "checkpoint/transaction.h"
#include "comm/collective.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rf_saver {
  char folder[RF_MAX_PATH];
  rf_saver_options options; /* .folder is the one above */
  rf_mesh *mesh;
  const rf_layout *layout;
  const rf_state *state;
  bool aside; /* copies are written while training goes on */
  rf_snapshot snapshot;
  rf_transaction transaction;
  rf_catalog catalog; /* rank 0's */
  /* of the one under way */
  char path[RF_MAX_PATH], *config;
  rf_checkpoint_header header;
  double begun, stalled;
  rf_saver_report report;
};

static bool is_first(const rf_saver *s) { return rf_mesh_rank(s->mesh) == 0; }

static rf_status say_memory(const rf_saver *s) {
  double most = (double)s->snapshot.bytes;
  RF_TRY(rf_max_doubles(s->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &most));
  rf_log_info("checkpoints are written from a copy of the state, %.1f MiB %s; checkpoint.async: false does without",
              most / 1048576, rf_mesh_size(s->mesh) > 1 ? "on the rank with most" : "of memory");
  return RF_OK;
}

/* Where one rank must write while all wait for it, the others need no copies. */
static rf_status make_snapshot(rf_saver *s) {
  int64_t without = rf_snapshot_create(s->state, rf_mesh_rank(s->mesh), &s->snapshot) != RF_OK;
  RF_TRY(rf_sum_integers(s->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &without));
  s->aside = without == 0;
  if (s->aside) return say_memory(s);
  rf_snapshot_destroy(&s->snapshot);
  rf_log_warn("%lld of %d ranks have no memory for a copy of their part of the state: training waits while "
              "checkpoints are written, as with checkpoint.async: false",
              (long long)without, rf_mesh_size(s->mesh));
  return RF_OK;
}

static rf_status set_up_saver(rf_saver *s, const rf_saver_options *options) {
  if (strlen(options->folder) >= sizeof s->folder)
    return rf_fail(RF_FAILED, "%.64s...: the path is too long", options->folder);
  strcpy(s->folder, options->folder);
  s->options.folder = s->folder;
  s->catalog = (rf_catalog){.folder = s->folder, .lock = options->lock, .config = options->config};
  RF_TRY(rf_fault_io_read(rf_mesh_rank(s->mesh)));
  if (is_first(s)) RF_TRY(rf_catalog_fill(&s->catalog, options->resumed_step));
  return options->config.async ? make_snapshot(s) : RF_OK;
}

rf_status rf_saver_create(const rf_saver_options *options, struct rf_mesh *mesh, const rf_layout *layout,
                          const rf_state *state, rf_saver **saver) {
  rf_saver *s = calloc(1, sizeof *s);
  *saver = NULL;
  if (!s) return rf_fail(RF_FAILED, "out of memory: the saver of checkpoints");
  s->options = *options;
  s->mesh = mesh;
  s->layout = layout;
  s->state = state;
  s->report.saved_step = -1;
  const rf_status status = set_up_saver(s, options);
  if (status == RF_OK)
    *saver = s;
  else
    rf_saver_destroy(s);
  return status;
}

void rf_saver_destroy(rf_saver *saver) {
  if (!saver) return;
  if (saver->transaction.stage != RF_TRANSACTION_IDLE) rf_transaction_abandon(&saver->transaction);
  rf_catalog_free(&saver->catalog);
  rf_snapshot_destroy(&saver->snapshot);
  free(saver->config);
  free(saver);
}

bool rf_saver_is_valid(const rf_saver *saver) {
  return saver && saver->layout && saver->state && saver->aside == (saver->snapshot.memory != NULL) &&
         (saver->transaction.stage == RF_TRANSACTION_IDLE || saver->config != NULL);
}

size_t rf_saver_memory_used(const rf_saver *saver) {
  assert(rf_saver_is_valid(saver));
  return saver->snapshot.bytes;
}

rf_saver_report rf_saver_report_of(const rf_saver *saver) {
  assert(rf_saver_is_valid(saver));
  return saver->report;
}

/* --- the end of one ----------------------------------------------------------------------------- */

static void say_failure(const rf_saver *s) {
  rf_log_warn("checkpoint %s could not be saved: %s; older ones stay as they are, and the next one is tried when it is "
              "due",
              s->path, s->transaction.finding.message);
}

/* What rank 0 knows of it. */
static rf_status share_figures(rf_saver *s) {
  int64_t told[] = {0, 0};
  if (is_first(s)) {
    told[0] = s->transaction.bytes;
    told[1] = (int64_t)((s->transaction.named_seconds - s->begun) * 1e9);
  }
  RF_TRY(rf_sum_integers(s->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 2, told));
  s->report.bytes = told[0];
  s->report.write_seconds = (double)told[1] * 1e-9;
  s->report.longest_seconds = fmax(s->report.longest_seconds, s->report.write_seconds);
  return RF_OK;
}

static rf_status conclude(rf_saver *s) {
  s->report.failed = s->transaction.finding.status != RF_OK;
  if (s->report.failed) {
    say_failure(s);
    return RF_OK;
  }
  s->report.saved_step = s->header.step;
  RF_TRY(share_figures(s));
  rf_log_info("checkpoint %s", s->path);
  return is_first(s) ? rf_catalog_add(&s->catalog, s->header.step, s->header.eval_loss, s->aside) : RF_OK;
}

/* How the stage was left shows whether the present one has come to its end. */
static rf_status conclude_if_ended(rf_saver *s, double started) {
  const bool ended = s->transaction.stage == RF_TRANSACTION_IDLE;
  const rf_status status = ended ? conclude(s) : RF_OK;
  s->stalled += rf_clock_seconds() - started;
  s->report.stall_seconds = s->stalled;
  return status;
}

static rf_status finish_present(rf_saver *s) {
  const double started = rf_clock_seconds();
  if (s->transaction.stage == RF_TRANSACTION_IDLE) return RF_OK;
  RF_TRY(rf_transaction_finish(&s->transaction));
  return conclude_if_ended(s, started);
}

/* --- the door ----------------------------------------------------------------------------------- */

/* A copy of the header, as it is read again when the manifest is written. */
static rf_status copy_header(rf_saver *s, const rf_checkpoint_header *header) {
  free(s->config);
  s->config = strdup(header->config);
  s->header = *header;
  s->header.config = s->config;
  return s->config ? RF_OK : rf_fail(RF_FAILED, "out of memory: the configuration's text");
}

static rf_status take_state(rf_saver *s) {
  if (s->aside) return rf_snapshot_take(&s->snapshot, s->layout, s->state);
  return rf_snapshot_check(s->layout, s->state, rf_mesh_rank(s->mesh));
}

rf_status rf_saver_begin(rf_saver *saver, const rf_checkpoint_header *header) {
  rf_saver *s = saver;
  const double started = rf_clock_seconds();
  assert(rf_saver_is_valid(saver));
  RF_TRY(finish_present(s));
  s->begun = started;
  s->stalled = 0;
  rf_status own = copy_header(s, header);
  if (own == RF_OK) own = rf_step_path(s->folder, header->step, s->path);
  if (own == RF_OK) own = take_state(s);
  const rf_transaction_request request = {.folder = s->path,
                                          .mesh = s->mesh,
                                          .header = &s->header,
                                          .layout = s->layout,
                                          .state = s->aside ? &s->snapshot.state : s->state,
                                          .lock = s->options.lock,
                                          .aside = s->aside};
  RF_TRY(rf_transaction_begin(&s->transaction, &request, own));
  if (!s->aside) RF_TRY(rf_transaction_finish(&s->transaction));
  return conclude_if_ended(s, started);
}

rf_status rf_saver_poll(rf_saver *saver) {
  const double started = rf_clock_seconds();
  assert(rf_saver_is_valid(saver));
  if (saver->transaction.stage == RF_TRANSACTION_IDLE) return RF_OK;
  RF_TRY(rf_transaction_poll(&saver->transaction));
  return conclude_if_ended(saver, started);
}

rf_status rf_saver_finish(rf_saver *saver) {
  assert(rf_saver_is_valid(saver));
  RF_TRY(finish_present(saver));
  atomic_store(&saver->catalog.stop_checking, true);
  rf_catalog_settle(&saver->catalog);
  return RF_OK;
}
