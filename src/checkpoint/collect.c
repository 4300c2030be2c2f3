#include "checkpoint/collect.h"
#include "comm/collective.h"
#include <stdlib.h>
#include <string.h>

typedef struct sizes {
  int64_t file, hashes, segments;
} sizes;

enum { FILE_BYTES, HASHES, SEGMENTS, SIZES }; /* as they travel */

typedef struct collecting {
  rf_mesh *mesh;
  int ranks, rank;
  sizes *sizes;  /* [ranks] */
  char *sent;    /* this rank's message */
  char *arrived; /* rank 0: room for the largest of the others' */
} collecting;

static size_t message_bytes(const sizes *s) {
  return (size_t)s->hashes * sizeof(uint64_t) + (size_t)s->segments * sizeof(rf_segment);
}

/* All ranks' sizes, on all. */
static rf_status share_sizes(collecting *c, const sizes *own) {
  const int64_t mine[SIZES] = {[FILE_BYTES] = own->file, [HASHES] = own->hashes, [SEGMENTS] = own->segments};
  int64_t *all = calloc((size_t)c->ranks, sizeof mine);
  if (!all) return rf_fail(RF_FAILED, "out of memory: segments of %d ranks", c->ranks);
  const rf_status status = rf_gather_integers(c->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, SIZES, mine, all);
  for (int r = 0; status == RF_OK && r < c->ranks; r++) {
    const int64_t *told = all + (int64_t)r * SIZES;
    c->sizes[r] = (sizes){.file = told[FILE_BYTES], .hashes = told[HASHES], .segments = told[SEGMENTS]};
  }
  if (status == RF_OK || c->ranks == 1) free(all); /* else a message may still be under way to it */
  return status;                                   /* NOLINT(clang-analyzer-unix.Malloc) */
}

static rf_status make_room(collecting *c, rf_collected *collected) {
  size_t largest = 0;
  for (int r = 0; r < c->ranks; r++) {
    if (message_bytes(&c->sizes[r]) > largest) largest = message_bytes(&c->sizes[r]);
    collected->n_segments += c->sizes[r].segments;
  }
  collected->files = calloc((size_t)c->ranks, sizeof *collected->files);
  collected->segments = calloc((size_t)collected->n_segments + 1, sizeof *collected->segments);
  c->arrived = malloc(largest + 1);
  if (!collected->files || !collected->segments || !c->arrived)
    return rf_fail(RF_FAILED, "out of memory: %lld segments of %d ranks", (long long)collected->n_segments, c->ranks);
  collected->n_files = c->ranks;
  collected->n_segments = 0;
  return RF_OK;
}

static rf_status unpack_message(const collecting *c, int rank, const char *message, rf_collected *collected) {
  const sizes *s = &c->sizes[rank];
  const size_t hash_bytes = (size_t)s->hashes * sizeof(uint64_t);
  rf_file_digest *file = &collected->files[rank];
  rf_shard_name(rank, c->ranks, file->name);
  file->size = s->file;
  file->hashes = malloc(hash_bytes + 1);
  if (!file->hashes) return rf_fail(RF_FAILED, "%s: out of memory", file->name);
  file->n_hashes = s->hashes;
  memcpy(file->hashes, message, hash_bytes);
  memcpy(collected->segments + collected->n_segments, message + hash_bytes, (size_t)s->segments * sizeof(rf_segment));
  collected->n_segments += s->segments;
  return RF_OK;
}

/* One rank after the other. All start every shift, as their order must be the same everywhere. */
static rf_status pass_messages(const collecting *c, rf_collected *collected) {
  if (c->rank == 0) RF_TRY(unpack_message(c, 0, c->sent, collected));
  for (int r = 1; r < c->ranks; r++) {
    const int64_t bytes = (int64_t)message_bytes(&c->sizes[r]);
    rf_shift shift = {.to = -1, .from = -1};
    if (c->rank == r) shift = (rf_shift){.to = 0, .from = -1, .send = c->sent, .send_bytes = bytes};
    if (c->rank == 0) shift = (rf_shift){.to = -1, .from = r, .receive = c->arrived, .receive_bytes = bytes};
    rf_flight *flight;
    RF_TRY(rf_shift_start(c->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, &shift, &flight));
    RF_TRY(rf_flight_wait(flight));
    if (c->rank == 0) RF_TRY(unpack_message(c, r, c->arrived, collected));
  }
  return RF_OK;
}

static rf_status collect_all(collecting *c, const rf_file_digest *own, int n_segments, const rf_segment *segments,
                             rf_collected *collected) {
  const sizes my_sizes = {own->size, own->n_hashes, n_segments};
  const size_t hash_bytes = (size_t)own->n_hashes * sizeof(uint64_t);
  c->sizes = calloc((size_t)c->ranks, sizeof *c->sizes);
  c->sent = malloc(message_bytes(&my_sizes) + 1);
  if (!c->sizes || !c->sent) return rf_fail(RF_FAILED, "out of memory: segments of %d ranks", c->ranks);
  memcpy(c->sent, own->hashes, hash_bytes);
  memcpy(c->sent + hash_bytes, segments, (size_t)n_segments * sizeof *segments);
  RF_TRY(share_sizes(c, &my_sizes));
  if (c->rank == 0) RF_TRY(make_room(c, collected));
  return pass_messages(c, collected);
}

rf_status rf_collect(rf_mesh *mesh, const rf_file_digest *own, int n_segments, const rf_segment *segments,
                     rf_collected *collected) {
  collecting c = {.mesh = mesh, .ranks = rf_mesh_size(mesh), .rank = rf_mesh_rank(mesh)};
  *collected = (rf_collected){0};
  const rf_status status = collect_all(&c, own, n_segments, segments, collected);
  if (status != RF_OK) rf_collected_free(collected);
  free(c.sizes);
  if (status == RF_OK || c.ranks == 1) {
    free(c.sent);
    free(c.arrived);
  }              /* else a message may still be under way, to or from these */
  return status; /* NOLINT(clang-analyzer-unix.Malloc) */
}

void rf_collected_free(rf_collected *collected) {
  for (int i = 0; i < collected->n_files; i++) rf_file_digest_free(&collected->files[i]);
  free(collected->files);
  free(collected->segments);
  *collected = (rf_collected){0};
}
