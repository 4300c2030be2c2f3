/* A checkpoint at once: the protocol of transaction.h while the caller waits. */
#include "checkpoint/transaction.h"
#include "checkpoint/snapshot.h"
#include "reformer/checkpoint.h"

rf_status rf_checkpoint_save(const char *folder, rf_mesh *mesh, const rf_checkpoint_header *header,
                             const rf_layout *layout, const rf_state *state) {
  const rf_transaction_request request = {
      .folder = folder, .mesh = mesh, .header = header, .layout = layout, .state = state, .replaces = true};
  rf_transaction transaction = {0};
  if (!folder) return rf_fail(RF_BAD_CONFIG, "a checkpoint cannot be saved: found no folder (NULL)");
  rf_status status = rf_transaction_begin(&transaction, &request, rf_snapshot_check(layout, state, rf_mesh_rank(mesh)));
  if (status == RF_OK) status = rf_transaction_finish(&transaction);
  if (status != RF_OK) {
    rf_transaction_abandon(&transaction);
    return rf_context(status, "checkpoint %s cannot be saved", folder);
  }
  const rf_finding *finding = &transaction.finding;
  if (finding->status == RF_OK) return RF_OK;
  return rf_fail(finding->status, "checkpoint %s cannot be saved: %s", folder, finding->message);
}
