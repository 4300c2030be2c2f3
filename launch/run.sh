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
#     --hang S          seconds that a start or a step may take before it counts as dead (1800; 0: for ever)
#     --grace S         seconds to save and stop when told to (300)
#     --requeue         status 75 in a Slurm job: puts the job back in the queue
#     --program FILE    (REFORMER_PROGRAM, or build/release/reformer)
#     --dry-run         prints what would be started
# SIGTERM, SIGUSR1 or Ctrl-C: the run saves and stops. Exit status: the program's (README.md); for a run that died and
# was not started again, 1 or what its launcher said, 128 + N after signal N. docs/cluster.md tells the rest.
set -u
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf 'run.sh: %s\n' "$*" >&2; }

die() {
  local status=$1
  shift
  say "$*"
  exit "$status"
}

# shellcheck source-path=SCRIPTDIR source=places.sh
. "$home/launch/places.sh"

# --- The command line ---------------------------------------------------------------------------

ranks=0 threads=0 restarts=3 hang=1800 grace=300 launcher='' bind=cores host_list='' requeue=0 dry_run=0
program=${REFORMER_PROGRAM:-$home/build/release/reformer}

number() { # number OPTION VALUE LEAST
  [[ $2 =~ ^[0-9]{1,9}$ && $2 -ge $3 ]] || die 2 "$1: found '$2'; allowed: a whole number of at least $3"
  echo "$2"
}

while [ $# -gt 0 ] && [ "$1" != -- ]; do
  case $1 in
  -h | --help)
    sed -n 's/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed '/^!/d' | sed -n '1,16p'
    exit 0
    ;;
  --requeue) requeue=1 && shift && continue ;;
  --dry-run) dry_run=1 && shift && continue ;;
  --*) [ $# -ge 2 ] || die 2 "$1: an argument is missing; see launch/run.sh --help" ;;
  *) die 2 "found '$1' before --; usage: launch/run.sh [OPTION...] -- train CONFIG ..." ;;
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
  *) die 2 "unknown option $1; see launch/run.sh --help" ;;
  esac
  shift 2
done
[[ ${1-} = -- && $# -ge 2 ]] || die 2 "usage: launch/run.sh [OPTION...] -- train CONFIG ..."
shift
arguments=("$@")
[ -x "$program" ] || die 2 "$program: no program there; build it (cmake --preset release && cmake --build --preset release) or name it with --program"
program=$(realpath -- "$program")
[ "$threads" != 0 ] || [[ ! ${OMP_NUM_THREADS-} =~ ^[1-9][0-9]*$ ]] || threads=$OMP_NUM_THREADS

# given NAME [LETTER]: the last value of an option among the program's arguments.
given() {
  local i value=''
  for ((i = 0; i < ${#arguments[@]}; i++)); do
    case ${arguments[i]} in
    "--$1") value=${arguments[i + 1]-} ;;
    "--$1="*) value=${arguments[i]#*=} ;;
    esac
  done
  echo "$value"
}

# A run that is to go on needs a folder that stays the same: in a Slurm job by its number, which it keeps when requeued.
run=''
if [ "${arguments[0]}" = train ]; then
  run=$(given run)
  if [ -z "$run" ]; then
    name=$(basename "${arguments[1]-run}")
    name=runs/${name%.*}
    n=${SLURM_JOB_ID-1}
    while [ -z "${SLURM_JOB_ID-}" ] && [ -e "$name-$n" ]; do n=$((n + 1)); done
    run=$name-$n
    arguments+=(--run "$run")
  fi
  [ -n "$(given resume)" ] || arguments+=(--resume auto)
  [ "$hang" = 0 ] || [[ " ${arguments[*]}" == *training.step_timeout=* ]] ||
    arguments+=(--set "training.step_timeout=$hang")
else
  restarts=0
fi

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

# --- Launcher and hosts -------------------------------------------------------------------------

in_slurm=0 threads_per_core=1
[ -z "${SLURM_JOB_ID-}" ] || [ -n "$host_list" ] || ! command -v scontrol >/dev/null || in_slurm=1
if [ -z "$launcher" ]; then
  launcher=mpirun
  [ $in_slurm = 0 ] || ! srun --mpi=list 2>&1 | grep -q pmix || launcher=srun
fi
command -v "$launcher" >/dev/null || die 2 "$launcher is not on PATH; load the module of the MPI library that $program was built with"
[ "$launcher" = mpirun ] || [ $in_slurm = 1 ] || die 2 "--launcher srun: there is no Slurm allocation here; start one with salloc or sbatch"

open_mpi=0
if [ "$launcher" = mpirun ]; then
  ! mpirun --version 2>/dev/null | grep -Eq 'Open MPI|OpenRTE|PRRTE' || open_mpi=1
  [ $open_mpi = 0 ] || [ "$(id -u)" != 0 ] || [ -n "${OMPI_ALLOW_RUN_AS_ROOT-}" ] || die 2 \
    "mpirun does not run as root, where a mistake costs more; run as a user, or: export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
fi

# How mpirun reaches a host, and so how a host is asked whether it is there. ssh must never ask for a password.
ssh_options='-o BatchMode=yes -o ConnectTimeout=5 -o ServerAliveInterval=5 -o ServerAliveCountMax=2'
agent=${OMPI_MCA_plm_rsh_agent:-ssh}
[ "$agent" != ssh ] || { export OMPI_MCA_plm_rsh_args="${OMPI_MCA_plm_rsh_args-$ssh_options}" && agent="ssh $OMPI_MCA_plm_rsh_args"; }

# What the environment says stays. A host whose link goes silent is noticed in 4 + 2 x 1 s, not in minutes;
# ranks that wait let others run, as Open MPI does not always see that they share cores; over TCP both directions of a
# link carry rows at once: the flags are Open MPI's own without "put", whose large messages go one way after the other.
export OMPI_MCA_oob_tcp_keepalive_time=${OMPI_MCA_oob_tcp_keepalive_time-4}
export OMPI_MCA_oob_tcp_keepalive_intvl=${OMPI_MCA_oob_tcp_keepalive_intvl-1}
export OMPI_MCA_oob_tcp_keepalive_probes=${OMPI_MCA_oob_tcp_keepalive_probes-2}
export OMPI_MCA_mpi_yield_when_idle=${OMPI_MCA_mpi_yield_when_idle-1}
export OMPI_MCA_btl_tcp_flags=${OMPI_MCA_btl_tcp_flags-313}
[ "${OMPI_MCA_hwloc_base_binding_policy-}" != none ] || bind=none

if [ $in_slurm = 1 ]; then
  threads_per_core=$(scontrol show node "${SLURMD_NODENAME:-$(hostname)}" 2>/dev/null | sed -n 's/.*ThreadsPerCore=\([0-9]*\).*/\1/p')
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
  elif [ $open_mpi = 1 ]; then
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
    say "this mpirun is not Open MPI's: binding ranks to cores is left to it"
  fi
  command+=("$program" "${arguments[@]}" "$@")
}

job='' stop_signals=0 stop_at=0

# The first signal lets the run save and stop; the next one, a second later, ends it. mpirun answers SIGTERM by killing
# all ranks 2 s later, so they get SIGUSR1, which it passes on.
ask_to_stop() {
  [ "$stop_signals" = 0 ] || [ "$SECONDS" -gt "$stop_at" ] || return
  stop_signals=$((stop_signals + 1))
  stop_at=$SECONDS
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

end_job() { kill "-$1" -- "-$job" 2>/dev/null || kill "-$1" "$job" 2>/dev/null; }

has_begun() { [ -n "$run" ] && [ "$run/log.txt" -nt "$scratch/start" ]; }

# Runs `command` to its end. Sets status, begun (whether the program came as far as its run's folder) and, where the job
# was ended for its silence, silent_start.
run_job() {
  local started=$SECONDS
  begun=0 silent_start=0
  touch "$scratch/start"
  setsid "${command[@]}" </dev/null & # in a session of its own: Ctrl-C comes here, and goes on as SIGUSR1
  job=$!
  while kill -0 "$job" 2>/dev/null; do
    sleep 0.2 &
    wait $!
    [ $begun = 1 ] || ! has_begun || begun=1
    if [ "$stop_signals" -gt 0 ] && [ $((SECONDS - stop_at)) -gt "$grace" ]; then
      say "it did not stop within $grace s, and is ended"
      end_job KILL
    elif [ -n "$run" ] && [ $begun = 0 ] && [ "$hang" -gt 0 ] && [ $((SECONDS - started)) -gt "$hang" ]; then
      say "nothing is in $run after $hang s (--hang), and the start is ended"
      silent_start=1
      end_job TERM
      sleep 3
      end_job KILL
    fi
  done
  wait "$job"
  status=$?
  job=''
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

newest_checkpoint() { find "$run/checkpoints" -maxdepth 1 -name 'step-????????' 2>/dev/null | sort | tail -n 1; }

config_value() { # config_value SECTION KEY: of the run's config.yaml, as the program wrote it
  awk -v section="$1:" -v key="$2:" '/^[^ ]/ { inside = $1 == section } inside && $1 == key { print $2; exit }' "$run/config.yaml"
}

finish() { # finish STATUS
  if [ "$1" = 75 ] && [ $requeue = 1 ] && [ -n "${SLURM_JOB_ID-}" ]; then
    say "job $SLURM_JOB_ID goes back into the queue"
    scontrol requeue "$SLURM_JOB_ID" || say "Slurm did not take it back; submit it again with --run $run"
  fi
  exit "$1"
}

# The lock of a run whose first rank was on a host that is cut off is held until that host notices, or the file system
# does: 100 s at most.
lost_host_holds_lock() {
  local silent
  for silent in $lost_hosts; do ! grep -qw -- "$silent" "$run/lock" 2>/dev/null || return 0; done
  return 1
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

mesh=() sequence='' lost_hosts='' pause=2 failed_at=none lost_since=$SECONDS
for ((start = 0; ; start++)); do
  build_command "$ranks" ${mesh[@]+"${mesh[@]}"}
  if [ $dry_run = 1 ]; then
    printf 'OMP_NUM_THREADS=%s %s\n' "$threads" "${command[*]}"
    exit 0
  fi
  run_job
  case $status in
  0 | 75) finish "$status" ;;
  2) ((start > 0 && SECONDS - lost_since < 100)) || finish 2
    lost_host_holds_lock || finish 2 ;;
  3) finish 3 ;;
  esac
  if [ "$stop_signals" -gt 0 ]; then
    [ -n "$run" ] && [ "$status" -ge 128 ] && status=75 # ended, and whatever was saved is there to go on from
    finish "$status"
  fi
  [ -n "$run" ] || finish "$status"
  died=$SECONDS
  say "start $((start + 1)) of the run $run has died: $(what_ended_it)"
  [ $begun = 1 ] || [ $silent_start = 1 ] || [ "$status" -ge 128 ] || [ "$start" -gt 0 ] || finish "$status"
  [ "$start" -lt "$restarts" ] || { say "that was the last of $restarts restarts; going on takes the same command" && finish "$status"; }
  newest=$(newest_checkpoint)
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
  had_lost=$lost_hosts
  until look_around; do
    [ $((SECONDS - died)) -lt 120 ] || { say "no host has answered for 120 s" && finish "$status"; }
    [ "$stop_signals" = 0 ] || finish 75
    sleep 2
  done
  [ "$stop_signals" = 0 ] || finish 75
  [ "$lost_hosts" = "$had_lost" ] || lost_since=$died
  some="$ranks rank$([ "$ranks" = 1 ] || echo s)${mesh[*]:+ (${mesh[1]})}"
  say "${lost_hosts:+no answer from ${lost_hosts% }; }starting again $((SECONDS - died)) s later, from ${newest:-the beginning}, on $some; restart $((start + 1)) of $restarts"
done
