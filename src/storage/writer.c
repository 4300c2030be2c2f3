#include "storage/writer.h"
#include "base/cores.h"
#include <signal.h>
#include <stdio.h>

static void do_job(rf_writer *w) {
  w->status = w->job(w->context);
  w->message[0] = '\0';
  if (w->status != RF_OK) (void)snprintf(w->message, sizeof w->message, "%s", rf_error_message());
  atomic_store(&w->done, true);
}

/* Where OpenMP has bound the main thread to a core, its thread need not stay there with it. */
static void *do_job_aside(void *argument) {
  rf_cores cores;
  rf_cores_of_process(&cores);
  rf_cores_let_this_thread(&cores);
  do_job(argument);
  return NULL;
}

/* Handlers belong to the main thread: a thread inherits the mask of its maker. True once there is a thread, whatever
 * fails afterwards: the job is its own then. */
static bool make_thread(rf_writer *w) {
  sigset_t all, before;
  if (sigfillset(&all) != 0 || pthread_sigmask(SIG_BLOCK, &all, &before) != 0) return false;
  const bool made = pthread_create(&w->thread, NULL, do_job_aside, w) == 0;
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  return made;
}

void rf_writer_start(rf_writer *writer, bool aside, rf_job job, void *context) {
  *writer = (rf_writer){.started = true, .job = job, .context = context};
  writer->has_thread = aside && make_thread(writer);
  if (!writer->has_thread) do_job(writer);
}

bool rf_writer_is_done(const rf_writer *writer) { return !writer->started || atomic_load(&writer->done); }

rf_status rf_writer_end(rf_writer *writer) {
  if (!writer->started) return RF_OK;
  writer->started = false;
  const bool joined = !writer->has_thread || pthread_join(writer->thread, NULL) == 0;
  writer->has_thread = false;
  if (!joined) return rf_fail(RF_FAILED, "a writer's thread cannot be waited for");
  return writer->status == RF_OK ? RF_OK : rf_fail(writer->status, "%s", writer->message);
}
