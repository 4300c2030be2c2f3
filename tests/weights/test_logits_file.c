/* Logits are in their file whole, or no file is there: on disks that fill, under limits, and where there is no flock.
 */
#include "weights/logits_file.h"
#include "base/fault_io.h"
#include "base/h5.h"
#include "checkpoint/folder.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { SEQUENCES = 3, LENGTH = 40, VOCAB = 70, PART = 16, NUMBERS = SEQUENCES * LENGTH * VOCAB };

static real logit_of(int64_t i) { return (real)(i % 997) - R_(400.5); }
static double loss_of(int64_t i) { return i % LENGTH == LENGTH - 1 ? NAN : (double)i / 8; }

static rf_status write_all(rf_logits_file *file) {
  real logits[PART * VOCAB];
  double losses[LENGTH];
  for (int64_t s = 0; s < SEQUENCES; s++) {
    for (int64_t first = 0; first < LENGTH; first += PART) {
      const int64_t n = LENGTH - first < PART ? LENGTH - first : PART;
      for (int64_t i = 0; i < n * VOCAB; i++) logits[i] = logit_of((s * LENGTH + first) * VOCAB + i);
      RF_TRY(rf_logits_file_add(file, s, first, n, logits));
    }
    for (int64_t i = 0; i < LENGTH; i++) losses[i] = loss_of(s * LENGTH + i);
    RF_TRY(rf_logits_file_add_losses(file, s, losses));
  }
  return RF_OK;
}

static rf_status make(const char *path, bool force) {
  rf_logits_file *file;
  const rf_logits_place place = {.path = path, .force = force};
  RF_TRY(rf_logits_file_create(&place, SEQUENCES, LENGTH, VOCAB, &file));
  const rf_status status = write_all(file);
  if (status == RF_OK) return rf_logits_file_finish(file, 4.25);
  rf_logits_file_abandon(file);
  return status;
}

static bool read_set(hid_t file, const char *name, double *values) {
  rf_h5 h = {0};
  const hid_t set = rf_h5_keep(&h, H5Dopen2(file, name, H5P_DEFAULT));
  const bool fine = set >= 0 && H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
  return rf_h5_close(&h) && fine;
}

static bool is_whole(const char *path) {
  static double logits[NUMBERS], losses[SEQUENCES * LENGTH];
  double loss = 0;
  rf_h5 h = {0};
  hid_t file;
  rf_h5_listen();
  bool same = rf_h5_open(path, &h, &file) == RF_OK && read_set(file, "logits", logits) &&
              read_set(file, "token_loss", losses) && read_set(file, "loss", &loss) && loss == 4.25;
  for (int64_t i = 0; same && i < NUMBERS; i++) same = logits[i] == (double)logit_of(i);
  for (int64_t i = 0; same && i < SEQUENCES * LENGTH; i++)
    same = isnan(loss_of(i)) ? isnan(losses[i]) : losses[i] == (double)(real)loss_of(i);
  return rf_h5_close(&h) && same;
}

static int entries(const char *path) {
  int n = 0;
  DIR *folder = opendir(path);
  for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) n += entry->d_name[0] != '.';
  closedir(folder);
  return n;
}

/* --- a process of its own: what it may not do cannot be taken back -------------------------------- */

enum { CANNOT = 99 };

static int run_apart(int (*try)(const char *folder), const char *folder) {
  int status;
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) _exit(try(folder));
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

/* As on a file system without flock. */
static bool forbid_flock(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_flock, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int without_flock(const char *folder) {
  (void)unsetenv("HDF5_USE_FILE_LOCKING");
  if (!forbid_flock()) return CANNOT;
  return make(folder_path(folder, "logits.h5"), false) == RF_OK && is_whole(folder_path(folder, "logits.h5")) ? 0 : 1;
}

static int without_flock_but_asked_for(const char *folder) {
  (void)setenv("HDF5_USE_FILE_LOCKING", "TRUE", 1);
  if (!forbid_flock()) return CANNOT;
  if (make(folder_path(folder, "more.h5"), false) != RF_FAILED) return 1;
  return strstr(rf_error_message(), "lock") && strstr(rf_error_message(), strerror(EOPNOTSUPP)) ? 0 : 2;
}

/* First of all tests: HDF5 looks at the variable once. */
static void test_no_lock_is_asked_of_the_file_system_unless_somebody_wants_it(void **state) {
  (void)state;
  const char *folder = folder_make();
  const int found = run_apart(without_flock, folder);
  if (found == CANNOT) {
    folder_remove(folder);
    skip();
  }
  assert_int_equal(found, 0);
  assert_int_equal(run_apart(without_flock_but_asked_for, folder), 0);
  assert_int_equal(entries(folder), 1);
  folder_remove(folder);
}

static int under_a_limit(const char *folder) {
  const struct rlimit limit = {.rlim_cur = NUMBERS, .rlim_max = NUMBERS};
  (void)signal(SIGXFSZ, SIG_IGN);
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return CANNOT;
  if (make(folder_path(folder, "logits.h5"), true) != RF_FAILED) return 1;
  char text[32];
  snprintf(text, sizeof text, "%d bytes (ulimit -f)", NUMBERS);
  return strstr(rf_error_message(), text) ? 0 : 2;
}

static void test_a_limit_of_the_process_is_named_and_leaves_what_was_there(void **state) {
  (void)state;
  const char *folder = folder_make();
  assert_ok(make(folder_path(folder, "logits.h5"), false));
  assert_int_equal(run_apart(under_a_limit, folder), 0);
  assert_true(is_whole(folder_path(folder, "logits.h5")));
  assert_int_equal(entries(folder), 1);
  folder_remove(folder);
}

/* --- the numbers, and disks that fail -------------------------------------------------------------- */

static void test_the_file_holds_what_was_written(void **state) {
  (void)state;
  const char *folder = folder_make();
  const char *path = folder_path(folder, "logits.h5");
  assert_ok(make(path, false));
  assert_true(is_whole(path));
  assert_int_equal(make(path, false), RF_BAD_CONFIG);
  assert_non_null(strstr(rf_error_message(), "--force"));
  assert_ok(make(path, true));
  assert_true(is_whole(path));
  assert_int_equal(entries(folder), 1);
  folder_remove(folder);
}

static void test_a_file_that_is_no_hdf5_is_told_by_its_cause(void **state) {
  (void)state;
  const char *folder = folder_make(), *path = folder_path(folder, "x");
  rf_h5 h = {0};
  hid_t file;
  rf_h5_listen();
  assert_int_equal(rf_h5_open(path, &h, &file), RF_BAD_DATA);
  assert_non_null(strstr(rf_error_message(), strerror(ENOENT)));
  file_write(path, "text", 4);
  assert_int_equal(rf_h5_open(path, &h, &file), RF_BAD_DATA);
  assert_non_null(strstr(rf_error_message(), "signature"));
  assert_int_equal(mkfifo(folder_path(folder, "pipe"), 0666), 0);
  assert_int_equal(rf_h5_open(folder_path(folder, "pipe"), &h, &file), RF_BAD_DATA);
  assert_non_null(strstr(rf_error_message(), "not a plain file"));
  (void)rf_h5_close(&h);
  folder_remove(folder);
}

#ifdef RF_FAULTS
/* The k-th call that writes, and all after it. */
static void test_a_disk_that_fails_at_any_call_leaves_what_was_there(void **state) {
  (void)state;
  static const int errors[] = {ENOSPC, EIO, EDQUOT};
  const char *folder = folder_make();
  const char *path = folder_path(folder, "logits.h5");
  for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
    int64_t calls = 1;
    for (int64_t k = 1; k <= calls; k++) {
      (void)unlink(path);
      file_write(path, "before", 6);
      rf_fault_io_arm(k, 100000, errors[e]);
      const rf_status status = make(path, true);
      calls = rf_fault_io_calls() + (status != RF_OK); /* until one passes untouched */
      rf_fault_io_arm(0, 0, 0);
      assert_int_equal(entries(folder), 1);
      if (status == RF_OK) {
        assert_true(k > SEQUENCES * 4);
        break;
      }
      assert_int_equal(status, RF_FAILED);
      assert_non_null(strstr(rf_error_message(), strerror(errors[e])));
      int64_t size;
      unsigned char *bytes = file_read(path, &size);
      if (size != 6) assert_true(is_whole(path)); /* the folder could not be synced */
      free(bytes);
    }
    assert_true(is_whole(path));
  }
  folder_remove(folder);
}
#endif

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_no_lock_is_asked_of_the_file_system_unless_somebody_wants_it),
      cmocka_unit_test(test_a_limit_of_the_process_is_named_and_leaves_what_was_there),
      cmocka_unit_test(test_the_file_holds_what_was_written),
      cmocka_unit_test(test_a_file_that_is_no_hdf5_is_told_by_its_cause),
#ifdef RF_FAULTS
      cmocka_unit_test(test_a_disk_that_fails_at_any_call_leaves_what_was_there),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
