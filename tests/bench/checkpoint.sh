#!/usr/bin/env bash
# What a checkpoint costs, against plain files with fsync and against a memcpy:
#   tests/bench/checkpoint.sh [PROGRAM] [FOLDER] [REPEATS] [RANKS...]      (build/release/reformer, ., 7, 1 2)
# Prints a Markdown table: a state of 1.1 GiB (94 million parameters and Adam's moments, in float), medians of turns in
# which all kinds of writing take turns. FOLDER is on the disk that is asked about.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$source_dir/tests/support/options.sh" || exit 1
script_options "" "$@"
program=${1-$source_dir/build/release/reformer} folder=${2-.} repeats=${3-7}
[ $# -gt 3 ] && shift 3 || set -- 1 2
. "$source_dir/tests/bench/measure.sh" || exit 1
export OMPI_MCA_mpi_yield_when_idle=1
sets=(--set model.d_model=1024 --set model.d_ff=4096 --set model.n_layers=8 --set model.n_heads=16 --set model.d_head=64
  --set model.positions.kind=rotary --set data.kind=duplicate --set data.length=1024)

printf '| ranks x threads | MiB | plain files, GB/s | checkpoint, GB/s | speed | memcpy, s | training stood still, s | memcpies | plain read, GB/s | checkpoint read, GB/s | speed |\n'
printf '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n'
for ranks in "$@"; do
  threads=$(($(nproc) / ranks)) && [ "$threads" -gt 0 ] || threads=1
  OMP_NUM_THREADS=$threads mpirun --oversubscribe --bind-to none -n "$ranks" "$program" bench checkpoint \
    "$source_dir/configs/small.yaml" "${sets[@]}" --set "mesh.sequence=$ranks" --set "training.batch=$ranks" \
    --steps "$repeats" --folder "$folder" --json "$work/$ranks.json" >"$work/$ranks.log" 2>&1 || {
    cat "$work/$ranks.log" >&2
    echo "FAILED: bench checkpoint on $ranks ranks" >&2
    exit 1
  }
  f() { figure "$ranks" "$1"; }
  awk -v ranks="$ranks" -v threads="$threads" -v bytes="$(f bytes)" -v pw="$(f plain_write_seconds)" \
    -v w="$(f write_seconds)" -v ws="$(f write_speed)" -v c="$(f copy_seconds)" -v s="$(f stall_seconds)" \
    -v sc="$(f stall_copies)" -v pr="$(f plain_read_seconds)" -v r="$(f read_seconds)" -v rs="$(f read_speed)" 'BEGIN {
    gb = bytes / 1e9
    printf "| %d x %d | %.0f | %.2f | %.2f | %.2f | %.3f | %.3f | %.2f | %.2f | %.2f | %.2f |\n", ranks, threads,
      bytes / 1048576, gb / pw, gb / w, ws, c, s, sc, gb / pr, gb / r, rs }'
done
