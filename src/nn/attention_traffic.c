#include "nn/attention_traffic.h"
#include "base/integers.h"
#include "nn/attention_saved.h"

static bool rings(const rf_sublayer *self) { return self->ops->attention->kind == RF_ATTENTION_FULL; }

rf_exchange_expectation rf_attention_expect(const rf_sublayer *self, const rf_call *call, rf_wave_cut cut) {
  const rf_slot_layout layout = self->ops->attention->layout(self, call);
  const rf_exchange_shape shape = rf_wave_exchange_shape(self, call, &layout, cut);
  const int ranks = rf_mesh_sequence_size(call->mesh), rank = rf_mesh_sequence_rank(call->mesh);
  if (rings(self)) return rf_exchange_expect_zigzag(&shape, ranks, rank);
  return rf_exchange_expect(&shape, ranks, rank, layout.bucket_bytes > 0 ? layout.bucket_bytes : 2);
}

/* Bytes of a row that goes to an owner of its slot, and of one for a halo, over a sublayer's moves. */
typedef struct row_bytes {
  double own, halo;
  double moves;
} row_bytes;

static void add_moves(row_bytes *r, double own, double halo) {
  r->own += own;
  r->halo += halo;
  r->moves++;
}

/* q, k, v out and o, m, z back. */
static row_bytes forward_rows(const rf_sublayer *self, bool scatters, bool gathers) {
  const rf_wire wire = self->config->mesh.wire;
  const double row = (double)rf_wire_bytes(wire, self->config->model.d_head), one = sizeof(real);
  row_bytes r = {0};
  if (scatters) {
    if (!rf_sublayer_shared_qk(self)) add_moves(&r, row, 0);
    add_moves(&r, 2 * row, 2 * row);
  }
  if (gathers) add_moves(&r, row + 2 * one, 0);
  return r;
}

/* d_o, m, z, delta out; dq, dk, dv back. */
static row_bytes reverse_rows(const rf_sublayer *self) {
  const double row = (double)rf_wire_bytes(self->config->mesh.wire, self->config->model.d_head), one = sizeof(real);
  row_bytes r = {0};
  add_moves(&r, row + 3 * one, 0);
  if (!rf_sublayer_shared_qk(self)) add_moves(&r, row, 0);
  add_moves(&r, 2 * row, 2 * row);
  return r;
}

/* Keys and values go around: S - 1 steps forward; in reverse S, with their gradients. */
static void add_ring(const rf_sublayer *self, const rf_call *call, bool recomputes, rf_attention_traffic *t) {
  const double ranks = rf_mesh_sequence_size(call->mesh), dh = (double)self->config->model.d_head;
  const double rows = (double)(call->sequences * self->config->model.n_heads * call->length), one = sizeof(real);
  const double keys = rows * (2 * dh * one + 8), gradients = rows * 2 * dh * one;
  if (ranks < 2) return;
  const double forward = (ranks - 1) * keys, reverse = (recomputes ? forward : 0) + ranks * (keys + gradients);
  t->bytes[RF_TRAFFIC_ROWS] += forward + reverse;
  t->rank_forward += forward / ranks;
  t->rank_reverse += reverse / ranks;
  t->exchanges += (ranks - 1) * (recomputes ? 2 : 1) + 2 * ranks;
}

/* What travels of a wave or of a part of it: rows of each way, forward, again in reverse where they were not saved, and
 * back; and how often it is planned. */
typedef struct ways {
  row_bytes forward, again, reverse;
  double plans;
} ways;

static ways ways_of(const rf_sublayer *self, const rf_call *call, int64_t parts) {
  const bool output = call->level >= RF_LEVEL_OUTPUT;
  ways w = {.forward = forward_rows(self, true, true), .reverse = reverse_rows(self), .plans = 2};
  w.again = forward_rows(self, parts > 1 || call->level < RF_LEVEL_ROWS, !output);
  if (parts == 1 || output) return w;
  /* queries and values go to a part once for its outputs, and when all outputs are there for gradients */
  const row_bytes twice = forward_rows(self, true, false);
  w.again.own += twice.own;
  w.again.halo += twice.halo;
  w.again.moves += twice.moves;
  w.plans = 3;
  return w;
}

/* A part of each of `waves` waves. */
static void add_waves(const rf_sublayer *self, const rf_call *call, const ways *w, int64_t waves, rf_wave_cut cut,
                      rf_attention_traffic *t) {
  const rf_exchange_expectation e = rf_attention_expect(self, call, cut);
  const double n = (double)waves;
  const row_bytes *forward = &w->forward, *again = &w->again, *reverse = &w->reverse;
  t->waves += n;
  t->plans += w->plans * n * e.exchanges;
  t->owners += n * e.all_own;
  t->bytes[RF_TRAFFIC_HISTOGRAM] += w->plans * n * e.all_histogram;
  t->bytes[RF_TRAFFIC_PLAN] += w->plans * n * e.all_plan;
  t->bytes[RF_TRAFFIC_ROWS] += n * e.all_own * (forward->own + again->own + reverse->own);
  t->bytes[RF_TRAFFIC_HALO] += n * e.all_halo * (forward->halo + again->halo + reverse->halo);
  t->rank_forward += n * (e.own_sent * forward->own + e.halo_sent * forward->halo);
  t->rank_reverse += n * (e.own_sent * (again->own + reverse->own) + e.halo_sent * (again->halo + reverse->halo));
}

/* All parts of `waves` waves of so many pairs. */
static void add_parts(const rf_sublayer *self, const rf_call *call, int64_t waves, int64_t pairs, int64_t parts,
                      rf_attention_traffic *t) {
  const ways w = ways_of(self, call, parts);
  for (int64_t part = 0; part < parts && waves > 0 && pairs > 0; part++)
    add_waves(self, call, &w, waves, (rf_wave_cut){pairs, parts, part}, t);
}

rf_attention_traffic rf_attention_traffic_of(const rf_sublayer *self, const rf_call *call) {
  rf_attention_traffic t = {0};
  const rf_wave_size size = rf_wave_size_of(self, call);
  const int64_t heads = self->config->model.n_heads;
  const int64_t across = heads / size.heads, along = call->sequences / size.sequences; /* whole waves */
  const int64_t heads_left = heads % size.heads, sequences_left = call->sequences % size.sequences;
  add_parts(self, call, across * along, size.heads * size.sequences, size.parts, &t);
  add_parts(self, call, along, heads_left * size.sequences, size.parts, &t);
  add_parts(self, call, sequences_left > 0 ? across : 0, size.heads * sequences_left, size.parts, &t);
  add_parts(self, call, 1, heads_left * sequences_left, size.parts, &t);
  t.owners /= (double)(call->sequences * heads * call->length);
  const ways w = ways_of(self, call, size.parts);
  t.exchanges = t.waves * (w.forward.moves + w.again.moves + w.reverse.moves) + t.plans;
  if (rings(self)) add_ring(self, call, call->level < RF_LEVEL_OUTPUT, &t);
  return t;
}
