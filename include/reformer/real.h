/* The one place that chooses the precision: `real` is float, or double in the build that checks
 * gradients and golden vectors. No float literal or cblas_s call stands anywhere else. */
#ifndef REFORMER_REAL_H
#define REFORMER_REAL_H

#include <float.h>
#include <math.h>

/* The same words as in launch/platform.cmake. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "reformer needs a little-endian machine: token files, safetensors and bfloat16 are read as they lie in memory"
#endif
#ifndef __LP64__
#error "reformer needs a machine of 64 bits (LP64): its arrays and files outgrow a smaller address space"
#endif

#ifdef RF_DOUBLE
typedef double real;
#define RF_REAL_NAME "double"
#define RF_REAL_EPSILON DBL_EPSILON
#define RF_REAL_MAX DBL_MAX
#define rf_sqrt sqrt
#define rf_exp exp
#define rf_fabs fabs
#define rf_cblas(name) cblas_d##name
#else
typedef float real;
#define RF_REAL_NAME "float"
#define RF_REAL_EPSILON FLT_EPSILON
#define RF_REAL_MAX FLT_MAX
#define rf_sqrt sqrtf
#define rf_exp expf
#define rf_fabs fabsf
#define rf_cblas(name) cblas_s##name
#endif

/* A literal in the chosen precision: R_(0.5). */
#define R_(x) ((real)(x))

#endif
