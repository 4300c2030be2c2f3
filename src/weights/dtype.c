#include "weights/dtype.h"
#include <assert.h>
#include <string.h>

int64_t rf_dtype_bytes(rf_dtype dtype) {
  static const int64_t bytes[] = {8, 4, 2, 2, 0};
  return bytes[dtype];
}

const char *rf_dtype_name(rf_dtype dtype) {
  static const char *const names[] = {"F64", "F32", "F16", "BF16", "another type"};
  return names[dtype];
}

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction. Every value is one of float. */
static double from_half(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double value;
  if (exponent == 31)
    value = fraction ? (double)NAN : (double)INFINITY;
  else if (exponent == 0)
    value = ldexp(fraction, -24);
  else
    value = ldexp(1024 + fraction, exponent - 25);
  return bits >> 15 ? -value : value;
}

/* Rounds once, from the value itself: going through float would round twice. */
static uint16_t to_half(double value) {
  const uint16_t sign = signbit(value) ? 0x8000 : 0;
  const double size = fabs(value);
  if (isnan(value)) return sign | 0x7e00;
  if (size >= 65520) return sign | 0x7c00; /* half way to the number after the largest */
  int exponent;
  (void)frexp(size, &exponent); /* size = f * 2^exponent, 1/2 <= f < 1 */
  if (size < ldexp(1, -14)) return (uint16_t)(sign | (uint16_t)nearbyint(ldexp(size, 24)));
  /* 11 bits with the leading one; rounding up to 2048 moves on to the next exponent by itself. */
  const int mantissa = (int)nearbyint(ldexp(size, 11 - exponent));
  return (uint16_t)(sign | (uint16_t)(((exponent + 13) << 10) + mantissa));
}

static double from_brain(uint16_t bits) {
  const uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, sizeof value);
  return value;
}

/* bfloat16: the upper half of a float, 8 bits of mantissa with the leading one; rounds once. */
static uint16_t to_brain(double value) {
  if (isnan(value)) return (uint16_t)(signbit(value) ? 0xffc0 : 0x7fc0);
  int exponent;
  (void)frexp(value, &exponent);
  /* Below 2^-126 the spacing stays what it is there: 2^-133. */
  const int places = exponent < -125 ? 133 : 8 - exponent;
  const float rounded = isinf(value) ? (float)value : (float)ldexp(nearbyint(ldexp(value, places)), -places);
  uint32_t wide;
  memcpy(&wide, &rounded, sizeof wide);
  return (uint16_t)(wide >> 16);
}

static double number_at(rf_dtype dtype, const char *from) {
  double wide;
  float single;
  uint16_t half;
  switch (dtype) {
  case RF_F64: memcpy(&wide, from, sizeof wide); return wide;
  case RF_F32: memcpy(&single, from, sizeof single); return single;
  case RF_F16: memcpy(&half, from, sizeof half); return from_half(half);
  case RF_BF16: memcpy(&half, from, sizeof half); return from_brain(half);
  case RF_OTHER_DTYPE: break;
  }
  assert(false && "a type that holds no real numbers");
  return 0;
}

int64_t rf_dtype_read(rf_dtype dtype, int64_t n, const void *from, real *to) {
  int64_t rounded = 0;
  const int64_t bytes = rf_dtype_bytes(dtype);
  for (int64_t i = 0; i < n; i++) {
    const double value = number_at(dtype, (const char *)from + i * bytes);
    to[i] = (real)value;
    rounded += (double)to[i] != value && !isnan(value);
  }
  return rounded;
}

int64_t rf_dtype_write(rf_dtype dtype, int64_t n, const real *from, void *to) {
  int64_t first = -1;
  const int64_t bytes = rf_dtype_bytes(dtype);
  for (int64_t i = 0; i < n; i++) {
    char *at = (char *)to + i * bytes;
    const double wide = (double)from[i];
    const float single = (float)wide;
    const uint16_t half = dtype == RF_F16 ? to_half(wide) : to_brain(wide);
    switch (dtype) {
    case RF_F64: memcpy(at, &wide, sizeof wide); break;
    case RF_F32: memcpy(at, &single, sizeof single); break;
    case RF_F16:
    case RF_BF16: memcpy(at, &half, sizeof half); break;
    case RF_OTHER_DTYPE: assert(false && "a type that holds no real numbers"); break;
    }
    if (first < 0 && isfinite(wide) && !isfinite(number_at(dtype, at))) first = i;
  }
  return first;
}
