/* Included by what runs before it is known that the processor has what the rest was compiled for, and by what tells
 * that it has not: main, a program's first calls of the library, and what those take. */
#ifndef RF_BASE_EVERY_PROCESSOR_H
#define RF_BASE_EVERY_PROCESSOR_H

#if defined(__SSE3__) || defined(__ARM_FEATURE_SVE) || defined(__ARM_FEATURE_ATOMICS)
#error "src/CMakeLists.txt compiles this file for every processor: add it to first_sources"
#endif

#endif
