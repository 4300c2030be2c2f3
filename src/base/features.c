#include "base/features.h"
#include <stddef.h>

/* IS_SET(__AVX__) is 1 where the compiler was told to use AVX, which then defines __AVX__ as 1, and else 0: the macro's
 * value turns into a comma that moves the 1 to the second place, or into nothing. */
#define SECOND(first, second, ...) second
#define TAKE_SECOND(...) SECOND(__VA_ARGS__)
#define COMMA_1 ,
#define IS_SET__(value) TAKE_SECOND(COMMA_##value 1, 0, 0)
#define IS_SET_(value) IS_SET__(value)
#define IS_SET(macro) IS_SET_(macro)

#if defined(__x86_64__)

const char rf_base_level[] = "x86-64";

enum { EAX, EBX, ECX, EDX };
enum { YMM = 0x6, ZMM = 0xe6, EGPR = 1 << 19 };

/* clang-format off */
const rf_feature rf_features[] = {
  {"sse3", IS_SET(__SSE3__), 2, {1, 0, ECX, 0, 0}},
  {"ssse3", IS_SET(__SSSE3__), 2, {1, 0, ECX, 9, 0}},
  {"sse4_1", IS_SET(__SSE4_1__), 2, {1, 0, ECX, 19, 0}},
  {"sse4_2", IS_SET(__SSE4_2__), 2, {1, 0, ECX, 20, 0}},
  {"popcnt", IS_SET(__POPCNT__), 2, {1, 0, ECX, 23, 0}},
  {"cx16", IS_SET(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16), 2, {1, 0, ECX, 13, 0}},
  {"lahf_lm", IS_SET(__LAHF_SAHF__), 2, {0x80000001, 0, ECX, 0, 0}},
  {"movbe", IS_SET(__MOVBE__), 3, {1, 0, ECX, 22, 0}},
  {"avx", IS_SET(__AVX__), 3, {1, 0, ECX, 28, YMM}},
  {"f16c", IS_SET(__F16C__), 3, {1, 0, ECX, 29, YMM}},
  {"fma", IS_SET(__FMA__), 3, {1, 0, ECX, 12, YMM}},
  {"avx2", IS_SET(__AVX2__), 3, {7, 0, EBX, 5, YMM}},
  {"bmi1", IS_SET(__BMI__), 3, {7, 0, EBX, 3, 0}},
  {"bmi2", IS_SET(__BMI2__), 3, {7, 0, EBX, 8, 0}},
  {"lzcnt", IS_SET(__LZCNT__), 3, {0x80000001, 0, ECX, 5, 0}},
  {"avx512f", IS_SET(__AVX512F__), 4, {7, 0, EBX, 16, ZMM}},
  {"avx512dq", IS_SET(__AVX512DQ__), 4, {7, 0, EBX, 17, ZMM}},
  {"avx512cd", IS_SET(__AVX512CD__), 4, {7, 0, EBX, 28, ZMM}},
  {"avx512bw", IS_SET(__AVX512BW__), 4, {7, 0, EBX, 30, ZMM}},
  {"avx512vl", IS_SET(__AVX512VL__), 4, {7, 0, EBX, 31, ZMM}},
  {"avx512er", IS_SET(__AVX512ER__), 0, {7, 0, EBX, 27, ZMM}},
  {"avx512ifma", IS_SET(__AVX512IFMA__), 0, {7, 0, EBX, 21, ZMM}},
  {"avx512_vbmi", IS_SET(__AVX512VBMI__), 0, {7, 0, ECX, 1, ZMM}},
  {"avx512_vbmi2", IS_SET(__AVX512VBMI2__), 0, {7, 0, ECX, 6, ZMM}},
  {"avx512_vnni", IS_SET(__AVX512VNNI__), 0, {7, 0, ECX, 11, ZMM}},
  {"avx512_bitalg", IS_SET(__AVX512BITALG__), 0, {7, 0, ECX, 12, ZMM}},
  {"avx512_vpopcntdq", IS_SET(__AVX512VPOPCNTDQ__), 0, {7, 0, ECX, 14, ZMM}},
  {"avx512_bf16", IS_SET(__AVX512BF16__), 0, {7, 1, EAX, 5, ZMM}},
  {"avx512_fp16", IS_SET(__AVX512FP16__), 0, {7, 0, EDX, 23, ZMM}},
  {"avx_vnni", IS_SET(__AVXVNNI__), 0, {7, 1, EAX, 4, YMM}},
  {"avx_ifma", IS_SET(__AVXIFMA__), 0, {7, 1, EAX, 23, YMM}},
  {"avx_vnni_int8", IS_SET(__AVXVNNIINT8__), 0, {7, 1, EDX, 4, YMM}},
  {"avx_vnni_int16", IS_SET(__AVXVNNIINT16__), 0, {7, 1, EDX, 10, YMM}},
  {"avx_ne_convert", IS_SET(__AVXNECONVERT__), 0, {7, 1, EDX, 5, YMM}},
  {"avx10", IS_SET(__AVX10_1__), 0, {7, 1, EDX, 19, ZMM}},
  {"avx10_2", IS_SET(__AVX10_2__), 0, {0x24, 0, EBX, -2, ZMM}},
  {"apx_f", IS_SET(__APX_F__), 0, {7, 1, EDX, 21, EGPR}},
  {"cmpccxadd", IS_SET(__CMPCCXADD__), 0, {7, 1, EAX, 7, 0}},
  {"gfni", IS_SET(__GFNI__), 0, {7, 0, ECX, 8, 0}},
  {"pclmulqdq", IS_SET(__PCLMUL__), 0, {1, 0, ECX, 1, 0}},
  {"vpclmulqdq", IS_SET(__VPCLMULQDQ__), 0, {7, 0, ECX, 10, YMM}},
  {"3dnowprefetch", IS_SET(__PRFCHW__), 0, {0x80000001, 0, ECX, 8, 0}},
  {"fma4", IS_SET(__FMA4__), 0, {0x80000001, 0, ECX, 16, YMM}},
  {"xop", IS_SET(__XOP__), 0, {0x80000001, 0, ECX, 11, YMM}},
  {"tbm", IS_SET(__TBM__), 0, {0x80000001, 0, ECX, 21, 0}},
  {NULL, 0, 0, {0, 0, 0, 0, 0}},
};

#elif defined(__aarch64__)

const char rf_base_level[] = "armv8-a";

enum { HWCAP, HWCAP2 };

const rf_feature rf_features[] = {
  {"crc32", IS_SET(__ARM_FEATURE_CRC32), 0, {0, 0, HWCAP, 7, 0}},
  {"atomics", IS_SET(__ARM_FEATURE_ATOMICS), 0, {0, 0, HWCAP, 8, 0}},
  {"asimdhp", IS_SET(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC), 0, {0, 0, HWCAP, 10, 0}},
  {"asimdrdm", IS_SET(__ARM_FEATURE_QRDMX), 0, {0, 0, HWCAP, 12, 0}},
  {"jscvt", IS_SET(__ARM_FEATURE_JCVT), 0, {0, 0, HWCAP, 13, 0}},
  {"fcma", IS_SET(__ARM_FEATURE_COMPLEX), 0, {0, 0, HWCAP, 14, 0}},
  {"sha3", IS_SET(__ARM_FEATURE_SHA3), 0, {0, 0, HWCAP, 17, 0}}, /* exclusive or of three, rotated too */
  {"asimddp", IS_SET(__ARM_FEATURE_DOTPROD), 0, {0, 0, HWCAP, 20, 0}},
  {"sve", IS_SET(__ARM_FEATURE_SVE), 0, {0, 0, HWCAP, 22, 0}},
  {"asimdfhm", IS_SET(__ARM_FEATURE_FP16_FML), 0, {0, 0, HWCAP, 23, 0}},
  {"sve2", IS_SET(__ARM_FEATURE_SVE2), 0, {0, 0, HWCAP2, 1, 0}},
  {"frint", IS_SET(__ARM_FEATURE_FRINT), 0, {0, 0, HWCAP2, 8, 0}},
  {"i8mm", IS_SET(__ARM_FEATURE_MATMUL_INT8), 0, {0, 0, HWCAP2, 13, 0}},
  {"bf16", IS_SET(__ARM_FEATURE_BF16), 0, {0, 0, HWCAP2, 14, 0}},
  {NULL, 0, 0, {0, 0, 0, 0, 0}},
};

#else

const char rf_base_level[] = "any processor of the kind";
const rf_feature rf_features[] = {{NULL, 0, 0, {0, 0, 0, 0, 0}}};

#endif
/* clang-format on */
