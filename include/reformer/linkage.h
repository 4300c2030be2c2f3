/* Between RF_API_BEGIN and RF_API_END stands what the shared library shows; in C++ it has C's names. */
#ifndef REFORMER_LINKAGE_H
#define REFORMER_LINKAGE_H

#ifdef __cplusplus
#define RF_API_BEGIN                                                                                                   \
  extern "C" {                                                                                                         \
  _Pragma("GCC visibility push(default)")
#define RF_API_END                                                                                                     \
  _Pragma("GCC visibility pop")                                                                                        \
  }
#else
#define RF_API_BEGIN _Pragma("GCC visibility push(default)")
#define RF_API_END _Pragma("GCC visibility pop")
#endif

#endif
