/* What the operating system knows about this process. */
#ifndef RF_BASE_PROCESS_H
#define RF_BASE_PROCESS_H

#include <stdint.h>

enum { RF_HOST_NAME = 65 }; /* the longest that Linux has, and its end */

/* The name of the host, for messages; "?" where the system tells none. Several hosts may bear one name (localhost), and
 * one machine several (a container each). Returns name. */
const char *rf_process_host(char name[RF_HOST_NAME]);

/* The most memory that was resident at once so far, bytes. */
int64_t rf_process_peak_bytes(void);

/* Memory that the machine could still give without swapping, or that this process's control group (its container or
 * job) leaves, whichever is less; 0 where neither is known. */
int64_t rf_process_available_bytes(void);

/* What control groups let this process and the others in them compute, in cores: 1.5 is three seconds in two. Infinity:
 * all. *group: the same in processes that have to share it; 0 where there is no limit. root: "", or a folder that
 * stands for the system's root. */
double rf_process_cpu_quota(const char *root, uint64_t *group);

/* Seconds since this process was started, to about 0.01; 0 where the system does not tell. */
double rf_process_age(void);

#endif
