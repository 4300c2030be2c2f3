#!/usr/bin/env bash
# A real Slurm over virtual hosts: jobs with srun and with mpirun inside, a job that is told to stop and one that is
# preempted, which come back and end as if nothing had been, one that loses a node, and a sweep. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
work=$(mktemp -d) && cd "$work" || exit 1
# shellcheck source-path=SCRIPTDIR source=cluster.sh
. "$source_dir/tests/cluster/cluster.sh"
needs slurmctld slurmd munged srun
start_check
trap clean_up EXIT
trap 'exit 1' INT TERM
export REFORMER_PROGRAM=$PROGRAM REFORMER_HOME=$source_dir

write_config config.yaml 30 4
"$PROGRAM" train config.yaml --run one >one.log 2>&1
expect "status of one rank" 0 $?
"$slurm" up 3 --rate 50mbit || exit 1
expect "nodes" 3 "$("$slurm" exec sinfo -h -N -p main -t idle | wc -l)"

submit() { # submit NAME OPTION... : prints the job's number
  local name=$1
  shift
  "$slurm" exec sbatch --parsable --job-name="$name" --output="$name.log" "$@"
}

# The state of a job that Slurm still knows; it forgets those that are done after some minutes.
state_of() { "$slurm" exec scontrol show job "$1" | sed -n 's/^ *JobState=\([A-Z]*\).*/\1/p' | head -n 1; }

wait_for_end() { # wait_for_end JOB NAME
  local end=$((SECONDS + 90)) state
  until state=$(state_of "$1") && [[ $state =~ ^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL)$ ]]; do
    [ $SECONDS -lt $end ] || break
    sleep 0.2
  done
  expect "end of job $2" COMPLETED "$state"
  [ "$state" = COMPLETED ] || grep -av '^step' "$2.log"
}

wait_for_step() { # wait_for_step RUN STEP
  local end=$((SECONDS + 60))
  until [ "$(tail -n 1 "$1/metrics.jsonl" 2>/dev/null | sed 's/^{"step":\([0-9]*\).*/\1/')" -ge "$2" ] 2>/dev/null; do
    [ $SECONDS -lt $end ] || { fail "$1 does not come to step $2" && grep -av '^step' "$1.log" && break; }
    sleep 0.05
  done
}

train() { # train NAME [ARGUMENT...]: over three nodes
  local name=$1
  shift
  submit "$name" --nodes=3 --ntasks-per-node=1 "$source_dir/launch/many_nodes.sbatch" "$work/config.yaml" --run "$name" \
    --set mesh.sequence=3 "$@"
}

# --- srun and mpirun inside ---
wait_for_end "$(train srun)" srun
losses_agree one srun 1e-4
cat >mpirun.sbatch <<SH
#!/bin/bash
exec "$source_dir/launch/run.sh" --launcher mpirun --requeue -- train config.yaml --run mpirun --set mesh.sequence=3
SH
job=$(submit mpirun --nodes=3 --ntasks-per-node=1 --open-mode=append --requeue mpirun.sbatch)

# --- in a shell inside srun, which holds the processors ---
"$slurm" exec timeout 60 salloc --nodes=1 --ntasks=1 srun --ntasks=1 "$run" -- train config.yaml --run shell >shell.log 2>&1
expect "status in a shell inside srun" 0 $?

# --- told to stop by a signal, as before the end of its time; here with mpirun inside ---
wait_for_step mpirun 13
"$slurm" exec scancel --batch --signal=USR1 "$job"
wait_for_end "$job" mpirun
expect_text "goes back into the queue" mpirun.log
expect "starts of the job that was told to stop" 2 "$(grep -ac '^run folder mpirun' mpirun.log)"
losses_agree srun mpirun 0

# --- preempted by a job of another partition; with srun ---
job=$(train preempted)
wait_for_step preempted 13
urgent=$(submit urgent --partition=urgent --nodes=3 --exclusive --wrap 'sleep 1')
wait_for_end "$urgent" urgent
wait_for_end "$job" preempted
expect "starts of the preempted job" 2 "$(grep -ac '^run folder preempted' preempted.log)"
losses_agree srun preempted 0

# --- a sweep; its last task, which has the array's own number, begins when the others are over ---
printf '%s\n' "lsh.n_hashes=1 optimizer.lr=1e-3" "lsh.n_hashes=2" "model.attention=[local] training.steps=5" >list
job=$(submit sweep --array=1-3%1 --output=sweep-%a.log "$source_dir/launch/sweep.sbatch" "$work/config.yaml" list --set training.steps=4)
for task in 1 2 3; do wait_for_end "${job}_$task" sweep-$task; done
expect "tasks that took themselves for over" "" "$(grep -al 'is over' sweep-[123].log)"
"$source_dir/launch/gather.sh" "runs/sweep-$job" >table.csv
expect "status of gathering" 0 $?
expect "columns" "run,lsh.n_hashes,optimizer.lr,model.attention,training.steps,state,step" "$(head -n 1 table.csv | cut -d, -f1-7)"
expect "rows" "1,1,1e-3,,,done,4 2,2,,,,done,4 3,,,[local],5,done,5 " "$(sed 1d table.csv | cut -d, -f1-7 | tr '\n' ' ')"
expect "losses" "" "$(sed 1d table.csv | cut -d, -f8 | grep -v '^4\.[0-9]*$')"
expect "status of a line that is not there" 2 \
  "$(SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_JOB_ID=1 SLURM_SUBMIT_DIR=$work bash "$source_dir/launch/sweep.sbatch" config.yaml list 2>/dev/null; echo $?)"

# --- a node whose link is cut: the run goes on in the same job, on the nodes that are left ---
sed 's/--run mpirun/--run cut/' mpirun.sbatch >cut.sbatch
job=$(submit cut --nodes=3 --ntasks-per-node=1 --exclusive --no-kill cut.sbatch)
wait_for_step cut 13
"$hosts" cut h1
wait_for_end "$job" cut
expect_text "no answer from h1; starting again .* on 2 ranks (mesh.sequence=2)" cut.log
losses_agree one cut 1e-3

"$slurm" down
finish
