#!/usr/bin/env bash
# No damage of a checkpoint goes unnoticed, and none stops a run that has a whole one. PROGRAM SOURCE_DIR
set -eu
command -v mpirun >/dev/null || { echo "no mpirun here: nothing to try"; exit 0; }
bash "$2/tests/fault/damage.sh" "$1" 30 20240611
