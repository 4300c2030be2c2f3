/* The inside of a mesh and of the operations under way: data only, for comm/ only. What is done with it stands in
 * layers, each of which knows those to its left; the second row goes on after poll:
 *
 *   place, scope | mesh_state | mesh_view | traffic, waiting, host | api_call | alarm | flight | poll | agree | mesh
 *                                        | all_to_all, collective, segments | histogram | exchange_plan | exchange */
#ifndef RF_COMM_MESH_STATE_H
#define RF_COMM_MESH_STATE_H

#include "base/phase.h"
#include "comm/mpi_call.h"
#include "comm/place.h"
#include "comm/scope.h"
#include "reformer/error.h"
#include "reformer/real.h"
#include <stddef.h>

enum {
  RF_FLIGHTS = 32, /* operations under way at once */
  RF_WINDOW = 32,  /* messages of one operation under way at once, each way */
  RF_REDUCTION_DEPTH = 4,
  RF_NOTE_BYTES = 1024, /* small enough that any library sends it without waiting for the receiver */
  RF_MOST_BYTES = 1 << 30,
  RF_NOTE_TAG = 1, /* of messages on mesh->control: notes of failures, and of calls */
  RF_API_CALL_TAG = 2
};

typedef struct rf_flight rf_flight;

typedef struct rf_group {
  MPI_Comm comm;
  int rank, size;
  int next_tag; /* operations start in the same order everywhere, so their tags agree */
} rf_group;

typedef struct rf_message {
  unsigned char *data;
  int64_t count; /* units */
  int peer;      /* rank in the group */
} rf_message;

/* The messages of an operation that go one way, in the order in which they are posted. */
typedef struct rf_queue {
  rf_message *messages; /* [capacity] owned */
  int n, capacity;
  int next; /* first that is not wholly under way */
  int64_t next_unit;
  int n_requests;
  MPI_Request requests[RF_WINDOW];
} rf_queue;

/* How far a ring reduce-scatter has come; see comm/segments.c. */
typedef struct rf_reduction_place {
  int64_t unit;   /* how many pieces came before */
  int step;       /* round of the ring, 0 .. size - 2 */
  int64_t offset; /* in the step's segment */
} rf_reduction_place;

typedef struct rf_reduction {
  const int64_t *first; /* [size + 1] lent */
  real *full;           /* lent */
  real *buffer;         /* [depth, piece] owned, from the first use on */
  int64_t piece;        /* reals of a message */
  int64_t receives, sends, ready_sends;
  rf_reduction_place receive_posted, received, send_posted;
  int64_t sent;
  MPI_Request receiving[RF_REDUCTION_DEPTH], sending[RF_REDUCTION_DEPTH];
} rf_reduction;

/* One operation under way (comm/poll.h). */
struct rf_flight {
  struct rf_mesh *mesh;
  bool used, done;
  const char *what; /* "rows", for messages; static text */
  rf_status (*poll)(rf_flight *flight);
  rf_group *group;
  int tag;
  int64_t unit; /* bytes of a row */
  MPI_Datatype row;
  rf_queue receives, sends;
  rf_reduction ring;
};

/* A failure, as the rank that met it tells the others. */
typedef struct rf_note {
  int32_t status; /* RF_OK: none */
  int32_t rank;
  char text[RF_NOTE_BYTES - 8];
} rf_note;

/* What a rank brings to an agreement. */
typedef struct rf_vote {
  int32_t status;
  uint16_t call; /* of comm/api_call.h, and its session */
  uint16_t met;  /* the failure itself, rather than heard of it; in the second round, which follows where there is one:
                    it has sent notes of it */
} rf_vote;
_Static_assert(sizeof(rf_vote) == 8, "all ranks send one to all others in every step");

/* Where a rank waits, as it tells the others (comm/api_call.h). */
typedef struct rf_api_call_note {
  int64_t agreements; /* that all have left by then */
  int32_t from;       /* -1: nothing was heard */
  uint16_t call;
} rf_api_call_note;

struct rf_mesh {
  rf_group groups[RF_SCOPES];
  rf_place *places; /* [size] while the mesh is opened, lent to MPI; then NULL */
  rf_hosts hosts;
  MPI_Comm control; /* notes of failures and agreement */
  int sequence_rank, sequence_size, data_rank, data_size;
  int models;         /* that live on it, and count on how it is arranged */
  int tags;           /* how many there are */
  int64_t most_bytes; /* of a message */
  rf_flight *flights; /* [RF_FLIGHTS] */
  int n_flying;
  int64_t traffic[RF_TRAFFIC_PURPOSES];
  double wait_seconds;
  rf_phases phases;
  _Atomic(const char *) waiting_for; /* read by the thread of a watchdog, as is the next */
  _Atomic double waiting_since;      /* of rf_clock_seconds; below 0: it does not wait */
  unsigned char *scratch;            /* of collectives on scalars; grows */
  size_t scratch_bytes;
  bool scratch_busy;           /* a collective has not come back from it: never freed */
  rf_note alarm;               /* the gravest failure this rank knows of; the mesh is of no more use then */
  bool alarm_heard;            /* the caller has been told of it */
  bool alarm_shared;           /* all ranks brought the same one: none is named */
  bool over;                   /* an agreement has ended with it: all ranks know */
  int notes;                   /* received */
  rf_note own_note;            /* lent to MPI */
  bool told;                   /* it has been sent to all others */
  MPI_Request *note_requests;  /* [size] */
  rf_vote *votes;              /* [size + 1], the own one last */
  uint16_t call;               /* that this rank is in */
  int sessions;                /* that were made on it */
  int64_t agreements;          /* in which all have voted */
  rf_api_call_note heard_call; /* the newest */
  rf_api_call_note own_call;   /* lent to MPI */
  MPI_Request *call_requests;  /* [size] */
};

#endif
