/* A program on the library whose files are at their limit (ulimit -f), or whose log nobody reads: it lives. */
#include "checkpoint/folder.h"
#include "reformer/config_file.h"
#include "reformer/log.h"
#include "reformer/session.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const char text[] = "model: {vocab_size: 128, d_model: 16, n_layers: 1, n_heads: 2, d_ff: 16, positions: none}\n"
                           "lsh: {chunk: 8}\n"
                           "data: {kind: duplicate, length: 32}\n";

/* In a process of its own, with the signals as a program finds them: its status, or the signal that ended it, below 0.
 */
static int run_apart(int (*job)(const char *), const char *folder) {
  int status;
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    (void)signal(SIGXFSZ, SIG_DFL);
    (void)signal(SIGPIPE, SIG_DFL);
    _exit(job(folder));
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* 0: unlimited. */
static bool limit_files(rlim_t bytes) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0) return false;
  limit.rlim_cur = bytes > 0 ? bytes : limit.rlim_max;
  return setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

static bool is_told_and_gone(const char *path) {
  return strstr(rf_error_message(), "ulimit -f") && access(path, F_OK) != 0;
}

/* What reaches the limit first is another file each time; without one the save is whole, and the thread blocks nothing.
 */
static int save_under_limits(const char *folder) {
  const char *path = folder_path(folder, "c");
  rf_config config;
  rf_session *session;
  sigset_t blocked;
  int failed = 0;
  if (rf_config_parse("test", text, strlen(text), NULL, 0, &config) != RF_OK) return 1;
  if (rf_session_create(&config, NULL, &session) != RF_OK) return 2;
  for (rlim_t most = 1; most < 1 << 20; most *= 32) {
    if (!limit_files(most)) return 3;
    const rf_status status = rf_session_save(session, path);
    if (!limit_files(0)) return 3;
    if (status == RF_OK) break;
    if (status != RF_FAILED || !is_told_and_gone(path)) return 4;
    failed++;
  }
  if (failed < 2) return 5;
  if (rf_session_save(session, path) != RF_OK) return 6;
  rf_session_destroy(session);
  if (sigprocmask(SIG_BLOCK, NULL, &blocked) != 0) return 7;
  return sigismember(&blocked, SIGXFSZ) || sigismember(&blocked, SIGPIPE) ? 8 : 0;
}

static void test_a_save_under_a_limit_fails_as_on_a_full_disk(void **state) {
  (void)state;
  const char *folder = folder_make();
  assert_int_equal(run_apart(save_under_limits, folder), 0);
  assert_int_equal(folder_entries(folder), 1);
  folder_remove(folder);
}

static int log_under_a_limit(const char *folder) {
  if (rf_log_open(folder_path(folder, "log")) != RF_OK || !limit_files(4)) return 1;
  rf_log_info("longer than the limit");
  if (!limit_files(0)) return 2;
  return rf_log_close() == RF_FAILED ? 0 : 3;
}

static void test_a_log_under_a_limit_fails_when_it_is_closed(void **state) {
  (void)state;
  const char *folder = folder_make();
  assert_int_equal(run_apart(log_under_a_limit, folder), 0);
  folder_remove(folder);
}

static int log_to_nobody(const char *folder) {
  int ends[2];
  (void)folder;
  if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) != STDERR_FILENO || close(ends[0]) != 0) return 1;
  rf_log_warn("nobody reads this");
  return 0;
}

static void test_a_log_that_nobody_reads_ends_nothing(void **state) {
  (void)state;
  assert_int_equal(run_apart(log_to_nobody, ""), 0);
}

/* What is the program's own stays so. */
static int write_itself(const char *folder) {
  int ends[2];
  (void)folder;
  rf_log_set_silent(true);
  rf_log_info("nothing");
  if (pipe(ends) != 0 || close(ends[0]) != 0) return 1;
  return write(ends[1], "x", 1) == 1 ? 2 : 3;
}

static void test_signals_of_the_program_itself_are_left_alone(void **state) {
  (void)state;
  assert_int_equal(run_apart(write_itself, ""), -SIGPIPE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_save_under_a_limit_fails_as_on_a_full_disk),
      cmocka_unit_test(test_a_log_under_a_limit_fails_when_it_is_closed),
      cmocka_unit_test(test_a_log_that_nobody_reads_ends_nothing),
      cmocka_unit_test(test_signals_of_the_program_itself_are_left_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
