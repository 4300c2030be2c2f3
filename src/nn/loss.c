#include "reformer/loss.h"
#include <math.h>

double rf_loss_mean(const rf_loss *loss) { return loss->counted > 0 ? loss->sum / (double)loss->counted : NAN; }

double rf_loss_bits(const rf_loss *loss) { return rf_loss_mean(loss) / log(2.0); }

double rf_loss_accuracy(const rf_loss *loss) {
  return loss->counted > 0 ? (double)loss->correct / (double)loss->counted : NAN;
}
