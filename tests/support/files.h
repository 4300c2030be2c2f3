/* Folders and files that tests make, and files that are taken for others. */
#ifndef TESTS_SUPPORT_FILES_H
#define TESTS_SUPPORT_FILES_H

#include "support/numbers.h"
#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

/* In memory where the system has such a file system: there a sync takes no time. */
static inline const char *folder_make(void) {
  static char path[64];
  strcpy(path, access("/dev/shm", W_OK) == 0 ? "/dev/shm/reformer-test-XXXXXX" : "/tmp/reformer-test-XXXXXX");
  assert_non_null(mkdtemp(path));
  return path;
}

static inline int folder_remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk) {
  (void)about, (void)kind, (void)walk;
  return remove(path);
}

static inline void folder_remove(const char *path) {
  assert_int_equal(nftw(path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* "FOLDER/NAME"; good until the fourth call after. */
static inline const char *folder_path(const char *folder, const char *name) {
  static char paths[4][512];
  static int next;
  char path[sizeof paths[0]];
  snprintf(path, sizeof path, "%s/%s", folder, name); /* folder may be one of these */
  return strcpy(paths[next++ % 4], path);
}

static inline int folder_entries(const char *folder) {
  int n = 0;
  DIR *entries = opendir(folder);
  assert_non_null(entries);
  while (readdir(entries)) n++;
  closedir(entries);
  return n - 2;
}

static inline unsigned char *file_read(const char *path, int64_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file) fail_msg("%s: cannot be opened", path);
  fseek(file, 0, SEEK_END);
  *size = ftell(file);
  rewind(file);
  unsigned char *bytes = NEW(unsigned char, *size + 1);
  assert_int_equal(fread(bytes, 1, (size_t)*size, file), *size);
  fclose(file);
  return bytes;
}

static inline void file_write(const char *path, const void *bytes, int64_t size) {
  FILE *file = fopen(path, "wb");
  if (!file) fail_msg("%s: cannot be written", path);
  assert_int_equal(fwrite(bytes, 1, (size_t)size, file), size);
  assert_int_equal(fclose(file), 0);
}

/* How a file of another format begins, and what a message must say of it. */
typedef struct foreign_file {
  const char *head;
  size_t length;
  const char *texts[2];
} foreign_file;

#define FOREIGN(head, ...)                                                                                             \
  {                                                                                                                    \
    head, sizeof(head) - 1, { __VA_ARGS__ }                                                                            \
  }

/* The head, and zeros up to `size` bytes. */
static inline void foreign_write(const char *path, const foreign_file *foreign, size_t size) {
  unsigned char *bytes = NEW(unsigned char, size);
  memcpy(bytes, foreign->head, foreign->length);
  file_write(path, bytes, (int64_t)size);
  free(bytes);
}

#endif
