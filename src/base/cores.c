#include "base/cores.h"
#include "base/every_processor.h"
#include <omp.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

enum { WORD_BITS = 8 * sizeof(unsigned long), WORDS = RF_MAX_CORES / WORD_BITS };

static void add_core(rf_cores *cores, int core) {
  if (core >= 0 && core < RF_MAX_CORES) cores->words[core / WORD_BITS] |= 1UL << (core % WORD_BITS);
}

bool rf_cores_has(const rf_cores *cores, int core) {
  return core < RF_MAX_CORES && (cores->words[core / WORD_BITS] >> (core % WORD_BITS) & 1) != 0;
}

int rf_cores_count(const rf_cores *cores) {
  int count = 0;
  for (int w = 0; w < WORDS; w++) count += __builtin_popcountl(cores->words[w]);
  return count;
}

bool rf_cores_overlap(const rf_cores *a, const rf_cores *b) {
  unsigned long both = 0;
  for (int w = 0; w < WORDS; w++) both |= a->words[w] & b->words[w];
  return both != 0;
}

bool rf_cores_equal(const rf_cores *a, const rf_cores *b) { return memcmp(a, b, sizeof *a) == 0; }

void rf_cores_cut(const rf_cores *cores, int part, int parts, rf_cores *cut) {
  const long count = rf_cores_count(cores), first = count * part / parts;
  const long end = count * (part + 1) / parts > first ? count * (part + 1) / parts : first + 1;
  long n = 0;
  memset(cut, 0, sizeof *cut);
  for (int core = 0; core < RF_MAX_CORES; core++) {
    if (!rf_cores_has(cores, core)) continue;
    if (n >= first && n < end) add_core(cut, core);
    n++;
  }
}

static void add_place(rf_cores *cores, int place) {
  int ids[RF_MAX_CORES];
  const int n = omp_get_place_num_procs(place);
  if (n > RF_MAX_CORES) return;
  omp_get_place_proc_ids(place, ids);
  for (int i = 0; i < n; i++) add_core(cores, ids[i]);
}

/* Of the calling thread. */
static void add_affinity(rf_cores *cores) {
  rf_cores own = {0};
  if (sched_getaffinity(0, sizeof own.words, (cpu_set_t *)(void *)own.words) != 0) return;
  for (int w = 0; w < WORDS; w++) cores->words[w] |= own.words[w];
}

static void not_none(rf_cores *cores) {
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  if (rf_cores_count(cores) > 0) return;
  for (int core = 0; core < (online > 0 ? online : 1); core++) add_core(cores, core);
}

bool rf_cores_are_places(void) { return omp_get_proc_bind() != omp_proc_bind_false && omp_get_num_places() > 0; }

void rf_cores_of_process(rf_cores *cores) {
  memset(cores, 0, sizeof *cores);
  const bool one = omp_get_proc_bind() == omp_proc_bind_master; /* all threads in the place of the first */
  const int places = rf_cores_are_places() && !one ? omp_get_num_places() : 0;
  for (int place = 0; place < places; place++) add_place(cores, place);
  if (places == 0) add_affinity(cores);
  not_none(cores);
}

void rf_cores_of_threads(rf_cores *cores) {
  memset(cores, 0, sizeof *cores);
#pragma omp parallel
  {
#pragma omp critical(rf_cores)
    add_affinity(cores);
  }
  not_none(cores);
}

void rf_cores_let_this_thread(const rf_cores *cores) {
  (void)sched_setaffinity(0, sizeof cores->words, (const cpu_set_t *)(const void *)cores->words);
}

void rf_cores_let_threads(const rf_cores *cores) {
#pragma omp parallel
  rf_cores_let_this_thread(cores);
}
