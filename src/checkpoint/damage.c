#include "checkpoint/damage.h"
#include "base/text.h"
#include <string.h>

enum { MOST_NAMED = 4 };

typedef struct naming {
  char *text;
  int named, left_out;
} naming;

static void name_one(naming *n, const char *kind, const char *name) {
  if (n->named == MOST_NAMED) {
    n->left_out++;
    return;
  }
  rf_text_append(n->text, RF_MAX_DAMAGE, "%s%s of %s", n->named > 0 ? ", " : " (", kind, name);
  n->named++;
}

/* The tensors of a segment that lie in bytes [from, to) of the shard. */
static void name_segment(naming *n, const rf_manifest *m, const rf_segment *s, int64_t from, int64_t to) {
  const rf_block *block = &m->layout.blocks[s->block];
  const int64_t end = s->at + s->count * m->real_bytes;
  if (end <= from || s->at >= to) return;
  if (s->tensor >= 0) {
    name_one(n, s->kind, block->tensors[s->tensor].name);
    return;
  }
  for (int t = 0; t < block->n_tensors; t++) {
    const rf_tensor *tensor = &block->tensors[t];
    const int64_t first = s->at + (tensor->offset - s->first) * m->real_bytes;
    const int64_t last = first + rf_tensor_count(tensor) * m->real_bytes;
    const int64_t a = first > s->at ? first : s->at, b = last < end ? last : end;
    if (a < to && b > from && a < b) name_one(n, s->kind, tensor->name);
  }
}

const char *rf_damage_text(const char *path, const rf_file_digest *digest, const rf_manifest *manifest, int64_t from,
                           int64_t to, char *text) {
  naming n = {.text = text};
  text[0] = '\0';
  rf_text_append(text, RF_MAX_DAMAGE, "%s: bytes %lld to %lld are damaged", path, (long long)from, (long long)to - 1);
  const bool is_manifest = strcmp(digest->name, RF_MANIFEST_NAME) == 0;
  for (int64_t i = 0; !is_manifest && manifest && i < manifest->n_segments; i++) {
    char shard[RF_MAX_FILE_NAME];
    rf_shard_name((int)manifest->segments[i].shard, manifest->ranks, shard);
    if (strcmp(shard, digest->name) == 0) name_segment(&n, manifest, &manifest->segments[i], from, to);
  }
  if (n.left_out > 0) rf_text_append(text, RF_MAX_DAMAGE, " and %d more", n.left_out);
  const char *rest = n.named > 0   ? ")"
                     : is_manifest ? " (configuration and tables of tensors)"
                     : manifest    ? " (HDF5's own tables)"
                                   : " (what lies there is unknown, as the manifest is damaged too)";
  rf_text_append(text, RF_MAX_DAMAGE, "%s", rest);
  return text;
}
