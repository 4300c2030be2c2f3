#include "comm/launch.h"
#include "base/every_processor.h"
#include "base/log.h"
#include "base/text.h"
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A count or a place, from a variable; -1 where there is none. */
static int64_t count_in(const char *variable) {
  const char *text = getenv(variable);
  int64_t number = -1;
  const char *end = text ? rf_text_whole(text, &number) : NULL;
  return end && *end == '\0' && number >= 0 ? number : -1;
}

static bool is_set(const char *variable) { return getenv(variable) != NULL; }

/* By whom the number of ranks is known, and whether it may be srun's. */
static const struct launcher {
  const char *size, *rank;
  bool of_srun;
} launchers[] = {{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", false},
                 {"PMI_SIZE", "PMI_RANK", true},
                 {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID", true}};

static const struct launcher *find_launcher(void) {
  for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++)
    if (count_in(launchers[i].size) > 0 && count_in(launchers[i].rank) >= 0) return &launchers[i];
  return NULL;
}

/* srun and no other launcher inside it: MPICH's counts the ranks of each host, too. */
static bool is_srun(const struct launcher *launcher) {
  return launcher && launcher->of_srun && is_set("SLURM_PROCID") && is_set("SLURM_STEP_NUM_TASKS") &&
         !is_set("MPI_LOCALRANKID");
}

/* A shell that reads commands from a terminal gives each a process group of its own. The tasks of srun have none, nor
 * a terminal, but under --pty. */
static bool is_typed(void) {
  if (getpgrp() == getsid(0)) return false;
  const int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
  if (terminal >= 0) (void)close(terminal);
  return terminal >= 0;
}

static bool is_child_of_srun(void) {
  char path[64], name[32] = "";
  (void)snprintf(path, sizeof path, "/proc/%ld/comm", (long)getppid());
  FILE *file = fopen(path, "re");
  if (!file) return false;
  const bool read = fgets(name, sizeof name, file) != NULL;
  (void)fclose(file);
  return read && strncmp(name, "slurmstepd", 10) == 0;
}

static rf_launch launch_of(const struct launcher *launcher) {
  if (!launcher) return (rf_launch){0, 0, NULL};
  return (rf_launch){count_in(launcher->size), count_in(launcher->rank), launcher->size};
}

rf_launch rf_launch_read(void) {
  const struct launcher *launcher = find_launcher();
  return launch_of(is_srun(launcher) && is_typed() ? NULL : launcher);
}

rf_launch rf_launch_read_copies(void) {
  const struct launcher *launcher = find_launcher();
  return launch_of(is_srun(launcher) && !is_child_of_srun() ? NULL : launcher);
}

/* What launchers of all kinds tell a process about its place. */
static bool has_launcher(void) {
  static const char *const signs[] = {
      "OMPI_COMM_WORLD_RANK", "PMIX_RANK",          "PMI_RANK",    "PMI_FD",      "PMI_PORT",
      "SLURM_STEPID",         "SLURM_STEP_ID",      "PALS_RANKID", "ALPS_APP_PE", "FLUX_TASK_RANK",
      "JSM_NAMESPACE_RANK",   "MV2_COMM_WORLD_RANK"};
  for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
    if (is_set(signs[i])) return true;
  return false;
}

/* What the shell's own task was given is for a rendezvous with tasks that are other shells. */
static void leave_step(void) {
  static const char *const of_step[] = {"SLURM_STEPID", "SLURM_STEP_ID", "SLURM_STEP_NUM_TASKS",
                                        "SLURM_PROCID", "PMIX_RANK",     "PMIX_NAMESPACE"};
  if (!is_srun(find_launcher()) || is_set("PMI_RANK") || !is_typed()) return;
  for (size_t i = 0; i < sizeof of_step / sizeof *of_step; i++) (void)unsetenv(of_step[i]);
}

/* A folder can be made there: what permissions say is not all of it. */
static bool takes_folders(const char *where) {
  char path[4096];
  const int length = snprintf(path, sizeof path, "%s/reformer-XXXXXX", where);
  return length > 0 && (size_t)length < sizeof path && mkdtemp(path) && rmdir(path) == 0;
}

/* Open MPI 5 looks for a home, and makes a folder for temporary files, for a process alone, too; it ends one that has
 * none, a user without a name or a container whose folders cannot be written. */
static int find_folders(void) {
  const char *const folders[] = {getenv("TMPDIR"), getenv("TEMP"), getenv("TMP"), "/tmp", "/var/tmp", "/dev/shm", "."};
  size_t i = 0;
  while (i + 1 < sizeof folders / sizeof *folders && !(folders[i] && takes_folders(folders[i]))) i++;
  return setenv("HOME", "/", 0) == 0 && setenv("TMPDIR", folders[i], 1) == 0 ? 0 : -1;
}

/* What the environment says of networks and devices is for the ranks of a launcher. Of what MPI cannot use alone, or
 * does not find, it dies before anybody can say why. */
static rf_status start_alone(void) {
  static const char *const alone[][2] = {{"OMPI_MCA_ess_singleton_isolated", "1"},
                                         {"OMPI_MCA_orte_create_session_dirs", "0"},
                                         {"OMPI_MCA_pml", "ob1"},
                                         {"OMPI_MCA_btl", "self"}};
  static const char *const of_ranks[] = {"OMPI_MCA_coll",
                                         "OMPI_MCA_bml",
                                         "OMPI_MCA_mpool",
                                         "OMPI_MCA_rcache",
                                         "OMPI_MCA_op",
                                         "OMPI_MCA_mpi_cuda_support",
                                         "OMPI_MCA_opal_cuda_support"};
  for (size_t i = 0; i < sizeof of_ranks / sizeof *of_ranks; i++) (void)unsetenv(of_ranks[i]);
  for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
    if (setenv(alone[i][0], alone[i][1], 1) != 0)
      return rf_fail(RF_FAILED, "out of memory: %s cannot be set", alone[i][0]);
  if (find_folders() != 0) return rf_fail(RF_FAILED, "out of memory: HOME and TMPDIR cannot be set");
  return RF_OK;
}

#define SRUN_ADVICE                                                                                                    \
  "srun --mpi=pmix -n %lld reformer ... (srun --mpi=list names what there is; add --overlap in a shell that srun "     \
  "started), or mpirun -n %lld reformer ... inside the allocation; for one process in such a shell: mpirun -n 1 "      \
  "reformer ..."

bool rf_launch_is_bare(const rf_launch *launch) {
  static const char *const given[] = {"PMIX_RANK", "PMIX_NAMESPACE", "PMI_RANK", "PMI_FD"};
  if (launch->ranks <= 1 || strncmp(launch->variable, "SLURM", 5) != 0) return false;
  for (size_t i = 0; i < sizeof given / sizeof *given; i++)
    if (is_set(given[i])) return false;
  return true;
}

/* Open MPI ends a process of srun in which it cannot start, before anybody can say what to do. */
static void warn_of_srun(const rf_launch *launch) {
  if (!rf_launch_is_bare(launch) || launch->rank != 0) return;
  rf_log_warn("srun started %lld tasks and gave them neither PMIx nor PMI-2; if MPI does not start: " SRUN_ADVICE,
              (long long)launch->ranks, (long long)launch->ranks, (long long)launch->ranks);
}

rf_status rf_launch_settle(const rf_launch *launch) {
  warn_of_srun(launch);
  leave_step();
  return has_launcher() ? RF_OK : start_alone();
}

rf_status rf_launch_check(const rf_launch *launch, int64_t world_size) {
  if (launch->ranks <= world_size) return RF_OK;
  const long long wanted = (long long)launch->ranks;
  if (strcmp(launch->variable, "SLURM_STEP_NUM_TASKS") == 0)
    return rf_fail(RF_BAD_CONFIG,
                   "srun started %lld tasks (%s), but MPI sees a world of %lld rank%s: srun and the MPI library do not "
                   "speak the same protocol; allowed: " SRUN_ADVICE,
                   wanted, launch->variable, (long long)world_size, world_size == 1 ? "" : "s", wanted, wanted);
  return rf_fail(RF_BAD_CONFIG,
                 "the launcher started %lld ranks (%s), but MPI sees a world of %lld rank%s: the launcher belongs to "
                 "another MPI library than the program; allowed: /path/of/the/same/MPI/bin/mpirun -n %lld reformer ... "
                 "(ldd on the program names its libmpi)",
                 wanted, launch->variable, (long long)world_size, world_size == 1 ? "" : "s", wanted);
}
