/* CPU quotas of control groups, in a folder that stands for the system's root. */
#include "base/process.h"
#include "support/numbers.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

/* Makes root/path, with the folders above it. */
static void put(const char *path, const char *text) {
  char whole[PATH_MAX];
  assert_true(snprintf(whole, sizeof whole, "%s/%s", root, path) < (int)sizeof whole);
  for (char *slash = strchr(whole + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    (void)mkdir(whole, 0777);
    *slash = '/';
  }
  FILE *file = fopen(whole, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
}

static int new_root(void **state) {
  (void)state;
  strcpy(root, "/tmp/reformer-process-XXXXXX");
  return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state) {
  char command[128];
  (void)state;
  (void)snprintf(command, sizeof command, "rm -rf '%s'", root);
  return system(command);
}

static double quota(void) {
  uint64_t group;
  const double cores = rf_process_cpu_quota(root, &group);
  assert_true((group != 0) == isfinite(cores));
  return cores;
}

static void test_a_system_without_groups_has_no_quota(void **state) {
  (void)state;
  assert_true(isinf(quota()));
  put("proc/self/cgroup", "0::/\n");
  assert_true(isinf(quota()));
}

static void test_version_2_of_a_container(void **state) {
  (void)state;
  put("sys/fs/cgroup/cpu.max", "150000 100000\n");
  assert_true(quota() == 1.5);
  put("proc/self/cgroup", "0::/\n");
  assert_true(quota() == 1.5);
  put("proc/self/cgroup", "0::/docker/4f2a\n"); /* a path of the host's, not seen here */
  assert_true(quota() == 1.5);
}

static void test_the_least_of_nested_groups_counts(void **state) {
  (void)state;
  put("proc/self/cgroup", "0::/system.slice/job_12/step_0/task_3\n");
  put("sys/fs/cgroup/system.slice/cpu.max", "800000 100000\n");
  put("sys/fs/cgroup/system.slice/job_12/cpu.max", "200000 100000\n");
  put("sys/fs/cgroup/system.slice/job_12/step_0/cpu.max", "max 100000\n");
  put("sys/fs/cgroup/system.slice/job_12/step_0/task_3/cpu.max", "250000 50000\n");
  assert_true(quota() == 2);
  put("sys/fs/cgroup/system.slice/job_12/step_0/task_3/cpu.max", "25000 50000\n");
  assert_true(quota() == 0.5);
}

static void test_processes_that_share_a_quota_know_it(void **state) {
  uint64_t first, second, other;
  (void)state;
  put("sys/fs/cgroup/job/cpu.max", "200000 100000\n");
  put("sys/fs/cgroup/job/a/cpu.max", "max 100000\n");
  put("sys/fs/cgroup/job/b/cpu.max", "300000 100000\n");
  put("sys/fs/cgroup/job/c/cpu.max", "100000 100000\n");
  put("proc/self/cgroup", "0::/job/a\n");
  assert_true(rf_process_cpu_quota(root, &first) == 2);
  put("proc/self/cgroup", "0::/job/b\n");
  assert_true(rf_process_cpu_quota(root, &second) == 2);
  put("proc/self/cgroup", "0::/job/c\n");
  assert_true(rf_process_cpu_quota(root, &other) == 1);
  assert_true(first == second && first != other);
}

static void test_version_1(void **state) {
  (void)state;
  put("proc/self/cgroup", "4:memory:/x\n3:cpuset:/y\n2:cpu,cpuacct:/docker/4f2a\n0::/z\n");
  put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  assert_true(isinf(quota()));
  put("sys/fs/cgroup/cpu/docker/4f2a/cpu.cfs_quota_us", "350000\n");
  put("sys/fs/cgroup/cpu/docker/4f2a/cpu.cfs_period_us", "100000\n");
  assert_true(quota() == 3.5);
  put("sys/fs/cgroup/cpu/y/cpu.cfs_quota_us", "1000\n"); /* of another controller's path */
  put("sys/fs/cgroup/cpu/y/cpu.cfs_period_us", "100000\n");
  assert_true(quota() == 3.5);
}

static void test_what_cannot_be_read_is_no_quota(void **state) {
  static const char *const texts[] = {"",         "\n",        "max",      "none 100000", "100000",
                                      "100000 0", "-1 100000", "0 100000", "1e5 x"};
  (void)state;
  put("proc/self/cgroup", "what is this?\n::\n0:\n/\n");
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    put("sys/fs/cgroup/cpu.max", texts[i]);
    assert_true(isinf(quota()));
  }
  put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n"); /* and no period */
  assert_true(isinf(quota()));
}

int main(void) {
#define ROOTED(test) cmocka_unit_test_setup_teardown(test, new_root, remove_root)
  const struct CMUnitTest tests[] = {
      ROOTED(test_a_system_without_groups_has_no_quota),
      ROOTED(test_version_2_of_a_container),
      ROOTED(test_the_least_of_nested_groups_counts),
      ROOTED(test_processes_that_share_a_quota_know_it),
      ROOTED(test_version_1),
      ROOTED(test_what_cannot_be_read_is_no_quota),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
