#include "data/source.h"
#include "base/plain_file.h"

#include "base/recognise.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static rf_status check_source_size(const char *path, int64_t bytes, int token_bytes) {
  if (bytes % token_bytes == 0) return RF_OK;
  return rf_fail(RF_BAD_DATA,
                 "%s: has %" PRId64
                 " bytes, not a multiple of %d (data.token_bytes); is the file complete, and are its "
                 "tokens of that width?",
                 path, bytes, token_bytes);
}

static rf_status refuse_cut(const rf_source *source, int64_t end) {
  struct stat info;
  if (fstat(source->file, &info) == 0) end = info.st_size;
  return rf_fail(RF_BAD_DATA, "%s: was cut short while in use: it had %" PRId64 " bytes when opened, now %" PRId64,
                 source->path, source->tokens * source->token_bytes, end);
}

rf_status rf_source_bytes(const rf_source *source, int64_t from, int64_t count, void *bytes) {
  for (int64_t done = 0; done < count;) {
    const ssize_t n = pread(source->file, (char *)bytes + done, (size_t)(count - done), from + done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return rf_fail(RF_FAILED, "%s: cannot be read at byte %" PRId64 ": %s", source->path, from + done,
                     strerror(errno));
    if (n == 0) return refuse_cut(source, from + done);
    done += n;
  }
  return RF_OK;
}

/* --- whether the content is what was meant ----------------------------------------------------------- */

enum {
  WINDOWS = 32, /* spread over the file: its head may be padding */
  WINDOW = 256, /* tokens of each */
  LEAST_SAMPLE = 64,
  MOST_UPPER = 15,    /* of an id's upper half: vocabularies end at 2^20 */
  MOST_POINTER = 1024 /* bytes */
};

static uint32_t token_at(const unsigned char *at, int token_bytes) {
  uint32_t token = at[0];
  if (token_bytes > 1) token |= (uint32_t)at[1] << 8;
  if (token_bytes > 2) token |= (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
  return token;
}

/* What was seen in the windows that are full of ids, if those are `period` times as wide as a token. */
typedef struct width_guess {
  int width, period;
  int64_t ids, large; /* ids; of them those with upper parts, but negative ones: -100 marks what has no label */
  bool refuted;
} width_guess;

/* No upper part of an id, which is 0, of a negative one all ones, or small. A part above 32 bits is never small. */
static bool is_no_upper(const width_guess *g, uint32_t part, int place) {
  if (part == 0 || part == (g->width == 2 ? UINT16_MAX : UINT32_MAX)) return false;
  return place * g->width >= 4 || part > MOST_UPPER;
}

static void look_at_window(const unsigned char *window, int64_t n, width_guess *g) {
  int64_t ids = 0, large = 0, groups = n / g->period;
  for (int64_t i = 0; i < groups && !g->refuted; i++) {
    const unsigned char *at = window + i * g->period * g->width;
    ids += token_at(at, g->width) != 0;
    for (int place = 1; place < g->period; place++) {
      const uint32_t part = token_at(at + place * g->width, g->width);
      g->refuted = g->refuted || is_no_upper(g, part, place);
      large += part > 0 && part <= MOST_UPPER;
    }
  }
  if (4 * ids < 3 * groups) return; /* padding, or tokens that are seldom not 0, which tell nothing */
  g->ids += groups;
  g->large += large;
}

/* The windows begin at a multiple of 8 bytes, so that all see the same part of an id first. */
static rf_status look_at_windows(const rf_source *source, width_guess *g) {
  unsigned char window[WINDOW * sizeof(uint32_t)];
  const int64_t last = source->tokens > WINDOW ? (source->tokens - WINDOW) / 4 : 0;
  const int64_t all = source->tokens / WINDOW + 1, windows = all < WINDOWS ? all : WINDOWS;
  for (int64_t i = 0; i < windows && !g->refuted; i++) {
    const int64_t at = windows > 1 ? last / (windows - 1) * i + last % (windows - 1) * i / (windows - 1) : 0;
    const int64_t rest = source->tokens - 4 * at, n = rest < WINDOW ? rest : WINDOW;
    RF_TRY(rf_source_bytes(source, 4 * at * g->width, n * g->width, window));
    look_at_window(window, n, g);
  }
  return RF_OK;
}

static rf_status refuse_width(const rf_source *source, const width_guess *g) {
  char remedy[160] = "set data.token_bytes: 4; if they are of 2 indeed, write them as '<u4'";
  const int bytes = g->width * g->period;
  if (bytes == 8)
    (void)snprintf(remedy, sizeof remedy,
                   "write narrower ones: numpy.fromfile(FILE, '<i8').astype('<u%d').tofile(TOKENS)", g->width);
  return rf_fail(RF_BAD_DATA,
                 "%s: of its tokens, in samples of it, all but each %s are 0, or nearly all, as where ids of %d bytes "
                 "are read as ids of %d (data.token_bytes); %s",
                 source->path, g->period == 4 ? "fourth" : "second", bytes, g->width, remedy);
}

static rf_status check_width(const rf_source *source) {
  const int width = source->token_bytes;
  for (int period = width > 1 ? 8 / width : 1; period > 1; period /= 2) {
    width_guess g = {.width = width, .period = period};
    RF_TRY(look_at_windows(source, &g));
    if (!g.refuted && g.ids * period >= LEAST_SAMPLE && 2 * g.large <= g.ids) return refuse_width(source, &g);
  }
  return RF_OK;
}

static const char tokens_wanted[] =
    "allowed where data.kind is tokens: ids alone, little endian, data.token_bytes bytes each, as "
    "numpy.asarray(IDS).astype('<u2').tofile(FILE) writes them";

/* Bytes may be of any kind, even those of an archive (rf_dataset_warn); but nobody trains on a pointer to a file. */
static rf_status check_format(const rf_source *source, int64_t bytes) {
  unsigned char head[RF_HEAD_BYTES];
  const int64_t length = bytes < RF_HEAD_BYTES ? bytes : RF_HEAD_BYTES;
  RF_TRY(rf_source_bytes(source, 0, length, head));
  const rf_recognised *what = rf_recognise(head, (size_t)length);
  if (what && what->content == RF_CONTENT_STAND_IN && bytes < MOST_POINTER)
    return rf_fail(RF_BAD_DATA, "%s: is %s; %s", source->path, what->name, what->remedy);
  if (source->token_bytes == 1) return RF_OK;
  if (what)
    return rf_fail(RF_BAD_DATA, "%s: is %s; %s", source->path, what->name, what->remedy ? what->remedy : tokens_wanted);
  const rf_wide_text wide = rf_is_wide_text(head, (size_t)length);
  if (wide == RF_WIDE_TEXT || wide == RF_WIDE_TEXT_TURNED)
    return rf_fail(
        RF_BAD_DATA,
        "%s: holds text in UTF-16; make bytes of it with iconv -f UTF-16%s -t UTF-8 and set data.kind: bytes, "
        "or turn it into tokens first; %s",
        source->path, wide == RF_WIDE_TEXT ? "" : "BE", tokens_wanted);
  if (!rf_is_text(head, (size_t)length)) return RF_OK;
  return rf_fail(RF_BAD_DATA, "%s: holds text; set data.kind: bytes, or turn it into tokens first; %s", source->path,
                 tokens_wanted);
}

/* Opens and checks; what is open on failure is closed by the caller. */
static rf_status open_file(rf_source *source) {
  int64_t bytes;
  const char *path = source->path;
  if (path[0] == '\0') return rf_fail(RF_BAD_DATA, "data.path is empty; it must name a file of tokens");
  const rf_status status = rf_file_open(path, &source->file, &bytes);
  if (status != RF_OK) return rf_fail(status, "%s (data.path)", rf_error_message());
  if (bytes == 0) return rf_fail(RF_BAD_DATA, "%s: is empty; data.path must name a file with tokens", path);
  source->tokens = bytes / source->token_bytes;
  RF_TRY(check_format(source, bytes));
  RF_TRY(check_source_size(path, bytes, source->token_bytes));
  return check_width(source);
}

rf_status rf_source_open(const char *path, int token_bytes, int64_t vocab_size, rf_source *source) {
  assert(token_bytes == 1 || token_bytes == 2 || token_bytes == 4);
  *source = (rf_source){.file = -1, .token_bytes = token_bytes, .vocab_size = vocab_size, .path = strdup(path)};
  if (!source->path) return rf_fail(RF_FAILED, "%s: out of memory", path);
  rf_status status = open_file(source);
  if (status != RF_OK) rf_source_close(source);
  return status;
}

void rf_source_close(rf_source *source) {
  if (source->file >= 0) close(source->file);
  free(source->path);
  *source = (rf_source){.file = -1};
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

/* The file's bytes go to the end of the place for the tokens, each of which is as wide or wider, and are spread from
 * its front: a token is written where no byte is that is still to be read.
 *
 *   tokens  |    .    .    .    |        two bytes each:  |         .aabbccdd|  ->  |a   .    .bbccdd|  ->  ... */
rf_status rf_source_read(const rf_source *source, int64_t first, int64_t count, int32_t *tokens) {
  assert(first >= 0 && count >= 0 && first + count <= source->tokens);
  const int width = source->token_bytes;
  const unsigned char *from = (unsigned char *)tokens + count * ((int64_t)sizeof *tokens - width);
  RF_TRY(rf_source_bytes(source, first * width, count * width, (void *)(uintptr_t)from));
  for (int64_t t = 0; t < count; t++) {
    const uint32_t token = token_at(from + t * width, width);
    if (token >= source->vocab_size) return refuse_token(source, first + t, token);
    tokens[t] = (int32_t)token;
  }
  return RF_OK;
}
