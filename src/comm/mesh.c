#include "comm/mesh.h"
#include "base/every_processor.h"
#include "base/integers.h"
#include "base/log.h"
#include "base/processor.h"
#include "base/text.h"
#include "comm/api_call.h"
#include "comm/fault.h"
#include "comm/launch.h"
#include "comm/mesh_state.h"
#include "comm/mpi_runs.h"
#include "reformer/agree.h"
#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Before any other call: by itself MPI ends the process, without a word to the others, where a call fails. */
static rf_status return_errors(void) {
  RF_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
  RF_MPI(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
  return RF_OK;
}

static rf_status start_mpi(const rf_launch *launch, int *argc, char ***argv) {
  int provided = MPI_THREAD_SINGLE;
  RF_TRY(rf_launch_settle(launch));
  if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
    return rf_fail(RF_FAILED, "the MPI library could not be started (MPI_Init_thread)");
  RF_TRY(return_errors());
  if (provided < MPI_THREAD_FUNNELED) {
    return rf_fail(RF_FAILED, "this MPI library cannot be used by a program with threads (it offers level %d, not %d)",
                   provided, MPI_THREAD_FUNNELED);
  }
  return rf_launch_check(launch, rf_mpi_size());
}

static bool tried; /* it may be started once, also where that failed */

/* A processor that lacks something needs MPI to tell the others. */
rf_status rf_mpi_start(int *argc, char ***argv) {
  int others = 0;
  const rf_launch launch = rf_launch_read();
  (void)MPI_Initialized(&others);
  if (tried) return rf_fail(RF_FAILED, "rf_mpi_start: the MPI library was started before; call it once");
  if (others) return rf_fail(RF_FAILED, "rf_mpi_start: the program has started MPI itself; leave that to rf_mpi_start");
  tried = true;
  RF_TRY(start_mpi(&launch, argc, argv));
  return rf_processor_check();
}

void rf_mpi_finish(void) {
  if (tried && rf_mpi_runs()) (void)MPI_Finalize();
}

int rf_mpi_rank(void) {
  int rank = 0;
  if (rf_mpi_runs()) (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

int rf_mpi_size(void) {
  int size = 1;
  if (rf_mpi_runs()) (void)MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

/* "1, 2, 3 or 6": what divides n. */
static const char *divisors_of(int64_t n, char *text, size_t size) {
  text[0] = '\0';
  for (int64_t i = 1; i <= n; i++)
    if (n % i == 0) rf_text_append(text, size, "%s%lld", i == 1 ? "" : i == n ? " or " : ", ", (long long)i);
  return text;
}

rf_status rf_mesh_fit(int64_t ranks, int64_t sequence, int64_t data, int64_t *data_out) {
  char fits[256];
  if (sequence < 1 || data < 0)
    return rf_fail(RF_BAD_CONFIG,
                   "mesh: found sequence %lld and data %lld; allowed: sequence of 1 or more, data of 1 or "
                   "more or auto",
                   (long long)sequence, (long long)data);
  if (data == 0) {
    if (ranks % sequence != 0)
      return rf_fail(RF_BAD_CONFIG,
                     "mesh.sequence: found %lld, which does not divide the %lld rank%s of this run; allowed: %s, or "
                     "another number of ranks (mpirun -n %lld ...)",
                     (long long)sequence, (long long)ranks, ranks == 1 ? "" : "s",
                     divisors_of(ranks, fits, sizeof fits), (long long)(rf_ceil_div(ranks, sequence) * sequence));
    *data_out = ranks / sequence;
    return RF_OK;
  }
  if (sequence > ranks || data > ranks || sequence * data != ranks)
    return rf_fail(RF_BAD_CONFIG,
                   "mesh: found sequence %lld x data %lld, but this run has %lld rank%s; allowed: a product of %lld "
                   "(mesh.data auto takes what mesh.sequence leaves), or mpirun -n %lld ...",
                   (long long)sequence, (long long)data, (long long)ranks, ranks == 1 ? "" : "s", (long long)ranks,
                   (long long)(sequence * data));
  *data_out = data;
  return RF_OK;
}

static rf_status group_take(rf_group *group, MPI_Comm comm) {
  group->comm = comm;
  RF_MPI(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN));
  RF_MPI(MPI_Comm_rank(comm, &group->rank));
  RF_MPI(MPI_Comm_size(comm, &group->size));
  return RF_OK;
}

static rf_status make_tables(rf_mesh *mesh) {
  const int size = mesh->groups[RF_SCOPE_WORLD].size;
  mesh->flights = calloc(RF_FLIGHTS, sizeof *mesh->flights);
  mesh->note_requests = calloc((size_t)size, sizeof(MPI_Request));
  mesh->call_requests = calloc((size_t)size, sizeof(MPI_Request));
  mesh->votes = calloc((size_t)size + 1, sizeof *mesh->votes);
  mesh->places = calloc((size_t)size, sizeof *mesh->places);
  if (!mesh->flights || !mesh->note_requests || !mesh->call_requests || !mesh->votes || !mesh->places)
    return rf_fail(RF_FAILED, "mesh of %d ranks: out of memory", size);
  RF_TRY(rf_hosts_create(size, &mesh->hosts));
  for (int i = 0; i < size; i++) mesh->call_requests[i] = MPI_REQUEST_NULL;
  mesh->heard_call.from = -1;
  mesh->own_call.agreements = -1;
  for (int i = 0; i < RF_FLIGHTS; i++) {
    mesh->flights[i].mesh = mesh;
    rf_queue *both[] = {&mesh->flights[i].receives, &mesh->flights[i].sends};
    for (int k = 0; k < 2; k++) {
      both[k]->capacity = size;
      both[k]->messages = calloc((size_t)size, sizeof(rf_message));
      if (!both[k]->messages) return rf_fail(RF_FAILED, "mesh of %d ranks: out of memory", size);
    }
  }
  return RF_OK;
}

/* All memory of a mesh of the world. *mesh_out: also after a failure, for rf_mesh_destroy. */
static rf_status take_memory(rf_mesh **mesh_out) {
  RF_TRY(rf_rank_fault(rf_mpi_rank()));
  rf_mesh *mesh = calloc(1, sizeof *mesh);
  if (!mesh) return rf_fail(RF_FAILED, "mesh: out of memory");
  *mesh_out = mesh;
  const int rank = rf_mpi_rank(), size = rf_mpi_size();
  for (int i = 0; i < RF_SCOPES; i++) mesh->groups[i] = (rf_group){MPI_COMM_NULL, 0, 1, 0};
  mesh->groups[RF_SCOPE_WORLD].rank = mesh->groups[RF_SCOPE_DATA].rank = mesh->data_rank = rank;
  mesh->groups[RF_SCOPE_WORLD].size = mesh->groups[RF_SCOPE_DATA].size = mesh->data_size = size;
  mesh->sequence_size = 1;
  mesh->control = MPI_COMM_NULL;
  mesh->most_bytes = RF_MOST_BYTES;
  rf_phases_reset(&mesh->phases);
  rf_waiting_reset(mesh);
  return make_tables(mesh);
}

/* Without a mesh nobody can be told anything, so every rank comes here, whatever it brings, and all leave with the
 * failure of the lowest rank that has one; each with its own where all have failed. */
static rf_status meet(rf_status own) {
  if (!rf_mpi_runs()) return own;
  const int rank = rf_mpi_rank(), size = rf_mpi_size(), none = size;
  int least[] = {own == RF_OK ? none : rank, own != RF_OK}; /* the lowest that has failed; whether all have */
  if (size == 1) return own;
  RF_MPI(MPI_Allreduce(MPI_IN_PLACE, least, 2, MPI_INT, MPI_MIN, MPI_COMM_WORLD));
  const int failed = least[0];
  if (failed == none || least[1]) return own;
  rf_note note = {.status = (int32_t)own, .rank = rank};
  const rf_place place = rf_place_find();
  if (rank == failed)
    (void)snprintf(note.text, sizeof note.text, "rank %d on host %s: %s", rank, place.host, rf_error_message());
  RF_MPI(MPI_Bcast(&note, sizeof note, MPI_BYTE, failed, MPI_COMM_WORLD));
  return rf_fail((rf_status)note.status, "%s", note.text);
}

/* Before the mesh is open no alarm may be listened to: another rank may have it already, and have failed, and whoever
 * left the others here would never vote. */
static rf_status learn_places(rf_mesh *mesh) {
  const rf_group *world = &mesh->groups[RF_SCOPE_WORLD];
  MPI_Request request;
  int done = 0;
  mesh->places[world->rank] = rf_place_find();
  RF_MPI(MPI_Iallgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, mesh->places, sizeof *mesh->places, MPI_BYTE, world->comm,
                        &request));
  rf_traffic_add(mesh, RF_TRAFFIC_OTHER, (int64_t)sizeof *mesh->places * (world->size - 1));
  for (;;) {
    RF_MPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
    if (done) break;
    (void)sched_yield();
  }
  rf_hosts_fill(mesh->places, world->size, world->rank, &mesh->hosts);
  free(mesh->places);
  mesh->places = NULL;
  return RF_OK;
}

static rf_status join_world(rf_mesh *mesh) {
  MPI_Comm comm;
  RF_MPI(MPI_Comm_dup(MPI_COMM_WORLD, &mesh->control));
  RF_MPI(MPI_Comm_set_errhandler(mesh->control, MPI_ERRORS_RETURN));
  RF_MPI(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
  RF_TRY(group_take(&mesh->groups[RF_SCOPE_WORLD], comm));

  int found = 0, *upper = NULL;
  RF_MPI(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, (void *)&upper, &found));
  mesh->tags = found && *upper < (1 << 20) ? *upper : 1 << 20;
  return learn_places(mesh);
}

rf_status rf_mesh_open(rf_status so_far, rf_mesh **mesh_out) {
  rf_mesh *mesh = NULL;
  if (mesh_out) *mesh_out = NULL;
  if (so_far == RF_OK) so_far = rf_mpi_check_runs("rf_mesh_open");
  if (so_far == RF_OK && !mesh_out) so_far = rf_fail(RF_BAD_CONFIG, "rf_mesh_open: mesh: " RF_NULL);
  rf_log_set_rank(rf_mpi_rank());
  rf_status status = meet(so_far == RF_OK ? take_memory(&mesh) : so_far);
  assert(status != RF_OK || mesh);
  if (status == RF_OK) status = join_world(mesh);
  if (status != RF_OK) {
    rf_mesh_destroy(mesh);
    return rf_error_pass(status, __FILE__, __LINE__);
  }
  *mesh_out = mesh;
  return RF_OK;
}

/* All ranks have just agreed to come here. */
static rf_status split_world(rf_mesh *mesh, int sequence, int data) {
  const int rank = mesh->groups[RF_SCOPE_WORLD].rank;
  MPI_Comm comm;
  for (int i = RF_SCOPE_SEQUENCE; i <= RF_SCOPE_DATA; i++)
    if (mesh->groups[i].comm != MPI_COMM_NULL) (void)MPI_Comm_free(&mesh->groups[i].comm);
  mesh->groups[RF_SCOPE_SEQUENCE] = (rf_group){MPI_COMM_NULL, rank % sequence, sequence, 0};
  mesh->groups[RF_SCOPE_DATA] = (rf_group){MPI_COMM_NULL, rank / sequence, data, 0};
  mesh->sequence_size = sequence;
  mesh->data_size = data;
  mesh->sequence_rank = rank % sequence;
  mesh->data_rank = rank / sequence;
  RF_MPI(MPI_Comm_split(mesh->groups[RF_SCOPE_WORLD].comm, mesh->data_rank, mesh->sequence_rank, &comm));
  RF_TRY(group_take(&mesh->groups[RF_SCOPE_SEQUENCE], comm));
  RF_MPI(MPI_Comm_split(mesh->groups[RF_SCOPE_WORLD].comm, mesh->sequence_rank, mesh->data_rank, &comm));
  return group_take(&mesh->groups[RF_SCOPE_DATA], comm);
}

void rf_mesh_hold(rf_mesh *mesh) {
  if (mesh) mesh->models++;
}

void rf_mesh_let_go(rf_mesh *mesh) {
  if (mesh) mesh->models--;
}

static bool is_arranged(const rf_mesh *mesh, int64_t sequence, int64_t data) {
  return mesh->sequence_size == sequence && (data == 0 || mesh->data_size == data);
}

rf_status rf_mesh_check_held(const rf_mesh *mesh, int64_t sequence, int64_t data) {
  if (!mesh || mesh->models == 0 || is_arranged(mesh, sequence, data)) return RF_OK;
  char groups[32] = "auto";
  if (data > 0) (void)snprintf(groups, sizeof groups, "%lld", (long long)data);
  return rf_fail(
      RF_BAD_CONFIG,
      "mesh: found sequence %lld x data %s, but a session or a model lives on this mesh as %d x %d; allowed: "
      "that, or the mesh once it is destroyed",
      (long long)sequence, groups, mesh->sequence_size, mesh->data_size);
}

static rf_status check_arranging(const rf_mesh *mesh, int64_t sequence, int64_t *data) {
  RF_TRY(rf_mesh_fit(rf_mesh_size(mesh), sequence, *data, data));
  return rf_mesh_check_held(mesh, sequence, *data);
}

rf_status rf_mesh_arrange(rf_mesh *mesh, int64_t sequence, int64_t data) {
  assert(!mesh || rf_mesh_is_valid(mesh));
  RF_TRY(rf_agree(mesh, check_arranging(mesh, sequence, &data)));
  if (!mesh || mesh->models > 0) return RF_OK;
  assert(mesh->n_flying == 0);
  return rf_agree(mesh, split_world(mesh, (int)sequence, (int)data));
}

rf_status rf_mesh_create_imagined(int64_t sequence, int64_t data, int rank, rf_mesh **mesh_out) {
  *mesh_out = NULL;
  rf_mesh *mesh = calloc(1, sizeof *mesh);
  if (!mesh) return rf_fail(RF_FAILED, "mesh: out of memory");
  mesh->sequence_size = (int)sequence;
  mesh->data_size = (int)data;
  mesh->sequence_rank = rank % mesh->sequence_size;
  mesh->data_rank = rank / mesh->sequence_size;
  const rf_group groups[RF_SCOPES] = {
      [RF_SCOPE_WORLD] = {.comm = MPI_COMM_NULL, .rank = rank, .size = (int)(sequence * data)},
      [RF_SCOPE_SEQUENCE] = {.comm = MPI_COMM_NULL, .rank = mesh->sequence_rank, .size = mesh->sequence_size},
      [RF_SCOPE_DATA] = {.comm = MPI_COMM_NULL, .rank = mesh->data_rank, .size = mesh->data_size}};
  memcpy(mesh->groups, groups, sizeof groups);
  mesh->control = MPI_COMM_NULL;
  rf_waiting_reset(mesh);
  *mesh_out = mesh;
  return RF_OK;
}

/* After a failure a message may still be written into memory that was lent to MPI. Receives are called off; what MPI
 * may still read or write stays until the process ends. */
static void abandon(rf_mesh *mesh) {
  for (int i = 0; i < RF_FLIGHTS; i++) {
    rf_flight *flight = &mesh->flights[i];
    if (!flight->used) continue;
    for (int k = 0; k < flight->receives.n_requests; k++) (void)MPI_Cancel(&flight->receives.requests[k]);
  }
}

static void free_flights(rf_mesh *mesh) {
  for (int i = 0; mesh->flights && i < RF_FLIGHTS; i++) {
    free(mesh->flights[i].receives.messages);
    free(mesh->flights[i].sends.messages);
    free(mesh->flights[i].ring.buffer);
  }
  free(mesh->flights);
}

static void free_comms(rf_mesh *mesh) {
  for (int i = 0; i < RF_SCOPES; i++)
    if (mesh->groups[i].comm != MPI_COMM_NULL) (void)MPI_Comm_free(&mesh->groups[i].comm);
  if (mesh->control != MPI_COMM_NULL) (void)MPI_Comm_free(&mesh->control);
}

void rf_mesh_destroy(rf_mesh *mesh) {
  if (!mesh) return;
  const bool asked = rf_mpi_runs(); /* MPI may be: of an imagined mesh, or after its end, it may not */
  if (mesh->n_flying > 0 || mesh->scratch_busy || (asked && !rf_api_call_is_told(mesh))) {
    if (asked) abandon(mesh);
    return;
  }
  if (asked) free_comms(mesh);
  free_flights(mesh);
  free(mesh->note_requests);
  free(mesh->call_requests);
  free(mesh->votes);
  free(mesh->places);
  rf_hosts_destroy(&mesh->hosts);
  free(mesh->scratch);
  free(mesh);
}
