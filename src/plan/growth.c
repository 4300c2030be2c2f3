#include "plan/growth.h"
#include "base/integers.h"
#include "plan/memory.h"
#include <inttypes.h>
#include <stdio.h>

enum { MOST_RANKS = 4096, STEP = 4 };
#define MOST_LENGTH ((int64_t)1 << 30) /* positions are 31 bits */

static rf_status add_growth(const rf_config *config, int64_t ranks, double room, const rf_rates *cluster,
                            rf_growth *g) {
  rf_config c = rf_plan_at_length(config, g->tokens_a_rank * ranks);
  rf_plan_traffic traffic;
  rf_plan_memory memory;
  rf_plan_time time;
  rf_plan_stash stash;
  /* how many messages there are does not depend on the machine */
  static const rf_rates none = {.ranks = 1, .threads = 1, .hosts = 1};
  c.training.batch = c.training.accumulate = 1;
  RF_TRY(rf_plan_stash_create(&c, ranks, 1, room, &stash));
  rf_status status = rf_plan_traffic_of(&c, ranks, 1, &stash, &traffic);
  if (status == RF_OK) status = rf_plan_memory_most(&c, ranks, 1, &stash, &memory);
  if (status == RF_OK) status = rf_plan_time_of(&c, ranks, 1, &stash, cluster ? cluster : &none, &time);
  rf_plan_stash_destroy(&stash);
  RF_TRY(status);
  const int i = g->n++;
  const double share = 1.0 / (double)ranks;
  g->at[i].ranks = ranks;
  g->at[i].length = c.data.length;
  g->at[i].rows_a_token = traffic.rows_a_token;
  g->at[i].row_bytes = traffic.bytes[RF_TRAFFIC_ROWS] * share;
  g->at[i].halo_bytes = traffic.bytes[RF_TRAFFIC_HALO] * share;
  g->at[i].metadata_bytes = (traffic.bytes[RF_TRAFFIC_HISTOGRAM] + traffic.bytes[RF_TRAFFIC_PLAN]) * share;
  g->at[i].store_bytes = (traffic.bytes[RF_TRAFFIC_PARAMETERS] + traffic.bytes[RF_TRAFFIC_GRADIENTS]) * share;
  g->at[i].messages = time.messages;
  g->at[i].message_bytes =
      time.messages > 0 ? (g->at[i].row_bytes + g->at[i].halo_bytes + g->at[i].metadata_bytes) / time.messages : 0;
  g->at[i].memory = (double)memory.total;
  g->at[i].seconds = time.total;
  g->at[i].efficiency = i == 0 || time.total <= 0 ? 1 : g->at[0].seconds / time.total;
  return RF_OK;
}

rf_status rf_growth_compute(const rf_config *config, int64_t sequence, double room, const rf_rates *cluster,
                            rf_growth *g) {
  const int64_t unit = rf_padded_length(config, 1);
  *g = (rf_growth){.timed = cluster != NULL,
                   .tokens_a_rank = rf_max(1, rf_padded_length(config, config->data.length) / sequence / unit) * unit};
  for (int64_t ranks = 1; ranks <= MOST_RANKS && g->tokens_a_rank * ranks <= MOST_LENGTH; ranks *= STEP)
    RF_TRY(add_growth(config, ranks, room, cluster, g));
  return RF_OK;
}

void rf_growth_print(const rf_growth *g) {
  printf("growth with the ranks of a sequence, %" PRId64 " tokens a rank, one sequence; KiB of a rank and step\n",
         g->tokens_a_rank);
  printf("  %5s %10s %7s %11s %9s %9s %9s %9s %9s %9s", "ranks", "length", "owners", "rows", "halo", "metadata",
         "params", "messages", "bytes/msg", "MiB");
  printf(g->timed ? " %10s %6s\n" : "\n", "ms", "eff.");
  for (int i = 0; i < g->n; i++) {
    printf("  %5" PRId64 " %10" PRId64 " %7.3f %11.0f %9.0f %9.0f %9.0f %9.0f %9.0f %9.0f", g->at[i].ranks,
           g->at[i].length, g->at[i].rows_a_token, g->at[i].row_bytes / 1024, g->at[i].halo_bytes / 1024,
           g->at[i].metadata_bytes / 1024, g->at[i].store_bytes / 1024, g->at[i].messages, g->at[i].message_bytes,
           g->at[i].memory / 1048576);
    if (g->timed) printf(" %10.1f %5.1f%%", g->at[i].seconds * 1e3, 100 * g->at[i].efficiency);
    printf("\n");
  }
}

json_t *rf_growth_to_json(const rf_growth *g) {
  json_t *rows = json_array();
  for (int i = 0; i < g->n; i++)
    json_array_append_new(rows, json_pack("{s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "ranks",
                                          (json_int_t)g->at[i].ranks, "length", (json_int_t)g->at[i].length,
                                          "rows_per_token", g->at[i].rows_a_token, "row_bytes", g->at[i].row_bytes,
                                          "halo_bytes", g->at[i].halo_bytes, "metadata_bytes", g->at[i].metadata_bytes,
                                          "store_bytes", g->at[i].store_bytes, "messages", g->at[i].messages,
                                          "memory_bytes", g->at[i].memory, "step_seconds", g->at[i].seconds,
                                          "efficiency", g->at[i].efficiency));
  return rows;
}
