#!/usr/bin/env bash
# The program on several ranks: it trains, and whatever is wrong ends all ranks with one message. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
command -v mpirun >/dev/null || { echo "no mpirun here: nothing to try"; exit 0; }
. "$source_dir/tests/cli/check.sh" || exit 1
. "$source_dir/tests/cli/many.sh"
. "$source_dir/tests/support/tiny_text.sh"
export OMP_NUM_THREADS=1

tiny_text 100 2
checkpoint=run/checkpoints/step-00000003

# --- a run, and what one rank makes of its checkpoint ---
many 2 0 "checkpoint $checkpoint" "host " -- train tiny.yaml --run run --set mesh.sequence=2
check 0 "$checkpoint: whole" -- verify $checkpoint
check 0 "validation: loss" -- eval $checkpoint
check 0 "step 3" "written by 2 ranks (2 x 1)" -- inspect $checkpoint
many 2 0 "checkpoint data/checkpoints/step-00000003" -- train tiny.yaml --run data --set training.step_timeout=300
check 0 "written by 2 ranks (1 x 2)" -- inspect data/checkpoints/step-00000003
checks=$((checks + 1))
[ "$(wc -l <run/metrics.jsonl)" = 3 ] || { failures=$((failures + 1)); echo "FAILED: metrics.jsonl has not one line a step"; }

# --- one process for one checkpoint ---
for command in eval inspect verify "export -o x"; do
  many 2 2 "found 2 ranks; allowed: 1" -- $command $checkpoint
done
many 2 2 "reformer import: found 2 ranks; allowed: 1" -- import x.safetensors tiny.yaml -o imported
many 2 0 "Usage: reformer train CONFIG" -- help train

# --- what is wrong everywhere is said once ---
many 2 2 "mesh.sequence: found 3, which does not divide the 2 ranks of this run; allowed: 1 or 2" "mpirun -n 3" \
  -- train tiny.yaml --run never --set mesh.sequence=3
many 2 2 "mesh: found sequence 2 x data 2, but this run has 2 ranks" \
  -- train tiny.yaml --run never --set mesh.sequence=2 --set mesh.data=2
many 2 2 "training.batch: found 3" "2 data groups" "a multiple of 2" -- train tiny.yaml --run never3 --set training.batch=3
many 2 3 "missing.txt" -- train tiny.yaml --run never --set data.path=missing.txt
many 2 2 "training.step_timeout: found '-1'" -- train tiny.yaml --run never --set training.step_timeout=-1
many 2 2 "unknown command 'trian'" -- trian tiny.yaml
checks=$((checks + 1))
[ ! -e never ] || { failures=$((failures + 1)); echo "FAILED: a run that could not start left a folder behind"; }

# --- what only rank 0 meets ---
many 2 2 "run folder run" "holds a run already" -- train tiny.yaml --run run --resume never

# --- a launcher of another MPI library starts worlds of one ---
for rank in 0 3; do
  OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=$rank check 2 "the launcher started 4 ranks (OMPI_COMM_WORLD_SIZE)" \
    "a world of 1 rank" "mpirun -n 4" -- train tiny.yaml --run never
done
PMI_SIZE=4 PMI_RANK=0 check 2 "the launcher started 4 ranks (PMI_SIZE)" -- train tiny.yaml --run never
SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=0 check 2 "srun started 4 tasks" "srun --mpi=pmix -n 4" -- train tiny.yaml --run never
finish
