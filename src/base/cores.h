/* The cores of this process. Where OMP_PROC_BIND or OMP_PLACES are set, OpenMP has bound the main thread to one place
 * before main: the affinity of the thread is then no longer that of the process, and its places tell. */
#ifndef RF_BASE_CORES_H
#define RF_BASE_CORES_H

#include <stdbool.h>

enum { RF_MAX_CORES = 8192 }; /* as many as Linux can be built for; a cpu_set_t has room for 1024 */

/* A set of the machine's cores, by number. */
typedef struct rf_cores {
  unsigned long words[RF_MAX_CORES / (8 * sizeof(unsigned long))];
} rf_cores;

/* Those that this process may use: the places of OpenMP where it binds threads, else the affinity that mpirun, srun or
 * taskset gave; never none. */
void rf_cores_of_process(rf_cores *cores);
/* Those that the OpenMP threads use, after their number was set. */
void rf_cores_of_threads(rf_cores *cores);

bool rf_cores_has(const rf_cores *cores, int core);
int rf_cores_count(const rf_cores *cores);
bool rf_cores_overlap(const rf_cores *a, const rf_cores *b);
bool rf_cores_equal(const rf_cores *a, const rf_cores *b);

/* Part `part` of `parts` that are as even as can be, in order; parts may share a core where there are more of them. */
void rf_cores_cut(const rf_cores *cores, int part, int parts, rf_cores *cut);

/* Whether OpenMP binds threads to places. */
bool rf_cores_are_places(void);
/* Lets all OpenMP threads run on all of these cores, whatever they were bound to; a system that does not want that
 * leaves them where they are. */
void rf_cores_let_threads(const rf_cores *cores);
/* The same for the calling thread: one that main started has inherited the one place of main. */
void rf_cores_let_this_thread(const rf_cores *cores);

#endif
