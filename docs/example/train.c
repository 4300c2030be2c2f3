/* Trains a model as reformer train does, from a program of one's own:
 *   mpirun -n 2 ./train CONFIG STEPS CHECKPOINT [KEY.PATH=VALUE]...
 * Prints the loss of every step, saves the state as the folder CHECKPOINT, and evaluates it. */
#include <reformer/agree.h>
#include <reformer/config_file.h>
#include <reformer/session.h>
#include <reformer/threads.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static rf_status train(rf_session *session, int64_t steps, const char *checkpoint, int speaks) {
  rf_step_result step;
  rf_loss loss;
  while (rf_session_steps_done(session) < steps) {
    RF_TRY(rf_session_step(session, &step));
    if (speaks) printf("step %lld: loss %.17g\n", (long long)rf_session_steps_done(session), rf_loss_mean(&step.loss));
  }
  RF_TRY(rf_session_evaluate(session, RF_SPLIT_VALIDATION, &loss));
  if (speaks) printf("validation: loss %.17g, %.3f bits a token\n", rf_loss_mean(&loss), rf_loss_bits(&loss));
  RF_TRY(rf_session_save(session, checkpoint));
  if (fflush(stdout) == 0 && !ferror(stdout)) return RF_OK;
  return rf_fail(RF_FAILED, "standard output could not all be written; is the disk full?");
}

static rf_status read_steps(const char *text, int64_t *steps) {
  char *end;
  errno = 0;
  *steps = strtoll(text, &end, 10);
  if (end != text && *end == '\0' && errno == 0 && *steps >= 0) return RF_OK;
  return rf_fail(RF_BAD_CONFIG, "STEPS: found '%s'; allowed: a whole number of at least 0", text);
}

static rf_status run(rf_mesh *mesh, int argc, char **argv) {
  rf_config config;
  rf_session *session;
  int64_t steps;
  if (argc < 4) return rf_fail(RF_BAD_CONFIG, "usage: train CONFIG STEPS CHECKPOINT [KEY.PATH=VALUE]...");
  RF_TRY(read_steps(argv[2], &steps));
  RF_TRY(rf_config_load(mesh, argv[1], (const char *const *)argv + 4, argc - 4, &config));
  RF_TRY(rf_session_create(&config, mesh, &session));
  const rf_status status = train(session, steps, argv[3], rf_mesh_rank(mesh) == 0);
  rf_session_destroy(session);
  return status;
}

int main(int argc, char **argv) {
  rf_mesh *mesh;
  rf_status status = rf_mesh_open(rf_mpi_start(&argc, &argv), &mesh); /* whatever it brings: the others must hear it */
  if (status == RF_OK) {
    rf_threads_start(mesh);
    status = rf_agree(mesh, run(mesh, argc, argv)); /* and here */
  }
  if (status != RF_OK && rf_mpi_rank() == 0) fprintf(stderr, "error: %s\n", rf_error_message());
  rf_mesh_destroy(mesh);
  rf_mpi_finish(); /* all ranks come here: one that ended before would have the launcher end the others */
  return status;
}
