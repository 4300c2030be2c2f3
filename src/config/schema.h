/* The configuration's schema: one row a key, with its type, what is allowed, its default and its help.
 *
 * Reading, checking, writing and documenting the configuration all go through this table, so a new
 * key is one row here and one field in reformer/config.h. */
#ifndef RF_CONFIG_SCHEMA_H
#define RF_CONFIG_SCHEMA_H

#include "reformer/config.h"
#include <stdbool.h>
#include <stddef.h>

enum { RF_MAX_KEYS = 128, RF_MAX_KEY = 128, RF_MAX_ITEM = RF_MAX_PATH, RF_MAX_ALLOWED = 512 };
enum { RF_MAX_VALUE = 2 * RF_MAX_ITEM };

/* How a key's value is written, and what its field in rf_config is. */
typedef enum rf_key_kind {
  RF_KEY_INT,      /* int64_t */
  RF_KEY_SEED,     /* uint64_t, any */
  RF_KEY_BYTES,    /* int64_t; a whole number, or one with KiB, MiB, GiB or TiB behind it */
  RF_KEY_REAL,     /* double */
  RF_KEY_BOOL,     /* bool */
  RF_KEY_WORD,     /* an enum: index of the word in `words` */
  RF_KEY_NUMBER,   /* int: one of the numbers in `words` */
  RF_KEY_TEXT,     /* char[RF_MAX_PATH] */
  RF_KEY_WORDS,    /* array of enums and an int that counts them; one word stands for a list of one */
  RF_KEY_INTS,     /* array of int64_t, what is not used 0, and an int that counts them; likewise */
  RF_KEY_REALS,    /* array of double, all given */
  RF_KEY_ROTATIONS /* rf_rotations_kind, and a path beside it */
} rf_key_kind;

typedef struct rf_key {
  const char *path; /* "section.key" */
  rf_key_kind kind;
  size_t offset; /* of the field in rf_config */
  size_t count;  /* WORDS, INTS: offset of the count, 0: the entries that are not 0 are counted */
  size_t file;   /* ROTATIONS: offset of the path */
  int items;     /* WORDS, INTS: at most so many; REALS: exactly so many */
  double low, high;
  bool low_open, high_open; /* REAL: low, high themselves are not allowed */
  bool even;                /* INTS: even numbers only */
  bool automatic; /* the word auto is allowed: INT 0, INTS no items, BYTES RF_MEMORY_AUTO, REAL NaN until resolved */
  const char *const *words; /* allowed words, NULL at the end */
  const char *initial;      /* the default as YAML; NULL: the key must be given */
  const char *help;
} rf_key;

int rf_key_count(void);
const rf_key *rf_key_at(int index);
int rf_key_index(const char *path); /* -1: no such key */
bool rf_key_is_section(const char *path);

/* The known key or section that an unknown one most likely meant: of the same section where one is near, else any key.
 * Returns buffer, RF_MAX_KEY bytes. */
const char *rf_key_nearest(const char *path, char *buffer);

/* What is allowed, as a phrase: "a whole number from 1 to 1024, or auto". Returns buffer, RF_MAX_ALLOWED bytes. */
const char *rf_key_allowed(const rf_key *key, char *buffer);

/* The entries of a key's present value (1 for those that are no list), and each as text. An automatic value
 * that is not resolved yet is one entry, "auto". Returns buffer, RF_MAX_ITEM bytes. */
int rf_key_items(const rf_key *key, const rf_config *config);
const char *rf_key_item(const rf_key *key, const rf_config *config, int item, char *buffer);
bool rf_key_is_list(const rf_key *key, const rf_config *config);
/* The whole value as it stands in a file: "[64, 64]". Returns buffer, RF_MAX_VALUE bytes. */
const char *rf_key_value(const rf_key *key, const rf_config *config, char *buffer);

#endif
