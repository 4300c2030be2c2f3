#include "plan/check.h"
#include "base/process.h"
#include "comm/collective.h"
#include "comm/host.h"
#include "plan/memory.h"

rf_status rf_plan_check_memory(const rf_config *config, rf_mesh *mesh) {
  const int sequence = rf_mesh_sequence_size(mesh), data = rf_mesh_data_size(mesh);
  rf_plan_memory memory;
  rf_plan_stash stash;
  RF_TRY(rf_plan_stash_create(config, sequence, data, 0, &stash));
  const rf_status status = rf_plan_memory_of(config, sequence, data, rf_mesh_rank(mesh), &stash, &memory);
  rf_plan_stash_destroy(&stash);
  RF_TRY(status);
  const double room = (double)rf_process_available_bytes() / rf_host_ranks(mesh);
  const double need = (double)(memory.total - memory.process);
  double worst[] = {room > 0 ? need - room : 0, -room}; /* of the rank that lacks most; that has least */
  RF_TRY(rf_max_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 2, worst));
  if (worst[0] <= 0) return RF_OK;
  if (memory.model.stash > 0 && worst[0] <= (double)memory.model.stash)
    return rf_fail(RF_BAD_CONFIG,
                   "training.memory_limit: found %lld MiB, but a rank has %.0f MiB; allowed: at most that, or auto",
                   (long long)(config->training.memory_limit >> 20), -worst[1] / 1048576);
  int64_t longest = 0;
  RF_TRY(rf_plan_longest(config, sequence, data, -worst[1] + (double)memory.process, &longest));
  if (longest > 0)
    return rf_fail(RF_BAD_CONFIG,
                   "data.length: found %lld, whose run needs %.0f MiB of a rank that has %.0f MiB; the longest that "
                   "fits on these ranks has %lld tokens; or take more ranks, or a smaller training.batch",
                   (long long)config->data.length, (worst[0] - worst[1]) / 1048576, -worst[1] / 1048576,
                   (long long)longest);
  return rf_fail(RF_BAD_CONFIG,
                 "the model needs %.0f MiB of a rank that has %.0f MiB, and no data.length fits on these ranks; take "
                 "more ranks, or a smaller model or training.batch",
                 (worst[0] - worst[1]) / 1048576, -worst[1] / 1048576);
}
