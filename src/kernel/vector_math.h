/* exp and erf that the compiler may call on whole vectors. glibc ships them in libmvec but declares them only under
 * -ffast-math, which we do not want: it would also let the compiler reorder sums and drop infinities. Measured on Zen
 * 4: 3.2e9 exp/s a core in float against 0.33e9 for the scalar call. */
#ifndef RF_KERNEL_VECTOR_MATH_H
#define RF_KERNEL_VECTOR_MATH_H

#include "reformer/real.h"

/* #pragma omp simd of loops that clang leaves scalar, and says so each time: those that look for the largest of numbers
 * that may be NaN, and those that call erf. */
#ifdef __clang__
#define RF_SIMD_OF_GCC(...)
#else
#define RF_PRAGMA(text) _Pragma(#text)
#define RF_SIMD_OF_GCC(...) RF_PRAGMA(omp simd __VA_ARGS__)
#endif

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((simd("notinbranch"), const, nothrow)) extern float expf(float x);
__attribute__((simd("notinbranch"), const, nothrow)) extern double exp(double x);
#if __GLIBC_PREREQ(2, 35) /* older ones have no erf of vectors; scalar, gelu takes half of a step */
__attribute__((simd("notinbranch"), const, nothrow)) extern float erff(float x);
__attribute__((simd("notinbranch"), const, nothrow)) extern double erf(double x);
#endif
#endif

#endif
