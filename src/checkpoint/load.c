/* From any ranks to any: what a saved segment and a wanted array have in common is copied, tensor by tensor, as the
 * tensors of a block lie at other offsets in the float and in the double build.
 *
 *   saved     shard 0 [======|====]  shard 1 [==|======|..]
 *   wanted                [======|==)                             one array of this rank */
#include "base/text.h"
#include "checkpoint/damage.h"
#include "checkpoint/digest_reader.h"
#include "checkpoint/opened.h"
#include "reformer/checkpoint.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

typedef struct loader {
  rf_checkpoint *c;
  const rf_layout *layout; /* of the wanted arrays */
  int64_t shard;           /* that is open; -1: none */
  rf_digest_reader reader;
} loader;

/* --- do the tensors agree? -------------------------------------------------------------------------- */

static const rf_tensor *find_tensor(const rf_layout *layout, const char *name) {
  for (int b = 0; b < layout->n_blocks; b++)
    for (int t = 0; t < layout->blocks[b].n_tensors; t++)
      if (strcmp(layout->blocks[b].tensors[t].name, name) == 0) return &layout->blocks[b].tensors[t];
  return NULL;
}

static bool same_shape(const rf_tensor *a, const rf_tensor *b) {
  bool same = a->n_dims == b->n_dims;
  for (int d = 0; same && d < a->n_dims; d++) same = a->shape[d] == b->shape[d];
  return same;
}

static rf_status check_tensor(const rf_checkpoint *c, const rf_tensor *wanted) {
  const rf_tensor *saved = find_tensor(&c->manifest.layout, wanted->name);
  if (!saved)
    return rf_fail(RF_BAD_DATA, "%s: has no tensor %s, which the configuration asks for", c->folder, wanted->name);
  if (same_shape(saved, wanted)) return RF_OK;
  char found[96], fits[96];
  return rf_fail(RF_BAD_DATA, "%s: tensor %s: found shape (%s); the configuration asks for (%s)", c->folder,
                 wanted->name, rf_text_list(saved->n_dims, saved->shape, found, sizeof found),
                 rf_text_list(wanted->n_dims, wanted->shape, fits, sizeof fits));
}

/* The same blocks with the same tensors in the same order; where they lie in a block is each build's own. */
static rf_status check_layout(const rf_checkpoint *c, const rf_layout *wanted) {
  const rf_layout *saved = &c->manifest.layout;
  for (int b = 0; b < wanted->n_blocks; b++)
    for (int t = 0; t < wanted->blocks[b].n_tensors; t++) RF_TRY(check_tensor(c, &wanted->blocks[b].tensors[t]));
  for (int b = 0; b < saved->n_blocks; b++)
    for (int t = 0; t < saved->blocks[b].n_tensors; t++)
      if (!find_tensor(wanted, saved->blocks[b].tensors[t].name))
        return rf_fail(RF_BAD_DATA, "%s: has a tensor %s, for which the configuration has no place", c->folder,
                       saved->blocks[b].tensors[t].name);
  bool same = saved->n_blocks == wanted->n_blocks;
  for (int b = 0; same && b < wanted->n_blocks; b++) {
    same = saved->blocks[b].n_tensors == wanted->blocks[b].n_tensors;
    for (int t = 0; same && t < wanted->blocks[b].n_tensors; t++)
      same = strcmp(saved->blocks[b].tensors[t].name, wanted->blocks[b].tensors[t].name) == 0;
  }
  return same ? RF_OK : rf_fail(RF_BAD_DATA, "%s: its tensors come in another order", c->folder);
}

/* --- copying ---------------------------------------------------------------------------------------- */

static rf_status open_shard(loader *l, int64_t shard) {
  if (l->shard == shard) return RF_OK;
  char name[RF_MAX_FILE_NAME];
  if (l->shard >= 0) rf_digest_reader_close(&l->reader);
  l->shard = -1;
  rf_shard_name((int)shard, l->c->manifest.ranks, name);
  const rf_file_digest *digest = rf_commit_find(&l->c->commit, name);
  assert(digest);
  RF_TRY(rf_digest_reader_open(l->c->folder, digest, l->c->commit.digest_block_bytes, &l->reader));
  l->shard = shard;
  return RF_OK;
}

static rf_status load_block(loader *l, int64_t block) {
  bool matches = false;
  if (l->reader.block == block) return RF_OK;
  RF_TRY(rf_digest_reader_load(&l->reader, block, &matches));
  if (matches) return RF_OK;
  const int64_t from = block * l->reader.digest_block_bytes;
  const int64_t to = from + rf_digest_block_size(l->reader.digest, l->reader.digest_block_bytes, block);
  char text[RF_MAX_DAMAGE];
  return rf_fail(RF_BAD_DATA, "%s", rf_damage_text(l->reader.path, l->reader.digest, &l->c->manifest, from, to, text));
}

/* Bytes [at, at + bytes) of the open shard. */
static rf_status read_bytes(loader *l, int64_t at, int64_t bytes, char *to) {
  while (bytes > 0) {
    const int64_t block = at / l->reader.digest_block_bytes, inside = at % l->reader.digest_block_bytes;
    const int64_t left = l->reader.digest_block_bytes - inside, n = left < bytes ? left : bytes;
    RF_TRY(load_block(l, block));
    memcpy(to, l->reader.buffer + inside, (size_t)n);
    at += n;
    to += n;
    bytes -= n;
  }
  return RF_OK;
}

/* `count` numbers at byte `at`, from whatever precision they have. */
static rf_status read_numbers(loader *l, int64_t at, int64_t count, real *to) {
  enum { SOME = 1024 };
  union {
    float singles[SOME];
    double doubles[SOME];
    char bytes[SOME * sizeof(double)];
  } part = {{0}};
  const int size = l->c->manifest.real_bytes;
  if (size == (int)sizeof(real)) return read_bytes(l, at, count * size, (char *)to);
  for (int64_t i = 0; i < count; i += SOME) {
    const int64_t n = count - i < SOME ? count - i : SOME;
    RF_TRY(read_bytes(l, at + i * size, n * size, part.bytes));
    for (int64_t j = 0; j < n; j++) to[i + j] = size == 4 ? (real)part.singles[j] : (real)part.doubles[j];
  }
  return RF_OK;
}

/* A tensor or statistic of `size` elements: the segment holds those from saved_first on, the array wants those from
 * wanted_first on (either below 0 where it begins in front of the tensor). Adds what was copied to *copied. */
static rf_status copy_overlap(loader *l, const rf_segment *s, const rf_state_array *a, int64_t size,
                              int64_t saved_first, int64_t wanted_first, int64_t *copied) {
  int64_t from = 0, to = size;
  if (from < saved_first) from = saved_first;
  if (from < wanted_first) from = wanted_first;
  if (to > saved_first + s->count) to = saved_first + s->count;
  if (to > wanted_first + a->count) to = wanted_first + a->count;
  if (from >= to) return RF_OK;
  RF_TRY(open_shard(l, s->shard));
  *copied += to - from;
  return read_numbers(l, s->at + (from - saved_first) * l->c->manifest.real_bytes, to - from,
                      a->values + (from - wanted_first));
}

static rf_status copy_segment(loader *l, const rf_segment *s, const rf_state_array *a, int64_t *copied) {
  if (s->block != a->block || s->tensor != a->tensor || strcmp(s->kind, a->kind) != 0) return RF_OK;
  if (a->tensor >= 0) {
    if (s->total != a->total) return RF_OK;
    return copy_overlap(l, s, a, a->total, s->first, a->first, copied);
  }
  const rf_block *saved = &l->c->manifest.layout.blocks[s->block], *wanted = &l->layout->blocks[a->block];
  for (int t = 0; t < saved->n_tensors; t++)
    RF_TRY(copy_overlap(l, s, a, rf_tensor_count(&saved->tensors[t]), s->first - saved->tensors[t].offset,
                        a->first - wanted->tensors[t].offset, copied));
  return RF_OK;
}

/* Numbers that a wanted array needs: padding between tensors is not saved for anyone. */
static int64_t numbers_needed(const rf_layout *layout, const rf_state_array *a) {
  if (a->tensor >= 0) return a->count;
  int64_t sum = 0;
  const rf_block *block = &layout->blocks[a->block];
  for (int t = 0; t < block->n_tensors; t++) {
    int64_t from = block->tensors[t].offset, to = from + rf_tensor_count(&block->tensors[t]);
    if (from < a->first) from = a->first;
    if (to > a->first + a->count) to = a->first + a->count;
    if (from < to) sum += to - from;
  }
  return sum;
}

static rf_status load_array(loader *l, const rf_state_array *a) {
  const int64_t all = numbers_needed(l->layout, a);
  int64_t copied = 0;
  for (int64_t i = 0; copied < all && i < l->c->manifest.n_segments; i++)
    RF_TRY(copy_segment(l, &l->c->manifest.segments[i], a, &copied));
  if (copied == all) return RF_OK;
  const rf_block *block = &l->layout->blocks[a->block];
  return rf_fail(RF_BAD_DATA, "%s: holds %lld of the %lld numbers of %s of %s", l->c->folder, (long long)copied,
                 (long long)all, a->kind, a->tensor < 0 ? block->name : block->tensors[a->tensor].name);
}

rf_status rf_checkpoint_load(rf_checkpoint *checkpoint, const rf_layout *layout, int n_arrays,
                             const rf_state_array *arrays) {
  loader l = {.c = checkpoint, .layout = layout, .shard = -1};
  assert(rf_checkpoint_is_valid(checkpoint));
  RF_TRY(check_layout(checkpoint, layout));
  rf_status status = RF_OK;
  for (int i = 0; status == RF_OK && i < n_arrays; i++) status = load_array(&l, &arrays[i]);
  if (l.shard >= 0) rf_digest_reader_close(&l.reader);
  return status;
}

rf_status rf_checkpoint_load_parameters(rf_checkpoint *checkpoint, rf_store *store) {
  rf_state state;
  RF_TRY(rf_state_create(store, NULL, &state));
  const rf_status status = rf_checkpoint_load(checkpoint, rf_store_layout(store), state.n_arrays, state.arrays);
  rf_state_destroy(&state);
  return status;
}
