/* What the program says of the processor before anything else runs. */
#include "base/processor.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum { EAX, EBX, ECX, EDX };

static void test_this_processor_has_what_this_build_was_compiled_for(void **state) {
  char names[RF_MAX_FEATURES];
  (void)state;
  assert_int_equal(rf_processor_lacks(rf_features, names), 0);
  assert_string_equal(names, "");
  assert_int_equal(rf_processor_check(), RF_OK);
}

static void test_the_processor_has_a_name(void **state) {
  char name[RF_MAX_PROCESSOR];
  (void)state;
  const size_t length = strlen(rf_processor_name(name));
  assert_in_range(length, 1, RF_MAX_PROCESSOR - 1);
  assert_true(name[0] != ' ' && name[length - 1] != ' ');
}

/* Every name fits, however many there are. */
static void test_names_of_all_features_fit(void **state) {
  size_t length = 0;
  (void)state;
  for (const rf_feature *f = rf_features; f->name; f++) length += strlen(f->name) + 2;
  assert_in_range(length, 0, RF_MAX_FEATURES);
}

static void test_what_lies_beyond_a_whole_level_is_named(void **state) {
  char level[RF_MAX_LEVEL], names[RF_MAX_FEATURES];
  rf_feature table[] = {{"a", true, 2, {0}}, {"b", true, 3, {0}},  {"c", true, 3, {0}},  {"d", true, 4, {0}},
                        {"e", true, 0, {0}}, {"f", false, 0, {0}}, {NULL, false, 0, {0}}};
  (void)state;
  assert_int_equal(rf_built_for(table, level, names), 1);
  assert_string_equal(names, "e");
  if (strcmp(rf_base_level, "x86-64") != 0) return; /* which alone has levels */
  assert_string_equal(level, "x86-64-v4");
  table[1].built = false;
  assert_int_equal(rf_built_for(table, level, names), 3);
  assert_string_equal(level, "x86-64-v2");
  assert_string_equal(names, "c, d, e");
  table[0].built = false;
  assert_int_equal(rf_built_for(table, level, names), 3);
  assert_string_equal(level, "x86-64");
}

static void test_the_remedy_is_one_where_the_program_stands(void **state) {
  (void)state;
  assert_non_null(strstr(rf_processor_remedy("x86-64", false), "cmake --install"));
  assert_non_null(strstr(rf_processor_remedy("x86-64", true), "LD_LIBRARY_PATH"));
  assert_non_null(strstr(rf_processor_remedy("armv8-a", false), "-DRF_NATIVE=OFF"));
  assert_non_null(strstr(rf_processor_remedy("armv8-a", true), "CMAKE_C_FLAGS"));
  const char *const here = rf_processor_remedy(rf_base_level, false);
  assert_ptr_equal(here, rf_processor_remedy(strcmp(rf_base_level, "x86-64") == 0 ? "x86-64" : "armv8-a", false));
}

#if defined(__x86_64__)
static int count_of_table(void) {
  int n = 0;
  while (rf_features[n].name) n++;
  return n;
}

/* Linux finds out by other code: whatever it shows is found. What it does not show the processor may have. */
static void test_what_linux_shows_is_found(void **state) {
  char flags[8192] = "", names[RF_MAX_FEATURES], word[64];
  int shown = 0;
  (void)state;
  FILE *file = fopen("/proc/cpuinfo", "r");
  while (file && fgets(flags, sizeof flags, file) && strncmp(flags, "flags", 5) != 0) continue;
  if (file) (void)fclose(file);
  flags[strcspn(flags, "\n")] = ' ';
  for (int i = 0; i < count_of_table(); i++) {
    rf_feature one[2] = {rf_features[i], {NULL, false, 0, {0}}};
    one[0].built = true;
    (void)snprintf(word, sizeof word, " %s ", one[0].name);
    if (!strstr(flags, word)) continue;
    shown++;
    if (rf_processor_lacks(one, names) != 0) fail_msg("/proc/cpuinfo shows %s; the processor lacks it?", one[0].name);
  }
  assert_in_range(shown, 5, count_of_table());
}

static void test_what_is_lacking_is_named(void **state) {
  char names[RF_MAX_FEATURES];
  const rf_feature table[] = {{"sse2", true, 0, {1, 0, EDX, 26, 0}},     /* all have it */
                              {"reserved", true, 0, {1, 0, EDX, 20, 0}}, /* none */
                              {"unused", false, 0, {1, 0, EDX, 20, 0}},
                              {"leaf", true, 0, {0x6fffffff, 0, EAX, 0, 0}},
                              {"kept", true, 0, {1, 0, EDX, 26, 0x3}},          /* x87's and sse's registers */
                              {"not_kept", true, 0, {1, 0, EDX, 26, 1U << 31}}, /* of nothing there is */
                              {NULL, false, 0, {0}}};
  (void)state;
  assert_int_equal(rf_processor_lacks(table, names), 3);
  assert_string_equal(names, "reserved, leaf, not_kept");
}

/* The one number that every processor gives: of its highest leaf. */
static void test_a_version_meets_what_wants_it_or_an_earlier_one(void **state) {
  char names[RF_MAX_FEATURES];
  const int version = (int)(__get_cpuid_max(0, NULL) & 0xff);
  (void)state;
  assert_in_range(version, 2, 0xfe);
  for (int wanted = 1; wanted <= 0xff; wanted++) {
    const rf_feature table[] = {{"version", true, 0, {0, 0, EAX, -wanted, 0}}, {NULL, false, 0, {0}}};
    assert_int_equal(rf_processor_lacks(table, names), wanted > version);
  }
}
#endif

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_this_processor_has_what_this_build_was_compiled_for),
    cmocka_unit_test(test_the_processor_has_a_name),
    cmocka_unit_test(test_names_of_all_features_fit),
    cmocka_unit_test(test_what_lies_beyond_a_whole_level_is_named),
    cmocka_unit_test(test_the_remedy_is_one_where_the_program_stands),
#if defined(__x86_64__)
    cmocka_unit_test(test_what_linux_shows_is_found),
    cmocka_unit_test(test_what_is_lacking_is_named),
    cmocka_unit_test(test_a_version_meets_what_wants_it_or_an_earlier_one),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
