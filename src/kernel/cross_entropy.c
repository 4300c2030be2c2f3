#include "kernel/cross_entropy.h"
#include "kernel/exponential.h"

double rf_cross_entropy(int64_t n, int32_t label, real scale, real *restrict logits, bool *correct) {
  real largest = logits[0];
#pragma omp simd reduction(max : largest)
  for (int64_t j = 0; j < n; j++) largest = logits[j] > largest ? logits[j] : largest;
  int64_t first = 0;
  while (first < n - 1 && logits[first] != largest) first++;
  *correct = first == label;
  const double shifted = (double)logits[label] - (double)largest;
  const double sum = (double)rf_exp_row(n, largest, logits);
  const real factor = (real)((double)scale / sum);
#pragma omp simd
  for (int64_t j = 0; j < n; j++) logits[j] *= factor;
  logits[label] -= scale;
  return log(sum) - shifted;
}
