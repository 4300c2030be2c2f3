#!/usr/bin/env bash
# Virtual hosts on this machine, for development and tests: h0, h1, ... and head, on which jobs are started. As root.
#   cluster/hosts.sh up N [--rate 1gbit] [--delay 50us] [--loss 0.1%] [--slots 2]
#   cluster/hosts.sh exec HOST COMMAND...     runs a command there
#   cluster/hosts.sh cut HOST                 its link goes silent; what runs on it runs on
#   cluster/hosts.sh mend HOST                the link is back
#   cluster/hosts.sh kill HOST                as if its power went: everything on it ends, its link goes silent, for good
#   cluster/hosts.sh list                     host, address, state
#   cluster/hosts.sh down                     ends all of it; what is not there is not missed
# A host has its own network, name, processes, shared memory and mounts; files are this machine's. See cluster/README.md.
# RF_CLUSTER names the cluster (rf): clusters of different names do not meet. Exit status: 0; 1 failed; 2 wrong usage;
# exec: the command's.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
# shellcheck source-path=SCRIPTDIR source=state.sh
. "$(dirname "${BASH_SOURCE[0]}")/state.sh"
case "${1-}" in -h | --help) show_help && exit ;; esac
subnet=10.77.0 # exists in the hosts only
most_hosts=200

usage() {
  sed -n 's/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed -n '3,12p' >&2
  exit 2
}

# --- Processes that hold the namespaces ---------------------------------------------------------

pid_or_die() {
  local pid
  if ! pid=$(process_of "$1"); then
    [ -d "$state" ] || die 1 "no cluster '$cluster' is up; start one: cluster/hosts.sh up 2"
    [ -f "$state/$1.pid" ] || die 2 "no host '$1'; there are: $(cut -d' ' -f2 "$state/hosts" | sed 1d | tr '\n' ' ')"
    die 1 "$1 is dead"
  fi
  echo "$pid"
}

on_net() { # on_net NAME COMMAND...: in its network only
  local pid
  pid=$(pid_or_die "$1") || exit
  shift
  nsenter -t "$pid" --net -- "$@"
}

# --- Up -----------------------------------------------------------------------------------------

# shellcheck disable=SC2016 # the inner shell's variables, here and below
# The first process of a host ends when the host does, and takes all others along. It waits, so that it reaps what other
# processes leave behind: mpirun hangs where nobody does.
host_script='
hostname "$1" && mount --make-rprivate / && mount --bind "$2/hosts" /etc/hosts &&
  mount -t tmpfs -o size=4g none /dev/shm && ip link set lo up && touch "$2/$1.ready" || exit 1
sleep infinity &
while :; do wait; sleep 1; done'
# The head keeps this machine'\''s processes, so that signals reach what is started on it.
# shellcheck disable=SC2016
head_script='
hostname head && mount --make-rprivate / && mount --bind "$2/hosts" /etc/hosts && ip link set lo up &&
  touch "$2/head.ready" || exit 1
exec sleep infinity'

start_host() {
  local name=$1 outer inner
  if [ "$name" = head ]; then
    setsid unshare --net --uts --ipc --mount bash -c "$head_script" bash head "$state" </dev/null >"$state/$name.log" 2>&1 &
    outer=$!
  else
    setsid unshare --net --uts --ipc --mount --pid --fork --kill-child --mount-proc \
      bash -c "$host_script" bash "$name" "$state" </dev/null >"$state/$name.log" 2>&1 &
    outer=$!
  fi
  disown "$outer"
  wait_for 10 test -e "$state/$name.ready" || die 1 "$name did not start: $(cat "$state/$name.log")"
  inner=$outer
  [ "$name" = head ] || inner=$(cut -d' ' -f1 "/proc/$outer/task/$outer/children")
  remember_process "$name" "$inner"
}

kilobits() { # kilobits 1gbit: a rate as tc writes it, in kbit/s
  local number unit
  [[ $1 =~ ^([0-9]+)([kmg]bit)$ ]] || die 2 "--rate: found '$1'; allowed: a whole number and kbit, mbit or gbit, as 10gbit"
  number=${BASH_REMATCH[1]} unit=${BASH_REMATCH[2]}
  case $unit in
  kbit) echo "$number" ;;
  mbit) echo $((number * 1000)) ;;
  gbit) echo $((number * 1000000)) ;;
  esac
}

microseconds() {
  [[ $1 =~ ^([0-9]+)(us|ms)$ ]] || die 2 "--delay: found '$1'; allowed: a whole number and us or ms, as 50us"
  if [ "${BASH_REMATCH[2]}" = us ]; then echo "${BASH_REMATCH[1]}"; else echo $((BASH_REMATCH[1] * 1000)); fi
}

parts_per_million() {
  [[ $1 =~ ^[0-9]*\.?[0-9]+%$ ]] || die 2 "--loss: found '$1'; allowed: a number and %, as 0.1%"
  awk -v share="${1%\%}" 'BEGIN { printf "%d", share * 10000 }'
}

kernel_can_shape() { # A loopback device of its own to try on
  unshare --net tc qdisc add dev lo root tbf rate 1gbit burst 64kb latency 20ms >/dev/null 2>&1
}

# A bridge on the head, and a pair of devices for each host: the kernel's own.
link_by_bridge() { # link_by_bridge KBIT HOST...
  local kbit=$1 name
  shift
  on_net head ip link add br0 type bridge
  for name; do
    on_net head ip link add "to-$name" type veth peer name eth0 netns "$(pid_or_die "$name")"
    on_net head ip link set "to-$name" master br0 up
  done
  on_net head ip link set br0 up
  for name; do
    # A bucket of 0.2 ms, and of one segment of 64 KiB at least: what fits in is not slowed down.
    [ "$kbit" = 0 ] || on_net "$name" tc qdisc add dev eth0 root tbf rate "${kbit}kbit" latency 20ms \
      burst "$((kbit / 40 > 72000 ? kbit / 40 : 72000))"
  done
}

# The switch in user space (delay_switch.c), where packets are to be late or lost or the kernel cannot shape.
link_by_switch() { # link_by_switch MICROSECONDS KBIT PPM HOST...
  local us=$1 kbit=$2 ppm=$3 name ports=()
  shift 3
  cc -std=c11 -O2 -Wall -o "$state/delay_switch" "$here/delay_switch.c" || die 1 "delay_switch.c does not compile"
  ports=("/proc/$(pid_or_die head)/ns/net:br0")
  for name; do ports+=("/proc/$(pid_or_die "$name")/ns/net:eth0"); done
  setsid "$state/delay_switch" "$us" "$(awk -v k="$kbit" 'BEGIN { print k / 1000 }')" "$ppm" "${ports[@]}" \
    </dev/null >"$state/switch.log" 2>&1 &
  disown $!
  remember_process switch $!
  wait_for 10 grep -qs ready "$state/switch.log" || die 1 "the switch did not start: $(cat "$state/switch.log")"
}

up() {
  local n=${1-} kbit=0 us=0 ppm=0 slots=2 names=() i
  [[ $n =~ ^[0-9]{1,4}$ && $n -ge 1 && $n -le $most_hosts ]] || die 2 "up: found '$n'; allowed: 1 to $most_hosts hosts"
  shift
  while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage
    case $1 in
    --rate) kbit=$(kilobits "$2") || exit ;;
    --delay) us=$(microseconds "$2") || exit ;;
    --loss) ppm=$(parts_per_million "$2") || exit ;;
    --slots) slots=$2 ;;
    *) usage ;;
    esac
    shift 2
  done
  [ "$(id -u)" = 0 ] || die 1 "namespaces take root: sudo cluster/hosts.sh up $n"
  [ ! -d "$state" ] || die 1 "cluster '$cluster' is up already; first: cluster/hosts.sh down"
  (umask 022 && mkdir -p "$state/tmp") || exit 1
  trap 'down' EXIT # until all of it stands
  trap 'exit 1' INT TERM
  set -e
  for ((i = 0; i < n; i++)); do names+=("h$i"); done
  {
    echo "127.0.0.1 localhost"
    echo "$subnet.1 head"
    for i in "${!names[@]}"; do echo "$subnet.$((10 + i)) ${names[i]}"; done
  } >"$state/hosts"
  for i in "${!names[@]}"; do echo "${names[i]} slots=$slots"; done >"$state/hostfile"
  for i in head "${names[@]}"; do start_host "$i"; done
  if [ "$us" != 0 ] || [ "$ppm" != 0 ] || { [ "$kbit" != 0 ] && ! kernel_can_shape; }; then
    link_by_switch "$us" "$kbit" "$ppm" "${names[@]}"
  else
    link_by_bridge "$kbit" "${names[@]}"
  fi
  on_net head ip addr add "$subnet.1/24" dev br0
  on_net head ip link set br0 up
  for i in "${!names[@]}"; do
    on_net "${names[i]}" ip addr add "$subnet.$((10 + i))/24" dev eth0
    on_net "${names[i]}" ip link set eth0 up
  done
  set +e
  trap - EXIT INT TERM
}

# --- Down ---------------------------------------------------------------------------------------

down() {
  local file
  [ -d "$state" ] || return 0
  [ ! -d "$state/slurm" ] || "$here/slurm.sh" down
  end_inside net head
  for file in "$state"/*.pid; do end_process "$(basename "$file" .pid)"; done
  rm -rf "$state"
  rmdir /run/reformer-cluster 2>/dev/null
  return 0
}

# --- Doors --------------------------------------------------------------------------------------

run_on() {
  local name=${1-} pid
  [ $# -ge 2 ] || usage
  shift
  pid=$(pid_or_die "$name") || exit
  # What a cluster's administrator sets: mpirun reaches hosts without ssh, over their network only. Hosts share this
  # machine's cores, so binding ranks to cores would put one on top of the other. A link that is cut is noticed in 6 s.
  # Flags 313: both directions of a link at once (docs/cluster.md). Open MPI 5 calls vader sm, and knows both names.
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 RF_CLUSTER=$cluster \
    OMPI_MCA_btl_tcp_if_include=$subnet.0/24 OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,vader,tcp \
    OMPI_MCA_btl_tcp_flags=${OMPI_MCA_btl_tcp_flags-313} OMPI_MCA_mpi_yield_when_idle=1
  # To mpirun itself: of Open MPI 4, and of Open MPI 5, which listens to other names.
  export OMPI_MCA_plm_rsh_agent=$here/agent.sh OMPI_MCA_plm_rsh_no_tree_spawn=1 OMPI_MCA_orte_tmpdir_base=$state/tmp \
    OMPI_MCA_oob_tcp_if_include=$subnet.0/24 OMPI_MCA_hwloc_base_binding_policy=none \
    OMPI_MCA_oob_tcp_keepalive_time=4 OMPI_MCA_oob_tcp_keepalive_intvl=1 OMPI_MCA_oob_tcp_keepalive_probes=2
  export PRTE_MCA_plm_ssh_agent=$here/agent.sh PRTE_MCA_plm_ssh_no_tree_spawn=1 PRTE_MCA_prte_tmpdir_base=$state/tmp \
    PRTE_MCA_prte_if_include=$subnet.0/24 PRTE_MCA_hwloc_default_binding_policy=none \
    PRTE_MCA_oob_tcp_keepalive_time=4 PRTE_MCA_oob_tcp_keepalive_intvl=1 PRTE_MCA_oob_tcp_keepalive_probes=2
  [ ! -f "$state/slurm/slurm.conf" ] || export SLURM_CONF=$state/slurm/slurm.conf
  # nsenter rather than `ip netns exec`: that mounts /sys anew, and hides /sys/fs/cgroup from slurmd.
  if [ "$name" = head ]; then
    exec nsenter -t "$pid" --net --uts --ipc --mount --wd=. -- "$@"
  else
    exec nsenter -t "$pid" --net --uts --ipc --mount --pid --wd=. -- "$@"
  fi
}

link_is() { # link_is HOST up|down: as its queue knows it
  on_net "$1" ip -o link show eth0 | grep -qi " state $2 "
}

# The far end goes, as when a cable is pulled: the host itself keeps its address and sends into nothing.
set_link() { # set_link HOST up|down
  if process_of switch >/dev/null; then
    on_net "$1" ip link set eth0 carrier "$([ "$2" = up ] && echo on || echo off)"
    # The kernel tells a device's queue of its carrier up to a second later; until then, packets go on.
    wait_for 10 link_is "$1" "$2" || die 1 "the link of $1 does not go $2"
  else
    on_net head ip link set "to-$1" "$2"
  fi
}

# Whether an answer of the head has come to what a host sends it.
hears_head() { # hears_head HOST
  on_net "$1" bash -c "echo >/dev/udp/$subnet.1/9" 2>/dev/null
  on_net "$1" ip neigh show "$subnet.1" | grep -q lladdr
}

# Whoever asked for an address in the silence gives up up to 3 s later, and tells those that connect by then that there
# is no route: all forget that they asked.
mend_link() { # mend_link HOST
  local address name of
  address=$(awk -v host="$1" '$2 == host { print $1 }' "$state/hosts")
  set_link "$1" up
  on_net "$1" ip neigh flush all 2>/dev/null
  wait_for 10 hears_head "$1" || die 1 "$1 does not hear of the others"
  on_net "$1" ip neigh flush all 2>/dev/null
  while read -r of name; do
    [ "$of" = 127.0.0.1 ] || ! process_of "$name" >/dev/null || on_net "$name" ip neigh flush to "$address" 2>/dev/null
  done <"$state/hosts"
}

list() {
  local address name
  [ -d "$state" ] || return 0
  while read -r address name; do
    [ "$name" = localhost ] || printf '%s %s %s\n' "$name" "$address" "$(process_of "$name" >/dev/null && echo up || echo dead)"
  done <"$state/hosts"
}

a_host() { [[ $# = 1 && $1 != head ]] || usage; }

command=${1-}
[ $# -eq 0 ] || shift
case $command in
up) up "$@" ;;
down) down ;;
exec) run_on "$@" ;;
cut) a_host "$@" && set_link "$1" down ;;
mend) a_host "$@" && mend_link "$1" ;;
kill)
  a_host "$@" && pid=$(pid_or_die "$1") || exit
  set_link "$1" down
  kill -KILL "$pid" && wait_for 5 gone "$1"
  ;;
list) list ;;
*) usage ;;
esac
