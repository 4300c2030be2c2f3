#!/usr/bin/env bash
# Weights of HuggingFace's Reformer go in, are evaluated and come out again. PROGRAM SOURCE_DIR
set -u
. "$2/tests/support/work.sh" || exit 1
# The distribution's python3 has the distribution's h5py; another one that stands before it on PATH may not.
for python in python3 /usr/bin/python3; do
  "$python" -c 'import h5py, numpy' 2>/dev/null && exec_python=$python && break
done
[ -n "${exec_python-}" ] || { echo "no python3 with h5py: launch/setup.sh --tests installs it"; exit 1; }
"$exec_python" "$2/tests/weights/exchange.py" "$1" "$2" "$work"
