#include "lsh/hash.h"
#include "kernel/gemm.h"
#include "kernel/largest.h"

rf_hash_shape rf_hash_shape_of(const rf_lsh_config *lsh, int64_t d_head) {
  rf_hash_shape shape = {.rounds = lsh->n_hashes, .d_head = d_head, .n_factors = lsh->n_factors, .buckets = 1};
  for (int f = 0; f < lsh->n_factors; f++) {
    shape.factor[f] = lsh->n_buckets[f];
    shape.columns += lsh->n_buckets[f] / 2;
    shape.buckets *= lsh->n_buckets[f];
  }
  return shape;
}

void rf_rotations_draw(const rf_hash_shape *shape, const rf_draw *draw, real *rotations) {
  const int64_t count = shape->d_head * shape->rounds * shape->columns;
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < count; first += 4) {
    double four[4];
    rf_draw_normal4(draw, (uint64_t)first / 4, four);
    for (int64_t i = 0; i < 4 && first + i < count; i++) rotations[first + i] = (real)four[i];
  }
}

/* argmax over [x, -x], the first of equals, as argmax over the concatenation gives it. */
static int64_t largest_of_both_signs(const real *x, int64_t n) {
  const real high = rf_largest(n, 1, x), low = -rf_largest(n, -1, x);
  const bool positive = high >= -low;
  const int64_t j = rf_first_of(n, positive ? high : low, x);
  return positive ? j : j + n;
}

static int32_t bucket_of(const rf_hash_shape *shape, const real *x) {
  int64_t bucket = 0, weight = 1;
  for (int f = 0; f < shape->n_factors; f++) {
    const int64_t half = shape->factor[f] / 2;
    bucket += weight * largest_of_both_signs(x, half);
    weight *= shape->factor[f];
    x += half;
  }
  return (int32_t)bucket;
}

void rf_hash_rows(const rf_hash_shape *shape, int64_t rows, rf_view q, const real *rotations, const uint8_t *mask,
                  real *rotated, const rf_bucket_rows *to) {
  const int64_t width = shape->rounds * shape->columns;
  rf_gemm_nn(rows, width, shape->d_head, q, (rf_view){rotations, width}, false, (rf_matrix){rotated, width});
  for (int64_t i = 0; i < rows; i++) {
    const bool padding = mask && !mask[i];
    for (int64_t r = 0; r < shape->rounds; r++) {
      const int32_t bucket =
          padding ? (int32_t)shape->buckets : bucket_of(shape, rotated + i * width + r * shape->columns);
      rf_bucket_set(&to->buckets, to->first + r * to->stride + i, bucket);
    }
  }
}
