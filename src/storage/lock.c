#include "storage/lock.h"
#include "base/file_error.h"
#include "reformer/config.h"
#include "storage/files.h"
#include "storage/holder.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LOCK_NAME "lock"
#define LOCAL_PATIENCE 5 /* seconds */
#define ANY_PATIENCE 65  /* NFS keeps what it knows of a folder for 60 */

struct rf_lock {
  char path[RF_MAX_PATH];
  char attempt[RF_ATTEMPT_LENGTH + 1];
  int file;        /* -1: a lease */
  bool of_process; /* the old kind of kernel lock, which any closing of the file lets go */
  rf_lease *lease;
};

/* --- the line in the file ----------------------------------------------------------------------- */

static rf_status write_holder(int file, const char *path, const char *text) {
  if (ftruncate(file, 0) != 0) return rf_fail(RF_FAILED, "%s: cannot be written: %s", path, rf_file_error(errno));
  RF_TRY(rf_file_write(file, path, 0, text, (int64_t)strlen(text)));
  if (fsync(file) != 0) return rf_fail(RF_FAILED, "%s: cannot be written to the disk: %s", path, rf_file_error(errno));
  return RF_OK;
}

/* --- the kernel's lock -------------------------------------------------------------------------- */

typedef enum answer { GOT, HELD, NO_LOCKS, FAILED } answer;

static answer ask_for_lock(int file, int command) {
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int code;
  do code = fcntl(file, command, &whole);
  while (code != 0 && errno == EINTR);
  if (code == 0) return GOT;
  if (errno == EAGAIN || errno == EACCES) return HELD;
  return errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL ? NO_LOCKS : FAILED;
}

static answer lock_by_kernel(rf_lock *lock) {
  const answer first = ask_for_lock(lock->file, F_OFD_SETLK);
  if (first != NO_LOCKS) return first;
  lock->of_process = true; /* kernels before 3.15 have no other */
  return ask_for_lock(lock->file, F_SETLK);
}

static rf_status refuse_owned(const rf_lock *lock) {
  char text[RF_MAX_HOLDER];
  if (rf_holder_read_open(lock->file, lock->path, text) != RF_OK) text[0] = '\0';
  return rf_holder_refuse(lock->path, text);
}

/* The file that was locked may have been removed by its last holder meanwhile. */
static bool is_still_the_file(const rf_lock *lock) { return rf_file_is_named(lock->file, lock->path); }

/* *made: it was not there before. */
static rf_status open_lock_file(rf_lock *lock, bool *made) {
  enum { MOST_TRIES = 16 };
  for (int i = 0; i < MOST_TRIES; i++) {
    lock->file = open(lock->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    *made = lock->file >= 0;
    if (*made || errno != EEXIST) break;
    lock->file = open(lock->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (lock->file >= 0 || errno != ENOENT) break; /* else removed in between */
  }
  struct stat about;
  if (lock->file < 0) return rf_fail(RF_BAD_CONFIG, "%s: cannot be written: %s", lock->path, strerror(errno));
  if (fstat(lock->file, &about) == 0 && !S_ISREG(about.st_mode))
    return rf_fail(RF_BAD_CONFIG, "%s: is not a plain file; remove it, or name another folder with --run DIR",
                   lock->path);
  return RF_OK;
}

/* *got: NO_LOCKS where the file system has none. What was made to ask is gone then: nobody owns an empty line, and who
 * takes the lease would wait for it to grow stale. */
static rf_status try_kernel(rf_lock *lock, answer *got) {
  bool made = false;
  RF_TRY(open_lock_file(lock, &made));
  *got = lock_by_kernel(lock);
  if (*got == NO_LOCKS && made) (void)unlink(lock->path);
  if (*got == HELD) return refuse_owned(lock);
  if (*got == FAILED) return rf_fail(RF_FAILED, "%s: cannot be locked: %s", lock->path, strerror(errno));
  return RF_OK;
}

static void close_lock_file(rf_lock *lock) {
  if (lock->file >= 0) (void)close(lock->file);
  lock->file = -1;
}

/* A file that its last holder removed between opening and locking is no lock: again, with the new one. */
static rf_status take_kernel(rf_lock *lock, bool *has_locks) {
  for (;;) {
    answer got = FAILED;
    RF_TRY(try_kernel(lock, &got));
    *has_locks = got == GOT;
    if (got != GOT || is_still_the_file(lock)) break;
    close_lock_file(lock);
  }
  if (!*has_locks) {
    close_lock_file(lock);
    lock->of_process = false;
    return RF_OK;
  }
  char text[RF_MAX_HOLDER];
  rf_holder_describe(lock->attempt, text);
  const rf_status status = write_holder(lock->file, lock->path, text);
  if (status != RF_OK) (void)unlink(lock->path); /* while it is locked: nobody's line is in nobody's way */
  return status;
}

/* ------------------------------------------------------------------------------------------------ */

static rf_status take_best(rf_lock *lock, const char *folder, rf_lock_kind kind, const rf_lease_times *times) {
  bool has_locks = false;
  RF_TRY(rf_path_join(folder, LOCK_NAME, lock->path));
  rf_attempt_draw(lock->attempt);
  if (kind == RF_LOCK_BEST) RF_TRY(take_kernel(lock, &has_locks));
  return has_locks ? RF_OK : rf_lease_take(lock->path, lock->attempt, times, &lock->lease);
}

rf_status rf_lock_take_timed(const char *folder, rf_lock_kind kind, const rf_lease_times *times, rf_lock **lock) {
  rf_lock *l = calloc(1, sizeof *l);
  *lock = NULL;
  if (!l) return rf_fail(RF_FAILED, "out of memory: the lock of %s", folder);
  l->file = -1;
  const rf_status status = take_best(l, folder, kind, times);
  if (status == RF_OK) {
    *lock = l;
    return RF_OK;
  }
  close_lock_file(l);
  free(l);
  return status;
}

rf_status rf_lock_take(const char *folder, rf_lock_kind kind, rf_lock **lock) {
  static const rf_lease_times times = {.beat = 15, .stale = 60, .look = 1};
  return rf_lock_take_timed(folder, kind, &times, lock);
}

/* Opened anew, so that a network file system looks again; but the old kind of lock would be lost by closing that. */
static rf_status read_now(const rf_lock *lock, char text[RF_MAX_HOLDER]) {
  if (lock->of_process) {
    if (!is_still_the_file(lock)) return rf_fail(RF_FAILED, "%s: has been removed", lock->path);
    return rf_holder_read_open(lock->file, lock->path, text);
  }
  return rf_holder_read(lock->path, text);
}

rf_status rf_lock_check(const rf_lock *lock) {
  char text[RF_MAX_HOLDER], attempt[RF_ATTEMPT_LENGTH + 1];
  const rf_status status = read_now(lock, text);
  if (status != RF_OK) return rf_fail(RF_FAILED, "the run's lock is lost: %s", rf_error_message());
  rf_holder_attempt(text, attempt);
  if (strcmp(attempt, lock->attempt) == 0) return RF_OK;
  char holder[RF_MAX_HOLDER];
  return rf_fail(RF_FAILED, "the run's lock is lost: %s belongs to %s", lock->path, rf_holder_line(text, holder));
}

const char *rf_lock_attempt(const rf_lock *lock) { return lock->attempt; }

static bool is_of(const char *path, const char *wanted) {
  char text[RF_MAX_HOLDER], attempt[RF_ATTEMPT_LENGTH + 1];
  if (rf_holder_read(path, text) != RF_OK) return false;
  rf_holder_attempt(text, attempt);
  return strcmp(attempt, wanted) == 0;
}

/* Of the folder, or where it is not there of the nearest above it. */
static bool find_file_system(const char *folder, struct statfs *about) {
  char path[RF_MAX_PATH];
  (void)snprintf(path, sizeof path, "%s", folder);
  while (statfs(path, about) != 0) {
    char *slash = strrchr(path, '/');
    if (errno != ENOENT || strcmp(path, ".") == 0 || strcmp(path, "/") == 0) return false;
    if (!slash)
      strcpy(path, ".");
    else
      slash[slash == path] = '\0';
  }
  return true;
}

double rf_lock_patience(const char *folder) {
  static const unsigned long of_one_machine[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC,
                                                 OVERLAYFS_SUPER_MAGIC};
  struct statfs about;
  if (!find_file_system(folder, &about)) return ANY_PATIENCE;
  for (size_t i = 0; i < sizeof of_one_machine / sizeof *of_one_machine; i++)
    if ((unsigned long)about.f_type == of_one_machine[i]) return LOCAL_PATIENCE;
  return ANY_PATIENCE;
}

/* NFS asks its server again about a folder that is opened: else it remembers for up to a minute what was not there. */
static void refresh_folder(const char *folder) {
  const int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  (void)fsync(file);
  (void)close(file);
}

rf_status rf_lock_see(const char *folder, const char *attempt, double seconds) {
  static const rf_lease_times times;
  return rf_lock_see_timed(folder, attempt, seconds, &times);
}

rf_status rf_lock_see_timed(const char *folder, const char *attempt, double seconds, const rf_lease_times *times) {
  const double start = rf_lease_now(times), shortest = 0.1, longest = 1;
  char path[RF_MAX_PATH];
  RF_TRY(rf_path_join(folder, LOCK_NAME, path));
  for (double pause = shortest; !is_of(path, attempt); pause = fmin(1.5 * pause, longest)) {
    if (rf_lease_now(times) - start >= seconds)
      return rf_fail(
          RF_BAD_CONFIG,
          "run folder %s: is not the one that rank 0 has locked; allowed: a folder on a file system that all "
          "hosts share, and a path that leads there from each of them",
          folder);
    rf_lease_pause(times, pause);
    refresh_folder(folder);
  }
  return RF_OK;
}

void rf_lock_release(rf_lock *lock) {
  if (!lock) return;
  if (lock->lease)
    rf_lease_release(lock->lease);
  else if (is_still_the_file(lock))
    (void)unlink(lock->path); /* while it is locked: whoever waits for it sees that it is not the file any more */
  close_lock_file(lock);
  free(lock);
}
