/* A program on the library whose last rank has a processor that the library was not compiled for. */
#include "comm/launch.h"
#include "mpi/ranks.h"
#include "reformer/config_file.h"
#include "reformer/session.h"
#include "reformer/threads.h"

/* In place of the library's own (base/features.c), whose constants the linker leaves out then: one feature that no
 * processor has. */
const char rf_base_level[] = "x86-64";
struct {
  const char *name;
  bool built;
  int level;
  struct {
    uint32_t leaf, subleaf;
    int word, bit;
    uint32_t state;
  } place;
} rf_features[] = {{"oracle", false, 0, {0x7fffffff, 0, 0, 63, 0}}, {NULL, false, 0, {0}}};

static rf_status started; /* of rf_mpi_start */
static char said[1024];   /* ... and its message */

static const char lacks[] = "lacks what the program was compiled for: oracle; ";

static void test_the_last_rank_refuses_to_start_and_all_are_told(void **state) {
  (void)state;
  rf_mesh *mesh;
  char wanted[128];
  const int size = rf_mpi_size(), last = size - 1;
  const bool unfit = rf_mpi_rank() == last;
  assert_int_equal(started, unfit ? RF_BAD_CONFIG : RF_OK);
  if (unfit) assert_non_null(strstr(said, lacks));
  const rf_status so_far = unfit ? rf_fail(started, "%s", said) : RF_OK;
  assert_int_equal(rf_mesh_open(so_far, &mesh), RF_BAD_CONFIG);
  assert_null(mesh);
  assert_non_null(strstr(rf_error_message(), lacks));
  snprintf(wanted, sizeof wanted, size > 1 ? "rank %d on host " : "this processor, ", last);
  assert_memory_equal(rf_error_message(), wanted, strlen(wanted));
}

/* A program without ranks comes to these first. */
static void test_no_door_of_the_library_is_open_there(void **state) {
  (void)state;
  static const char text[] = "data: {kind: duplicate, length: 32}";
  static rf_config config;
  rf_session *session = NULL;
  if (rf_mpi_rank() != rf_mpi_size() - 1) return;
  rf_threads_start(NULL);
  assert_int_equal(rf_config_parse("test", text, strlen(text), NULL, 0, &config), RF_BAD_CONFIG);
  assert_non_null(strstr(rf_error_message(), lacks));
  assert_int_equal(rf_config_load(NULL, "/nowhere", NULL, 0, &config), RF_BAD_CONFIG);
  assert_non_null(strstr(rf_error_message(), lacks));
  assert_int_equal(rf_session_create(&config, NULL, &session), RF_BAD_CONFIG);
  assert_non_null(strstr(rf_error_message(), lacks));
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_last_rank_refuses_to_start_and_all_are_told),
                                     cmocka_unit_test(test_no_door_of_the_library_is_open_there)};
  const rf_launch launch = rf_launch_read_copies();
  rf_features[0].built = launch.rank == (launch.ranks > 0 ? launch.ranks - 1 : 0);
  started = rf_mpi_start(&argc, &argv);
  snprintf(said, sizeof said, "%s", rf_error_message());
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  rf_mpi_finish();
  return failed != 0;
}
