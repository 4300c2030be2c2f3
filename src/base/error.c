#include "reformer/error.h"
#include "base/every_processor.h"
#include "base/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#undef rf_fail /* a macro for the analyser */
#undef rf_context

enum { MESSAGE_SIZE = 4096, TRACE_SIZE = 1024 };

static _Thread_local char message[MESSAGE_SIZE];
static _Thread_local char trace[TRACE_SIZE];

rf_status rf_fail(rf_status status, const char *format, ...) {
  /* Formatted aside first: an argument may be the present message itself. */
  char text[MESSAGE_SIZE];
  va_list arguments;
  va_start(arguments, format);
  (void)rf_text_vprint(text, sizeof text, format, arguments);
  va_end(arguments);
  memcpy(message, text, strlen(text) + 1);
  trace[0] = '\0';
  return status;
}

rf_status rf_context(rf_status status, const char *format, ...) {
  if (status == RF_OK) return status;
  char text[MESSAGE_SIZE];
  va_list arguments;
  va_start(arguments, format);
  (void)rf_text_vprint(text, sizeof text, format, arguments);
  va_end(arguments);

  /* What does not fit is cut off at the end: the context names the place, so it stays. */
  rf_text_append(text, sizeof text, ": %s", message);
  memcpy(message, text, strlen(text) + 1);
  return status;
}

const char *rf_error_message(void) { return message; }

const char *rf_error_trace(void) { return trace; }

rf_status rf_error_pass(rf_status status, const char *file, int line) {
  const char *source = strstr(file, "src/");
  rf_text_append(trace, sizeof trace, "%s%s:%d", trace[0] != '\0' ? " < " : "", source ? source : file, line);
  return status;
}
