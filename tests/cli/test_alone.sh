#!/usr/bin/env bash
# What the program needs around it when no launcher started it: no MPI for commands that run alone, no ssh, no home, no
# folder for temporary files; and shells that a scheduler started. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
. "$source_dir/tests/cli/check.sh" || exit 1
. "$source_dir/tests/cli/many.sh"
. "$source_dir/tests/cli/resume.sh"
write_tiny
tiny="-s training.steps=3 -s training.eval_every=0"
last=run/checkpoints/step-00000003
lone=(env -u OMPI_MCA_btl -u OMPI_MCA_btl_tcp_if_include) # what the tests set for mpirun

# --- commands that run alone start no MPI: the library's first call would end them ---
check 0 "checkpoint $last" -- train tiny.yaml --run run $tiny
if command -v cc >/dev/null && [ -z "${ASAN_OPTIONS-}" ]; then
  cat >no_mpi.c <<'C'
#include <stdio.h>
#include <stdlib.h>
int MPI_Init_thread(int *argc, char ***argv, int required, int *provided) {
  if (getenv("MPI_DIES")) puts("MPI was started"), abort();
  return 16; /* MPI_ERR_OTHER */
}
#define NEVER(name) int name(void) { puts(#name " was called"); abort(); }
NEVER(MPI_Finalize) NEVER(MPI_Comm_rank) NEVER(MPI_Comm_size) NEVER(MPI_Comm_dup) NEVER(MPI_Allgather)
NEVER(MPI_Abort) NEVER(MPI_Error_string) NEVER(MPI_Comm_set_errhandler)
C
  cc -w -shared -fPIC no_mpi.c -o no_mpi.so || fail "the library without MPI cannot be built"
  export LD_PRELOAD=$work/no_mpi.so MPI_DIES=1
  check 0 "reformer" -- --version
  check 0 "Usage" -- --help
  check 0 "Usage" -- train --help
  check 0 "Usage" -- help bench
  check 2 "unknown command" -- trian
  check 2 "CONFIG is missing" -- train
  check 0 "step 3" -- inspect $last
  check 0 "whole" -- verify $last
  check 0 "tokens" -- plan tiny.yaml
  check 0 "report" -- report run
  check 0 "validation: loss" -- eval $last
  check 0 "logits" -- eval $last --logits l.h5
  check 0 "m.safetensors" -- export $last -o m.safetensors
  check 3 "none.safetensors" -- import none.safetensors "$source_dir/configs/small.yaml" -o imported
  unset MPI_DIES # where it cannot be started nothing more of it is called
  check 1 "the MPI library could not be started" -- train tiny.yaml --run never
  check 1 "the MPI library could not be started" -- bench step tiny.yaml
  unset LD_PRELOAD
fi

# --- several copies of one that runs alone: one of them says so, before the launcher ends it ---
if command -v mpirun >/dev/null; then
  many 2 2 "found 2 ranks; allowed: 1" -- verify $last
  many 2 2 "unknown option --nonsense" -- inspect --nonsense
  checks=$((checks + 1))
  [ "$(mpirun --oversubscribe -n 2 "$PROGRAM" --version 2>&1 | grep -c '^reformer')" = 1 ] || fail "two copies tell their version"
fi

# --- no ssh, no home, no user name, no place for temporary files ---
bare() { # bare WHAT COMMAND...: it trains in such surroundings
  local what=$1 output status
  shift
  rm -rf bare
  output=$("${lone[@]}" "$@" "$PROGRAM" train tiny.yaml --run bare $tiny 2>&1)
  status=$?
  expect "status of a run with $what" 0 $status
  [ $status = 0 ] || echo "$output"
}
bare "no environment" env -i ASAN_OPTIONS="${ASAN_OPTIONS-}" LSAN_OPTIONS="${LSAN_OPTIONS-}"
bare "no program on PATH" env PATH=/nonexistent HOME=/nonexistent
bare "a folder for temporary files that is not there" env TMPDIR=/nonexistent
bare "a folder for temporary files that takes none" env TMPDIR=/proc
# what a site sets for its networks and devices is not for one process
bare "a network for ranks" env OMPI_MCA_pml=ucx OMPI_MCA_btl=vader OMPI_MCA_coll=hcoll OMPI_MCA_mpi_cuda_support=1
bare "another network for ranks" env OMPI_MCA_pml=cm OMPI_MCA_mtl=psm2 OMPI_MCA_btl=tcp OMPI_MCA_coll=tuned
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  cp "$PROGRAM" program && chmod 755 . program && mkdir -m 777 open && cp tiny.yaml open
  bare "a user without a name" sh -c 'shift && cd open &&
    exec setpriv --reuid 54321 --regid 54321 --clear-groups env -u HOME ../program "$@"' sh
fi
if unshare -m true 2>/dev/null; then
  # the program, its work and the sanitizers' files may lie below those folders
  bare "temporary folders that cannot be written, as in a container that is read-only" unshare -m sh -c '
    unset LSAN_OPTIONS && export ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0
    program=$1 && shift && exec 9<"$program" && mkdir ro || exit
    for folder in /tmp /var/tmp; do mount --bind ro $folder && mount -o remount,ro,bind $folder; done
    exec /proc/self/fd/9 "$@"' sh
  rmdir ro
fi

# --- a shell that srun started has the variables of its own task ---
slurm="SLURM_JOB_ID=7 SLURM_JOBID=7 SLURM_STEP_ID=0 SLURM_STEPID=0 SLURM_STEP_NUM_TASKS=4 SLURM_NTASKS=4 SLURM_NODELIST=$(uname -n)
  SLURM_TASKS_PER_NODE=4 SLURM_LOCALID=2 SLURM_NODEID=0"
for rank in 0 2; do
  for hint in "" "PMI_SIZE=4 PMI_RANK=$rank" "PMIX_RANK=$rank PMIX_NAMESPACE=slurm.pmix.7.0"; do
    export $slurm SLURM_PROCID=$rank $hint
    check 0 "reformer" -- --version
    check 0 "Usage" -- help
    check 0 "whole" -- verify $last
    check 2 "unknown command" -- trian
    unset PMI_SIZE PMI_RANK PMIX_RANK PMIX_NAMESPACE
  done
done
export SLURM_PROCID=0
# children of srun itself that were given nothing to meet by: each ends as it did, and the first speaks
cp "$(command -v bash)" slurmstepd
for rank in 0 1; do
  checks=$((checks + 1))
  found=$(SLURM_PROCID=$rank ./slurmstepd -c '"$0" --version; exit $?' "$PROGRAM" 2>&1)
  [ "$? $(grep -c '^reformer' <<<"$found")" = "0 $((1 - rank))" ] || fail "copy $rank of srun --mpi=none tells: $found"
done
# without job control it may be a script that srun started four times: four runs instead of one
checks=$((checks + 1))
! "$PROGRAM" train tiny.yaml --run never >never.out 2>&1 || fail "what may be one of four runs trains"
grep -q "srun --mpi=pmix -n 4 reformer" never.out || { fail "nobody says how to start four ranks"; cat never.out; }
# what the message says is allowed is so
if command -v mpirun >/dev/null; then
  many 1 0 "checkpoint one/" -- train tiny.yaml --run one $tiny
  many 2 0 "checkpoint two/" -- train tiny.yaml --run two $tiny -s mesh.sequence=2
fi
# typed in the shell it runs alone, whatever the shell's own task was to meet
if command -v script >/dev/null; then
  for hint in "" "PMIX_RANK=0 PMIX_NAMESPACE=slurm.pmix.7.0"; do
    rm -rf typed
    printf '%s\n' "'$PROGRAM' train tiny.yaml --run typed $tiny" exit |
      timeout 60 "${lone[@]}" $hint script -qc "bash --norc --noprofile -i" /dev/null >typed.out 2>&1
    checks=$((checks + 1))
    [ -e typed/checkpoints/step-00000003 ] || { fail "a run typed in a shell of srun (${hint:-no PMI})"; cat typed.out; }
  done
fi
finish
