#include "config/schema.h"
#include "base/text.h"
#include "reformer/rng.h"
#include <assert.h>
#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order of the enums in reformer/config.h. */
static const char *const activations[] = {"relu", "gelu", NULL};
static const char *const positions[] = {"axial", "learned", "sinusoidal", "rotary", "none", NULL};
static const char *const residuals[] = {"reversible", "ordinary", NULL};
static const char *const duplicates[] = {"keep", "divide", "lucidrains", NULL};
static const char *const rotations[] = {"per_head", "shared", NULL};
static const char *const key_norms[] = {"rms", "unit", NULL};
static const char *const data_kinds[] = {"bytes", "tokens", "duplicate", NULL};
static const char *const token_bytes[] = {"2", "4", NULL};
static const char *const optimizers[] = {"adam", "adafactor", NULL};
static const char *const wires[] = {"full", "bf16", NULL};
static const char *const schedules[] = {"constant", "rsqrt", "cosine", "linear", NULL};

/* Two blocks (embedding, head) are counted beside the layers. */
#define MOST_LAYERS (RF_RNG_MAX_LAYERS - 2)
#define MOST_STEPS 2147483647.0
#define MOST_WIDTH 1048576.0

#define AT(field) offsetof(rf_config, field)
#define INT(name, field, least, most, default_, text)                                                                  \
  {                                                                                                                    \
    .path = name, .kind = RF_KEY_INT, .offset = AT(field), .low = least, .high = most, .initial = default_,            \
    .help = text                                                                                                       \
  }
#define AUTO_INT(name, field, least, most, text)                                                                       \
  {                                                                                                                    \
    .path = name, .kind = RF_KEY_INT, .offset = AT(field), .low = least, .high = most, .automatic = true,              \
    .initial = "auto", .help = text                                                                                    \
  }
/* from `least` to `most`, both allowed */
#define REAL(name, field, least, most, default_, text)                                                                 \
  {                                                                                                                    \
    .path = name, .kind = RF_KEY_REAL, .offset = AT(field), .low = least, .high = most, .initial = default_,           \
    .help = text                                                                                                       \
  }
/* above 0 */
#define POSITIVE(name, field, most, default_, text)                                                                    \
  {                                                                                                                    \
    .path = name, .kind = RF_KEY_REAL, .offset = AT(field), .low_open = true, .high = most, .initial = default_,       \
    .help = text                                                                                                       \
  }
/* at least 0, below 1 */
#define SHARE(name, field, default_, text)                                                                             \
  {                                                                                                                    \
    .path = name, .kind = RF_KEY_REAL, .offset = AT(field), .high = 1, .high_open = true, .initial = default_,         \
    .help = text                                                                                                       \
  }
#define BOOL(name, field, default_, text)                                                                              \
  { .path = name, .kind = RF_KEY_BOOL, .offset = AT(field), .initial = default_, .help = text }
#define WORD(name, field, choice, default_, text)                                                                      \
  { .path = name, .kind = RF_KEY_WORD, .offset = AT(field), .words = choice, .initial = default_, .help = text }
#define TEXT(name, field, default_, text)                                                                              \
  { .path = name, .kind = RF_KEY_TEXT, .offset = AT(field), .initial = default_, .help = text }

/* Sections stand together, and so do the keys of model.positions: the writer relies on it. */
static const rf_key keys[] = {
    INT("model.vocab_size", model.vocab_size, 2, INT32_MAX, "256", "token ids are 0 to vocab_size - 1"),
    INT("model.d_model", model.d_model, 1, MOST_WIDTH, "256", "width of a token"),
    INT("model.n_layers", model.n_layers, 1, MOST_LAYERS, "6", "blocks of attention and feed-forward"),
    INT("model.n_heads", model.n_heads, 1, RF_RNG_MAX_HEADS, "4", "attention heads of a layer"),
    AUTO_INT("model.d_head", model.d_head, 1, 65536, "width of a head; auto: d_model / n_heads"),
    AUTO_INT("model.d_ff", model.d_ff, 1, 4 * MOST_WIDTH, "hidden width of the feed-forward; auto: 4 d_model"),
    WORD("model.activation", model.activation, activations, "relu", "between the two feed-forward products"),
    {.path = "model.attention",
     .kind = RF_KEY_WORDS,
     .offset = AT(model.attention),
     .count = AT(model.n_attention),
     .items = RF_MAX_PATTERN,
     .words = rf_attention_names,
     .initial = "[lsh]",
     .help = "attention of each layer, repeated over the layers"},
    BOOL("model.causal", model.causal, "true", "a token sees only those before it"),
    SHARE("model.dropout", model.dropout, "0", "dropout of sublayer outputs, feed-forward and head"),
    SHARE("model.attention_dropout", model.attention_dropout, "0", "dropout of attention probabilities"),
    SHARE("model.embedding_dropout", model.embedding_dropout, "0", "dropout of the embedding"),
    WORD("model.positions.kind", model.positions.kind, positions, "axial", "how a token's position is told"),
    {.path = "model.positions.shape",
     .kind = RF_KEY_INTS,
     .offset = AT(model.positions.shape),
     .items = RF_MAX_AXES,
     .low = 1,
     .high = RF_RNG_MAX_POSITION,
     .automatic = true,
     .initial = "auto",
     .help = "places of each axis (learned: one), product >= padded length; auto: nearly square"},
    {.path = "model.positions.dims",
     .kind = RF_KEY_INTS,
     .offset = AT(model.positions.dims),
     .items = RF_MAX_AXES,
     .low = 1,
     .high = MOST_WIDTH,
     .automatic = true,
     .initial = "auto",
     .help = "axial: width of each axis, sum = d_model; auto: a quarter for the first of two"},
    WORD("model.residual", model.residual, residuals, "reversible", "ordinary stores every layer's input"),
    WORD("model.precision", model.precision, rf_precision_names, "full",
         "inputs of products with weights: as they are, or bfloat16 with sums in float"),
    BOOL("model.tied_embedding", model.tied_embedding, "false", "the output layer uses the token embedding"),
    POSITIVE("model.init_std", model.init_std, 10, "0.02", "standard deviation of initial weights"),
    POSITIVE("model.norm_eps", model.norm_eps, 1, "1.0e-12", "added to the variance in layer norm"),

    INT("lsh.chunk", lsh.chunk, 1, 1048576, "64", "slots of a chunk"),
    INT("lsh.n_hashes", lsh.n_hashes, 1, RF_RNG_MAX_ROUNDS, "4", "rounds of hashing"),
    {.path = "lsh.n_buckets",
     .kind = RF_KEY_INTS,
     .offset = AT(lsh.n_buckets),
     .count = AT(lsh.n_factors),
     .items = RF_MAX_FACTORS,
     .low = 2,
     .high = 1048576,
     .even = true,
     .automatic = true,
     .initial = "auto",
     .help = "buckets of a round, or their factors; auto: about 2 length / chunk"},
    INT("lsh.chunks_before", lsh.chunks_before, 0, 64, "1", "chunks before its own that a slot attends to"),
    INT("lsh.chunks_after", lsh.chunks_after, 0, 64, "0", "chunks after its own that a slot attends to"),
    BOOL("lsh.attend_across_buckets", lsh.attend_across_buckets, "true", "false: only keys of the same bucket"),
    WORD("lsh.duplicates", lsh.duplicates, duplicates, "keep",
         "a key met in several rounds counts each time, or (divide) once"),
    {.path = "lsh.rotations",
     .kind = RF_KEY_ROTATIONS,
     .offset = AT(lsh.rotations),
     .file = AT(lsh.rotations_file),
     .words = rotations,
     .initial = "per_head",
     .help = "where the random rotations come from"},
    WORD("lsh.key_norm", lsh.key_norm, key_norms, "rms", "keys of root mean square 1, or of length 1"),
    BOOL("lsh.mask_padding_queries", lsh.mask_padding_queries, "false", "padding sees nothing but itself"),

    INT("local.chunk", local.chunk, 1, 1048576, "64", "tokens of a chunk"),
    INT("local.chunks_before", local.chunks_before, 0, 64, "1", "chunks before its own that a token attends to"),
    INT("local.chunks_after", local.chunks_after, 0, 64, "0", "chunks after its own that a token attends to"),

    BOOL("full.shared_qk", full.shared_qk, "false", "true: the keys of LSH attention"),

    WORD("data.kind", data.kind, data_kinds, NULL, "a file of bytes, a file of token ids, or the paper's task"),
    TEXT("data.path", data.path, "''", "the file (bytes, tokens), from where the program starts"),
    {.path = "data.token_bytes",
     .kind = RF_KEY_NUMBER,
     .offset = AT(data.token_bytes),
     .words = token_bytes,
     .initial = "2",
     .help = "tokens: bytes of a token id, little endian"},
    INT("data.length", data.length, 2, RF_RNG_MAX_POSITION, "1024", "tokens of a sequence"),
    {.path = "data.split",
     .kind = RF_KEY_REALS,
     .offset = AT(data.split),
     .items = 3,
     .low = 0,
     .high = 1,
     .initial = "[0.9, 0.05, 0.05]",
     .help = "shares of the file for training, validation, test"},

    INT("training.steps", training.steps, 1, MOST_STEPS, "1000", "optimizer steps of the run"),
    INT("training.batch", training.batch, 1, RF_RNG_MAX_SEQUENCES, "8", "sequences of a step, over all ranks"),
    INT("training.accumulate", training.accumulate, 1, RF_RNG_MAX_SEQUENCES, "1", "parts a step's batch is cut into"),
    REAL("training.clip_norm", training.clip_norm, 0, 1e9, "1.0", "largest norm of the gradient; 0: off"),
    {.path = "training.seed",
     .kind = RF_KEY_SEED,
     .offset = AT(training.seed),
     .initial = "1",
     .help = "of everything random"},
    INT("training.eval_every", training.eval_every, 0, MOST_STEPS, "100",
        "steps between evaluations; 0: one at the end"),
    INT("training.eval_batches", training.eval_batches, 0, MOST_STEPS, "16", "batches of an evaluation; 0: all"),
    {.path = "training.memory_limit",
     .kind = RF_KEY_BYTES,
     .offset = AT(training.memory_limit),
     .automatic = true,
     .initial = "0",
     .help = "of a rank; what the run does not need of it keeps activations, which saves time; 0: none; auto: what is "
             "free"},
    {.path = "training.step_timeout",
     .kind = RF_KEY_REAL,
     .offset = AT(training.step_timeout),
     .high = 1e9,
     .automatic = true,
     .initial = "0.0",
     .help =
         "seconds; a step that takes longer ends the run and names who waits; 0: off; auto: 10 times the longest so "
         "far, but at least 1800; 18000 for the first after a start"},
    REAL("training.max_minutes", training.max_minutes, 0, 1e7, "0.0",
         "minutes; the run saves and stops (status 75) before they are over; 0: off"),

    WORD("optimizer.kind", optimizer.kind, optimizers, "adam", "which optimizer"),
    POSITIVE("optimizer.lr", optimizer.lr, 1000, "1.0e-3", "learning rate after warm-up"),
    WORD("optimizer.schedule", optimizer.schedule, schedules, "constant", "the learning rate after warm-up"),
    INT("optimizer.warmup", optimizer.warmup, 0, MOST_STEPS, "0", "steps over which the rate rises to lr"),
    REAL("optimizer.lr_end", optimizer.lr_end, 0, 1, "0.0", "cosine, linear: last rate as a share of lr"),
    {.path = "optimizer.beta1",
     .kind = RF_KEY_REAL,
     .offset = AT(optimizer.beta1),
     .high = 1,
     .high_open = true,
     .automatic = true,
     .initial = "auto",
     .help = "decay of the first moment; 0: none is kept; auto: 0.9, with adafactor 0"},
    SHARE("optimizer.beta2", optimizer.beta2, "0.999", "adam: decay of the second moment"),
    POSITIVE("optimizer.eps", optimizer.eps, 1, "1.0e-8", "adam: added to the root of the second moment"),
    REAL("optimizer.weight_decay", optimizer.weight_decay, 0, 1000, "0.0", "decoupled weight decay"),
    REAL("optimizer.decay_exponent", optimizer.decay_exponent, -10, 0, "-0.8",
         "adafactor: second moment decays 1 - t^this"),
    POSITIVE("optimizer.clip_threshold", optimizer.clip_threshold, 1e9, "1.0", "adafactor: largest rms of an update"),
    POSITIVE("optimizer.factor_eps", optimizer.factor_eps, 1, "1.0e-30", "adafactor: added to squared gradients"),
    POSITIVE("optimizer.scale_eps", optimizer.scale_eps, 1, "1.0e-3", "adafactor: least rms of a parameter"),
    BOOL("optimizer.relative_step", optimizer.relative_step, "false", "adafactor: its own rate, min(0.01, t^-0.5)"),
    BOOL("optimizer.scale_parameter", optimizer.scale_parameter, "false",
         "adafactor: rate times the rms of the parameter; relative_step implies it"),

    INT("mesh.sequence", mesh.sequence, 1, 1048576, "1", "ranks that share a sequence"),
    AUTO_INT("mesh.data", mesh.data, 1, 1048576, "groups of ranks with sequences of their own; auto: the rest"),
    WORD("mesh.wire", mesh.wire, wires, "full", "attention's rows between ranks: as they are, or half the bytes"),
    {.path = "mesh.wave_memory",
     .kind = RF_KEY_BYTES,
     .offset = AT(mesh.wave_memory),
     .initial = "1GiB",
     .help = "of a rank, for the rows of the heads that attention works on at once where ranks share a sequence: more "
             "lets fewer rows travel; a head takes what it needs"},

    INT("checkpoint.every", checkpoint.every, 0, MOST_STEPS, "500", "steps between checkpoints; 0: one at the end"),
    INT("checkpoint.keep", checkpoint.keep, 0, MOST_STEPS, "3",
        "newest checkpoints that stay; the best one stays too; 0: all"),
    INT("checkpoint.keep_every", checkpoint.keep_every, 0, MOST_STEPS, "0",
        "checkpoints of steps that this divides stay for good; 0: none"),
    BOOL("checkpoint.async", checkpoint.async, "true", "train on while a copy in memory is written"),

    INT("output.log_every", output.log_every, 1, MOST_STEPS, "10", "steps between logged steps"),
    INT("output.sample_tokens", output.sample_tokens, 0, RF_RNG_MAX_POSITION, "0",
        "tokens sampled at the end; 0: none"),
    TEXT("output.sample_prompt", output.sample_prompt, "''",
         "text that the sample starts with; ids and blanks where data are no bytes"),
    POSITIVE("output.sample_temperature", output.sample_temperature, 100, "1.0", "below 1: likelier tokens"),
};

enum { N_KEYS = sizeof keys / sizeof keys[0] };
_Static_assert((int)N_KEYS <= (int)RF_MAX_KEYS, "RF_MAX_KEYS is too small");
_Static_assert(sizeof(rf_attention_kind) == sizeof(int), "the table stores enums as ints");

int rf_key_count(void) { return N_KEYS; }

const rf_key *rf_key_at(int index) {
  assert(index >= 0 && index < N_KEYS);
  return &keys[index];
}

int rf_key_index(const char *path) {
  for (int i = 0; i < N_KEYS; i++) {
    if (strcmp(keys[i].path, path) == 0) return i;
  }
  return -1;
}

bool rf_key_is_section(const char *path) {
  size_t length = strlen(path);
  for (int i = 0; i < N_KEYS; i++) {
    if (strncmp(keys[i].path, path, length) == 0 && keys[i].path[length] == '.') return true;
  }
  return false;
}

static const char *leaf_of(const char *path) {
  const char *dot = strrchr(path, '.');
  return dot ? dot + 1 : path;
}

/* In small letters, and without what no name has. */
static void plain_name(const char *path, char *plain) {
  size_t n = 0;
  for (; *path != '\0' && n < RF_MAX_KEY - 1; path++)
    if (isalnum((unsigned char)*path) || *path == '_' || *path == '.') plain[n++] = (char)tolower((unsigned char)*path);
  plain[n] = '\0';
}

typedef struct nearest {
  const char *path;
  size_t length; /* of the path, up to the end of a section's name */
  int distance;
} nearest;

/* name: the first `length` letters of a key's path. */
static void try_name(const char *leaf, const char *path, size_t length, nearest *best) {
  char name[RF_MAX_KEY];
  (void)snprintf(name, sizeof name, "%.*s", (int)length, path);
  const int distance = rf_text_distance(leaf, leaf_of(name));
  if (distance < best->distance) *best = (nearest){path, length, distance};
}

/* Distances of whole paths would let a long common section outweigh the key itself, so names are compared after the
 * section: first among its own keys and sections, where up to half of the letters may be wrong, then all keys. */
const char *rf_key_nearest(const char *path, char *buffer) {
  char plain[RF_MAX_KEY];
  plain_name(path, plain);
  const char *leaf = leaf_of(plain);
  const size_t section = (size_t)(leaf - plain);
  nearest inside = {.distance = INT_MAX}, outside = {.distance = INT_MAX};
  for (int i = 0; i < N_KEYS; i++) {
    const char *key = keys[i].path;
    if (strncmp(key, plain, section) == 0) try_name(leaf, key, section + strcspn(key + section, "."), &inside);
    try_name(leaf, key, strlen(key), &outside);
  }
  const bool is_near = inside.distance <= (int)strlen(leaf) / 2;
  const bool is_nearer = section > 0 && inside.path && inside.distance <= outside.distance;
  const nearest *best = is_near || is_nearer ? &inside : &outside;
  (void)snprintf(buffer, RF_MAX_KEY, "%.*s", (int)best->length, best->path);
  return buffer;
}

static void append_words(char *buffer, const char *const *words) {
  for (int i = 0; words[i]; i++) rf_text_append(buffer, RF_MAX_ALLOWED, "%s%s", i > 0 ? ", " : "", words[i]);
}

static void append_range(const rf_key *key, char *buffer) {
  rf_text_append(buffer, RF_MAX_ALLOWED, "from %.15g to %.15g", key->low, key->high);
}

const char *rf_key_allowed(const rf_key *key, char *buffer) {
  const size_t size = RF_MAX_ALLOWED;
  buffer[0] = '\0';
  switch (key->kind) {
  case RF_KEY_INT:
    rf_text_append(buffer, size, "a whole number ");
    append_range(key, buffer);
    break;
  case RF_KEY_SEED: rf_text_append(buffer, size, "a whole number from 0 to 18446744073709551615"); break;
  case RF_KEY_BYTES: rf_text_append(buffer, size, "bytes, as 4GiB, 512MiB or 0"); break;
  case RF_KEY_REAL:
    rf_text_append(buffer, size, "a number %s %.15g and %s %.15g", key->low_open ? "above" : "of at least", key->low,
                   key->high_open ? "below" : "at most", key->high);
    break;
  case RF_KEY_BOOL: rf_text_append(buffer, size, "true, false"); break;
  case RF_KEY_WORD:
  case RF_KEY_NUMBER: append_words(buffer, key->words); break;
  case RF_KEY_TEXT: rf_text_append(buffer, size, "text of at most %d bytes", RF_MAX_PATH - 1); break;
  case RF_KEY_WORDS:
    rf_text_append(buffer, size, "one, or a list of up to %d, of: ", key->items);
    append_words(buffer, key->words);
    break;
  case RF_KEY_INTS:
    rf_text_append(buffer, size, "one %snumber, or a list of up to %d, ", key->even ? "even " : "whole ", key->items);
    append_range(key, buffer);
    break;
  case RF_KEY_REALS:
    rf_text_append(buffer, size, "a list of %d numbers ", key->items);
    append_range(key, buffer);
    break;
  case RF_KEY_ROTATIONS:
    append_words(buffer, key->words);
    rf_text_append(buffer, size, ", or a file whose name ends in .h5");
    break;
  }
  if (key->automatic) rf_text_append(buffer, size, ", or auto");
  return buffer;
}

static int count_ints(const rf_key *key, const rf_config *config) {
  const int64_t *values = (const int64_t *)(const void *)((const char *)config + key->offset);
  int count = 0;
  while (count < key->items && values[count] != 0) count++;
  return count;
}

static bool is_automatic(const rf_key *key, const rf_config *config) {
  const void *field = (const char *)config + key->offset;
  if (!key->automatic) return false;
  if (key->kind == RF_KEY_REAL) return isnan(*(const double *)field);
  return *(const int64_t *)field == (key->kind == RF_KEY_BYTES ? RF_MEMORY_AUTO : 0);
}

bool rf_key_is_list(const rf_key *key, const rf_config *config) {
  bool list = key->kind == RF_KEY_WORDS || key->kind == RF_KEY_INTS || key->kind == RF_KEY_REALS;
  return list && !is_automatic(key, config);
}

int rf_key_items(const rf_key *key, const rf_config *config) {
  switch (key->kind) {
  case RF_KEY_WORDS: return *(const int *)(const void *)((const char *)config + key->count);
  case RF_KEY_INTS: return is_automatic(key, config) ? 1 : count_ints(key, config);
  case RF_KEY_REALS: return key->items;
  default: return 1;
  }
}

/* In the largest unit that it is a whole number of. */
static void write_bytes(int64_t bytes, char *buffer, size_t size) {
  static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  for (; unit < 4 && bytes > 0 && bytes % 1024 == 0; unit++) bytes /= 1024;
  (void)snprintf(buffer, size, "%lld%s", (long long)bytes, units[unit]);
}

const char *rf_key_item(const rf_key *key, const rf_config *config, int item, char *buffer) {
  const void *field = (const char *)config + key->offset;
  const size_t size = RF_MAX_ITEM;
  if (is_automatic(key, config)) {
    (void)snprintf(buffer, size, "auto");
    return buffer;
  }
  switch (key->kind) {
  case RF_KEY_INT:
  case RF_KEY_INTS: (void)snprintf(buffer, size, "%lld", (long long)((const int64_t *)field)[item]); break;
  case RF_KEY_SEED: (void)snprintf(buffer, size, "%llu", (unsigned long long)*(const uint64_t *)field); break;
  case RF_KEY_BYTES: write_bytes(*(const int64_t *)field, buffer, size); break;
  case RF_KEY_REAL:
  case RF_KEY_REALS: (void)rf_text_real(((const double *)field)[item], buffer, size); break;
  case RF_KEY_BOOL: (void)snprintf(buffer, size, "%s", *(const bool *)field ? "true" : "false"); break;
  case RF_KEY_WORD:
  case RF_KEY_WORDS: (void)snprintf(buffer, size, "%s", key->words[((const int *)field)[item]]); break;
  case RF_KEY_NUMBER: (void)snprintf(buffer, size, "%d", *(const int *)field); break;
  case RF_KEY_TEXT: (void)snprintf(buffer, size, "%s", (const char *)field); break;
  case RF_KEY_ROTATIONS: {
    int kind = *(const int *)field;
    (void)snprintf(buffer, size, "%s", kind == RF_ROTATIONS_FILE ? (const char *)config + key->file : key->words[kind]);
    break;
  }
  }
  return buffer;
}

const char *rf_key_value(const rf_key *key, const rf_config *config, char *buffer) {
  const bool list = rf_key_is_list(key, config);
  char item[RF_MAX_ITEM];
  buffer[0] = '\0';
  for (int i = 0; i < rf_key_items(key, config); i++)
    rf_text_append(buffer, RF_MAX_VALUE, "%s%s", i > 0 ? ", " : list ? "[" : "", rf_key_item(key, config, i, item));
  rf_text_append(buffer, RF_MAX_VALUE, "%s", list ? "]" : "");
  return buffer;
}
