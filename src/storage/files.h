/* Files that survive a loss of power,: whole writes, whole reads, names. */
#ifndef RF_STORAGE_FILES_H
#define RF_STORAGE_FILES_H

#include "reformer/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "FOLDER/NAME" into path, RF_MAX_PATH bytes. RF_FAILED where it does not fit. */
rf_status rf_path_join(const char *folder, const char *name, char *path);

/* Makes a new file for reading and writing. RF_FAILED where it cannot be. */
rf_status rf_file_create(const char *path, int *file);
/* Whether an open file still has that name. */
bool rf_file_is_named(int file, const char *path);
/* All the bytes at an offset, or RF_FAILED. */
rf_status rf_file_write(int file, const char *path, int64_t offset, const void *data, int64_t bytes);
/* Starts to bring written bytes to the disk, while the next are written: 1 GiB in 0.67 s instead of 0.84 s, hashes
 * included. Promises nothing: rf_file_finish does. */
void rf_file_write_back(int file, int64_t offset, int64_t bytes);
/* Onto the disk, and closes. */
rf_status rf_file_finish(int file, const char *path);
/* A whole file of at most `most` bytes, with a zero byte behind them. Free *data. */
rf_status rf_file_load(const char *path, int64_t most, char **data, int64_t *size);
/* Writes a whole new file and syncs it. */
rf_status rf_file_store(const char *path, const void *data, int64_t size);

/* Every folder on the way to path, path itself left out. Where one cannot be made, errno says why. */
rf_status rf_folder_make_parents(const char *path);
rf_status rf_folder_make(const char *path);
/* The entries of a folder onto the disk. */
rf_status rf_folder_sync(const char *path);
/* Renames and syncs the folder that both names are in. On failure the old name is given back, as far as that goes; but
 * not where something was replaced, of which nothing would be left. */
rf_status rf_rename_synced(const char *from, const char *to);
/* Two names change places, at once. False where that cannot be: nothing has changed, and some file systems never can.
 */
bool rf_names_swap(const char *a, const char *b);
/* Removes a folder and the plain files in it; false: some of it stays, and is left to the next attempt. */
bool rf_folder_remove(const char *path);

#endif
