#include "train/loss.h"
#include "comm/collective.h"
#include <string.h>

rf_status rf_loss_reduce(rf_mesh *mesh, rf_loss *loss) {
  double sums[1 + RF_POSITION_CLASSES];
  int64_t counts[2 + RF_POSITION_CLASSES];
  sums[0] = loss->sum;
  counts[0] = loss->counted;
  counts[1] = loss->correct;
  memcpy(sums + 1, loss->sum_by_position, sizeof loss->sum_by_position);
  memcpy(counts + 2, loss->counted_by_position, sizeof loss->counted_by_position);
  RF_TRY(rf_sum_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_LOSS, 1 + RF_POSITION_CLASSES, sums));
  RF_TRY(rf_sum_integers(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_LOSS, 2 + RF_POSITION_CLASSES, counts));
  loss->sum = sums[0];
  loss->counted = counts[0];
  loss->correct = counts[1];
  memcpy(loss->sum_by_position, sums + 1, sizeof loss->sum_by_position);
  memcpy(loss->counted_by_position, counts + 2, sizeof loss->counted_by_position);
  return RF_OK;
}
