#!/usr/bin/env bash
# A real Slurm on this machine's virtual hosts, for development and tests: munge and the controller on head, a node daemon
# on each of h0, h1, ... As root.
#   cluster/slurm.sh up N [OPTION of hosts.sh up...]     starts the hosts too, where none are up
#   cluster/slurm.sh exec COMMAND...                     sbatch, squeue, ... on head
#   cluster/slurm.sh down                                cancels all jobs and ends it, and the hosts that it started
# Needs the Debian packages slurm-wlm and munge (launch/setup.sh --cluster). Exit status: 0; 1 failed; 2 wrong usage;
# exec: the command's.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
# shellcheck source-path=SCRIPTDIR source=state.sh
. "$(dirname "${BASH_SOURCE[0]}")/state.sh"
case "${1-}" in -h | --help) show_help && exit ;; esac
slurm=$state/slurm

usage() {
  sed -n 's/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed -n '4,6p' >&2
  exit 2
}

nodes() { sed -n 's/.* \(h[0-9]*\)$/\1/p' "$state/hosts"; }

on_head() { "$here/hosts.sh" exec head "$@"; }

# All daemons are root's: there is nobody else here. Times are short, so that tests of failures are.
#   cred_expire: a requeued job may start again after this and a second (by default 121 s)
#   TmpFS:       of each node its own, as /tmp is one: Slurm's pmix plugin makes a folder in it named by job and step
write_conf() {
  local n=$1 address name
  cat <<CONF
ClusterName=$cluster
SlurmctldHost=head
SlurmctldPort=6817
SlurmdPort=6818
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$slurm/munge/socket,cred_expire=5
StateSaveLocation=$slurm/controller
SlurmdSpoolDir=$slurm/spool/%n
TmpFS=$slurm/tmp/%n
SlurmctldPidFile=$slurm/controller/pid
SlurmdPidFile=$slurm/spool/%n/pid
SlurmctldLogFile=$slurm/log/controller
SlurmdLogFile=$slurm/log/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
JobRequeue=1
KillWait=5
SlurmctldTimeout=5
SlurmdTimeout=10
MessageTimeout=5
InactiveLimit=0
PropagateResourceLimitsExcept=ALL
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
CONF
  while read -r address name; do
    [[ $name != h[0-9]* ]] || echo "NodeName=$name NodeAddr=$address CPUs=2 State=UNKNOWN"
  done <"$state/hosts"
  echo "PartitionName=main Nodes=h[0-$((n - 1))] Default=YES MaxTime=INFINITE State=UP PriorityTier=1"
  echo "PartitionName=urgent Nodes=h[0-$((n - 1))] MaxTime=INFINITE State=UP PriorityTier=2 PreemptMode=OFF"
}

start_daemon() { # start_daemon NAME HOST COMMAND...
  local name=$1 host=$2
  shift 2
  setsid "$here/hosts.sh" exec "$host" "$@" </dev/null >"$slurm/log/$name.out" 2>&1 &
  disown $!
  remember_process "$name" $!
}

all_idle() { [ "$(on_head sinfo -h -t idle -o %D 2>/dev/null | head -n 1)" = "$1" ]; }

no_jobs() { [ -z "$(on_head timeout 2 squeue -h 2>/dev/null)" ]; }

up() {
  local n=${1-} name
  [[ $n =~ ^[0-9]+$ ]] || usage
  for name in slurmctld slurmd munged srun; do
    PATH=$PATH:/usr/sbin command -v "$name" >/dev/null || die 1 "no $name here; install it: launch/setup.sh --cluster"
  done
  [ ! -d "$slurm" ] || die 1 "Slurm is up already; first: cluster/slurm.sh down"
  if [ -d "$state" ]; then
    [ $# = 1 ] || die 2 "the hosts are up already, so their options come too late"
    [ "$(nodes | wc -l)" = "$n" ] || die 2 "found $n nodes, but $(nodes | wc -l) hosts are up; they must be as many"
    trap 'down' EXIT
  else
    "$here/hosts.sh" up "$@" || exit
    trap '"$here/hosts.sh" down' EXIT
    touch "$state/started-by-slurm"
  fi
  trap 'exit 1' INT TERM
  (umask 022 && mkdir -p "$slurm"/{controller,log,munge}) && chmod 700 "$slurm/munge" || exit 1
  for name in $(nodes); do mkdir -p "$slurm"/{spool,tmp}/"$name"; done
  (umask 077 && head -c 32 /dev/urandom >"$slurm/munge/key")
  write_conf "$n" >"$slurm/slurm.conf"
  # --force: it lives in a folder that is not Debian's
  start_daemon munge head /usr/sbin/munged --foreground --force --key-file="$slurm/munge/key" \
    --socket="$slurm/munge/socket" --pid-file="$slurm/munge/pid" --log-file="$slurm/munge/log" \
    --seed-file="$slurm/munge/seed"
  wait_for 10 test -S "$slurm/munge/socket" || die 1 "munged does not start: $(cat "$slurm/log/munge.out")"
  start_daemon controller head /usr/sbin/slurmctld -D
  for name in $(nodes); do start_daemon "daemon-$name" "$name" /usr/sbin/slurmd -D; done
  if ! wait_for 30 all_idle "$n"; then
    tail -n 5 "$slurm"/log/* >&2
    die 1 "after 30 s the nodes are not idle; the end of each log is above"
  fi
  trap - EXIT INT TERM
}

down() {
  local name
  [ -d "$slurm" ] || return 0
  if process_of controller >/dev/null; then
    on_head timeout 5 scancel -f -u root 2>/dev/null
    wait_for 10 no_jobs
  fi
  if [ -e "$state/started-by-slurm" ]; then
    rm -rf "$slurm" # all processes end with the hosts
    exec "$here/hosts.sh" down
  fi
  end_process controller
  for name in $(nodes); do
    end_inside pid "$name" slurmd slurmstepd
    end_process "daemon-$name"
  done
  end_process munge
  rm -rf "$slurm"
}

command=${1-}
[ $# -eq 0 ] || shift
case $command in
up) up "$@" ;;
exec)
  [ $# -ge 1 ] || usage
  [ -d "$slurm" ] || die 1 "no Slurm is up; start one: cluster/slurm.sh up 2"
  exec "$here/hosts.sh" exec head "$@"
  ;;
down) [ $# = 0 ] || usage; down ;;
*) usage ;;
esac
