#include "checkpoint/leftover.h"
#include "base/log.h"
#include "checkpoint/bearer.h"
#include "checkpoint/names.h"
#include "reformer/config.h"
#include "storage/files.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* "BASE.tmp-ATTEMPT", "BASE.replaced-ATTEMPT" */
static bool is_leftover(const char *name, const char *base) {
  const size_t length = strlen(base);
  return strncmp(name, base, length) == 0 &&
         (rf_name_is_marked(name + length, RF_MARK_TEMPORARY) || rf_name_is_marked(name + length, RF_MARK_REPLACED));
}

static void remove_leftover(const char *folder, const char *path) {
  rf_bearer bearer;
  const rf_status status = rf_bearer_find(path, &bearer);
  if (status == RF_BAD_CONFIG || (status == RF_OK && rf_folder_remove(path))) return; /* somebody's, or gone */
  rf_log_warn("%s, which an earlier attempt at %s left, cannot be removed now: remove it, or save %s again", path,
              folder, folder);
}

void rf_leftovers_remove(const char *folder) {
  char parent[RF_MAX_PATH], path[RF_MAX_PATH];
  const char *slash = strrchr(folder, '/'), *base = slash ? slash + 1 : folder;
  (void)snprintf(parent, sizeof parent, "%.*s", slash ? (int)(base - folder) : 1, slash ? folder : ".");
  DIR *entries = opendir(parent);
  for (const struct dirent *entry; entries && (entry = readdir(entries)) != NULL;) {
    if (!is_leftover(entry->d_name, base)) continue;
    const int length = snprintf(path, sizeof path, "%.*s%s", (int)(base - folder), folder, entry->d_name);
    if (length < (int)sizeof path) remove_leftover(folder, path);
  }
  if (entries) (void)closedir(entries);
}
