#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* madvise */
#endif
#include "data/source.h"

#include "base/recognise.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static rf_status check_file(const char *path, const struct stat *info) {
  if (S_ISDIR(info->st_mode)) return rf_fail(RF_BAD_DATA, "%s: is a directory; data.path must name a file", path);
  if (!S_ISREG(info->st_mode)) return rf_fail(RF_BAD_DATA, "%s: is not a plain file; data.path must name one", path);
  if (info->st_size == 0) return rf_fail(RF_BAD_DATA, "%s: is empty; data.path must name a file with tokens", path);
  return RF_OK;
}

static rf_status check_size(const char *path, int64_t bytes, int token_bytes) {
  if (bytes % token_bytes == 0) return RF_OK;
  return rf_fail(RF_BAD_DATA,
                 "%s: has %" PRId64
                 " bytes, not a multiple of %d (data.token_bytes); is the file complete, and are its "
                 "tokens of that width?",
                 path, bytes, token_bytes);
}

/* --- whether the content is what was meant ----------------------------------------------------------- */

enum { SAMPLE = 4096 /* tokens */, LEAST_SAMPLE = 64, MOST_POINTER = 1024 /* bytes */ };

static uint32_t token_at(const unsigned char *at, int token_bytes) {
  uint32_t token = at[0];
  if (token_bytes > 1) token |= (uint32_t)at[1] << 8;
  if (token_bytes > 2) token |= (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
  return token;
}

/* Whether of the first tokens every `period`-th is some id, mostly, and all others are 0: the upper parts of ids that
 * are `period` times as wide. */
static bool is_wider(const rf_source *source, int period) {
  const int64_t n = source->tokens < SAMPLE ? source->tokens : SAMPLE;
  int64_t ids = 0, places = 0;
  for (int64_t t = 0; t < n; t++) {
    const bool some = token_at(source->map + t * source->token_bytes, source->token_bytes) != 0;
    if (t % period != 0 && some) return false;
    places += t % period == 0;
    ids += some;
  }
  return n >= LEAST_SAMPLE && 4 * ids >= 3 * places;
}

static rf_status check_width(const rf_source *source) {
  const int width = source->token_bytes;
  for (int period = width > 1 ? 8 / width : 1; period > 1; period /= 2) {
    if (!is_wider(source, period)) continue;
    char remedy[128] = "set data.token_bytes: 4";
    if (width * period == 8)
      (void)snprintf(remedy, sizeof remedy,
                     "write narrower ones: numpy.fromfile(FILE, '<i8').astype('<u%d').tofile(TOKENS)", width);
    return rf_fail(RF_BAD_DATA,
                   "%s: of its first tokens all but each %s are 0, as where ids of %d bytes are read as ids of %d "
                   "(data.token_bytes); %s",
                   source->path, period == 4 ? "fourth" : "second", width * period, width, remedy);
  }
  return RF_OK;
}

static const char tokens_wanted[] =
    "allowed where data.kind is tokens: ids alone, little endian, data.token_bytes bytes each, as "
    "numpy.asarray(IDS).astype('<u2').tofile(FILE) writes them";

/* Bytes may be of any kind, even those of an archive (rf_dataset_warn); but nobody trains on a pointer to a file. */
static rf_status check_format(const rf_source *source, int64_t bytes) {
  unsigned char head[RF_HEAD_BYTES];
  const ssize_t length = pread(source->file, head, sizeof head, 0);
  if (length < 0) return rf_fail(RF_BAD_DATA, "%s: cannot be read: %s", source->path, strerror(errno));
  const rf_recognised *what = rf_recognise(head, (size_t)length);
  if (what && what->content == RF_CONTENT_STAND_IN && bytes < MOST_POINTER)
    return rf_fail(RF_BAD_DATA, "%s: is %s; %s", source->path, what->name, what->remedy);
  if (source->token_bytes == 1) return RF_OK;
  if (what)
    return rf_fail(RF_BAD_DATA, "%s: is %s; %s", source->path, what->name, what->remedy ? what->remedy : tokens_wanted);
  if (!rf_is_text(head, (size_t)length)) return RF_OK;
  return rf_fail(RF_BAD_DATA, "%s: holds text; set data.kind: bytes, or turn it into tokens first; %s", source->path,
                 tokens_wanted);
}

/* Opens, checks and maps; what is open on failure is closed by the caller. */
static rf_status open_map(rf_source *source) {
  struct stat info;
  const char *path = source->path;
  if (path[0] == '\0') return rf_fail(RF_BAD_DATA, "data.path is empty; it must name a file of tokens");
  /* Not blocking: a named pipe must end in a message, not in waiting for its writer. */
  source->file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (source->file < 0) return rf_fail(RF_BAD_DATA, "%s: cannot open (data.path): %s", path, strerror(errno));
  if (fstat(source->file, &info) != 0) return rf_fail(RF_BAD_DATA, "%s: cannot stat: %s", path, strerror(errno));
  RF_TRY(check_file(path, &info));
  RF_TRY(check_format(source, info.st_size));
  RF_TRY(check_size(path, info.st_size, source->token_bytes));
  void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, source->file, 0);
  if (map == MAP_FAILED)
    return rf_fail(RF_FAILED, "%s: cannot map %" PRId64 " bytes: %s", path, (int64_t)info.st_size, strerror(errno));
  source->map = map;
  source->tokens = info.st_size / source->token_bytes;
  return check_width(source);
}

rf_status rf_source_open(const char *path, int token_bytes, int64_t vocab_size, rf_source *source) {
  assert(token_bytes == 1 || token_bytes == 2 || token_bytes == 4);
  *source = (rf_source){.file = -1, .token_bytes = token_bytes, .vocab_size = vocab_size, .path = strdup(path)};
  if (!source->path) return rf_fail(RF_FAILED, "%s: out of memory", path);
  rf_status status = open_map(source);
  if (status != RF_OK) rf_source_close(source);
  return status;
}

void rf_source_close(rf_source *source) {
  if (source->map) munmap((void *)(uintptr_t)source->map, (size_t)(source->tokens * source->token_bytes));
  if (source->file >= 0) close(source->file);
  free(source->path);
  *source = (rf_source){.file = -1};
}

/* The pages stay in the system's cache, but no longer count as this process's memory. */
static void forget_pages(const rf_source *source, int64_t from, int64_t to) {
  const int64_t around = 1 << 16; /* a fault maps its neighbours too */
  from = from / around * around;
  int64_t end = source->tokens * source->token_bytes;
  to = (to + around - 1) / around * around;
  if (to > end) to = end;
  (void)madvise((void *)(uintptr_t)(source->map + from), (size_t)(to - from), MADV_DONTNEED);
}

/* Ids the wrong way round are mostly too large. */
static rf_status refuse_token(const rf_source *source, int64_t place, uint32_t token) {
  char hint[64] = "";
  const uint32_t turned = source->token_bytes == 4   ? __builtin_bswap32(token)
                          : source->token_bytes == 2 ? __builtin_bswap16((uint16_t)token)
                                                     : token;
  if (turned < source->vocab_size) (void)snprintf(hint, sizeof hint, "; as big endian it would be %" PRIu32, turned);
  return rf_fail(RF_BAD_DATA,
                 "%s: token %" PRIu32 " at byte %" PRId64 ", but model.vocab_size allows 0 to %" PRId64
                 "; raise model.vocab_size, or check data.token_bytes (%d)%s",
                 source->path, token, place * source->token_bytes, source->vocab_size - 1, source->token_bytes, hint);
}

rf_status rf_source_read(const rf_source *source, int64_t first, int64_t count, int32_t *tokens) {
  assert(first >= 0 && count >= 0 && first + count <= source->tokens);
  if (count == 0) return RF_OK;
  const int width = source->token_bytes;
  /* Touching a page beyond the end of a file that was cut short ends a process. */
  struct stat info = {0};
  if (fstat(source->file, &info) != 0 || info.st_size < (first + count) * width)
    return rf_fail(RF_BAD_DATA, "%s: was cut short while in use: it had %" PRId64 " bytes when opened, now %" PRId64,
                   source->path, source->tokens * width, (int64_t)info.st_size);
  const unsigned char *from = source->map + first * width;
  for (int64_t t = 0; t < count; t++) {
    uint32_t token = token_at(from + t * width, width);
    if (token >= source->vocab_size) return refuse_token(source, first + t, token);
    tokens[t] = (int32_t)token;
  }
  forget_pages(source, first * width, (first + count) * width);
  return RF_OK;
}
