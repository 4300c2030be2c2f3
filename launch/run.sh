#!/usr/bin/env bash
# Runs reformer on this machine, on a list of hosts, or inside a Slurm allocation; a training run that dies goes on from
# its newest checkpoint, on the hosts that are left.
#   launch/run.sh [OPTION...] -- train CONFIG [--run DIR] [--set key=value]...
#     --ranks N         ranks in all (one for each NUMA domain; in Slurm: its tasks)
#     --threads T       threads of a rank (its share of the cores)
#     --hosts LIST      h1,h2 or h1:4,h2:4 (most ranks of each), or a file of lines "host [slots=4]" (this machine)
#     --restarts K      times a run that died is started again (3)
#     --launcher WHICH  mpirun or srun (srun in an allocation where it speaks PMIx, else mpirun)
#     --bind WHAT       cores or none (cores)
#     --hang S          seconds that a start may take before it counts as dead (1800; 0: for ever); a step too, where
#                       training.step_timeout is not said (as auto: 10 times the longest so far, at least 1800; the
#                       first after a start 18000)
#     --grace S         seconds to save and stop when told to (300)
#     --requeue         status 75 in a Slurm job: puts the job back in the queue
#     --program FILE    (REFORMER_PROGRAM, or build/release/reformer; where this is installed, PREFIX/bin/reformer)
#     --dry-run         prints what would be started
# SIGTERM, SIGUSR1 or Ctrl-C: the run saves and stops. Exit status: the program's (README.md); for a run that died and
# was not started again, 1 or what its launcher said, 128 + N after signal N. docs/cluster.md tells the rest.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@" # sh launch/run.sh
# shellcheck source-path=SCRIPTDIR source=plain.sh
. "$(dirname "$(readlink -f -- "$0")")/plain.sh" || exit 2

say() { printf 'run.sh: %s\n' "$*" >&2; }

die() {
  local status=$1
  shift
  say "$*"
  exit "$status"
}

# shellcheck source-path=SCRIPTDIR source=places.sh
. "$home/launch/places.sh"
# shellcheck source-path=SCRIPTDIR source=run_folder.sh
. "$home/launch/run_folder.sh"

# --- The command line ---------------------------------------------------------------------------

ranks=0 threads=0 restarts=3 hang='' grace=300 launcher='' bind=cores host_list='' requeue=0 dry_run=0
program=${REFORMER_PROGRAM:-$built}

number() { # number OPTION VALUE LEAST
  [[ $2 =~ ^[0-9]{1,9}$ && $2 -ge $3 ]] || die 2 "$1: found '$2'; allowed: a whole number of at least $3"
  echo "$2"
}

while [ $# -gt 0 ] && [ "$1" != -- ]; do
  case $1 in
  -h | --help)
    show_help
    exit 0
    ;;
  --requeue) requeue=1 && shift && continue ;;
  --dry-run) dry_run=1 && shift && continue ;;
  --ranks | --threads | --hosts | --restarts | --launcher | --bind | --hang | --grace | --program)
    [ $# -ge 2 ] || die 2 "$1: an argument is missing; see $called --help"
    ;;
  -*) die 2 "unknown option $1; see $called --help" ;;
  *) die 2 "found '$1' before --; usage: $called [OPTION...] -- train CONFIG ..." ;;
  esac
  case $1 in
  --ranks) ranks=$(number "$1" "$2" 1) || exit ;;
  --threads) threads=$(number "$1" "$2" 1) || exit ;;
  --restarts) restarts=$(number "$1" "$2" 0) || exit ;;
  --hang) hang=$(number "$1" "$2" 0) || exit ;;
  --grace) grace=$(number "$1" "$2" 0) || exit ;;
  --hosts) host_list=$2 ;;
  --program) program=$2 ;;
  --launcher)
    [[ $2 =~ ^(mpirun|srun)$ ]] || die 2 "--launcher: found '$2'; allowed: mpirun, srun"
    launcher=$2
    ;;
  --bind)
    [[ $2 =~ ^(cores|none)$ ]] || die 2 "--bind: found '$2'; allowed: cores, none"
    bind=$2
    ;;
  esac
  shift 2
done
[[ ${1-} = -- && $# -ge 2 ]] || die 2 "usage: $called [OPTION...] -- train CONFIG ..."
shift
arguments=("$@")
[ -f "$program" ] || die 2 "$program: no program there; $how_to_get, or name it with --program"
[ -x "$program" ] || die 2 "$program: may not be executed: by its permissions, or its file system is mounted noexec"
program=$(realpath -- "$program")
[ "$threads" != 0 ] || [[ ! ${OMP_NUM_THREADS-} =~ ^[1-9][0-9]*$ ]] || threads=$OMP_NUM_THREADS

if [ "${arguments[0]}" != train ] || ! read_train "${arguments[@]:1}"; then config='' run='' restarts=0; fi

scratch=$(mktemp -d 2>/dev/null) || {
  export TMPDIR=/tmp # the launcher makes folders there too
  scratch=$(mktemp -d) || die 1 "no temporary folder can be made in /tmp; name another in TMPDIR"
}
trap 'leave_folder; rm -rf "$scratch"' EXIT

# --- Launcher and hosts -------------------------------------------------------------------------

# A shell outlives the job that it was started in, in tmux for example; its variables do, too. Asked for the task whose
# number is its array's, Slurm answers with all tasks of the array; asked while it is down, with nothing: the job lives.
job_is_over() {
  local over='^(BOOT_FAIL|CANCELLED|COMPLETED|DEADLINE|FAILED|NODE_FAIL|OUT_OF_MEMORY|PREEMPTED|TIMEOUT)$' said own
  said=$(timeout -k 1 10 scontrol -o show job "$SLURM_JOB_ID" 2>&1 </dev/null)
  [[ $said != *'Invalid job id'* ]] || return 0
  own=$(sed -n "s/^JobId=$SLURM_JOB_ID .* JobState=\([A-Z_]*\).*/\1/p" <<<"$said")
  [[ $own =~ $over || (-z $own && $said = JobId=*) ]] # or it is forgotten, and others of its array are not
}
if [ -n "${SLURM_JOB_ID-}" ] && command -v scontrol >/dev/null && job_is_over; then
  say "the Slurm job $SLURM_JOB_ID, which this shell is of, is over: going on as outside of it"
  for name in "${!SLURM_@}"; do [ "$name" = SLURM_CONF ] || unset "$name"; done
fi

in_slurm=0 threads_per_core=1
[ -z "${SLURM_JOB_ID-}" ] || [ -n "$host_list" ] || ! command -v scontrol >/dev/null || in_slurm=1
if [ -z "$launcher" ]; then
  launcher=mpirun
  [ $in_slurm = 0 ] || ! srun --mpi=list 2>&1 | grep -q pmix || launcher=srun
fi
[ "$launcher" = mpirun ] || [ $in_slurm = 1 ] || die 2 "--launcher srun: there is no Slurm allocation here; start one with salloc or sbatch"
command -v "$launcher" >/dev/null || die 2 "$launcher is not on PATH; load the module of the MPI library that $program was built with"

open_mpi=0 # its version, of which 5 has another launcher (PRRTE), with variables of other names; 0: not Open MPI's
if [ "$launcher" = mpirun ]; then
  said=$(mpirun --version 2>/dev/null)
  if [[ $said =~ \((Open MPI|OpenRTE)\)\ ([0-9]+) ]]; then
    open_mpi=${BASH_REMATCH[2]}
  elif [[ $said =~ PRRTE ]]; then
    open_mpi=5
  fi
  [ "$open_mpi" = 0 ] || [ "$(id -u)" != 0 ] || [ -n "${OMPI_ALLOW_RUN_AS_ROOT-}" ] || die 2 \
    "mpirun does not run as root, where a mistake costs more; run as a user, or: export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
fi

# tell_mpirun OLD NEW VALUE: sets the variable that mpirun listens to, NEW from Open MPI 5 on. What the environment says,
# under either name, stays.
tell_mpirun() {
  local name=$1 other=$2
  [ "$open_mpi" -lt 5 ] || name=$2 other=$1
  [ -n "${!name+said}" ] || export "$name=${!other-$3}"
}

# How mpirun reaches a host, and so how a host is asked whether it is there. ssh must never ask for a password.
ssh_options='-o BatchMode=yes -o ConnectTimeout=5 -o ServerAliveInterval=5 -o ServerAliveCountMax=2'
for name in OMPI_MCA_plm_rsh_agent PRTE_MCA_plm_ssh_agent; do
  [ -z "${!name-}" ] || tell_mpirun OMPI_MCA_plm_rsh_agent PRTE_MCA_plm_ssh_agent "${!name}"
done
name=OMPI_MCA_plm_rsh && [ "$open_mpi" -lt 5 ] || name=PRTE_MCA_plm_ssh
agent=${name}_agent && agent=${!agent:-ssh}
if [ "$agent" = ssh ]; then
  tell_mpirun OMPI_MCA_plm_rsh_args PRTE_MCA_plm_ssh_args "$ssh_options"
  name+=_args && agent="ssh ${!name}"
fi

# A host whose link goes silent is noticed in 4 + 2 x 1 s, not in minutes; ranks that wait let others run, as Open MPI
# does not always see that they share cores; over TCP both directions of a link carry rows at once: the flags are Open
# MPI's own without "put", whose large messages go one way after the other.
tell_mpirun OMPI_MCA_oob_tcp_keepalive_time PRTE_MCA_oob_tcp_keepalive_time 4
tell_mpirun OMPI_MCA_oob_tcp_keepalive_intvl PRTE_MCA_oob_tcp_keepalive_intvl 1
tell_mpirun OMPI_MCA_oob_tcp_keepalive_probes PRTE_MCA_oob_tcp_keepalive_probes 2
export OMPI_MCA_mpi_yield_when_idle=${OMPI_MCA_mpi_yield_when_idle-1}
export OMPI_MCA_btl_tcp_flags=${OMPI_MCA_btl_tcp_flags-313}
[ "${OMPI_MCA_hwloc_base_binding_policy-}" != none ] || bind=none
[ "${PRTE_MCA_hwloc_default_binding_policy-}" != none ] || bind=none

if [ $in_slurm = 1 ]; then
  # In a step (srun --pty bash) that holds the processors which the run is to have.
  [ -z "${SLURM_STEP_ID-}" ] || export SLURM_OVERLAP=1
  threads_per_core=$(scontrol show node "${SLURMD_NODENAME:-$(uname -n)}" 2>/dev/null | sed -n 's/.*ThreadsPerCore=\([0-9]*\).*/\1/p')
  threads_per_core=${threads_per_core:-1}
  read_allocation
  [ "$threads" != 0 ] || threads=$((${SLURM_CPUS_PER_TASK:-0} / threads_per_core))
else
  if [ -n "$host_list" ]; then read_hosts "$host_list"; else hosts=(localhost) slots=(0); fi
  ask_hosts
  silent=$(silent_hosts)
  if [ -n "$silent" ]; then
    cat "$scratch"/*.said >&2 2>/dev/null
    die 1 "of the hosts these do not answer in $probe_seconds s: $silent(asked by: $agent HOST)"
  fi
fi
told=("${cores[@]}")
choose_places
first_ranks=$ranks

# --- One start ----------------------------------------------------------------------------------

export OMP_NUM_THREADS=$threads
if [ "$bind" = cores ] && [ "$shared_cores" = 0 ]; then
  export OMP_PLACES=${OMP_PLACES-cores} OMP_PROC_BIND=${OMP_PROC_BIND-close}
else
  bind=none
  export OMP_WAIT_POLICY=${OMP_WAIT_POLICY-passive}
fi

# Fills command. RANKS may be fewer than the hosts that answer have room for: the first hosts take them.
build_command() {
  local i k left=$1 list=() names=()
  shift
  for i in "${!hosts[@]}"; do
    [ "${cores[i]}" -gt 0 ] || continue
    k=$((per_host[i] < left ? per_host[i] : left))
    [ "$k" -gt 0 ] || continue
    list+=("${hosts[i]}:$k") names+=("${hosts[i]}")
    left=$((left - k))
  done
  local total=0
  for i in "${list[@]}"; do total=$((total + ${i##*:})); done
  local joined
  if [ "$launcher" = srun ]; then
    joined=$(IFS=, && echo "${names[*]}")
    # --wait: ranks that do not end 60 s after the first has are ended
    command=(srun "--nodes=${#names[@]}" "--ntasks=$total" "--cpus-per-task=$((threads * threads_per_core))"
      "--nodelist=$joined" --distribution=block --kill-on-bad-exit=1 --wait=60)
    [ -n "${SLURM_MPI_TYPE-}" ] || command+=(--mpi=pmix)
    # Slurm binds only where its administrator set it up to.
    ! scontrol show config | grep -Eq '^TaskPlugin.*(affinity|cgroup)' || command+=("--cpu-bind=$bind")
    [ "$shared_cores" = 0 ] || command+=(--overcommit)
  elif [ "$open_mpi" != 0 ]; then
    joined=$(IFS=, && echo "${list[*]}")
    command=(mpirun --host "$joined" -n "$total")
    if [ "$bind" = cores ]; then
      command+=(--map-by "slot:PE=$threads" --bind-to core) # rank after rank, each on cores of its own
    else
      command+=(--map-by slot --bind-to none)
    fi
    for i in OMP_NUM_THREADS OMP_PLACES OMP_PROC_BIND OMP_WAIT_POLICY PATH LD_LIBRARY_PATH; do
      [ -z "${!i-}" ] || command+=(-x "$i")
    done
  else
    joined=$(IFS=, && echo "${list[*]}")
    command=(mpirun -n "$total")
    [ -z "$host_list" ] || command+=(-hosts "$joined")
    say "this mpirun is not Open MPI's: binding ranks to cores, and noticing a host that goes silent, are left to it"
  fi
  command+=("$program" "${arguments[@]}" "$@")
}

job='' stop_signals=0 stop_at=0

# The first signal lets the run save and stop; the next one, a second later, ends it. mpirun answers SIGTERM by killing
# all ranks 2 s later, so they get SIGUSR1, which it passes on.
ask_to_stop() {
  tick
  [ "$stop_signals" = 0 ] || [ "$now" -gt "$stop_at" ] || return
  stop_signals=$((stop_signals + 1))
  stop_at=$now
  [ -n "$job" ] || return
  if [ "$stop_signals" = 1 ] && [ -n "$run" ]; then
    say "told to stop ($1): the run saves and stops, within $grace s"
    kill -USR1 "$job" 2>/dev/null
  else
    end_job TERM
  fi
}
for signal in TERM USR1 INT HUP; do
  # shellcheck disable=SC2064 # now
  trap "ask_to_stop SIG$signal" $signal
done

# A reader that goes away (| head) must not take the run along, as it would: mpirun ends all ranks where it cannot write.
# Nor must Ctrl-C, which every process of a pipeline gets, end what stands between run.sh and the reader.
pass_on() {
  trap '' INT TERM HUP QUIT USR1
  cat
  exec cat >/dev/null
}
outlive_readers() {
  trap : PIPE
  [ -e /proc/self/fd/1 ] || exec >/dev/null
  [ -e /proc/self/fd/2 ] || exec 2>/dev/null
  if [ -p /dev/stdout ] && [ /dev/stdout -ef /dev/stderr ]; then
    exec > >(pass_on) 2>&1
  else
    [ ! -p /dev/stdout ] || exec > >(pass_on)
    [ ! -p /dev/stderr ] || exec 2> >(pass_on >&2)
  fi
}

# Open MPI 5 ends with status 0 where a host has gone silent, but it says on standard error that it has.
mpirun_errors=2
hear_of_losses() {
  [ "$open_mpi" -ge 5 ] && [ ${#hosts[@]} -gt 1 ] || return
  exec {mpirun_errors}> >(
    trap '' INT TERM HUP QUIT USR1
    tee >(grep -a --line-buffered 'lost communication with a remote daemon' |
      while read -r _; do : >"$scratch/lost"; done) >&2
  )
}
has_lost_host() { # asked when mpirun has ended: its words may be on their way
  local i
  [ "$mpirun_errors" != 2 ] || return
  for i in 1 2 3 4 5; do
    [ ! -e "$scratch/lost" ] || return 0
    sleep 0.2
  done
  return 1
}

end_job() { kill "-$1" -- "-$job" 2>/dev/null || kill "-$1" "$job" 2>/dev/null; }

# The program has come as far as its run's folder: something there has changed. Not log.txt alone, which may be at its
# limit or on a full disk. What is compared is a file with itself: the clock of its file system may be hours from this
# host's.
folder_state() {
  (cd -- "$run" 2>/dev/null && stat -L -c '%n %i %s %y %z' log.txt config.yaml metrics.jsonl 2>/dev/null)
}
has_begun() { [ -n "$run" ] && [ "$(folder_state)" != "$folder_before" ]; }

# Runs `command` to its end. Sets status, begun (whether the program came as far as its run's folder) and, where the job
# was ended for its silence, silent_start.
run_job() {
  local started
  tick
  started=$now begun=0 silent_start=0 folder_before=$(folder_state)
  [ "$stop_signals" = 0 ] || { status=75 && return; }
  # in a session of its own: Ctrl-C comes here, and goes on as SIGUSR1
  rm -f "$scratch/lost"
  ${guard[@]+"${guard[@]}"} setsid "${command[@]}" </dev/null 2>&"$mpirun_errors" &
  job=$!
  [ "$stop_signals" = 0 ] || kill -USR1 "$job" 2>/dev/null
  while kill -0 "$job" 2>/dev/null; do
    sleep 0.2 &
    wait $!
    [ $begun = 1 ] || ! has_begun || begun=1
    tick
    if [ "$stop_signals" -gt 0 ] && [ $((now - stop_at)) -gt "$grace" ]; then
      say "it did not stop within $grace s, and is ended"
      end_job KILL
    elif [ -n "$run" ] && [ $begun = 0 ] && [ "${hang:-1800}" -gt 0 ] && [ $((now - started)) -gt "${hang:-1800}" ]; then
      say "nothing is in $run after ${hang:-1800} s (--hang), and the start is ended"
      silent_start=1
      end_job TERM
      sleep 3
      end_job KILL
    fi
  done
  wait "$job"
  status=$?
  job=''
  ! has_lost_host || status=205
  [ $begun = 1 ] || ! has_begun || begun=1
}

# --- Starts until it is done --------------------------------------------------------------------

what_ended_it() {
  case $status in
  205) echo "a host or mpirun's daemon on it was lost" ;;
  13[0-9] | 14[0-9] | 15[0-9]) echo "a rank was ended by signal $((status - 128))" ;;
  *) echo "status $status" ;;
  esac
}

newest_checkpoint() { [ -z "$run" ] || find "$run/checkpoints" -maxdepth 1 -name 'step-????????' 2>/dev/null | sort | tail -n 1; }

config_value() { # config_value SECTION KEY: of the run's config.yaml, as the program wrote it
  awk -v section="$1:" -v key="$2:" '/^[^ ]/ { inside = $1 == section } inside && $1 == key { print $2; exit }' <"$run/config.yaml"
}

finish() { # finish STATUS
  if [ "$1" = 75 ] && [ $requeue = 1 ] && [ -n "${SLURM_JOB_ID-}" ]; then
    local own=$SLURM_JOB_ID # of an array's last task it is the array's, and would put all of its tasks back
    [ -z "${SLURM_ARRAY_TASK_ID-}" ] || own=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
    if [ -n "$own" ]; then
      say "job $own goes back into the queue"
      scontrol requeue "$own" || own=
    else
      say "SLURM_ARRAY_TASK_ID says that this is a task of a job array, and SLURM_ARRAY_JOB_ID is not set"
    fi
    [ -n "$own" ] || say "it does not go back into the queue; submit it again with --run $run"
  fi
  exit "$1"
}

# Hosts that answer, and the mesh that fits on them: sets ranks and mesh.
look_around() {
  local i room=0
  mesh=()
  if [ ${#hosts[@]} -gt 1 ]; then
    ask_hosts
    lost_hosts=$(silent_hosts)
  fi
  for i in "${!hosts[@]}"; do [ "${cores[i]}" = 0 ] || room=$((room + per_host[i])); done
  [ $room -gt 0 ] || return 1
  [ $room -lt "$first_ranks" ] || { ranks=$first_ranks && return; }
  [ -n "$sequence" ] || die "$status" "the run had not begun, and $lost_hosts does not answer: choose other hosts"
  read -r ranks i < <(choose_mesh "$room" "$sequence" $((first_ranks / sequence)) "$batch" "$accumulate")
  mesh=(--set "mesh.sequence=$i" --set mesh.data=auto)
}

if [ -n "$config" ]; then
  [ -n "$run" ] || choose_folder "${arguments[@]}"
  [ $dry_run = 1 ] || keep_config
  write_arguments
fi
if [ $dry_run = 0 ]; then
  outlive_readers
  hear_of_losses
fi
# Without run.sh nobody looks after the run: should it be killed, the run saves and stops.
guard=()
! setpriv --pdeathsig USR1 true 2>/dev/null || guard=(setpriv --pdeathsig USR1)
mesh=() sequence='' lost_hosts='' pause=2 failed_at=none first_newest=$(newest_checkpoint) held='' died=''
for ((start = 0; ; start++)); do
  build_command "$ranks" ${mesh[@]+"${mesh[@]}"}
  if [ $dry_run = 1 ]; then
    printf 'OMP_NUM_THREADS=%s' "$threads"
    for word in "${command[@]}"; do
      [[ $word =~ ^[]A-Za-z0-9_+=./:,@%[-]+$ ]] && printf ' %s' "$word" || printf ' %q' "$word"
    done
    echo
    exit 0
  fi
  run_job
  case $status in
  0 | 75) finish "$status" ;;
  2) # The lock of a run is held as long as a rank of the start that died lives: on a host that is cut off, until that
    # notices, or the file system does.
    tick
    if [ "$start" -gt 0 ] && [ -e "$run/lock" ] && [ $((now - died)) -lt 100 ] && [ "$stop_signals" = 0 ]; then
      [ "$held" = "$died" ] || say "the start that died still holds the run's lock; trying again for 100 s"
      held=$died start=$((start - 1))
      sleep 5 &
      wait $!
      continue
    fi
    finish 2
    ;;
  3) finish 3 ;;
  esac
  if [ "$stop_signals" -gt 0 ]; then
    [ -n "$run" ] && [ "$status" -ge 128 ] && status=75 # ended, and whatever was saved is there to go on from
    finish "$status"
  fi
  [ -n "$run" ] || finish "$status"
  tick
  died=$now
  say "start $((start + 1)) of the run $run has died: $(what_ended_it)"
  [ $begun = 1 ] || [ $silent_start = 1 ] || [ "$status" -ge 128 ] || [ "$start" -gt 0 ] || finish "$status"
  [ "$start" -lt "$restarts" ] || { say "that was the last of $restarts restarts; going on takes the same command with --run $run" && finish "$status"; }
  newest=$(newest_checkpoint)
  # The folder holds a run now. --resume CHECKPOINT may go back in this run, once.
  [[ $resume != never && $newest = "$first_newest" ]] || { resume=auto && write_arguments; }
  if [ "$status" = 1 ] && [ "$failed_at" = "$newest" ]; then
    say "it failed twice between the same two checkpoints, and would again; its messages are in $run/log.txt"
    finish 1
  fi
  [ "$status" != 1 ] || failed_at=$newest
  if [ -z "$sequence" ] && [ -f "$run/config.yaml" ]; then
    sequence=$(config_value mesh sequence) batch=$(config_value training batch) accumulate=$(config_value training accumulate)
  fi
  sleep "$pause" &
  wait $!
  pause=$((pause * 2 < 60 ? pause * 2 : 60))
  # A step of the start that died may still hold the processors of a node that does not answer.
  [ $in_slurm = 0 ] || export SLURM_OVERLAP=1
  until look_around; do
    tick
    [ $((now - died)) -lt 120 ] || { say "no host has answered for 120 s" && finish "$status"; }
    [ "$stop_signals" = 0 ] || finish 75
    sleep 2
  done
  [ "$stop_signals" = 0 ] || finish 75
  tick
  some="$ranks rank$([ "$ranks" = 1 ] || echo s)${mesh[*]:+ (${mesh[1]})}"
  say "${lost_hosts:+no answer from ${lost_hosts% }; }starting again $((now - died)) s later, from ${newest:-the beginning}, on $some; restart $((start + 1)) of $restarts"
done
