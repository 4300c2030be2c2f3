#!/usr/bin/env bash
# Threads and cores of a rank under what environments, schedulers and containers set. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
. "$source_dir/tests/cli/check.sh" || exit 1
. "$source_dir/tests/cli/many.sh"
. "$source_dir/tests/cli/resume.sh"
write_tiny
unset OMP_NUM_THREADS
cores=$(nproc)
[ "$cores" -ge 2 ] || { echo "one core here: nothing to try"; exit 0; }
steps="-s training.steps=3 -s training.eval_every=0 -s mesh.sequence=1 -s training.batch=8"

# threads N SET... -- TEXT...: a run alone, with these variables, has so many threads and says these texts
threads() {
  local wanted=$1 set=()
  shift
  while [ "$1" != -- ]; do set+=("$1"); shift; done
  shift
  rm -rf run
  checks=$((checks + 1))
  env "${set[@]}" "$PROGRAM" train tiny.yaml --run run $steps >out 2>&1 || fail "a run with ${set[*]}"
  grep -q "^host .*: rank 0, $wanted thread" out || { fail "threads with ${set[*]}, wanted $wanted"; grep '^host' out; }
  local text
  for text in "$@"; do grep -qF "$text" out || { fail "'$text' with ${set[*]}"; cat out; }; done
}

# --- OpenMP has bound the main thread to one core before main: the process has more ---
sets=(OMP_PROC_BIND=true OMP_PROC_BIND=spread OMP_PLACES=cores OMP_PLACES=sockets OMP_DYNAMIC=true
  OMP_MAX_ACTIVE_LEVELS=0 OPENBLAS_NUM_THREADS=1 KMP_AFFINITY=compact)
[ "$cores" != 2 ] || sets+=(OMP_PLACES={0},{1} GOMP_CPU_AFFINITY=0-1)
numbers=("" many 0 -2 1x 99999999999)
[ -z "${ASAN_OPTIONS-}" ] || sets=(OMP_PROC_BIND=true) numbers=(many) # a start takes a second
for set in "${sets[@]}"; do threads "$cores" "$set" --; done
for number in "${numbers[@]}"; do
  threads "$cores" "OMP_NUM_THREADS=$number" -- ${number:+"warning: OMP_NUM_THREADS: found '$number'; allowed: whole numbers"}
done
threads 1 "OMP_PLACES={1}" -- "cores 1"
threads 1 OMP_PLACES={1},{0} OMP_NUM_THREADS=1 -- "cores 1"
threads 1 OMP_THREAD_LIMIT=1 --
threads 1 OMP_NUM_THREADS=1,2 --
threads 1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=2 --
threads $((cores + 1)) OMP_NUM_THREADS=$((cores + 1)) -- "warning: OMP_NUM_THREADS is $((cores + 1)), but 1 rank has $cores cores"
rm -rf run
checks=$((checks + 1))
OMP_PROC_BIND=true taskset -c 1 "$PROGRAM" train tiny.yaml --run run $steps 2>&1 | grep -q "rank 0, 1 thread each, cores 1$" ||
  fail "a run bound by taskset and by OpenMP"

# --- stacks that a product's panels do not fit in, which would end in SIGSEGV ---
OMP_NUM_THREADS=2 OMP_STACKSIZE=200k check 2 "the stack of a thread of OpenMP has 20" "KiB; allowed: at least" "OMP_STACKSIZE" -- \
  train tiny.yaml --run never $steps
(ulimit -s 300 && check 2 "the stack of the main thread has " " KiB; allowed: at least" "ulimit -s" -- train tiny.yaml --run never $steps; exit "$failures") ||
  failures=$((failures + 1))
rm -rf run
threads 2 OMP_NUM_THREADS=2 OMP_STACKSIZE=1M -- # enough in double, too

# --- ranks that were not bound get cores of their own ---
if command -v mpirun >/dev/null && [ "$cores" = 2 ]; then
  for set in OMP_PROC_BIND=true OMP_PLACES=threads "OMP_NUM_THREADS=1 OMP_PROC_BIND=close"; do
    rm -rf run
    export ${set?}
    many 2 0 "ranks 0-1, 1 thread each, cores 0 1" -- train tiny.yaml --run run $steps
    unset OMP_NUM_THREADS OMP_PROC_BIND OMP_PLACES
  done
  rm -rf run
  OMP_PLACES={1} many 2 0 "OMP_PROC_BIND or OMP_PLACES puts 2 ranks on 1 core" -- train tiny.yaml --run run $steps
fi

# --- one machine under several names, as containers have them, of 64 letters, too: its cores are shared ---
letters=64
! ldd "$PROGRAM" | grep -q libucs || letters=63 # UCX aborts every process on a host whose name has 64, at its end
if [ -z "${ASAN_OPTIONS-}" ] && command -v mpirun >/dev/null && [ "$cores" = 2 ] && unshare --uts true 2>/dev/null; then # LeakSanitizer crashes there
  # shellcheck disable=SC2016 # the inner shell's
  printf '#!/bin/sh\nexec unshare --uts sh -c '\''hostname "$(printf "%%0'$letters'd" "$OMPI_COMM_WORLD_RANK")"; exec "$@"'\'' sh "$@"\n' >contained
  chmod +x contained
  rm -rf run
  launch 0 "host $(printf %0${letters}d 0): rank 0, 1 thread each, cores 0-1" "host $(printf %0${letters}d 1): rank 1, 1 thread each" -- \
    -n 2 ./contained "$PROGRAM" train tiny.yaml --run run $steps
fi

# --- a CPU quota, as docker --cpus sets it: here in a folder that takes the place of the system's ---
if unshare -m true 2>/dev/null && [ -d /sys/fs/cgroup ]; then
  quota() { # quota FILE TEXT [FILE TEXT]: what the program finds
    rm -rf group
    mkdir -p group/cpu
    for ((i = 1; i < $#; i += 2)); do echo "${@:i+1:1}" >"group/${!i}"; done
  }
  in_group=(unshare -m sh -c 'mount --bind group /sys/fs/cgroup && exec "$@"' sh)
  quota cpu.max "100000 100000"
  threads 1 "${in_group[@]}" -- "CPU quota of 1 cores"
  quota cpu.max "150000 100000"
  threads 2 "${in_group[@]}" -- "CPU quota of 1.5 cores"
  quota cpu/cpu.cfs_quota_us 50000 cpu/cpu.cfs_period_us 100000
  threads 1 "${in_group[@]}" env OMP_PROC_BIND=true -- "CPU quota of 0.5 cores"
  threads 2 "${in_group[@]}" env OMP_NUM_THREADS=2 -- "warning: OMP_NUM_THREADS is 2, but the CPU quota"
  quota cpu.max "max 100000" cpu/cpu.cfs_quota_us -1 cpu/cpu.cfs_period_us 100000
  threads "$cores" "${in_group[@]}" --
  ! grep -q quota out || fail "a quota where there is none"
fi
finish
