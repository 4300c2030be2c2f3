#!/usr/bin/env bash
# Runs that are killed at random times end with the same bits as one that never was. PROGRAM SOURCE_DIR
set -eu
bash "$2/tests/fault/kill.sh" "$1" 7 1 20240611
command -v mpirun >/dev/null || { echo "no mpirun here: one rank has to do"; exit 0; }
bash "$2/tests/fault/kill.sh" "$1" 7 3 20240612
