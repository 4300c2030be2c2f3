#include "plan/traffic.h"
#include "model/blocks.h"
#include "model/loans.h"
#include "optim/pieces.h"
#include "reformer/model.h"

/* What a parameter store's slots fetch, as a step goes through the blocks. */
typedef struct fetching {
  const rf_layout *layout;
  rf_loans slots;
  double reals, fetches;
} fetching;

static void bring_block(fetching *f, int block) {
  if (block < 0 || block >= f->layout->n_blocks) return;
  const int slot = rf_loans_for(&f->slots, block);
  if (slot == RF_NO_LOAN || f->slots.block[slot] == block) return;
  f->slots.block[slot] = block;
  f->reals += (double)f->layout->blocks[block].size;
  f->fetches++;
}

static void lend_block(fetching *f, int block) {
  bring_block(f, block);
  f->slots.lent[rf_loans_for(&f->slots, block)] = true;
}

static void return_block(fetching *f, int block) { f->slots.lent[rf_loans_lent(&f->slots, block)] = false; }

/* Forward, head, and back, as model/model.c and the stack lend. */
static void one_micro_batch(fetching *f, int layers, bool tied) {
  const int head = layers + 1;
  lend_block(f, RF_BLOCK_EMBEDDING);
  return_block(f, RF_BLOCK_EMBEDDING);
  for (int i = 0; i < layers; i++) {
    lend_block(f, rf_layer_block(i));
    bring_block(f, rf_layer_block(i + 1));
    return_block(f, rf_layer_block(i));
  }
  lend_block(f, head);
  if (tied) lend_block(f, RF_BLOCK_EMBEDDING);
  if (tied) return_block(f, RF_BLOCK_EMBEDDING);
  return_block(f, head);
  for (int i = layers - 1; i >= 0; i--) {
    lend_block(f, rf_layer_block(i));
    if (i > 0) bring_block(f, rf_layer_block(i - 1));
    return_block(f, rf_layer_block(i));
  }
}

static void add_blocks(const rf_config *config, const rf_blocks *blocks, int ranks, rf_plan_traffic *t) {
  const double others = (ranks - 1) * (double)sizeof(real);
  const bool tied = config->model.tied_embedding;
  const double micro = (double)config->training.accumulate;
  fetching f = {.layout = &blocks->layout, .slots = rf_loans_empty()};
  double gradients = 0;
  for (int64_t i = 0; i < config->training.accumulate; i++) one_micro_batch(&f, (int)blocks->n_layers, tied);
  for (int b = 0; b < blocks->layout.n_blocks; b++) gradients += (double)blocks->layout.blocks[b].size;
  if (tied) gradients += (double)blocks->layout.blocks[RF_BLOCK_EMBEDDING].size;
  t->fetches = f.fetches;
  t->handed_back = micro * (blocks->layout.n_blocks + tied);
  t->bytes[RF_TRAFFIC_PARAMETERS] = f.reals * others;
  t->bytes[RF_TRAFFIC_GRADIENTS] = gradients * micro * others + 8.0 * ranks * (ranks - 1); /* and the norm */
}

/* Bytes of a sum over all ranks: few numbers go to every rank, many by slices there and back. */
static double sum_bytes(double n, int ranks) { return 8 * n * (ranks - 1) * (n > 16 ? 2 : ranks); }

static void add_sums(const rf_config *config, const rf_blocks *blocks, int ranks, rf_plan_traffic *t) {
  t->bytes[RF_TRAFFIC_LOSS] =
      sum_bytes(1, ranks) + sum_bytes(1 + RF_POSITION_CLASSES, ranks) + sum_bytes(2 + RF_POSITION_CLASSES, ranks);
  if (config->optimizer.kind == RF_ADAM) return;
  double tensors = 0, sums = 0;
  for (int b = 0; b < blocks->layout.n_blocks; b++)
    for (int i = 0; i < blocks->layout.blocks[b].n_tensors; i++) {
      int64_t rows, columns;
      rf_matrix_shape(&blocks->layout.blocks[b].tensors[i], &rows, &columns);
      tensors++;
      if (rows > 1) sums += (double)(rows + columns);
    }
  t->bytes[RF_TRAFFIC_OTHER] = sum_bytes(tensors + sums, ranks) + sum_bytes(tensors, ranks);
}

/* Of the layers of one kind that stash the same. */
static void add_alike(const rf_config *config, const rf_blocks *blocks, const rf_plan_stash *stash,
                      rf_attention_kind kind, int level, const rf_call *call, double times, rf_plan_traffic *t) {
  const rf_sublayer *self = NULL;
  double layers = 0;
  for (int64_t i = 0; i < blocks->n_layers; i++) {
    if (rf_layer_attention(&config->model, i) != kind || rf_plan_stash_at(stash, i).level[0] != level) continue;
    self = &blocks->layers[i].attention;
    layers++;
  }
  if (!self) return;
  t->attention[kind][level] = rf_attention_traffic_of(self, call);
  for (int p = 0; p < RF_TRAFFIC_PURPOSES; p++) t->bytes[p] += layers * times * t->attention[kind][level].bytes[p];
  if (kind != RF_ATTENTION_LSH) return;
  t->rows_a_token = t->attention[kind][level].owners;
}

static void add_attention(const rf_config *config, const rf_blocks *blocks, const rf_plan_stash *stash, rf_mesh *mesh,
                          rf_plan_traffic *t) {
  const int64_t sequences = config->training.batch / rf_mesh_data_size(mesh) / config->training.accumulate;
  rf_call call = rf_model_planned_call(config, mesh, sequences);
  const double times = (double)(rf_mesh_data_size(mesh) * config->training.accumulate);
  for (int kind = 0; kind < RF_ATTENTION_KINDS; kind++)
    for (call.level = 0; call.level < RF_ATTENTION_LEVELS; call.level++)
      add_alike(config, blocks, stash, (rf_attention_kind)kind, call.level, &call, times, t);
}

rf_status rf_plan_traffic_of(const rf_config *config, int64_t sequence, int64_t data, const rf_plan_stash *stash,
                             rf_plan_traffic *t) {
  rf_blocks blocks;
  rf_mesh *mesh;
  *t = (rf_plan_traffic){0};
  if (sequence * data == 1) return RF_OK;
  RF_TRY(rf_mesh_create_imagined(sequence, data, (int)(sequence / 2), &mesh));
  const rf_status status = rf_blocks_create(config, &blocks);
  if (status == RF_OK) {
    add_blocks(config, &blocks, (int)(sequence * data), t);
    add_sums(config, &blocks, (int)(sequence * data), t);
    if (sequence > 1) add_attention(config, &blocks, stash, mesh, t);
    rf_blocks_destroy(&blocks);
  }
  rf_mesh_destroy(mesh);
  return status;
}
