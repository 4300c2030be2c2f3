/* One job at a time writes into a run's folder, and a dead one keeps nobody out. */
#include "storage/lock.h"
#include "checkpoint/small_state.h"
#include "storage/holder.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Whoever asks looks at the holder again and again, and only the holder's death can make the lease stale: so nothing
 * here depends on how fast the machine is. Renewals are told by file times, in ticks of some milliseconds. */
static const rf_lease_times patient = {.beat = 0.02, .stale = 1e9, .look = 0.01};

/* A dead holder's lease is stale after 60 looks that take no time. */
static double passed;
static double told(void) { return passed; }
static void pass(double seconds) { passed += seconds; }
static const rf_lease_times hasty = {.beat = 0.02, .stale = 60, .look = 1, .now = told, .pause = pass};

static rf_status take(const char *folder, rf_lock_kind kind, rf_lock **lock) {
  return rf_lock_take_timed(folder, kind, &hasty, lock);
}

/* Another process that holds the lock until it is killed. */
static pid_t start_holder(const char *folder, rf_lock_kind kind) {
  int ready[2];
  char byte = 0;
  assert_int_equal(pipe(ready), 0);
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    rf_lock *lock;
    (void)setenv("SLURM_JOB_ID", "4711", 1);
    byte = rf_lock_take_timed(folder, kind, &patient, &lock) == RF_OK ? 'y' : 'n';
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    for (;;) (void)pause();
  }
  assert_int_equal(read(ready[0], &byte, 1), 1);
  assert_int_equal(byte, 'y');
  close(ready[0]);
  close(ready[1]);
  return child;
}

static void kill_holder(pid_t child) {
  int status;
  assert_int_equal(kill(child, SIGKILL), 0);
  assert_int_equal(waitpid(child, &status, 0), child);
}

/* The line of an holder of this process and that attempt, whom nobody renews. */
static void write_holder(const char *path, const char *attempt) {
  char text[RF_MAX_HOLDER];
  rf_holder_describe(attempt, text);
  file_write(path, text, (int64_t)strlen(text));
}

static void assert_refused(const char *folder, rf_lock_kind kind, pid_t holder) {
  rf_lock *lock;
  char host[256] = "", process[64];
  assert_int_equal(gethostname(host, sizeof host - 1), 0);
  snprintf(process, sizeof process, "process %ld, job 4711, since 20", (long)holder);
  assert_int_equal(rf_lock_take_timed(folder, kind, &patient, &lock), RF_BAD_CONFIG);
  assert_null(lock);
  const char *const parts[] = {folder, host, process, "another job writes", "--run DIR"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (!strstr(rf_error_message(), parts[i])) fail_msg("'%s' is not in '%s'", parts[i], rf_error_message());
}

static void check_second_job_is_refused(rf_lock_kind kind) {
  const char *folder = folder_make();
  const pid_t holder = start_holder(folder, kind);
  assert_refused(folder, kind, holder);
  assert_refused(folder, kind, holder);
  assert_int_equal(folder_entries(folder), 1); /* whoever was refused left nothing */
  kill_holder(holder);
  rf_lock *lock;
  assert_ok(take(folder, kind, &lock));
  assert_ok(rf_lock_check(lock));
  assert_int_equal(strlen(rf_lock_attempt(lock)), 16);
  rf_lock_release(lock);
  assert_int_equal(folder_entries(folder), 0);
  folder_remove(folder);
}

static void test_a_second_job_is_refused_until_the_first_is_dead(void **state) {
  (void)state;
  check_second_job_is_refused(RF_LOCK_BEST);
}

static void test_without_locks_a_lease_does_the_same(void **state) {
  (void)state;
  check_second_job_is_refused(RF_LOCK_LEASE);
}

static void test_a_lock_that_was_released_is_free_at_once(void **state) {
  (void)state;
  for (int kind = RF_LOCK_BEST; kind <= RF_LOCK_LEASE; kind++) {
    const char *folder = folder_make();
    for (int turn = 0; turn < 3; turn++) {
      rf_lock *lock;
      assert_ok(rf_lock_take(folder, (rf_lock_kind)kind, &lock));
      rf_lock_release(lock);
    }
    rf_lock_release(NULL);
    folder_remove(folder);
  }
}

/* Two paths: while others pause, what lies at the first gets the second's name, at the third pause. */
static const char *late[2];
static int pauses;
static void show_late(double seconds) {
  passed += seconds;
  if (++pauses == 3) assert_int_equal(rename(late[0], late[1]), 0);
}

/* As on a network file system that shows rank 0's lock late. */
static void test_a_lock_that_shows_late_is_waited_for(void **state) {
  (void)state;
  const char *folder = folder_make();
  static const rf_lease_times times = {.now = told, .pause = show_late};
  rf_lock *lock;
  char lock_path[512], other[512], attempt[32];
  assert_ok(rf_lock_take(folder, RF_LOCK_BEST, &lock));
  snprintf(attempt, sizeof attempt, "%s", rf_lock_attempt(lock));
  snprintf(lock_path, sizeof lock_path, "%s/lock", folder);
  snprintf(other, sizeof other, "%s/not-yet", folder);
  assert_ok(rf_lock_see(folder, attempt, 0));
  assert_int_equal(rename(lock_path, other), 0);
  assert_int_equal(rf_lock_see_timed(folder, attempt, 0.2, &times), RF_BAD_CONFIG); /* two pauses */
  assert_non_null(strstr(rf_error_message(), "is not the one that rank 0 has locked"));
  late[0] = other;
  late[1] = lock_path;
  pauses = 0;
  assert_ok(rf_lock_see_timed(folder, attempt, 60, &times));
  assert_int_equal(pauses, 3);
  assert_int_equal(rf_lock_see(folder, "0123456789abcdef", 0), RF_BAD_CONFIG);
  rf_lock_release(lock);
  assert_true(rf_lock_patience("/proc") > 60); /* of which nothing is known */
  snprintf(other, sizeof other, "%s/not/there", folder);
  const double here = rf_lock_patience(folder);
  assert_true(rf_lock_patience(other) <= here && rf_lock_patience(other) >= here); /* as the nearest folder above */
  assert_true(rf_lock_patience("/not") <= rf_lock_patience("/") && rf_lock_patience("not") >= rf_lock_patience("."));
  folder_remove(folder);
}

static void test_a_lease_is_renewed_as_long_as_its_holder_lives(void **state) {
  (void)state;
  const char *folder = folder_make();
  const pid_t holder = start_holder(folder, RF_LOCK_LEASE);
  for (int renewals = 0; renewals < 3; renewals++) assert_refused(folder, RF_LOCK_LEASE, holder);
  kill_holder(holder);
  folder_remove(folder);
}

enum { MANY = 8 };

/* What those who want the lease of one dead holder share. */
static struct contest {
  char lock[512], dead[RF_MAX_HOLDER]; /* the lock, and the dead holder's line in it */
  atomic_int looked, ended[128];       /* how many have seen the dead holder; how many got each status */
  atomic_bool over;
} * contest;

static bool dead_holder_is_there(void) {
  char text[RF_MAX_HOLDER];
  return rf_holder_read(contest->lock, text) == RF_OK && strcmp(text, contest->dead) == 0;
}

/* Nobody goes on before all have seen the dead holder; its age counts as long as it is there, and no living one's. */
static void pass_in_contest(double seconds) {
  static bool looked;
  if (!looked) atomic_fetch_add(&contest->looked, 1);
  looked = true;
  while (atomic_load(&contest->looked) < MANY) (void)usleep(1000);
  if (dead_holder_is_there())
    passed += seconds;
  else
    (void)usleep(1000);
}

static int take_part(const char *folder) {
  static const rf_lease_times times = {.beat = 0.02, .stale = 60, .look = 1, .now = told, .pause = pass_in_contest};
  rf_lock *lock;
  const rf_status status = rf_lock_take_timed(folder, RF_LOCK_LEASE, &times, &lock);
  atomic_fetch_add(&contest->ended[status], 1);
  while (!atomic_load(&contest->over)) (void)usleep(1000); /* a holder renews as long as the others look */
  return status == RF_OK && rf_lock_check(lock) != RF_OK ? 77 : 0;
}

static void test_of_many_who_want_a_stale_lease_one_gets_it(void **state) {
  (void)state;
  const char *folder = folder_make();
  kill_holder(start_holder(folder, RF_LOCK_LEASE));
  contest = mmap(NULL, sizeof *contest, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(contest != MAP_FAILED);
  snprintf(contest->lock, sizeof contest->lock, "%s/lock", folder);
  assert_ok(rf_holder_read(contest->lock, contest->dead));
  pid_t children[MANY];
  for (int i = 0; i < MANY; i++) {
    children[i] = fork();
    assert_true(children[i] >= 0);
    if (children[i] == 0) _exit(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 ? take_part(folder) : 78);
  }
  for (int ended = 0; ended < MANY;) {
    ended = 0;
    for (size_t status = 0; status < sizeof contest->ended / sizeof *contest->ended; status++)
      ended += atomic_load(&contest->ended[status]);
    (void)usleep(1000);
  }
  atomic_store(&contest->over, true);
  for (int i = 0; i < MANY; i++) {
    int status;
    assert_int_equal(waitpid(children[i], &status, 0), children[i]);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
  }
  assert_int_equal(contest->ended[RF_OK], 1);
  assert_int_equal(contest->ended[RF_BAD_CONFIG], MANY - 1);
  assert_int_equal(munmap(contest, sizeof *contest), 0);
  assert_int_equal(folder_entries(folder), 1); /* the holder's lease: it left without a word */
  folder_remove(folder);
}

/* As on a file system without locks, for this process from now on. */
static bool forbid_locks(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_OFD_SETLK, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_SETLK, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOLCK),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

enum { CANNOT_FORBID = 99 };

static int try_without_locks(const char *folder) {
  rf_lock *lock, *second;
  char text[RF_MAX_HOLDER], path[512];
  snprintf(path, sizeof path, "%s/lock", folder);
  if (!forbid_locks()) return CANNOT_FORBID;
  (void)alarm(60);
  if (rf_lock_take_timed(folder, RF_LOCK_BEST, &patient, &lock) != RF_OK || rf_lock_check(lock) != RF_OK) return 1;
  if (rf_holder_read(path, text) != RF_OK || !strstr(text, rf_lock_attempt(lock))) return 2;
  if (rf_lock_take_timed(folder, RF_LOCK_BEST, &patient, &second) != RF_BAD_CONFIG) return 3;
  rf_lock_release(lock);
  return folder_entries(folder) == 0 ? 0 : 4;
}

/* The first holder has it at once: what was made to ask the kernel is nobody's lease. */
static void test_where_the_kernel_has_no_locks_a_lease_is_taken_at_once(void **state) {
  (void)state;
  const char *folder = folder_make();
  int status;
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) _exit(try_without_locks(folder));
  assert_int_equal(waitpid(child, &status, 0), child);
  folder_remove(folder);
  assert_true(WIFEXITED(status));
  if (WEXITSTATUS(status) == CANNOT_FORBID) skip();
  assert_int_equal(WEXITSTATUS(status), 0);
}

/* What is said of a holder is said of one file, whoever takes its name meanwhile: a dead holder's age beside its
 * successor's attempt would make the successor look dead, and the run have two. */
static void test_a_holder_is_not_mixed_with_its_successor(void **state) {
  (void)state;
  static const char *const attempts[] = {"aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"};
  const char *folder = folder_make();
  char lock[512], line[2][512];
  snprintf(lock, sizeof lock, "%s/lock", folder);
  for (int i = 0; i < 2; i++) {
    const struct timespec times[2] = {{.tv_sec = i}, {.tv_sec = i}};
    snprintf(line[i], sizeof line[i], "%s/line-%d", folder, i);
    write_holder(line[i], attempts[i]);
    assert_int_equal(utimensat(AT_FDCWD, line[i], times, 0), 0);
  }
  assert_int_equal(link(line[0], lock), 0);
  const pid_t mover = fork();
  assert_true(mover >= 0);
  if (mover == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) _exit(1);
  char next[512];
  snprintf(next, sizeof next, "%s/next", folder);
  if (mover == 0)
    for (int i = 1;; i ^= 1) /* until killed */
      if (link(line[i], next) != 0 || rename(next, lock) != 0) _exit(1);
  int seen[2] = {0, 0}, mixed = 0;
  while (seen[0] < 5000 || seen[1] < 5000) {
    struct timespec renewed;
    char holder[RF_MAX_HOLDER], attempt[RF_ATTEMPT_LENGTH + 1];
    bool there;
    assert_ok(rf_holder_look(lock, holder, &renewed, &there));
    assert_true(there);
    rf_holder_attempt(holder, attempt);
    assert_in_range(renewed.tv_sec, 0, 1);
    mixed += strcmp(attempt, attempts[renewed.tv_sec]) != 0;
    seen[renewed.tv_sec]++;
  }
  kill_holder(mover);
  assert_int_equal(mixed, 0);
  folder_remove(folder);
}

/* Killed between making lock.after-A and taking its name: the next one finds the way. */
static void test_who_dies_while_taking_over_keeps_nobody_out(void **state) {
  (void)state;
  const char *folder = folder_make();
  char path[512];
  write_holder(folder_path(folder, "lock"), "aaaaaaaaaaaaaaaa");
  snprintf(path, sizeof path, "%s/lock.after-aaaaaaaaaaaaaaaa", folder);
  write_holder(path, "bbbbbbbbbbbbbbbb");
  rf_lock *lock;
  assert_ok(take(folder, RF_LOCK_LEASE, &lock));
  assert_ok(rf_lock_check(lock));
  assert_int_equal(folder_entries(folder), 1);
  rf_lock_release(lock);
  assert_int_equal(folder_entries(folder), 0);
  folder_remove(folder);
}

/* As where the clock was an hour fast when the holder died. */
static void test_a_lease_from_the_future_grows_stale_while_it_is_watched(void **state) {
  (void)state;
  const char *folder = folder_make();
  char path[512];
  snprintf(path, sizeof path, "%s/lock", folder);
  kill_holder(start_holder(folder, RF_LOCK_LEASE));
  struct stat about;
  assert_int_equal(stat(path, &about), 0);
  const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = about.st_mtim.tv_sec + 3600}};
  assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
  rf_lock *lock;
  assert_ok(take(folder, RF_LOCK_LEASE, &lock));
  assert_ok(rf_lock_check(lock));
  rf_lock_release(lock);
  folder_remove(folder);
}

/* As on a file system whose times are the writer's, which is an hour slow: the holder lives. */
static void test_a_holder_whose_clock_is_wrong_keeps_its_lease(void **state) {
  (void)state;
  const char *folder = folder_make();
  char path[512];
  snprintf(path, sizeof path, "%s/lock", folder);
  write_holder(path, "aaaaaaaaaaaaaaaa");
  const pid_t holder = fork();
  assert_true(holder >= 0);
  if (holder == 0)
    for (long i = 0;; i++) {
      const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000000000 + i}};
      if (utimensat(AT_FDCWD, path, times, 0) != 0) _exit(1);
      (void)usleep(1000);
    }
  rf_lock *lock;
  assert_int_equal(rf_lock_take_timed(folder, RF_LOCK_LEASE, &patient, &lock), RF_BAD_CONFIG);
  kill_holder(holder);
  assert_ok(take(folder, RF_LOCK_LEASE, &lock));
  rf_lock_release(lock);
  folder_remove(folder);
}

/* As where locks are not seen by other hosts, or a lease was not renewed for a while. */
static void take_by_force(const char *folder) {
  write_holder(folder_path(folder, "lock.new"), "cccccccccccccccc");
  assert_int_equal(rename(folder_path(folder, "lock.new"), folder_path(folder, "lock")), 0);
}

static void wait_for_a_renewal(const char *path) {
  struct stat before, now;
  assert_int_equal(stat(path, &before), 0);
  do {
    (void)usleep(1000);
    assert_int_equal(stat(path, &now), 0);
  } while (now.st_mtim.tv_sec == before.st_mtim.tv_sec && now.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
}

static void test_a_job_whose_lock_was_taken_learns_of_it(void **state) {
  (void)state;
  for (int kind = RF_LOCK_BEST; kind <= RF_LOCK_LEASE; kind++) {
    const char *folder = folder_make();
    rf_lock *lock;
    char old[512];
    snprintf(old, sizeof old, "%s/old", folder);
    assert_ok(take(folder, (rf_lock_kind)kind, &lock));
    assert_int_equal(link(folder_path(folder, "lock"), old), 0);
    take_by_force(folder);
    assert_int_equal(rf_lock_check(lock), RF_FAILED);
    assert_non_null(strstr(rf_error_message(), "the run's lock is lost"));
    if (kind == RF_LOCK_LEASE) wait_for_a_renewal(old); /* they go on, and not into the new holder's line */
    assert_int_equal(rf_lock_check(lock), RF_FAILED);
    rf_lock_release(lock);
    assert_int_equal(unlink(old), 0);
    assert_int_equal(folder_entries(folder), 1); /* the new holder's stays */
    folder_remove(folder);
  }
}

static void test_a_job_whose_lock_was_removed_learns_of_it(void **state) {
  (void)state;
  const char *folder = folder_make();
  rf_lock *lock;
  assert_ok(take(folder, RF_LOCK_BEST, &lock));
  assert_int_equal(unlink(folder_path(folder, "lock")), 0);
  assert_int_equal(rf_lock_check(lock), RF_FAILED);
  rf_lock_release(lock);
  folder_remove(folder);
}

static void test_a_job_whose_lock_was_taken_gives_no_name(void **state) {
  (void)state;
  static const rf_checkpoint_config config = {.every = 1, .keep = 1};
  const char *folder = folder_make();
  small s;
  small_make(&s, NULL, folder, 100);
  small_open(&s, &config, -1);
  small_save(&s, 1, NAN);
  take_by_force(folder);
  small_save(&s, 2, NAN);
  assert_true(rf_saver_report_of(s.saver).failed);
  assert_int_equal(rf_saver_report_of(s.saver).saved_step, 1);
  assert_int_equal(small_entries(&s, ""), 1);
  small_check(&s, 1);
  small_close(&s);
  small_free(&s);
  folder_remove(folder);
}

static void test_a_folder_that_cannot_be_written_to_has_no_lock(void **state) {
  (void)state;
  rf_lock *lock;
  for (int kind = RF_LOCK_BEST; kind <= RF_LOCK_LEASE; kind++) {
    assert_int_equal(take("/nonexistent/run", (rf_lock_kind)kind, &lock), RF_BAD_CONFIG);
    assert_non_null(strstr(rf_error_message(), "/nonexistent/run/lock"));
  }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_second_job_is_refused_until_the_first_is_dead),
    cmocka_unit_test(test_without_locks_a_lease_does_the_same),
    cmocka_unit_test(test_a_lock_that_was_released_is_free_at_once),
    cmocka_unit_test(test_a_lock_that_shows_late_is_waited_for),
    cmocka_unit_test(test_a_lease_is_renewed_as_long_as_its_holder_lives),
    cmocka_unit_test(test_of_many_who_want_a_stale_lease_one_gets_it),
    cmocka_unit_test(test_where_the_kernel_has_no_locks_a_lease_is_taken_at_once),
    cmocka_unit_test(test_a_holder_is_not_mixed_with_its_successor),
    cmocka_unit_test(test_who_dies_while_taking_over_keeps_nobody_out),
    cmocka_unit_test(test_a_lease_from_the_future_grows_stale_while_it_is_watched),
    cmocka_unit_test(test_a_holder_whose_clock_is_wrong_keeps_its_lease),
    cmocka_unit_test(test_a_job_whose_lock_was_taken_learns_of_it),
    cmocka_unit_test(test_a_job_whose_lock_was_removed_learns_of_it),
    cmocka_unit_test(test_a_job_whose_lock_was_taken_gives_no_name),
    cmocka_unit_test(test_a_folder_that_cannot_be_written_to_has_no_lock),
};

int main(void) { return cmocka_run_group_tests(tests, NULL, NULL); }
