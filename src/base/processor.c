#include "base/processor.h"
#include "base/every_processor.h"
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* Registers that the system keeps for each process: bits of xcr0. */
static uint32_t kept_state(void) {
  uint32_t eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || (ecx & bit_OSXSAVE) == 0) return 0;
  __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
  return eax;
}

static bool has_feature(const rf_feature_place *place) {
  uint32_t words[4];
  if (!__get_cpuid_count(place->leaf, place->subleaf, &words[0], &words[1], &words[2], &words[3])) return false;
  const uint32_t word = words[place->word];
  const bool there = place->bit < 0 ? (int)(word & 0xff) >= -place->bit : (word >> place->bit & 1) != 0;
  return there && (kept_state() & place->state) == place->state;
}

/* The 48 bytes in which the processor names itself; false: it does not. */
static bool ask_name(char name[RF_MAX_PROCESSOR]) {
  uint32_t words[12] = {0};
  for (uint32_t i = 0; i < 3; i++) {
    uint32_t *w = words + 4 * (size_t)i;
    if (!__get_cpuid(0x80000002 + i, w, w + 1, w + 2, w + 3)) return false;
  }
  const char *text = (const char *)words;
  size_t length = strnlen(text, sizeof words);
  for (; length > 0 && *text == ' '; length--) text++;
  while (length > 0 && text[length - 1] == ' ') length--;
  memcpy(name, text, length);
  name[length] = '\0';
  return length > 0;
}

#elif defined(__aarch64__)
#include <sys/auxv.h>

static bool has_feature(const rf_feature_place *place) {
  return (getauxval(place->word == 0 ? AT_HWCAP : AT_HWCAP2) >> place->bit & 1) != 0;
}

#else

static bool has_feature(const rf_feature_place *place) {
  (void)place;
  return true;
}

#endif

#if !defined(__x86_64__)
/* "model name : ..." of the first processor. */
static bool ask_name(char name[RF_MAX_PROCESSOR]) {
  char line[256];
  name[0] = '\0';
  FILE *file = fopen("/proc/cpuinfo", "r");
  while (file && name[0] == '\0' && fgets(line, sizeof line, file)) {
    const char *value = strchr(line, ':');
    if (strncmp(line, "model name", 10) != 0 || !value) continue;
    value += 1 + strspn(value + 1, " \t");
    (void)snprintf(name, RF_MAX_PROCESSOR, "%.*s", (int)strcspn(value, "\n"), value);
  }
  if (file) (void)fclose(file);
  return name[0] != '\0';
}
#endif

const char *rf_processor_name(char name[RF_MAX_PROCESSOR]) {
  struct utsname system;
  if (ask_name(name)) return name;
  (void)snprintf(name, RF_MAX_PROCESSOR, "%.*s", RF_MAX_PROCESSOR - 1,
                 uname(&system) == 0 ? system.machine : "unknown");
  return name;
}

static void add_name(char names[RF_MAX_FEATURES], const char *name) {
  const size_t length = strlen(names);
  (void)snprintf(names + length, RF_MAX_FEATURES - length, "%s%s", length > 0 ? ", " : "", name);
}

int rf_processor_lacks(const rf_feature *table, char names[RF_MAX_FEATURES]) {
  int lacking = 0;
  names[0] = '\0';
  for (const rf_feature *f = table; f->name; f++) {
    if (!f->built || has_feature(&f->place)) continue;
    lacking++;
    add_name(names, f->name);
  }
  return lacking;
}

int rf_built_for(const rf_feature *table, char level[RF_MAX_LEVEL], char names[RF_MAX_FEATURES]) {
  int whole = 4, more = 0;
  for (const rf_feature *f = table; f->name; f++)
    if (f->level > 0 && !f->built && f->level <= whole) whole = f->level - 1;
  names[0] = '\0';
  for (const rf_feature *f = table; f->name; f++) {
    if (!f->built || (f->level > 0 && f->level <= whole)) continue;
    more++;
    add_name(names, f->name);
  }
  const bool levels = strcmp(rf_base_level, "x86-64") == 0 && whole > 1;
  (void)snprintf(level, RF_MAX_LEVEL, levels ? "%s-v%d" : "%s", rf_base_level, whole);
  return more;
}

const char *rf_processor_remedy(const char *base_level, bool installed) {
  const bool levels = strcmp(base_level, "x86-64") == 0; /* src/CMakeLists.txt */
  if (levels && installed)
    return "the loader would have taken the library of this processor's level: something has named another one "
           "(LD_LIBRARY_PATH, LD_PRELOAD)";
  if (levels)
    return "build it on this processor, or install it (cmake --install): what is installed runs on any x86-64";
  if (installed) return "build and install it without the flags that ask for that (CMAKE_C_FLAGS)";
  return "build it on this processor, or for any of the kind (cmake -DRF_NATIVE=OFF)";
}

rf_status rf_processor_check(void) {
#ifdef RF_INSTALLED
  const bool installed = true;
#else
  const bool installed = false;
#endif
  char name[RF_MAX_PROCESSOR], lacking[RF_MAX_FEATURES];
  if (rf_processor_lacks(rf_features, lacking) == 0) return RF_OK;
  return rf_fail(RF_BAD_CONFIG, "this processor, %s, lacks what the program was compiled for: %s; %s",
                 rf_processor_name(name), lacking, rf_processor_remedy(rf_base_level, installed));
}
