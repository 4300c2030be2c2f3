#include "base/recognise.h"
#include "base/plain_file.h"
#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

typedef struct row {
  size_t at; /* where the bytes stand */
  const char *bytes;
  size_t length;
  rf_recognised what;
} row;

#define MAGIC(at, bytes, content, name, remedy)                                                                        \
  {                                                                                                                    \
    at, bytes, sizeof(bytes) - 1, { content, name, remedy }                                                            \
  }

/* Of bytes that begin no text and, but for gzip's three, are too many to begin a file of tokens by chance. */
static const row rows[] = {
    MAGIC(0, "version https://git-lfs", RF_CONTENT_STAND_IN, "a Git LFS pointer, not the file that it stands for",
          "fetch that with git lfs pull"),
    MAGIC(0, "version https://hawser", RF_CONTENT_STAND_IN, "an old Git LFS pointer, not the file that it stands for",
          "fetch that with git lfs pull"),
    MAGIC(0, "/annex/objects/", RF_CONTENT_STAND_IN, "a git-annex pointer, not the file that it stands for",
          "fetch that with git annex get"),
    MAGIC(0, "\x1f\x8b\x08", RF_CONTENT_PACKED, "a gzip archive", "unpack it with gunzip"),
    MAGIC(4, "1AY&SY", RF_CONTENT_PACKED, "a bzip2 archive", "unpack it with bunzip2"),
    MAGIC(0,
          "\xfd"
          "7zXZ\0",
          RF_CONTENT_PACKED, "an xz archive", "unpack it with unxz"),
    MAGIC(0, "\x28\xb5\x2f\xfd", RF_CONTENT_PACKED, "a zstd archive", "unpack it with unzstd"),
    MAGIC(0, "\x04\x22\x4d\x18", RF_CONTENT_PACKED, "an lz4 archive", "unpack it with unlz4"),
    MAGIC(0, "7z\xbc\xaf\x27\x1c", RF_CONTENT_PACKED, "a 7z archive", "unpack it with 7z x"),
    MAGIC(0, "Rar!\x1a\x07", RF_CONTENT_PACKED, "a rar archive", "unpack it with unrar"),
    MAGIC(257, "ustar", RF_CONTENT_PACKED, "a tar archive", "unpack it with tar -xf"),
    MAGIC(0,
          "\x7f"
          "ELF",
          RF_CONTENT_PACKED, "a program or library (ELF)", NULL),
    MAGIC(0, "\x89PNG\r\n\x1a\n", RF_CONTENT_PACKED, "a PNG image", NULL),
    MAGIC(0, "\xff\xd8\xff\xe0", RF_CONTENT_PACKED, "a JPEG image", NULL),
    MAGIC(0, "\xff\xd8\xff\xe1", RF_CONTENT_PACKED, "a JPEG image", NULL),
    MAGIC(0, "fLaC\0", RF_CONTENT_PACKED, "FLAC audio", NULL),
    MAGIC(0, "OggS\0", RF_CONTENT_PACKED, "Ogg audio", NULL),
    MAGIC(8, "WAVEfmt ", RF_CONTENT_PACKED, "WAV audio, which begins with a header", NULL),
    MAGIC(0, "MATLAB 5.0 MAT-file", RF_CONTENT_NUMBERS, "a file of MATLAB (.mat)", NULL),
    MAGIC(0, "MATLAB 7.3 MAT-file", RF_CONTENT_NUMBERS, "a file of MATLAB (.mat)", NULL),
    MAGIC(0, "%PDF-", RF_CONTENT_PACKED, "a PDF", "take its text out with pdftotext"),
    MAGIC(0, "\x93NUMPY", RF_CONTENT_NUMBERS, "a NumPy array (.npy), which begins with a header", NULL),
    MAGIC(0, "\x89HDF\r\n\x1a\n", RF_CONTENT_NUMBERS, "an HDF5 file", NULL),
    MAGIC(0, "PAR1", RF_CONTENT_NUMBERS, "a Parquet table", NULL),
    MAGIC(0, "ARROW1\0", RF_CONTENT_NUMBERS, "an Arrow table", NULL),
    MAGIC(0, "Obj\x01", RF_CONTENT_NUMBERS, "an Avro table", NULL),
    MAGIC(0, "SQLite format 3\0", RF_CONTENT_NUMBERS, "an SQLite database", NULL),
    MAGIC(0, "GGUF", RF_CONTENT_NUMBERS, "a GGUF model", NULL),
    MAGIC(0, "MMIDIDX\0\0", RF_CONTENT_NUMBERS, "the index (.idx) of a Megatron data set",
          "its tokens are in the .bin file beside it"),
    MAGIC(0, "TNTIDX\0\0", RF_CONTENT_NUMBERS, "the index (.idx) of a fairseq data set",
          "its tokens are in the .bin file beside it"),
    MAGIC(0, "\x88\xd8\x34\x01", RF_CONTENT_NUMBERS, "a token file of llm.c, which begins with 1024 bytes of header",
          "cut that off: tail -c +1025 FILE > TOKENS"),
    MAGIC(0, "\xa1\xd9\x34\x01", RF_CONTENT_NUMBERS, "a token file of llm.c, which begins with 1024 bytes of header",
          "cut that off: tail -c +1025 FILE > TOKENS"),
};

static const rf_recognised zip = {RF_CONTENT_PACKED, "a zip archive", "unpack it with unzip"};
static const rf_recognised npz = {RF_CONTENT_NUMBERS, "a zip archive of NumPy arrays (.npz)", NULL};
static const rf_recognised torch = {RF_CONTENT_NUMBERS, "a file of PyTorch (a zip archive around a pickle)", NULL};
static const rf_recognised pickle = {RF_CONTENT_NUMBERS, "a Python pickle", NULL};
static const rf_recognised arrow_stream = {RF_CONTENT_NUMBERS, "an Arrow stream (a table of HuggingFace datasets)",
                                           NULL};
static const rf_recognised safetensors = {RF_CONTENT_WEIGHTS, "a safetensors file (weights)", NULL};
static const rf_recognised orc = {RF_CONTENT_NUMBERS, "an ORC table", NULL};
static const rf_recognised dvc = {RF_CONTENT_STAND_IN, "a DVC pointer (.dvc), not the file that it stands for",
                                  "fetch that with dvc pull"};
static const rf_recognised html = {
    RF_CONTENT_TEXT, "an HTML page",
    "download the file itself, in whose place a login or error page may have been saved"};
static const rf_recognised model_index = {RF_CONTENT_TEXT, "the index of a model that is spread over several files",
                                          "save the model as one: save_pretrained(DIR, max_shard_size='100GB')"};
static const rf_recognised model_config = {RF_CONTENT_TEXT, "HuggingFace's description of a model (config.json)", NULL};

/* --- what takes more than comparing -------------------------------------------------------------------- */

typedef struct head {
  const unsigned char *bytes;
  size_t length;
} head;

static bool head_has(const head *h, size_t at, const char *bytes, size_t length) {
  return h->length >= at + length && memcmp(h->bytes + at, bytes, length) == 0;
}

static bool contains(const head *h, const char *text) {
  return memmem(h->bytes, h->length, text, strlen(text)) != NULL;
}

static uint64_t little_endian(const head *h, size_t at, int bytes) {
  uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; i--) value = value << 8 | h->bytes[at + (size_t)i];
  return value;
}

/* The first name in a zip archive tells who wrote it. */
static const rf_recognised *recognise_zip(const head *h) {
  if (head_has(h, 0, "PK\5\6", 4)) return &zip;
  if (!head_has(h, 0, "PK\3\4", 4)) return NULL;
  if (h->length < 30) return &zip;
  const size_t length = little_endian(h, 26, 2);
  const head name = {h->bytes + 30, length < h->length - 30 ? length : h->length - 30};
  if (contains(&name, "data.pkl") || contains(h, "/byteorder") || contains(h, "/.format_version")) return &torch;
  return contains(&name, ".npy") ? &npz : &zip;
}

/* Protocols 4 and 5 begin with a frame, whose length has bytes of 0 at its end; torch's old files and their like with
 * protocol 2 and a long number, a dictionary, a list or a name. */
static bool is_pickle(const head *h) {
  if (h->length < 12 || h->bytes[0] != 0x80 || h->bytes[1] < 2 || h->bytes[1] > 5) return false;
  if (h->bytes[1] >= 4) return h->bytes[2] == 0x95 && little_endian(h, 9, 2) == 0;
  const bool named = h->bytes[2] == 'c' && isalpha(h->bytes[3]) && isalpha(h->bytes[4]) && isalpha(h->bytes[5]);
  return named || head_has(h, 2, "}q\0", 3) || head_has(h, 2, "]q\0", 3) ||
         head_has(h, 2,
                  "\x8a\x0al\xfc\x9c"
                  "F\xf9",
                  7);
}

static bool is_safetensors(const head *h) {
  return h->length >= 10 && (head_has(h, 8, "{\"", 2) || head_has(h, 8, "{}", 2)) &&
         little_endian(h, 0, 8) <= 100000000;
}

/* A mark of no length, the length of the description, and where in it the description begins. */
static bool is_arrow_stream(const head *h) {
  return h->length >= 12 && head_has(h, 0, "\xff\xff\xff\xff", 4) && little_endian(h, 4, 4) % 8 == 0 &&
         little_endian(h, 4, 4) < 1 << 20 && little_endian(h, 8, 4) == 16;
}

/* A word may begin so, too; but it goes on without control characters. */
static bool is_orc(const head *h) {
  bool control = false;
  for (size_t i = 0; i < h->length; i++) control = control || h->bytes[i] < '\t';
  return control && head_has(h, 0, "ORC", 3);
}

static bool begins(const head *h, size_t at, const char *word) {
  const size_t length = strlen(word);
  return h->length >= at + length && strncasecmp((const char *)h->bytes + at, word, length) == 0;
}

static const rf_recognised *recognise_text(const head *h) {
  size_t at = head_has(h, 0, "\xef\xbb\xbf", 3) ? 3 : 0;
  while (at < h->length && isspace(h->bytes[at])) at++;
  if (begins(h, at, "<!doctype html") || begins(h, at, "<html") || (begins(h, at, "<?xml") && contains(h, "<Error>")))
    return &html;
  if ((begins(h, at, "outs:\n") || begins(h, at, "outs:\r\n")) && contains(h, "path:") &&
      (contains(h, "md5:") || contains(h, "etag:") || contains(h, "hash:")))
    return &dvc;
  if (!begins(h, at, "{")) return NULL;
  if (contains(h, "\"weight_map\"")) return &model_index;
  return contains(h, "\"architectures\"") || contains(h, "\"model_type\"") ? &model_config : NULL;
}

const rf_recognised *rf_recognise(const void *bytes, size_t length) {
  const head h = {bytes, length < RF_HEAD_BYTES ? length : RF_HEAD_BYTES};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (head_has(&h, rows[i].at, rows[i].bytes, rows[i].length)) return &rows[i].what;
  const rf_recognised *archive = recognise_zip(&h);
  if (archive) return archive;
  if (is_pickle(&h)) return &pickle;
  if (is_orc(&h)) return &orc;
  if (is_safetensors(&h)) return &safetensors;
  if (is_arrow_stream(&h)) return &arrow_stream;
  return recognise_text(&h);
}

bool rf_is_text(const void *bytes, size_t length) {
  const unsigned char *at = bytes;
  if (length > RF_HEAD_BYTES) length = RF_HEAD_BYTES;
  if (length < RF_LEAST_TEXT) return false;
  for (size_t i = 0; i < length; i++)
    if (at[i] == 127 || (at[i] < ' ' && (at[i] < '\t' || at[i] > '\r'))) return false;
  return true;
}

static unsigned unit_at(const unsigned char *at, bool turned) {
  return turned ? (unsigned)at[0] << 8 | at[1] : (unsigned)at[1] << 8 | at[0];
}

static bool is_control(unsigned unit) {
  return unit < '\t' || (unit > '\r' && unit < ' ') || (unit >= 127 && unit < 160) || unit >= 0xfffe;
}

/* All units, of which some at least are plain ones: also Chinese has line ends. */
static bool are_letters(const unsigned char *at, size_t units, bool turned, unsigned most) {
  size_t plain = 0;
  for (size_t i = 0; i < units; i++) {
    const unsigned unit = unit_at(at + 2 * i, turned);
    if (unit > most || is_control(unit)) return false;
    plain += unit < 127 || (unit >= 0x3000 && unit < 0x3100); /* kana, and the marks of Chinese */
  }
  return 64 * plain >= units;
}

rf_wide_text rf_is_wide_text(const void *bytes, size_t length) {
  const unsigned last_latin = 0x24f;
  const unsigned char *at = bytes;
  if (length > RF_HEAD_BYTES) length = RF_HEAD_BYTES;
  if (length < RF_LEAST_TEXT) return RF_WIDE_NONE;
  for (int turned = 0; turned <= 1; turned++)
    if (unit_at(at, turned) == 0xfeff)
      return are_letters(at + 2, length / 2 - 1, turned, 0xffff) ? RF_WIDE_TEXT : RF_WIDE_NONE;
  if (are_letters(at, length / 2, true, last_latin)) return RF_WIDE_TEXT_TURNED;
  return are_letters(at, length / 2, false, last_latin) ? RF_WIDE_LETTERS : RF_WIDE_NONE;
}

/* --- files --------------------------------------------------------------------------------------------- */

static size_t read_first_bytes(const char *path, unsigned char bytes[RF_HEAD_BYTES]) {
  struct stat about;
  const int file = rf_plain_open(path, &about);
  if (file < 0) return 0;
  const ssize_t length = read(file, bytes, RF_HEAD_BYTES);
  (void)close(file);
  return length > 0 ? (size_t)length : 0;
}

const rf_recognised *rf_recognise_file(const char *path) {
  unsigned char bytes[RF_HEAD_BYTES];
  return rf_recognise(bytes, read_first_bytes(path, bytes));
}
