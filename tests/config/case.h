/* A configuration as text, for the tests that read or refuse one. */
#ifndef TESTS_CONFIG_CASE_H
#define TESTS_CONFIG_CASE_H

#include "config/schema.h"
#include "reformer/config_file.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const char *const minimal = "data: {kind: duplicate, length: 256}\n";

static rf_status parse(const char *text, const char *set, rf_config *config) {
  return rf_config_parse("a.yaml", text, strlen(text), &set, set ? 1 : 0, config);
}

/* The configuration must be refused with status 2 and a message that holds every one of the parts. */
static void refused(const char *text, const char *set, const char *const *parts) {
  rf_config config;
  rf_status status = parse(text, set, &config);
  if (status != RF_BAD_CONFIG) print_error("status %d for: %s (--set %s)\n", status, text, set ? set : "none");
  assert_int_equal(status, RF_BAD_CONFIG);
  for (int i = 0; parts[i]; i++) {
    if (!strstr(rf_error_message(), parts[i])) print_error("'%s' is not in: %s\n", parts[i], rf_error_message());
    assert_non_null(strstr(rf_error_message(), parts[i]));
  }
}

/* The configuration must be read. */
__attribute__((unused)) static void accept(const char *text, const char *set, rf_config *config) {
  const rf_status status = parse(text, set, config);
  if (status != RF_OK) print_error("%s\n%s\n", rf_error_message(), text);
  assert_int_equal(status, RF_OK);
}

#define REFUSED(text, set, ...) refused(text, set, (const char *const[]){__VA_ARGS__, NULL})

#endif
