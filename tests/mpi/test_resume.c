/* A run that N ranks began goes on on M: `save FOLDER` on N ranks, `load FOLDER` on M. */
#include "mpi/compare_state.h"
#include "mpi/ranks.h"
#include "storage/files.h"
#include "support/small_config.h"
#include "train/loss.h"
#include "train/resume.h"

/* Sanitizers make a step ten times as long. */
#ifdef RF_SANITIZE
enum { DONE = 3, MORE = 3 };
#else
enum { DONE = 3, MORE = 10 };
#endif

enum { MOST_RANKS = 6 };
static const char *folder; /* for all checkpoints */
static const double tolerance = sizeof(real) == 8 ? 1e-8 : 1e-4;

/* All three kinds of attention, dropout, padding, and parts that a batch is cut into. */
static rf_config config_of(rf_optimizer_kind kind) {
  rf_config c = small_mixed_config();
  c.model.vocab_size = 128;
  c.model.positions = (rf_positions_config){.kind = RF_POSITIONS_AXIAL, .n_axes = 2, .shape = {5, 8}, .dims = {4, 6}};
  c.data = (rf_data_config){.kind = RF_DATA_DUPLICATE, .length = 34};
  c.training = (rf_training_config){.steps = DONE + MORE, .batch = 12, .accumulate = 2, .clip_norm = 1, .seed = 5};
  c.optimizer = small_optimizer(kind);
  c.optimizer.schedule = RF_SCHEDULE_RSQRT;
  c.optimizer.warmup = 5;
  return c;
}

static const char *path_of(rf_optimizer_kind kind, int ranks) {
  static char path[RF_MAX_PATH];
  snprintf(path, sizeof path, "%s/%s-%d", folder, kind == RF_ADAM ? "adam" : "adafactor", ranks);
  return path;
}

/* mesh NULL: alone. losses: [to]; those of steps [from, to) are written. */
static void run_steps(rf_trainer *t, int64_t from, int64_t to, double *losses) {
  for (int64_t step = from; step < to; step++) {
    rf_step_result result;
    assert_ok(rf_train_step(t, step + 1, &result));
    assert_false(result.skipped);
    losses[step] = rf_loss_mean(&result.loss);
  }
}

static void create(rf_optimizer_kind kind, rf_mesh *mesh, rf_trainer *t) {
  rf_config config = config_of(kind);
  if (config.training.batch % (config.training.accumulate * rf_mesh_data_size(mesh)) != 0)
    config.training.accumulate = 1;
  assert_ok(rf_trainer_create(&config, mesh, t));
}

/* --- save ------------------------------------------------------------------------------------------- */

static void test_a_state_is_saved_by_all_ranks(void **state) {
  (void)state;
  rf_mesh *mesh;
  const int ranks = rf_mpi_size();
  assert_ok(make_mesh(ranks % 2 == 0 ? ranks / 2 : ranks, 0, &mesh));
  for (rf_optimizer_kind kind = RF_ADAM; kind <= RF_ADAFACTOR; kind++) {
    rf_trainer t;
    double losses[DONE];
    rf_state saved;
    const rf_checkpoint_header header = {.config = "model: {}\n",
                                         .step = DONE,
                                         .seed = 5,
                                         .mesh_sequence = rf_mesh_sequence_size(mesh),
                                         .mesh_data = rf_mesh_data_size(mesh),
                                         .eval_loss = NAN};
    create(kind, mesh, &t);
    run_steps(&t, 0, DONE, losses);
    if (rf_mesh_rank(mesh) == 0) rf_folder_remove(path_of(kind, ranks)); /* of an earlier test run */
    assert_ok(rf_agree(mesh, RF_OK));
    assert_ok(rf_state_create(rf_model_store(t.model), t.optimizer, &saved));
    assert_ok(
        rf_checkpoint_save(path_of(kind, ranks), mesh, &header, rf_store_layout(rf_model_store(t.model)), &saved));
    rf_state_destroy(&saved);
    rf_trainer_destroy(&t);
  }
  rf_mesh_destroy(mesh);
}

/* --- load ------------------------------------------------------------------------------------------- */

/* What one rank computes that is never interrupted; rank 0 tells the others. */
static double reference[2][DONE + MORE];

static void compute_reference(void) {
  rf_mesh *mesh;
  assert_ok(make_mesh(1, 0, &mesh));
  for (rf_optimizer_kind kind = RF_ADAM; kind <= RF_ADAFACTOR && rf_mpi_rank() == 0; kind++) {
    rf_trainer t;
    create(kind, NULL, &t);
    run_steps(&t, 0, DONE + MORE, reference[kind]);
    rf_trainer_destroy(&t);
  }
  assert_ok(rf_broadcast(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 0, reference, sizeof reference));
  rf_mesh_destroy(mesh);
}

static void check_losses(rf_optimizer_kind kind, int ranks, const rf_mesh *mesh, const double *losses) {
  for (int i = DONE; i < DONE + MORE; i++)
    if (!(fabs(losses[i] - reference[kind][i]) <= tolerance * fabs(reference[kind][i])))
      fail_msg("%s, %d ranks to %d x %d, step %d: loss %.15g, expected %.15g", kind == RF_ADAM ? "adam" : "adafactor",
               ranks, rf_mesh_sequence_size(mesh), rf_mesh_data_size(mesh), i + 1, losses[i], reference[kind][i]);
}

static int n_loaded;

static void go_on(rf_mesh *mesh, rf_optimizer_kind kind, int ranks) {
  rf_checkpoint *checkpoint;
  rf_finding finding;
  rf_trainer t;
  double losses[DONE + MORE];
  int n_replicated = 0;
  arrive_late(mesh, ranks);
  assert_ok(rf_resume_open(mesh, path_of(kind, ranks), &checkpoint, &finding));
  if (finding.status != RF_OK) fail_msg("%s", finding.message);
  assert_int_equal(rf_checkpoint_info_of(checkpoint)->ranks, ranks);
  create(kind, mesh, &t);
  assert_ok(rf_resume_load(checkpoint, &t, &finding));
  if (finding.status != RF_OK) fail_msg("%s", finding.message);
  compare_parameters(checkpoint, rf_model_store(t.model));
  compare_moments(checkpoint, &t, &n_replicated);
  rf_checkpoint_close(checkpoint);
  run_steps(&t, DONE, DONE + MORE, losses);
  check_losses(kind, ranks, mesh, losses);
  rf_trainer_destroy(&t);
  n_loaded++;
}

/* One mesh of the world for each, all of them in turn. */
static void go_on_from(rf_optimizer_kind kind, int ranks, int turn) {
  const int world = rf_mpi_size();
  int sequence = 1;
  for (int i = 0; i < turn; i++) do
      sequence = sequence % world + 1;
    while (world % sequence != 0);
  rf_mesh *mesh;
  assert_ok(make_mesh(sequence, 0, &mesh));
  go_on(mesh, kind, ranks);
  assert_ok(rf_agree(mesh, RF_OK));
  rf_mesh_destroy(mesh);
}

static void test_every_number_comes_back_to_the_bit_and_the_losses_go_on(void **state) {
  (void)state;
  compute_reference();
  for (int ranks = 1; ranks <= MOST_RANKS; ranks++)
    for (rf_optimizer_kind kind = RF_ADAM; kind <= RF_ADAFACTOR; kind++)
      if (access(path_of(kind, ranks), F_OK) == 0) go_on_from(kind, ranks, n_loaded);
  assert_true(n_loaded >= 6); /* three numbers of ranks at least have saved */
}

int main(int argc, char **argv) {
  const struct CMUnitTest save[] = {cmocka_unit_test(test_a_state_is_saved_by_all_ranks)};
  const struct CMUnitTest load[] = {cmocka_unit_test(test_every_number_comes_back_to_the_bit_and_the_losses_go_on)};
  int failed = argc != 3 || rf_mpi_start(&argc, &argv) != RF_OK;
  if (failed) {
    (void)fprintf(stderr, "usage: test_mpi_resume save|load FOLDER: %s\n", rf_error_message());
  } else {
    folder = argv[2];
    failed = strcmp(argv[1], "save") == 0 ? cmocka_run_group_tests(save, NULL, NULL)
                                          : cmocka_run_group_tests(load, NULL, NULL);
  }
  rf_mpi_finish();
  return failed != 0;
}
