#include "kernel/cross_entropy.h"
#include "kernel/exponential.h"
#include "kernel/largest.h"

double rf_cross_entropy(int64_t n, int32_t label, real scale, real *restrict logits, bool *correct) {
  const real largest = rf_largest(n, 1, logits);
  const int64_t first = rf_first_of(n, largest, logits);
  *correct = first == label;
  const double shifted = (double)logits[label] - (double)largest;
  const double sum = (double)rf_exp_row(n, largest, logits);
  const real factor = (real)((double)scale / sum);
#pragma omp simd
  for (int64_t j = 0; j < n; j++) logits[j] *= factor;
  logits[label] -= scale;
  return log(sum) - shifted;
}
