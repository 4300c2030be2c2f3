#include "checkpoint/commit.h"
#include "base/hash.h"
#include "reformer/checkpoint_info.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_NUMBER (INT64_MAX / 4)
enum { LONGEST_LINE = 128, HEX = 16, END_LENGTH = 4 + HEX + 1 }; /* "end ", hash, line feed */

void rf_commit_free(rf_commit *commit) {
  for (int i = 0; i < commit->n_files; i++) rf_file_digest_free(&commit->files[i]);
  free(commit->files);
  *commit = (rf_commit){0};
}

const rf_file_digest *rf_commit_find(const rf_commit *commit, const char *name) {
  for (int i = 0; i < commit->n_files; i++)
    if (strcmp(commit->files[i].name, name) == 0) return &commit->files[i];
  return NULL;
}

/* --- write -------------------------------------------------------------------------------------- */

rf_status rf_commit_emit(const rf_commit *commit, char **text, int64_t *length) {
  size_t size = 0;
  *text = NULL;
  FILE *stream = open_memstream(text, &size);
  if (!stream) return rf_fail(RF_FAILED, "out of memory: %s", RF_COMMIT_NAME);
  fprintf(stream, "reformer checkpoint\nversion %d\nattempt %s\nhash xxh64 %" PRId64 "\n", RF_CHECKPOINT_VERSION,
          commit->attempt, commit->digest_block_bytes);
  for (int i = 0; i < commit->n_files; i++) {
    const rf_file_digest *file = &commit->files[i];
    fprintf(stream, "file %" PRId64 " %s\n", file->size, file->name);
    for (int64_t h = 0; h < file->n_hashes; h++) fprintf(stream, "%016" PRIx64 "\n", file->hashes[h]);
  }
  if (fflush(stream) == 0) fprintf(stream, "end %016" PRIx64 "\n", rf_hash(*text, (int64_t)size));
  if (fclose(stream) != 0) {
    free(*text);
    *text = NULL;
    return rf_fail(RF_FAILED, "out of memory: %s", RF_COMMIT_NAME);
  }
  *length = (int64_t)size;
  return RF_OK;
}

/* --- read --------------------------------------------------------------------------------------- */

typedef struct lines {
  const char *where, *next, *end;
  int64_t number; /* of the present line, from 1 */
  char line[LONGEST_LINE];
} lines;

static rf_status refuse_line(const lines *l, const char *wanted) {
  return rf_fail(RF_BAD_DATA, "%s:%" PRId64 ": damaged: wanted %s", l->where, l->number, wanted);
}

/* The next line into l->line, zero-ended; `wanted` says what it should be. */
static rf_status next_line(lines *l, const char *wanted) {
  l->number++;
  const char *end = l->next < l->end ? memchr(l->next, '\n', (size_t)(l->end - l->next)) : NULL;
  const size_t length = end ? (size_t)(end - l->next) : 0;
  if (!end || length >= sizeof l->line || memchr(l->next, '\0', length)) return refuse_line(l, wanted);
  memcpy(l->line, l->next, length);
  l->line[length] = '\0';
  l->next = end + 1;
  return RF_OK;
}

/* Digits only, no zero in front, and nothing above MOST_NUMBER. Returns what follows; NULL: no such number. */
static const char *read_number(const char *text, int64_t *number) {
  *number = 0;
  if (text[0] == '0') return text[1] >= '0' && text[1] <= '9' ? NULL : text + 1;
  const char *at = text;
  for (; *at >= '0' && *at <= '9'; at++) {
    if (*number > MOST_NUMBER / 10) return NULL;
    *number = *number * 10 + (*at - '0');
  }
  return at == text ? NULL : at;
}

/* 16 lower-case hexadecimal digits and no more. */
static bool read_hex(const char *text, uint64_t *value) {
  *value = 0;
  for (int i = 0; i < HEX; i++) {
    const char c = text[i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return false;
    *value = *value << 4 | (uint64_t)digit;
  }
  return text[HEX] == '\0';
}

/* A file's name within the folder, and no way out of it. */
static bool is_name(const char *name) {
  const size_t length = strlen(name);
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  return length > 0 && length < RF_MAX_FILE_NAME && name[0] != '.' && strspn(name, allowed) == length;
}

/* The whole text's own hash comes first: nothing else is looked at where that fails. */
static rf_status check_end(const char *where, const char *text, int64_t length) {
  uint64_t hash;
  char digits[HEX + 1] = "";
  const char *end = length > END_LENGTH ? text + (length - END_LENGTH) : NULL;
  if (end) memcpy(digits, end + 4, HEX);
  if (!end || memcmp(end, "end ", 4) != 0 || end[END_LENGTH - 1] != '\n' || !read_hex(digits, &hash))
    return rf_fail(RF_BAD_DATA, "%s: damaged: it does not end with the hash of itself", where);
  if (hash != rf_hash(text, length - END_LENGTH))
    return rf_fail(RF_BAD_DATA, "%s: damaged: its bytes do not match its own hash", where);
  return RF_OK;
}

static rf_status read_head(lines *l, rf_commit *commit) {
  int64_t version;
  uint64_t attempt;
  RF_TRY(next_line(l, "'reformer checkpoint'"));
  if (strcmp(l->line, "reformer checkpoint") != 0) return refuse_line(l, "'reformer checkpoint'");
  RF_TRY(next_line(l, "'version N'"));
  const char *rest = strncmp(l->line, "version ", 8) == 0 ? read_number(l->line + 8, &version) : NULL;
  if (!rest || *rest != '\0' || version < 1) return refuse_line(l, "'version N'");
  if (version > RF_CHECKPOINT_VERSION)
    return rf_fail(RF_BAD_DATA,
                   "%s: found version %" PRId64 "; allowed: up to %d; it was written by a newer reformer: use that one",
                   l->where, version, RF_CHECKPOINT_VERSION);
  RF_TRY(next_line(l, "'attempt ' and 16 hexadecimal digits"));
  if (strncmp(l->line, "attempt ", 8) != 0 || !read_hex(l->line + 8, &attempt))
    return refuse_line(l, "'attempt ' and 16 hexadecimal digits");
  memcpy(commit->attempt, l->line + 8, sizeof commit->attempt);
  RF_TRY(next_line(l, "'hash xxh64 BYTES'"));
  rest = strncmp(l->line, "hash xxh64 ", 11) == 0 ? read_number(l->line + 11, &commit->digest_block_bytes) : NULL;
  if (!rest || *rest != '\0' || commit->digest_block_bytes < 512 || commit->digest_block_bytes > 1 << 30)
    return refuse_line(l, "'hash xxh64 ' and 512 to 1073741824 bytes of a block");
  return RF_OK;
}

/* l->line is "file SIZE NAME"; its hashes follow. */
static rf_status read_file_line(lines *l, rf_commit *commit) {
  static const char wanted[] = "'file SIZE NAME' or 'end HASH'";
  rf_file_digest file = {0};
  const char *rest = strncmp(l->line, "file ", 5) == 0 ? read_number(l->line + 5, &file.size) : NULL;
  if (!rest || *rest != ' ' || !is_name(rest + 1)) return refuse_line(l, wanted);
  if (rf_commit_find(commit, rest + 1)) return refuse_line(l, "a name that is not there yet");
  memcpy(file.name, rest + 1, strlen(rest + 1) + 1); /* is_name said that it fits */
  file.n_hashes = rf_digest_blocks(file.size, commit->digest_block_bytes);
  /* So many lines must be left: a made-up size takes no memory. */
  if (file.n_hashes > (l->end - l->next) / (HEX + 1)) return refuse_line(l, "a size with as many hashes as follow");
  rf_file_digest *files = realloc(commit->files, (size_t)(commit->n_files + 1) * sizeof *files);
  if (files) commit->files = files;
  file.hashes = calloc((size_t)file.n_hashes + 1, sizeof *file.hashes);
  if (!files || !file.hashes) {
    free(file.hashes);
    return rf_fail(RF_FAILED, "%s: out of memory", l->where);
  }
  commit->files[commit->n_files++] = file;
  for (int64_t i = 0; i < file.n_hashes; i++) {
    RF_TRY(next_line(l, "a hash of 16 hexadecimal digits"));
    if (!read_hex(l->line, &file.hashes[i])) return refuse_line(l, "a hash of 16 hexadecimal digits");
  }
  return RF_OK;
}

static rf_status read_commit_text(lines *l, rf_commit *commit) {
  RF_TRY(read_head(l, commit));
  for (;;) {
    RF_TRY(next_line(l, "'file SIZE NAME' or 'end HASH'"));
    if (l->next == l->end && strncmp(l->line, "end ", 4) == 0) return RF_OK;
    RF_TRY(read_file_line(l, commit));
  }
}

rf_status rf_commit_parse(const char *where, const char *text, int64_t length, rf_commit *commit) {
  *commit = (rf_commit){0};
  RF_TRY(check_end(where, text, length));
  lines l = {.where = where, .next = text, .end = text + length};
  const rf_status status = read_commit_text(&l, commit);
  if (status != RF_OK) rf_commit_free(commit);
  return status;
}
