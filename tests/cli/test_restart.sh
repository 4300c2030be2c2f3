#!/usr/bin/env bash
# When launch/run.sh starts a run again and when it does not, with an mpirun that ends as it is told. PROGRAM SOURCE_DIR
set -u
program=$1 source_dir=$2
. "$source_dir/tests/cli/check.sh" || exit 1
mkdir bin
export PATH=$work/bin:$PATH OMPI_ALLOW_RUN_AS_ROOT=1 OMP_NUM_THREADS=1
unset SLURM_JOB_ID SLURM_ARRAY_JOB_ID SLURM_ARRAY_TASK_ID

# Each start takes the next line of `script`: status, and what else it does before it ends.
cat >bin/mpirun <<'SH'
#!/bin/bash
[ "$1" != --version ] || { echo "mpirun (Open MPI) ${OPEN_MPI-4.1.4}" && exit; }
starts=$(($(cat starts 2>/dev/null || echo 0) + 1))
echo $starts >starts
echo "$*" >>commands
env | grep -E '^(OMPI|PRTE)_MCA_(oob|plm)' | sort >variables
read -r status does < <(sed -n ${starts}p script)
mkdir -p r/checkpoints
trap 'exit 75' USR1
[[ $does != *linked* ]] || [ -L r/log.txt ] || ln -s ../elsewhere r/log.txt
[[ $does = *silent* || $does = *full* ]] || echo begun >>r/log.txt
[[ $does = *silent* || $does = *linked* ]] || printf 'training:\n  batch: 4\n  accumulate: 1\nmesh:\n  sequence: 1\n' >r/config.yaml
[[ $does != *past* ]] || touch -d '-1 hour' r/log.txt
[[ $does != *future* ]] || touch -d '+1 hour' r/log.txt
[[ $does = *held* ]] && touch r/lock || rm -f r/lock
[[ $does != *save* ]] || mkdir r/checkpoints/step-0000000$starts
[[ $does != *sleep* ]] || { sleep 100 & wait $!; kill %1; }
[[ $does != *nap* ]] || for ((i = 0; i < 300; i++)); do [ -f woken ] && break || /bin/sleep 0.1; done
[[ $does != *rest* ]] || /bin/sleep 2.2 # more than one second of a clock of whole seconds
[[ $does != *lost* ]] || printf 'PRTE has lost communication with a remote daemon.\n' >&2
[ "$status" -lt 128 ] || kill -$((status - 128)) $$
exit "$status"
SH
# Its pauses are not what is tried here.
printf '%s\n' '#!/bin/sh' 'case $1 in 0.2 | [2-9]) set -- 0.02 ;; esac' 'exec /bin/sleep "$@"' >bin/sleep
chmod +x bin/mpirun bin/sleep

# restarts STARTS STATUS TEXT... -- OPTION... <SCRIPT: the run ends with that status after so many starts.
PROGRAM=$work/launch
printf '%s\n' '#!/bin/sh' "exec '$source_dir/launch/run.sh' --program '$program' --ranks 1 \"\$@\" -- train c.yaml --run r" >launch
chmod +x launch
restarts() {
  local wanted=$1
  shift
  rm -rf r starts commands
  cat >script
  check "$@"
  checks=$((checks + 1))
  [ "$(cat starts)" = "$wanted" ] && return
  failures=$((failures + 1))
  echo "FAILED: found $(cat starts) starts, wanted $wanted, for ${*}"
}

# --- what takes seconds, beside the rest ---
asides=()
aside() { # aside NAME ARGUMENT...: in a folder of its own
  (mkdir "$1" && cd "$1" && "${@:2}" && finish) >"$1.log" 2>&1 &
  asides+=("$1:$!")
}
# The clock of the run's file system is an hour from the host's: what lives is not taken for dead, nor the other way.
clock() {
  restarts 2 3 "starting again" -- --hang 1 <<<"1 $1 save rest
3 $1 rest"
}
silent_start() { restarts 1 143 "nothing is in r after 1 s (--hang), and the start is ended" -- --hang 1 --restarts 0 <<<"0 silent sleep"; }
silent_later() { restarts 2 143 "nothing is in r after 1 s (--hang)" -- --hang 1 --restarts 1 <<<$'1 future save\n0 silent sleep'; }
# log.txt leads elsewhere, or cannot grow.
linked() { restarts 2 0 "starting again" -- --hang 1 <<<$'137 linked\n0 linked rest'; }
full() { restarts 2 0 "starting again" -- --hang 1 <<<$'137 save\n0 full rest'; }
aside linked linked
aside full full
aside past clock past
aside future clock future
aside start silent_start
aside later silent_later

restarts 1 0 -- <<<"0"
restarts 1 2 -- <<<"2"
restarts 1 3 -- <<<"3 save"
restarts 1 75 -- <<<"75 save"
restarts 3 3 "start 1 of the run r has died: a rank was ended by signal 9" "restart 1 of 3" "restart 2 of 3" \
  "from r/checkpoints/step-00000002, on 1 rank; restart 2" -- <<<$'137 save\n1 save\n3'
restarts 2 134 "that was the last of 1 restarts" -- --restarts 1 <<<$'137 save\n134 save\n0'
restarts 2 1 "it failed twice between the same two checkpoints" -- <<<$'1\n1\n0'
restarts 1 1 -- <<<"1 silent"       # mpirun itself refused
restarts 1 137 -- --restarts 0 <<<"137 save"
restarts 4 0 "still holds the run's lock" -- --restarts 1 <<<$'137 save\n2 held\n2 held\n0' # not yet noticed, not counted
restarts 2 2 -- <<<$'137 save\n2'
restarts 1 2 -- <<<"2 held"        # by another job

checks=$((checks + 1))
if grep -nE 'SECONDS|-nt |-ot |EPOCH|date \+%s' "$source_dir"/launch/*.sh "$source_dir"/launch/*.sbatch | grep -v 'plain.sh'; then
  failures=$((failures + 1)) && echo "FAILED: clocks that somebody may set"
fi

# What each start is told: `words` of the program's, one start a line.
told() { # told WHAT WANTED PATTERN
  local found
  found=$(grep -oE -- "$3" commands | tr '\n' ' ')
  checks=$((checks + 1))
  [ "$found" = "$2 " ] || { failures=$((failures + 1)) && echo "FAILED: $1: found '$found', wanted '$2 '" && cat commands; }
}
launches() { printf '%s\n' '#!/bin/sh' "exec '$source_dir/launch/run.sh' --program '$program' --ranks 1 \"\$@\" -- train c.yaml --run r $*" >launch; }
restarts 2 3 -- <<<$'137 save\n3'
told "the limit of a step by default" "step_timeout?=auto step_timeout?=auto" 'step_timeout.*'
restarts 2 3 -- --hang 77 <<<$'137 save\n3'
told "the limit of a step that was asked for" "step_timeout?=77 step_timeout?=77" 'step_timeout.*'
launches --resume never
restarts 3 3 -- <<<$'137\n137 save\n3'
told "a run that may not be there, once it is" "resume never resume auto resume auto" 'resume [a-z]+'
launches --resume elsewhere
restarts 3 3 -- <<<$'137\n137 save\n3'
told "a checkpoint to begin with, until there are others" "resume elsewhere resume elsewhere resume auto" 'resume [a-z]+'

launches
# Each Open MPI is told under the names that it listens to; what the environment says stays, under either name.
printf '%s\n' '#!/bin/sh' 'while [ "$1" = -o ]; do shift 2; done' 'shift' 'exec sh -c "$*"' >bin/ssh && chmod +x bin/ssh
variables() { # variables WHAT NAME=VALUE...: those of the last start
  checks=$((checks + 1))
  [ "$(grep -v _args variables)" = "$(printf '%s\n' "${@:2}")" ] || { failures=$((failures + 1)) && echo "FAILED: $1:" && cat variables; }
}
unset "${!OMPI_MCA_@}" "${!PRTE_MCA_@}"
keep=oob_tcp_keepalive
restarts 1 0 -- --hosts localhost <<<"0 save"
variables "Open MPI 4" OMPI_MCA_${keep}_{intvl=1,probes=2,time=4}
OPEN_MPI=5.0.7 restarts 1 0 -- --hosts localhost <<<"0 save"
variables "Open MPI 5" PRTE_MCA_${keep}_{intvl=1,probes=2,time=4}
printf '%s\n' '#!/bin/sh' 'exec ssh "$@"' >bin/rsh && chmod +x bin/rsh
export OMPI_MCA_${keep}_time=9 OMPI_MCA_plm_rsh_agent=rsh
OPEN_MPI=5.0.7 restarts 1 0 -- --hosts a,b <<<"0 save"
variables "Open MPI 5, told in the words of 4" OMPI_MCA_${keep}_time=9 OMPI_MCA_plm_rsh_agent=rsh \
  PRTE_MCA_${keep}_{intvl=1,probes=2,time=9} PRTE_MCA_plm_ssh_agent=rsh
unset "${!OMPI_MCA_@}"
# Open MPI 5 ends with any status where a host is lost, 0 included, and says that it is.
OPEN_MPI=5.0.7 restarts 3 0 "a host or mpirun's daemon on it was lost" -- --hosts a,b <<<$'0 save lost\n137 save lost\n0'
OPEN_MPI=5.0.7 restarts 1 205 "that was the last of 0 restarts" -- --hosts a,b --restarts 0 <<<"0 save lost"

# What goes back into the queue is a job, or one task of an array.
printf '%s\n' '#!/bin/sh' 'case $1 in requeue) echo "$*" >>commands ;; esac' >bin/scontrol && chmod +x bin/scontrol
SLURM_JOB_ID=7 restarts 1 75 "job 7 goes back" -- --requeue --hosts localhost <<<"75 save"
told "a job" "requeue 7" 'requeue [0-9_]+$'
SLURM_JOB_ID=7 SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=3 restarts 1 75 "job 7_3 goes back" -- --requeue --hosts localhost <<<"75 save"
told "the last task of an array" "requeue 7_3" 'requeue [0-9_]+$'
SLURM_JOB_ID=7 SLURM_ARRAY_TASK_ID=3 restarts 1 75 "SLURM_ARRAY_JOB_ID is not set" "submit it again with --run r" \
  -- --requeue --hosts localhost <<<"75 save"
checks=$((checks + 1))
! grep -q requeue commands || { failures=$((failures + 1)) && echo "FAILED: a task of an array without a name: $(cat commands)"; }
rm bin/scontrol

# Told to stop, it passes that on and starts nothing more.
rm -rf r starts
echo "137 save sleep" >script
./launch >told.log 2>&1 &
told=$!
for _ in $(seq 100); do [ -f r/log.txt ] && break || sleep 0.1; done
kill -TERM $told
wait $told
status=$?
checks=$((checks + 1))
[ "$status $(cat starts)" = "75 1" ] || { failures=$((failures + 1)) && echo "FAILED: told to stop: status and starts $status $(cat starts)" && cat told.log; }

# Started with a signal ignored, as nohup does, it goes on ignoring it.
rm -rf r starts
echo "0 nap" >script
(trap '' HUP && exec ./launch) >hup.log 2>&1 &
told=$!
for _ in $(seq 100); do [ -f r/log.txt ] && break || sleep 0.1; done
kill -HUP $told
touch woken
wait $told
status=$?
checks=$((checks + 1))
[ "$status $(cat starts)" = "0 1" ] || { failures=$((failures + 1)) && echo "FAILED: nohup: status and starts $status $(cat starts)" && cat hup.log; }
for one in "${asides[@]}"; do
  checks=$((checks + 1))
  wait "${one#*:}" || { failures=$((failures + 1)) && echo "${one%:*}:" && cat "${one%:*}.log"; }
done
finish
