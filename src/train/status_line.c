#include "train/status_line.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include <math.h>
#include <stdio.h>

/* Seconds between two redraws of the line on a terminal. */
static const double redraw_every = 0.25;

void rf_status_line_start(rf_status_line *status, int64_t first_step, int64_t steps, int64_t log_every) {
  *status =
      (rf_status_line){.steps = steps, .first_step = first_step, .log_every = log_every, .started = rf_clock_seconds()};
}

static void write_status(const rf_status_line *status, const rf_metrics_record *record, double now, char *line,
                         size_t size) {
  double done = (double)(record->step - status->first_step + 1);
  double left = (now - status->started) / done * (double)(status->steps - record->step);
  char duration[32], slowest[48] = "";
  if (record->ranks > 1)
    (void)snprintf(slowest, sizeof slowest, "  slowest rank %lld", (long long)record->slowest_rank);
  (void)rf_text_print(
      line, size, "step %lld/%lld  loss %.4f  %.3f bits/token  lr %.2e  grad %.3g  %.0f tokens/s  %s left%s%s",
      (long long)record->step, (long long)status->steps, record->loss, record->bits_per_token, record->learning_rate,
      record->grad_norm, record->tokens_per_second, rf_text_duration(left, duration, sizeof duration), slowest,
      record->skipped ? "  (skipped: not finite)" : "");
}

static void say_evaluation(const rf_status_line *status, const rf_metrics_record *record) {
  char accuracy[48] = "";
  if (isfinite(record->eval_accuracy)) {
    (void)rf_text_print(accuracy, sizeof accuracy, "  accuracy %.2f %%", 100 * record->eval_accuracy);
  }
  rf_log_info("step %lld/%lld  validation loss %.4f  %.3f bits/token%s", (long long)record->step,
              (long long)status->steps, record->eval_loss, record->eval_bits_per_token, accuracy);
}

void rf_status_line_show(rf_status_line *status, const rf_metrics_record *record) {
  double now = rf_clock_seconds();
  bool terminal = rf_log_is_terminal();
  bool due = record->step % status->log_every == 0 || record->step == status->steps || record->skipped;
  char line[256];
  write_status(status, record, now, line, sizeof line);
  if (due && terminal)
    rf_log_quiet("%s", line);
  else if (due)
    rf_log_info("%s", line);
  if (record->evaluated) say_evaluation(status, record);
  if (terminal && (now - status->drawn >= redraw_every || record->evaluated)) {
    rf_log_status(line);
    status->drawn = now;
  }
}

void rf_status_line_wipe(void) { rf_log_status(""); }
