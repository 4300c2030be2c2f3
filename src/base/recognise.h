/* What a file really is, by its first bytes: for messages to whoever gave the wrong one. */
#ifndef RF_BASE_RECOGNISE_H
#define RF_BASE_RECOGNISE_H

#include <stdbool.h>
#include <stddef.h>

enum {
  RF_HEAD_BYTES = 1024, /* of a file, that are looked at */
  RF_LEAST_TEXT = 256   /* bytes of a text: so many of anything else are not letters by chance */
};

typedef enum rf_content {
  RF_CONTENT_STAND_IN, /* stands for a file that is elsewhere: nobody wants its bytes */
  RF_CONTENT_PACKED,   /* other files are in it */
  RF_CONTENT_NUMBERS,  /* tables or tensors behind a header */
  RF_CONTENT_WEIGHTS,  /* the one format of tensors that is read: safetensors */
  RF_CONTENT_TEXT      /* text of a known purpose */
} rf_content;

typedef struct rf_recognised {
  rf_content content;
  const char *name;   /* "a gzip archive" */
  const char *remedy; /* what to do instead of giving it, after a semicolon; NULL: that depends on who asks */
} rf_recognised;

/* head: the first `length` bytes of a file, RF_HEAD_BYTES or as many as it has. NULL: nothing that is known here. */
const rf_recognised *rf_recognise(const void *head, size_t length);

/* The same of a plain file; NULL also where it cannot be read. */
const rf_recognised *rf_recognise_file(const char *path);

/* At least RF_LEAST_TEXT bytes, all of them letters, blanks or line ends of ASCII, or above it (UTF-8 and others). */
bool rf_is_text(const void *head, size_t length);

typedef enum rf_wide_text {
  RF_WIDE_NONE,
  RF_WIDE_TEXT,        /* begins with the mark of UTF-16 */
  RF_WIDE_TEXT_TURNED, /* without the mark, big endian */
  RF_WIDE_LETTERS      /* without the mark, little endian: text, or ids that are the numbers of letters */
} rf_wide_text;

/* Text in units of 16 bits, at least RF_LEAST_TEXT bytes of it; without the mark only Latin letters are known. */
rf_wide_text rf_is_wide_text(const void *head, size_t length);

#endif
