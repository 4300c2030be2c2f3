#include "train/metrics_record.h"
#include "base/process.h"
#include "comm/collective.h"
#include "train/loss.h"
#include <math.h>
#include <stdlib.h>

rf_metrics_record rf_metrics_of_step(const rf_step_result *result, int64_t step, int64_t tokens, double seconds) {
  return (rf_metrics_record){.step = step,
                             .loss = rf_loss_mean(&result->loss),
                             .bits_per_token = rf_loss_bits(&result->loss),
                             .accuracy = rf_loss_accuracy(&result->loss),
                             .learning_rate = result->learning_rate,
                             .grad_norm = result->grad_norm,
                             .tokens_per_second = (double)tokens / seconds,
                             .step_seconds = seconds,
                             .skipped = result->skipped};
}

rf_status rf_metrics_measure(rf_mesh *mesh, double waited, rf_metrics_record *record) {
  const double own[] = {record->step_seconds - waited, (double)rf_process_peak_bytes()};
  const int ranks = rf_mesh_size(mesh);
  double *all = malloc(sizeof own * (size_t)ranks);
  if (!all) return rf_fail(RF_FAILED, "out of memory: figures of %d ranks", ranks);
  const rf_status status = rf_gather_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 2, own, all);
  double busiest = -1;
  for (int i = 0; status == RF_OK && i < ranks; i++) {
    if (all[2 * i] > busiest) record->slowest_rank = i;
    busiest = fmax(busiest, all[2 * i]);
    record->peak_rss_bytes = (int64_t)fmax((double)record->peak_rss_bytes, all[2 * i + 1]);
  }
  free(all);
  RF_TRY(status);
  rf_traffic_read(mesh, record->bytes);
  rf_traffic_reset(mesh);
  record->wait_seconds = waited;
  record->ranks = ranks;
  return rf_sum_integers(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, RF_TRAFFIC_PURPOSES, record->bytes);
}

void rf_metrics_add_evaluation(const rf_loss *loss, rf_metrics_record *record) {
  if (loss->counted == 0) return;
  record->evaluated = true;
  record->eval_loss = rf_loss_mean(loss);
  record->eval_bits_per_token = rf_loss_bits(loss);
  record->eval_accuracy = rf_loss_accuracy(loss);
  for (int i = 0; i < RF_POSITION_CLASSES; i++)
    record->eval_loss_by_position[i] =
        loss->counted_by_position[i] > 0 ? loss->sum_by_position[i] / (double)loss->counted_by_position[i] : NAN;
}
