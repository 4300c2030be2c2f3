#!/usr/bin/env bash
# Damages checkpoints at random and asks the program what it makes of them:
#
#   tests/fault/damage.sh PROGRAM COUNT SEED
#
# A run of 4 ranks has three checkpoints. The newest, and now and then older ones too, are damaged in one file: bits
# flipped, bytes overwritten or lost, sectors swapped, cut, lengthened, deleted, a folder, a pipe or a link in its place,
# taken from another step or run, shards swapped, not to be read. Each time `verify` must name the file, where, and what
# lies there; `eval` must refuse it; both with exit status 3. In every fifth round the run must go on, on 1 or 2 ranks,
# from the newest that is whole, saying what was passed over, with the same figures as if the damaged ones had not been
# there, to the bit; where none is left, end with status 3. No crash, nothing hangs. Until there were COUNT damages.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -eu
folder=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
# shellcheck source=tests/support/options.sh
. "$folder/../support/options.sh"
script_options "" "$@"
[ $# = 3 ] && [ -x "$1" ] && [[ "$2 $3" =~ ^[0-9]+\ [0-9]+$ ]] ||
  { echo "usage: tests/fault/damage.sh PROGRAM COUNT SEED: a program that is there, and whole numbers" >&2 && exit 2; }
program=$(realpath "$1")
shift
# shellcheck source=tests/support/work.sh
. "$folder/../support/work.sh"
cd "$work"
OMP_NUM_THREADS=1 python3 "$folder/damage.py" "$program" "$@"
