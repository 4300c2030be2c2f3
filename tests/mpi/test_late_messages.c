/* A rank fails in the middle of a pass. Messages to the others are under way then, into memory that must stay theirs.
 * Built with RF_FAULTS only. */
#include "comm/mesh_state.h"
#include "comm/poll.h"
#include "mpi/ranks.h"
#include "reformer/model.h"
#include "support/small_config.h"

/* Every STEP-th place where rank 0 turns to the others, until FAILURES of them have ended a pass. A pass has some
 * hundred. */
enum { STEP = 13, FAILURES = 12, SEQUENCES = 2 };

static rf_status make_pass(rf_mesh *mesh, rf_model **model, rf_loss *loss) {
  const rf_config config = small_mixed_config();
  const int64_t tokens = config.lsh.chunk * rf_mesh_size(mesh);
  const rf_span own = rf_span_of(tokens, rf_mesh_sequence_size(mesh), rf_mesh_sequence_rank(mesh));
  static const uint32_t sequence[SEQUENCES] = {1, 2};
  int32_t *ids = NEW(int32_t, SEQUENCES * tokens);
  const rf_batch batch = {.sequences = SEQUENCES,
                          .tokens = own.count,
                          .length = tokens,
                          .first_token = own.first,
                          .ids = ids,
                          .labels = ids,
                          .sequence = sequence};
  rf_status status = rf_model_create(&config, mesh, model);
  if (status == RF_OK) {
    rf_store_initialise(rf_model_store(*model), 1, 0.1);
    status = rf_model_gradients(*model, &batch, 1, loss);
  }
  free(ids);
  return rf_agree(mesh, status);
}

/* A late message is written here. Returns how many may be. */
static int write_late_messages(const rf_mesh *mesh) {
  int late = 0;
  for (int i = 0; i < RF_FLIGHTS; i++) {
    const rf_flight *flight = &mesh->flights[i];
    for (int k = 0; flight->used && k < flight->receives.n; k++, late++) {
      const rf_message *m = &flight->receives.messages[k];
      memset(m->data, 1, (size_t)(m->count * flight->unit));
    }
  }
  return late;
}

static void test_memory_of_late_messages_stays(void **state) {
  (void)state;
  int failures = 0, late = 0;
  for (int turn = STEP; failures < FAILURES; turn += STEP) {
    char fault[32];
    rf_mesh *mesh;
    rf_model *model = NULL;
    rf_loss loss = {0};
    (void)snprintf(fault, sizeof fault, "0:%d", turn);
    assert_int_equal(setenv("REFORMER_RANK_FAULT", fault, 1), 0);
    rf_status status = make_mesh(rf_mpi_size(), 1, &mesh);
    if (status == RF_OK) status = make_pass(mesh, &model, &loss);
    assert_true(status == RF_OK || status == RF_FAILED);
    if (model && rf_mesh_is_flying(mesh)) {
      assert_int_equal(status, RF_FAILED);
      failures++;
      late += write_late_messages(mesh);
      rf_model_destroy(model);
      late += write_late_messages(mesh);
    } else {
      failures += status == RF_FAILED;
      rf_model_destroy(model);
    }
    rf_mesh_destroy(mesh);
  }
  assert_int_equal(unsetenv("REFORMER_RANK_FAULT"), 0);
  assert_true(late > 0);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory_of_late_messages_stays)};

RANKS_MAIN(tests)
