#include "checkpoint/manifest_rows.h"

static hid_t column_type(const rf_column *column) {
  const hsize_t count = (hsize_t)column->count;
  if (column->text == 0 && column->count == 1) return H5Tcopy(H5T_NATIVE_INT64);
  if (column->text == 0) return H5Tarray_create2(H5T_NATIVE_INT64, 1, &count);
  const hid_t text = H5Tcopy(H5T_C_S1);
  if (text >= 0 && (H5Tset_size(text, column->text) < 0 || H5Tset_cset(text, H5T_CSET_UTF8) < 0)) {
    H5Tclose(text);
    return -1;
  }
  return text;
}

hid_t rf_row_type(const rf_column *columns, size_t size) {
  const hid_t row = H5Tcreate(H5T_COMPOUND, size);
  bool fine = row >= 0;
  for (; fine && columns->name; columns++) {
    const hid_t type = column_type(columns);
    fine = type >= 0 && H5Tinsert(row, columns->name, columns->offset, type) >= 0;
    if (type >= 0) fine = H5Tclose(type) >= 0 && fine;
  }
  if (!fine && row >= 0) H5Tclose(row);
  return fine ? row : -1;
}
