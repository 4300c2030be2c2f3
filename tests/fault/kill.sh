#!/usr/bin/env bash
# Kills runs by SIGKILL, again and again, and compares them with one that was never killed:
#
#   tests/fault/kill.sh PROGRAM KILLS RANKS SEED
#
# PROGRAM trains on RANKS ranks. A random rank, all of them, or the launcher with all of them are killed: half of the
# times while a checkpoint is written, else at any time, start and end included. After each kill nothing may hang or be
# left running, the newest checkpoint must verify, and the same command line must go on from exactly that one, having
# lost one interval of checkpoints and the steps run during a write at most. A run that has come to its end must equal
# the one never killed: loss, gradient norm, learning rate and evaluations of every step and all numbers of the last
# state, to the bit, and leave nothing behind. Then another one begins, until there were KILLS kills; every fourth run
# has checkpoint.async: false. Prints a table; exit status 0 only where all of this was so.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -eu
folder=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
# shellcheck source=tests/support/options.sh
. "$folder/../support/options.sh"
script_options "" "$@"
[ $# = 4 ] && [ -x "$1" ] && [[ "$2 $3 $4" =~ ^[0-9]+\ [1-9][0-9]*\ [0-9]+$ ]] ||
  { echo "usage: tests/fault/kill.sh PROGRAM KILLS RANKS SEED: a program that is there, and whole numbers" >&2 && exit 2; }
program=$(realpath "$1")
shift
# shellcheck source=tests/support/work.sh
. "$folder/../support/work.sh"
cd "$work"
export OMPI_MCA_btl_vader_backing_directory=$work # what killed ranks leave there
OMP_NUM_THREADS=1 python3 "$folder/kill.py" "$program" "$@"
