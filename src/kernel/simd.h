/* Loops on vectors: #pragma omp simd says it where both compilers can. */
#ifndef RF_KERNEL_SIMD_H
#define RF_KERNEL_SIMD_H

/* RF_SIMD_OF_GCC(clauses): for loops that clang leaves scalar, and says so each time: those that look for the largest
 * of numbers that may be NaN, and those that call functions of libm. */
#ifdef __clang__
#define RF_SIMD_OF_GCC(...)
#else
#define RF_PRAGMA(text) _Pragma(#text)
#define RF_SIMD_OF_GCC(...) RF_PRAGMA(omp simd __VA_ARGS__)
#endif

#endif
