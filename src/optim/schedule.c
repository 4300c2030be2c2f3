#include "reformer/optimizer.h"

#include <math.h>

/* How far the decay has come: 0 at the end of the warm-up, 1 at the last step. */
static double decay_progress(double warmup, int64_t step, int64_t steps) {
  double span = (double)steps - warmup, done = (double)step - warmup;
  if (done <= 0) return 0;
  return done < span ? done / span : 1;
}

double rf_schedule_rate(const rf_optimizer_config *config, int64_t step, int64_t steps) {
  const double t = (double)step, warmup = (double)config->warmup, lr = config->lr, end = config->lr_end;
  /* Shazeer and Stern 2018, Algorithm 5: rho_t. */
  if (config->kind == RF_ADAFACTOR && config->relative_step) return fmin(1e-2, 1 / sqrt(t));
  if (t < warmup) return lr * t / warmup;
  switch (config->schedule) {
  case RF_SCHEDULE_RSQRT: return lr * sqrt(fmax(warmup, 1) / t);
  case RF_SCHEDULE_COSINE: {
    double half_turn = 3.14159265358979323846 * decay_progress(warmup, step, steps);
    return lr * (end + (1 - end) * 0.5 * (1 + cos(half_turn)));
  }
  case RF_SCHEDULE_LINEAR: return lr * (1 + (end - 1) * decay_progress(warmup, step, steps));
  case RF_SCHEDULE_CONSTANT: break;
  }
  return lr;
}
