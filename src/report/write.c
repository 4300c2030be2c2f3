#include "report/report.h"
#include "checkpoint/bearer.h"
#include "storage/output.h"
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a report begins with, so that an older one may be replaced. */
#define HEAD "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>reformer: "

static const rf_output_kind kind = {.what = "a report", .own = HEAD, .check_folder = rf_bearer_check_file};

enum { WIDTH = 560, HEIGHT = 300, LEFT = 64, RIGHT = 12, TOP = 28, BOTTOM = 34, TICKS = 5 };

static const char *const colours[] = {"#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd",
                                      "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"};

static const char *colour_of(int run) { return colours[(size_t)run % (sizeof colours / sizeof *colours)]; }

/* What is drawn, and how. */
typedef struct chart {
  rf_curve curve;
  const char *title, *x_name;
  bool logarithmic_x;
} chart;

static const chart charts[] = {{RF_CURVE_LOSS, "Loss of the training batch, nats a token", "step", false},
                               {RF_CURVE_EVAL_LOSS, "Loss of the validation split, nats a token", "step", false},
                               {RF_CURVE_POSITION, "Validation loss by position, last evaluation", "position", true},
                               {RF_CURVE_SPEED, "Tokens a second", "step", false},
                               {RF_CURVE_MEMORY, "Peak resident size of the rank with most, MiB", "step", false},
                               {RF_CURVE_BYTES, "Sent by all ranks, MiB a step", "step", false},
                               {RF_CURVE_GRAD_NORM, "Norm of the gradient, before clipping", "step", false},
                               {RF_CURVE_LEARNING_RATE, "Learning rate", "step", false}};

typedef struct range {
  double low, high;
} range;

static void widen_range(range *r, double v) {
  r->low = fmin(r->low, v);
  r->high = fmax(r->high, v);
}

static double x_of(const chart *c, double x) { return c->logarithmic_x ? log2(fmax(x, 1)) : x; }

static void put_text(FILE *file, const char *text) {
  for (; *text; text++) {
    switch (*text) {
    case '<': fputs("&lt;", file); break;
    case '>': fputs("&gt;", file); break;
    case '&': fputs("&amp;", file); break;
    case '"': fputs("&quot;", file); break;
    default: fputc(*text, file);
    }
  }
}

/* 1, 2 or 5 times a power of ten, so that about TICKS of them span the range. */
static double tick_of(range r) {
  const double rough = (r.high - r.low) / TICKS, power = pow(10, floor(log10(rough)));
  const double lead = rough / power;
  return power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
}

static double at_x(range r, double v) {
  return (double)LEFT + (v - r.low) / (r.high - r.low) * (double)(WIDTH - LEFT - RIGHT);
}
static double at_y(range r, double v) {
  return (double)(HEIGHT - BOTTOM) - (v - r.low) / (r.high - r.low) * (double)(HEIGHT - TOP - BOTTOM);
}

/* Steps between the first multiple of `step` in a range and the last. */
static int ticks_in(range r, double step) { return (int)(floor(r.high / step + 1e-9) - ceil(r.low / step)); }

static void draw_axes(FILE *file, const chart *c, range x, range y) {
  fprintf(file, "<text x='%d' y='16' class='title'>%s</text>\n", LEFT, c->title);
  const double step_y = tick_of(y), step_x = c->logarithmic_x ? ceil((x.high - x.low) / 8) : tick_of(x);
  for (int i = 0; i <= ticks_in(y, step_y); i++) {
    const double v = (ceil(y.low / step_y) + i) * step_y;
    fprintf(file,
            "<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' class='grid'/><text x='%d' y='%.1f' class='y'>%.6g</text>\n",
            LEFT, WIDTH - RIGHT, at_y(y, v), at_y(y, v), LEFT - 6, at_y(y, v) + 4, v);
  }
  for (int i = 0; i <= ticks_in(x, step_x); i++) {
    const double v = (ceil(x.low / step_x) + i) * step_x;
    fprintf(file, "<text x='%.1f' y='%d' class='x'>%.8g</text>\n", at_x(x, v), HEIGHT - BOTTOM + 16,
            c->logarithmic_x ? exp2(v) - 1 : v);
  }
  fprintf(file, "<text x='%d' y='%d' class='x'>%s</text>\n", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, c->x_name);
}

static void draw_curve(FILE *file, const chart *c, const rf_points *p, range x, range y, int run) {
  if (p->n == 1)
    fprintf(file, "<circle cx='%.1f' cy='%.1f' r='3' fill='%s'/>\n", at_x(x, x_of(c, p->x[0])), at_y(y, p->y[0]),
            colour_of(run));
  if (p->n < 2) return;
  fprintf(file, "<polyline fill='none' stroke='%s' stroke-width='1.5' points='", colour_of(run));
  for (int i = 0; i < p->n; i++) fprintf(file, "%.1f,%.1f ", at_x(x, x_of(c, p->x[i])), at_y(y, p->y[i]));
  fputs("'/>\n", file);
}

/* Nothing where no run has a point. */
static void draw_chart(FILE *file, const chart *c, const rf_reported_run *runs, int n) {
  range x = {INFINITY, -INFINITY}, y = {INFINITY, -INFINITY};
  for (int r = 0; r < n; r++)
    for (int i = 0; i < runs[r].curve[c->curve].n; i++) {
      widen_range(&x, x_of(c, runs[r].curve[c->curve].x[i]));
      widen_range(&y, runs[r].curve[c->curve].y[i]);
    }
  if (!(x.low <= x.high)) return;
  if (x.high - x.low < 1e-9) x = (range){x.low - 0.5, x.low + 0.5};
  const double margin = fmax(0.05 * (y.high - y.low), fmax(1e-3 * fabs(y.high), 1e-9));
  y = (range){y.low >= 0 && y.low < margin ? 0 : y.low - margin, y.high + margin};
  fprintf(file, "<svg viewBox='0 0 %d %d' width='%d' height='%d' role='img'>\n", WIDTH, HEIGHT, WIDTH, HEIGHT);
  draw_axes(file, c, x, y);
  for (int r = 0; r < n; r++) draw_curve(file, c, &runs[r].curve[c->curve], x, y, r);
  fputs("</svg>\n", file);
}

/* --- tables --- */

static double last_of(const rf_points *p) { return p->n > 0 ? p->y[p->n - 1] : (double)NAN; }

static double least_of(const rf_points *p) {
  double least = p->n > 0 ? p->y[0] : (double)NAN;
  for (int i = 1; i < p->n; i++) least = fmin(least, p->y[i]);
  return least;
}

static double mean_of_the_rest(const rf_points *p) { /* after the first quarter, which warms up */
  double sum = 0;
  int n = 0;
  for (int i = p->n / 4; i < p->n; i++, n++) sum += p->y[i];
  return n > 0 ? sum / n : (double)NAN;
}

static void put_number(FILE *file, double v) {
  if (isfinite(v))
    fprintf(file, "<td class='n'>%.6g</td>", v);
  else
    fputs("<td class='n'>&ndash;</td>", file);
}

static void put_summary(FILE *file, const rf_reported_run *runs, int n) {
  fputs("<table><tr><th>run</th><th>last step</th><th>loss</th><th>least validation loss</th><th>tokens/s</th>"
        "<th>peak MiB</th><th>MiB sent a step</th></tr>\n",
        file);
  for (int r = 0; r < n; r++) {
    fprintf(file, "<tr><td><span class='key' style='background:%s'></span> ", colour_of(r));
    put_text(file, runs[r].folder);
    fprintf(file, "</td><td class='n'>%lld</td>", (long long)runs[r].last_step);
    put_number(file, last_of(&runs[r].curve[RF_CURVE_LOSS]));
    put_number(file, least_of(&runs[r].curve[RF_CURVE_EVAL_LOSS]));
    put_number(file, mean_of_the_rest(&runs[r].curve[RF_CURVE_SPEED]));
    put_number(file, last_of(&runs[r].curve[RF_CURVE_MEMORY]));
    put_number(file, last_of(&runs[r].curve[RF_CURVE_BYTES]));
    fputs("</tr>\n", file);
  }
  fputs("</table>\n", file);
}

/* The value of "key: value" in a run; "" where it has no such key. */
static const char *value_of(const rf_reported_run *run, const char *key, size_t length) {
  for (int k = 0; k < run->n_keys; k++)
    if (strncmp(run->keys[k], key, length) == 0 && run->keys[k][length] == ':')
      return run->keys[k] + length + 1 + strspn(run->keys[k] + length + 1, " ");
  return "";
}

static bool is_first_with(const rf_reported_run *runs, int run, const char *key, size_t length) {
  for (int r = 0; r < run; r++)
    if (value_of(&runs[r], key, length)[0] != '\0') return false;
  return true;
}

static void put_difference(FILE *file, const rf_reported_run *runs, int n, const char *key, size_t length) {
  fputs("<tr><td>", file);
  for (size_t i = 0; i < length; i++) fputc(key[i], file);
  fputs("</td>", file);
  for (int r = 0; r < n; r++) {
    fputs("<td>", file);
    put_text(file, value_of(&runs[r], key, length));
    fputs("</td>", file);
  }
  fputs("</tr>\n", file);
}

/* Keys whose values are not the same in all runs. */
static void put_differences(FILE *file, const rf_reported_run *runs, int n) {
  int found = 0;
  if (n < 2) return;
  fputs("<h2>Configurations: what differs</h2>\n<table><tr><th>key</th>", file);
  for (int r = 0; r < n; r++) {
    fputs("<th>", file);
    put_text(file, runs[r].folder);
    fputs("</th>", file);
  }
  fputs("</tr>\n", file);
  for (int r = 0; r < n; r++)
    for (int k = 0; k < runs[r].n_keys; k++) {
      const char *key = runs[r].keys[k];
      const size_t length = strcspn(key, ":");
      bool same = true;
      if (!is_first_with(runs, r, key, length)) continue;
      for (int o = 0; o < n; o++) same &= strcmp(value_of(&runs[r], key, length), value_of(&runs[o], key, length)) == 0;
      if (same) continue;
      put_difference(file, runs, n, key, length);
      found++;
    }
  fputs("</table>\n", file);
  if (found == 0) fputs("<p>Nothing.</p>\n", file);
}

static void put_page(FILE *file, const rf_reported_run *runs, int n) {
  fputs(HEAD, file);
  put_text(file, runs[0].folder);
  fputs("</title>\n<style>body{font:14px sans-serif;margin:2em;color:#222}table{border-collapse:collapse;margin:1em 0}"
        "td,th{border:1px solid #ccc;padding:3px 8px;text-align:left}td.n{text-align:right}"
        "svg{margin:4px;background:#fafafa}text{font:11px sans-serif;fill:#444}text.title{font-weight:bold;fill:#222}"
        "text.x{text-anchor:middle}text.y{text-anchor:end}.grid{stroke:#ddd}"
        ".key{display:inline-block;width:12px;height:12px}</style></head><body>\n<h1>Runs</h1>\n",
        file);
  put_summary(file, runs, n);
  for (size_t c = 0; c < sizeof charts / sizeof *charts; c++) draw_chart(file, &charts[c], runs, n);
  put_differences(file, runs, n);
  fputs("</body></html>\n", file);
}

rf_status rf_report_write(const rf_reported_run *runs, int n, const char *path) {
  char *text = NULL;
  size_t size = 0;
  FILE *page = open_memstream(&text, &size);
  if (page) put_page(page, runs, n);
  const bool whole = page && !ferror(page);
  rf_status status = RF_OK;
  if ((page && fclose(page) != 0) || !whole) status = rf_fail(RF_FAILED, "%s: out of memory", path);
  if (status == RF_OK) status = rf_output_store(path, &kind, text, (int64_t)size);
  free(text);
  return status;
}
