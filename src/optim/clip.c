#include "reformer/optimizer.h"

#include "comm/collective.h"
#include "optim/pieces.h"

#include <math.h>

rf_status rf_gradient_norm(const rf_store *store, double *norm) {
  const rf_layout *layout = rf_store_layout(store);
  double sum = 0;
  for (int b = 0; b < layout->n_blocks; b++) {
    rf_shard shard = rf_store_shard(store, b);
    int64_t size = layout->blocks[b].size;
    double parts[RF_SLICES];
#pragma omp parallel for schedule(static) if (shard.count > RF_SERIAL_BELOW)
    for (int s = 0; s < RF_SLICES; s++) {
      rf_range span = rf_range_cut(rf_slice(size, s), shard.first, shard.first + shard.count);
      parts[s] = rf_sum_of_squares(span.to - span.from, shard.gradient + (span.from - shard.first));
    }
    for (int s = 0; s < RF_SLICES; s++) sum += parts[s];
  }
  RF_TRY(rf_sum_doubles(rf_store_mesh(store), RF_SCOPE_WORLD, RF_TRAFFIC_GRADIENTS, 1, &sum));
  *norm = sqrt(sum);
  return RF_OK;
}

double rf_clip_scale(double norm, double clip_norm) { return clip_norm > 0 && norm > clip_norm ? clip_norm / norm : 1; }
