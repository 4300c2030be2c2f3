#include "train/inputs.h"
#include "base/hash.h"
#include "base/log.h"
#include "comm/collective.h"
#include "comm/host.h"
#include <string.h>

static rf_status compare_data(const rf_config *config, rf_mesh *mesh, const rf_data_identity *own) {
  rf_data_identity first = *own;
  const char *path = config->data.path, *host = rf_host_name(mesh, 0);
  RF_TRY(rf_share(mesh, &first, sizeof first));
  if (own->bytes != first.bytes)
    return rf_fail(
        RF_BAD_DATA,
        "data.path: %s has %lld bytes here, but %lld at rank 0 on host %s; allowed: the same file on all hosts", path,
        (long long)own->bytes, (long long)first.bytes, host);
  if (memcmp(own, &first, sizeof first) != 0)
    return rf_fail(
        RF_BAD_DATA,
        "data.path: %s has as many bytes (%lld) as at rank 0 on host %s, but others; allowed: the same file on "
        "all hosts",
        path, (long long)own->bytes, host);
  return RF_OK;
}

static rf_status compare_rotations(const rf_config *config, rf_mesh *mesh) {
  const char *path = config->lsh.rotations_file;
  struct {
    int64_t size;
    uint64_t hash;
  } own = {0}, first;
  RF_TRY(rf_context(rf_file_hash(path, &own.hash, &own.size), "lsh.rotations"));
  first = own;
  RF_TRY(rf_share(mesh, &first, sizeof first));
  if (memcmp(&own, &first, sizeof own) == 0) return RF_OK;
  return rf_fail(RF_BAD_DATA,
                 "lsh.rotations: %s is not the file that rank 0 on host %s has under that name (%lld bytes here, %lld "
                 "there); allowed: the same file on all hosts",
                 path, rf_host_name(mesh, 0), (long long)own.size, (long long)first.size);
}

rf_status rf_inputs_compare(const rf_config *config, rf_mesh *mesh, const rf_dataset *dataset,
                            rf_data_identity *identity) {
  RF_TRY(rf_dataset_identify(dataset, identity));
  if (rf_mesh_size(mesh) == 1) return RF_OK;
  RF_TRY(compare_data(config, mesh, identity));
  return config->lsh.rotations == RF_ROTATIONS_FILE ? compare_rotations(config, mesh) : RF_OK;
}

/* --- and what it read before ------------------------------------------------------------------------ */

static const char *const changes[] = {
    [RF_DATA_GROWN] = "has grown, and what was there is as it was",
    [RF_DATA_CUT] = "has been cut short, and what is left is as it was",
    [RF_DATA_REPLACED] = "holds other bytes",
};

rf_status rf_inputs_warn(const rf_config *config, const rf_dataset *dataset, const rf_data_identity *before,
                         int64_t step) {
  rf_data_identity now;
  rf_data_change change;
  RF_TRY(rf_dataset_compare(dataset, before, &change));
  if (change == RF_DATA_SAME) return RF_OK;
  RF_TRY(rf_dataset_identify(dataset, &now));
  rf_log_warn("data.path: %s is not what it was up to step %lld: it %s (%lld bytes, then %lld). Tokens that were for "
              "validation may be for training now, and validation losses, by which the best checkpoint is chosen, are "
              "of other tokens: the run is no longer what it would have been",
              config->data.path, (long long)step, changes[change], (long long)now.bytes, (long long)before->bytes);
  return RF_OK;
}
