/* A checkpoint at once: the protocol of saving.h while the caller waits. */
#include "checkpoint/saving.h"
#include "checkpoint/snapshot.h"

rf_status rf_checkpoint_save(const char *folder, rf_mesh *mesh, const rf_checkpoint_header *header,
                             const rf_layout *layout, const rf_state *state) {
  const rf_saving_order order = {
      .folder = folder, .mesh = mesh, .header = header, .layout = layout, .state = state, .replaces = true};
  rf_saving saving = {0};
  if (!folder) return rf_fail(RF_BAD_CONFIG, "a checkpoint cannot be saved: found no folder (NULL)");
  rf_status status = rf_saving_begin(&saving, &order, rf_snapshot_check(layout, state, rf_mesh_rank(mesh)));
  if (status == RF_OK) status = rf_saving_finish(&saving);
  if (status != RF_OK) {
    rf_saving_abandon(&saving);
    return rf_context(status, "checkpoint %s cannot be saved", folder);
  }
  const rf_finding *finding = &saving.finding;
  if (finding->status == RF_OK) return RF_OK;
  return rf_fail(finding->status, "checkpoint %s cannot be saved: %s", folder, finding->message);
}
