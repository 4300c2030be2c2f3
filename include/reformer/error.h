/* Errors are values: a status that travels up, and a message that grows context on its way.
 *
 * The status doubles as the program's exit status. The message belongs to the calling thread and
 * stays readable until the next rf_fail() on it. */
#ifndef REFORMER_ERROR_H
#define REFORMER_ERROR_H

#include "reformer/linkage.h"

RF_API_BEGIN

typedef enum rf_status {
  RF_OK = 0,
  RF_FAILED = 1,     /* failed while running: memory, I/O, a loss that is not finite */
  RF_BAD_CONFIG = 2, /* the command line or the configuration is wrong */
  RF_BAD_DATA = 3,   /* input data or a checkpoint is missing, damaged or does not fit */
  RF_STOPPED = 75    /* stopped on request after saving: run again to go on */
} rf_status;

/* Sets the message and returns `status`, so that `return rf_fail(...)` reads well. */
rf_status rf_fail(rf_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "text: " in front of the present message and returns `status`. Does nothing on RF_OK. */
rf_status rf_context(rf_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __clang_analyzer__ /* sees no function's inside, and must know that these return their status */
rf_status rf_said(rf_status status, const char *format, ...);
#define rf_fail(status, ...) ((void)rf_said((status), __VA_ARGS__), (status))
#define rf_context(status, ...) rf_said_about((status), __VA_ARGS__)
static inline rf_status rf_said_about(rf_status status, const char *format, ...) {
  (void)format;
  return status;
}
#endif

/* The message of the last failure on this thread; never NULL. */
const char *rf_error_message(void);

/* "file:line < file:line ..." of the returns the failure passed through; for --verbose. */
const char *rf_error_trace(void);

rf_status rf_error_pass(rf_status status, const char *file, int line);

#define RF_TRY(call)                                                                                                   \
  do {                                                                                                                 \
    const rf_status rf_try_ = (call);                                                                                  \
    if (rf_try_ != RF_OK) {                                                                                            \
      (void)rf_error_pass(rf_try_, __FILE__, __LINE__);                                                                \
      return rf_try_; /* not what the call returns: an analyser does not know that it is the same */                   \
    }                                                                                                                  \
  } while (0)

RF_API_END

#endif
