#include "report/report.h"
#include "base/log.h"
#include "base/plain_file.h"
#include "base/run_names.h"
#include "base/text.h"
#include "reformer/config.h"
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static rf_status add_to_curve(rf_points *p, double x, double y) {
  if (!isfinite(y)) return RF_OK;
  if ((p->n & (p->n + 1)) == 0 || p->n == 0) { /* 1, 3, 7, ...: room for twice as many */
    const size_t room = 2 * ((size_t)p->n + 1) + 1;
    double *larger_x = realloc(p->x, room * sizeof *p->x);
    if (larger_x) p->x = larger_x;
    double *larger_y = realloc(p->y, room * sizeof *p->y);
    if (larger_y) p->y = larger_y;
    if (!larger_x || !larger_y) return rf_fail(RF_FAILED, "out of memory: points of a curve");
  }
  p->x[p->n] = x;
  p->y[p->n++] = y;
  return RF_OK;
}

static double number_of(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  return json_is_number(value) ? json_number_value(value) : NAN;
}

static double bytes_of_line(const json_t *object) {
  const char *key;
  json_t *value, *bytes = json_object_get(object, "bytes");
  double sum = 0;
  json_object_foreach(bytes, key, value) sum += json_number_value(value);
  return sum;
}

/* The last evaluation's. */
static rf_status take_positions(const json_t *object, rf_points *p) {
  const char *key;
  json_t *value, *positions = json_object_get(object, "eval_loss_by_position");
  if (!positions) return RF_OK;
  p->n = 0;
  json_object_foreach(positions, key, value) {
    int64_t position = 0;
    (void)rf_text_whole(key, &position);
    RF_TRY(add_to_curve(p, (double)position + 1, json_is_number(value) ? json_number_value(value) : NAN));
  }
  return RF_OK;
}

static const struct {
  rf_curve curve;
  const char *key;
  double factor;
} curves[] = {{RF_CURVE_LOSS, "loss", 1},
              {RF_CURVE_EVAL_LOSS, "eval_loss", 1},
              {RF_CURVE_SPEED, "tokens_per_second", 1},
              {RF_CURVE_MEMORY, "peak_rss_bytes", 1.0 / 1048576},
              {RF_CURVE_GRAD_NORM, "grad_norm", 1},
              {RF_CURVE_LEARNING_RATE, "learning_rate", 1}};

static rf_status take_line(const json_t *object, rf_reported_run *run) {
  const double step = number_of(object, "step"), since = step - (double)run->last_step;
  for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
    RF_TRY(add_to_curve(&run->curve[curves[i].curve], step, curves[i].factor * number_of(object, curves[i].key)));
  if (since > 0) RF_TRY(add_to_curve(&run->curve[RF_CURVE_BYTES], step, bytes_of_line(object) / since / 1048576));
  run->last_step = (int64_t)step;
  run->steps++;
  return take_positions(object, &run->curve[RF_CURVE_POSITION]);
}

static bool is_figure(const json_t *value) { return !value || json_is_number(value) || json_is_null(value); }

/* Of figures under names, as "bytes" has; a run without such has no object. */
static bool are_figures(json_t *figures) {
  const char *key;
  json_t *value;
  if (!figures || json_is_null(figures)) return true;
  if (!json_is_object(figures)) return false;
  json_object_foreach(figures, key, value) {
    if (!is_figure(value)) return false;
  }
  return true;
}

/* What a run may have written: whoever adds a line by hand, or a disk that turns bits, is not to bend a curve. */
static bool is_sound(const json_t *object) {
  const json_t *step = json_object_get(object, "step");
  bool sound = json_is_integer(step) && json_integer_value(step) >= 0;
  for (size_t i = 0; sound && i < sizeof curves / sizeof *curves; i++)
    sound = is_figure(json_object_get(object, curves[i].key));
  return sound && are_figures(json_object_get(object, "bytes")) &&
         are_figures(json_object_get(object, "eval_loss_by_position"));
}

typedef struct unsound {
  int lines, first; /* how many there are, and where */
} unsound;

/* A line that ends in no newline may be torn. */
static rf_status read_line(const char *path, int number, const char *line, bool ended, unsound *odd,
                           rf_reported_run *run) {
  json_error_t error;
  json_t *object = json_loads(line, 0, &error);
  rf_status status = RF_OK;
  if (object && json_is_number(json_object_get(object, "step")) && is_sound(object))
    status = take_line(object, run);
  else if (object && json_is_number(json_object_get(object, "step")))
    odd->first = odd->lines++ == 0 ? number : odd->first;
  else if (!ended)
    rf_log_warn("%s: line %d is torn and passed over", path, number);
  else
    status = rf_fail(RF_BAD_DATA, "%s: line %d: found no object with a step; allowed: what a run writes there", path,
                     number);
  json_decref(object);
  return status;
}

/* A pipe would be waited for. */
static rf_status open_plain(const char *path, FILE **file) {
  int number;
  int64_t size;
  RF_TRY(rf_file_open(path, &number, &size));
  *file = fdopen(number, "r");
  if (*file) return RF_OK;
  (void)close(number);
  return rf_fail(RF_FAILED, "%s: out of memory", path);
}

static rf_status read_metrics(const char *folder, rf_reported_run *run) {
  char path[RF_MAX_PATH], *line = NULL;
  size_t room = 0;
  unsound odd = {0};
  ssize_t length;
  rf_status status = RF_OK;
  snprintf(path, sizeof path, "%s/" RF_RUN_METRICS, folder);
  FILE *file;
  status = open_plain(path, &file);
  if (status != RF_OK) return rf_fail(status, "%s; give the folder of a run", rf_error_message());
  for (int number = 1; status == RF_OK && (length = getline(&line, &room, file)) > 0; number++)
    status = read_line(path, number, line, line[length - 1] == '\n', &odd, run);
  free(line);
  (void)fclose(file);
  if (odd.lines > 0)
    rf_log_warn(
        "%s: %d lines are passed over, the first of them line %d: a step is a whole number from 0, and a figure "
        "a number or null",
        path, odd.lines, odd.first);
  if (status == RF_OK && run->steps == 0)
    status = rf_fail(RF_BAD_DATA, "%s: found no line; the run has logged no step yet", path);
  return status;
}

/* Our own writer's YAML: a section a line, its keys two blanks in, one a line. */
static rf_status read_run_config(const char *folder, rf_reported_run *run) {
  char path[RF_MAX_PATH], section[64] = "", *line = NULL;
  size_t room = 0;
  rf_status status = RF_OK;
  snprintf(path, sizeof path, "%s/" RF_RUN_CONFIG, folder);
  FILE *file;
  if (open_plain(path, &file) != RF_OK) {
    rf_log_warn("%s; the report goes without it", rf_error_message());
    return RF_OK;
  }
  while (status == RF_OK && getline(&line, &room, file) > 0) {
    line[strcspn(line, "\n")] = '\0';
    if (line[0] == '#' || line[0] == '\0') continue;
    if (line[0] != ' ') {
      snprintf(section, sizeof section, "%.*s", (int)strcspn(line, ":"), line);
      continue;
    }
    char **keys = realloc(run->keys, ((size_t)run->n_keys + 1) * sizeof *keys);
    if (keys) run->keys = keys;
    if (!keys || asprintf(&run->keys[run->n_keys], "%s.%s", section, line + strspn(line, " ")) < 0)
      status = rf_fail(RF_FAILED, "out of memory: keys of %s", path);
    else
      run->n_keys++;
  }
  free(line);
  (void)fclose(file);
  return status;
}

rf_status rf_report_read(const char *folder, rf_reported_run *run) {
  *run = (rf_reported_run){.folder = folder};
  RF_TRY(read_metrics(folder, run));
  return read_run_config(folder, run);
}

void rf_reported_run_destroy(rf_reported_run *run) {
  for (int c = 0; c < RF_CURVES; c++) {
    free(run->curve[c].x);
    free(run->curve[c].y);
  }
  for (int k = 0; k < run->n_keys; k++) free(run->keys[k]);
  free(run->keys);
  *run = (rf_reported_run){0};
}
