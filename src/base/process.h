/* What the operating system knows about this process. */
#ifndef RF_BASE_PROCESS_H
#define RF_BASE_PROCESS_H

#include <stdint.h>

/* The most memory that was resident at once so far, bytes. */
int64_t rf_process_peak_bytes(void);

/* Memory that the machine could still give without swapping, or that this process's control group (its container or
 * job) leaves, whichever is less; 0 where neither is known. */
int64_t rf_process_available_bytes(void);

/* Cores this process may run on (its affinity mask, as mpirun, srun or taskset set it); at least 1. */
int rf_process_cores(void);

/* Seconds since this process was started, to about 0.01; 0 where the system does not tell. */
double rf_process_age(void);

#endif
