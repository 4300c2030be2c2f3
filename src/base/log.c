#include "base/log.h"
#include "base/append.h"
#include "base/c_locale.h"
#include "base/every_processor.h"
#include "base/file_error.h"
#include "base/text.h"
#include "base/write_signals.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* State that is not passed in: where the voice of the process goes. */
static struct {
  int rank;
  bool verbose, silent;
  bool status_shown;
  FILE *file;
  rf_append append; /* beneath it */
  int file_error;   /* of its newest line, 0: none. A disk that was full for a while is forgiven */
} voice;

void rf_log_set_rank(int rank) { voice.rank = rank; }

void rf_log_set_verbose(bool verbose) { voice.verbose = verbose; }

void rf_log_set_silent(bool silent) { voice.silent = silent; }

bool rf_log_is_verbose(void) { return voice.verbose; }

bool rf_log_speaks(void) { return voice.rank == 0 || voice.verbose; }

bool rf_log_is_terminal(void) { return voice.rank == 0 && !voice.silent && isatty(STDERR_FILENO) == 1; }

rf_status rf_log_open(const char *path) {
  if (!path) return rf_fail(RF_BAD_CONFIG, "rf_log_open: path: " RF_NULL);
  if (voice.rank != 0) return RF_OK;
  RF_TRY(rf_log_close());
  RF_TRY(rf_append_open(path, &voice.append));
  voice.file = fdopen(voice.append.file, "a");
  if (voice.file) return RF_OK;
  (void)rf_append_close(&voice.append);
  return rf_fail(RF_FAILED, "cannot write %s: %s", path, strerror(errno));
}

rf_status rf_log_close(void) {
  if (!voice.file) return RF_OK;
  const sigset_t before = rf_write_signals_hold();
  const int failed = fclose(voice.file) != 0 ? errno : voice.file_error;
  rf_write_signals_release(&before);
  voice.file = NULL;
  voice.file_error = 0;
  voice.append.file = -1; /* closed with the stream */
  (void)rf_append_close(&voice.append);
  return failed ? rf_fail(RF_FAILED, "the log file could not be written: %s", rf_file_error(failed)) : RF_OK;
}

static void wipe_status(void) {
  if (!voice.status_shown) return;
  fputs("\r\033[K", stderr);
  voice.status_shown = false;
}

static void say_arguments(FILE *stream, const char *kind, const char *format, va_list arguments) {
  const sigset_t before = rf_write_signals_hold();
  clearerr(stream);
  if (voice.verbose) (void)fprintf(stream, "[rank %d] ", voice.rank);
  (void)fputs(kind, stream);
  const rf_c_locale locale = rf_c_locale_begin();
  (void)vfprintf(stream, format, arguments);
  rf_c_locale_end(locale);
  (void)fputc('\n', stream);
  errno = EIO; /* of a stream that has failed before */
  const bool failed = fflush(stream) != 0 || ferror(stream);
  if (stream == voice.file) voice.file_error = failed ? errno : 0;
  rf_write_signals_release(&before);
}

static void say_line(FILE *stream, const char *kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void say_line(FILE *stream, const char *kind, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say_arguments(stream, kind, format, arguments);
  va_end(arguments);
}

/* In front of every line. */
static void renew_file(void) {
  static const char text[] = "%s was removed or replaced while it was written to: it goes on in a new one";
  if (!voice.file || !rf_append_renew(&voice.append)) return;
  if (!voice.silent) say_line(stderr, "warning: ", text, voice.append.name);
  say_line(voice.file, "warning: ", text, voice.append.name);
}

static void say_everywhere(const char *kind, const char *format, va_list arguments) {
  if (!rf_log_speaks()) return;
  va_list again;
  va_copy(again, arguments);
  wipe_status();
  renew_file();
  if (!voice.silent) say_arguments(stderr, kind, format, arguments);
  if (voice.file) say_arguments(voice.file, kind, format, again);
  va_end(again);
}

void rf_log_info(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say_everywhere("", format, arguments);
  va_end(arguments);
}

void rf_log_warn(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say_everywhere("warning: ", format, arguments);
  va_end(arguments);
}

void rf_log_error(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say_everywhere("error: ", format, arguments);
  va_end(arguments);
}

void rf_log_quiet(const char *format, ...) {
  if (!voice.file) return;
  renew_file();
  va_list arguments;
  va_start(arguments, format);
  say_arguments(voice.file, "", format, arguments);
  va_end(arguments);
}

void rf_log_status(const char *text) {
  if (!rf_log_is_terminal()) return;
  wipe_status();
  if (text[0] == '\0') return;
  (void)fprintf(stderr, "\r\033[K%s", text);
  (void)fflush(stderr);
  voice.status_shown = true;
}
