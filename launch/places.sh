# For run.sh: which hosts there are, what cores they have, and how many ranks and threads go where.
# shellcheck shell=bash disable=SC2034,SC2154 # variables of run.sh
#
#   hosts        the names, as given or as Slurm's allocation lists them; one, localhost, where there are neither
#   slots        the most ranks of each; 0: not said
#   cores        of each, as this user may use them; 0: it does not answer
#   domains      of each: NUMA domains that those cores are in
#   per_host     ranks of each, as chosen at the start
declare -a hosts=() slots=() cores=() domains=() per_host=()

probe_seconds=10 # a host that does not say what it has in that time does not answer

# add_host WORD...: "h1", "h1:4", or "h1 slots=4" as in mpirun's files. A host that is named again has that many more slots,
# one where nothing is said.
add_host() {
  local i slot=0
  [[ $* =~ ^([A-Za-z0-9._-]+)(:([0-9]{1,6}))?( .*)?$ ]] ||
    die 2 "--hosts: found '$*'; allowed: a file, or names such as h1,h2 or h1:4,h2:4"
  local name=${BASH_REMATCH[1]} said=${BASH_REMATCH[3]}
  [[ ! $* =~ \ slots\ ?=\ ?([0-9]{1,6}) ]] || said=${BASH_REMATCH[1]}
  slot=$((10#${said:-0}))
  for i in "${!hosts[@]}"; do
    [ "${hosts[i]}" = "$name" ] || continue
    slots[i]=$(((slots[i] > 0 ? slots[i] : 1) + (slot > 0 ? slot : 1)))
    return
  done
  hosts+=("$name") slots+=("$slot")
}

# "h1,h2:4", or a file of lines.
read_hosts() {
  local text word
  if [ -f "$1" ] || [ -p "$1" ]; then
    text=$(lines "$1") || exit 2
  else
    text=$(tr ',[:space:]' '\n\n' <<<"$1")
  fi
  while read -r word; do [ -z "$word" ] || add_host "$word"; done <<<"$text"
  [ ${#hosts[@]} -gt 0 ] || die 2 "--hosts: no host in '$1'"
}

# Slurm's "2(x3),1": one number a node.
unfold() {
  local part k
  for part in ${1//,/ }; do
    k=1
    [[ $part =~ ^([0-9]+)\(x([0-9]+)\)$ ]] && part=${BASH_REMATCH[1]} k=${BASH_REMATCH[2]}
    while [ $((k--)) -gt 0 ]; do echo "$part"; done
  done
}

read_allocation() {
  local i name
  for name in SLURM_JOB_NODELIST SLURM_JOB_CPUS_PER_NODE ${SLURM_NTASKS:+SLURM_TASKS_PER_NODE}; do
    [ -n "${!name-}" ] || die 2 "SLURM_JOB_ID says that this is an allocation of Slurm, and $name is not set; start in one, or: unset SLURM_JOB_ID"
  done
  mapfile -t hosts < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
  [ ${#hosts[@]} -gt 0 ] || die 1 "scontrol does not name the nodes of this job"
  mapfile -t cores < <(unfold "$SLURM_JOB_CPUS_PER_NODE")
  # Where no number of tasks was asked for, Slurm may name one for each processor.
  [ -z "${SLURM_NTASKS-}" ] || mapfile -t slots < <(unfold "$SLURM_TASKS_PER_NODE")
  for i in "${!hosts[@]}"; do
    slots[i]=${slots[i]:-0} domains[i]=1
    cores[i]=$((${cores[i]:-1} / threads_per_core > 0 ? ${cores[i]:-1} / threads_per_core : 1))
  done
}

# What a host is asked. The answer is read here, so that nothing of this project need be installed there. A quota of
# processor time (containers have it) is "TIME PERIOD", of the process's control group or one above. The user's login
# shell there may be csh or fish: one line, and within its quotes no quote, no ! and no backslash.
question="sh -c 'LC_ALL=C lscpu -p=CPU,CORE,NODE; grep Cpus_allowed_list /proc/self/status; cd /sys/fs/cgroup || exit;"
question+=' c=$(sed -n "s/^0:://p" /proc/self/cgroup); while cat ".$c/cpu.max"; [ -n "$c" ]; do c=${c%/*}; done;'
question+=" paste -d \" \" cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us'"

# Cores (not their hardware threads) that a process may use, at most what its quota is worth, and the NUMA domains that
# they are in. Without lscpu there each processor counts.
count_cores() {
  awk -F '[,:[:space:]]+' '
    /^[0-9]+,/ { core[$1] = $2; node[$1] = $3 == "" ? 0 : $3; known = 1 }
    /^[0-9]+ [0-9]+$/ { share = int($1 / $2); if (share < 1) share = 1; if (!quota || share < quota) quota = share }
    /^Cpus_allowed_list/ {
      for (i = 2; i <= NF; i++) {
        if ($i == "") continue
        n = split($i, range, "-")
        for (cpu = range[1]; cpu <= range[n]; cpu++) {
          if (!known) { core[cpu] = cpu; node[cpu] = 0 }
          if (cpu in core) { cores[core[cpu]]; nodes[node[cpu]] }
        }
      }
    }
    END {
      for (c in cores) a++
      for (n in nodes) b++
      if (quota && quota < a) { a = quota; if (b > a) b = a }
      print a + 0, b + 0
    }'
}

is_here() {
  local name
  name=$(uname -n)
  [[ $1 = localhost || $1 = "$name" || $1 = "${name%%.*}" ]]
}

ask_host() { # ask_host NAME: cores and domains; 0 0 where it does not answer
  local answer
  if is_here "$1"; then
    answer=$(sh -c "$question" 2>/dev/null)
  elif [ "$launcher" = srun ] || [ "${in_slurm-}" = 1 ]; then
    # The step's own message would say that it was ended, at length.
    timeout -k 1 "$probe_seconds" srun --overlap --nodes=1 --ntasks=1 --nodelist="$1" true >/dev/null 2>&1 </dev/null &&
      echo yes || echo no
    return
  else
    # shellcheck disable=SC2086 # the agent may come with options
    answer=$(timeout -k 1 "$probe_seconds" $agent "$1" "$question" 2>"$scratch/$1.said" </dev/null)
  fi
  count_cores <<<"$answer"
}

# Asks all hosts at once, and fills cores and domains; in an allocation, where Slurm told the cores, it only zeroes
# those of hosts that do not answer.
ask_hosts() {
  local i a b asked=()
  for i in "${!hosts[@]}"; do
    ask_host "${hosts[i]}" >"$scratch/$i" &
    asked+=($!)
  done
  wait "${asked[@]}"
  for i in "${!hosts[@]}"; do
    read -r a b <"$scratch/$i"
    case $a in
    yes) cores[i]=${told[i]} ;;
    no) cores[i]=0 ;;
    *) cores[i]=${a:-0} domains[i]=${b:-0} ;;
    esac
  done
}

silent_hosts() {
  local i
  for i in "${!hosts[@]}"; do [ "${cores[i]}" -gt 0 ] || printf '%s ' "${hosts[i]}"; done
}

# Fills per_host, ranks and threads from what the user chose (0: left open) and what the hosts have:
#   neither   a rank for each NUMA domain, with all of its cores
#   threads   as many ranks as fit
#   ranks     spread evenly, each with its share of its host's cores
#   both      as said, where that is right; else one warning, and fewer threads
choose_places() {
  local i k left=0 share room=0
  for i in "${!hosts[@]}"; do
    if [ "$ranks" -gt 0 ]; then
      k=$((ranks / ${#hosts[@]} + (i < ranks % ${#hosts[@]})))
    elif [ "${slots[i]}" -gt 0 ]; then
      k=${slots[i]}
    elif [ "$threads" -gt 0 ]; then
      k=$((cores[i] / threads > 0 ? cores[i] / threads : 1))
    else
      k=${domains[i]}
    fi
    per_host[i]=$k
  done
  spread_over_slots
  ranks=0
  for i in "${!hosts[@]}"; do ranks=$((ranks + per_host[i])); done
  # The host with least cores a rank decides: all ranks wait for the slowest.
  for i in "${!hosts[@]}"; do
    [ "${per_host[i]}" -gt 0 ] || continue
    share=$((cores[i] / per_host[i]))
    [ "$room" = 0 ] && [ "$left" = 0 ] && room=$share left=1 narrow=$i
    [ "$share" -ge "$room" ] || { room=$share narrow=$i; }
  done
  local wanted=$threads where="${hosts[narrow]} has ${cores[narrow]} cores for ${per_host[narrow]} ranks"
  shared_cores=0
  if [ "$room" = 0 ]; then
    threads=1 shared_cores=1
    say "warning: $where, which will share them and slow each other down; fewer --ranks would not"
  elif [ "$wanted" = 0 ]; then
    threads=$room
  elif [ "$wanted" -gt "$room" ]; then
    threads=$room
    say "warning: found $wanted threads a rank, but $where: taking $threads"
    return
  fi
  warn_of_borders
}

# Threads of a rank on both sides of a border between NUMA domains find half of their memory far away.
warn_of_borders() {
  local i in_domain
  for i in "${!hosts[@]}"; do
    ((domains[i] > 1 && per_host[i] > 0)) || continue
    in_domain=$((cores[i] / domains[i]))
    ((in_domain % threads != 0)) || continue
    say "warning: ranks of $threads threads cross the border between the NUMA domains of ${hosts[i]}, of $in_domain cores each; with a divisor of $in_domain they would not"
    return
  done
}

# A host takes at most its slots; what is too much for one goes to the next that has room.
spread_over_slots() {
  local i over=0 room
  for i in "${!hosts[@]}"; do
    ((slots[i] > 0 && per_host[i] > slots[i])) || continue
    over=$((over + per_host[i] - slots[i])) per_host[i]=${slots[i]}
  done
  for i in "${!hosts[@]}"; do
    [ "$over" -gt 0 ] || return
    room=$((slots[i] > 0 ? slots[i] - per_host[i] : 0))
    room=$((room < over ? room : over))
    per_host[i]=$((per_host[i] + room)) over=$((over - room))
  done
  [ "$over" = 0 ] || die 2 "--ranks: found $ranks; allowed: at most $((ranks - over)), the slots of the hosts"
}

# choose_mesh ROOM SEQUENCE GROUPS BATCH ACCUMULATE: the ranks that a run of SEQUENCE x GROUPS ranks goes on with where
# ROOM are left, and the ranks that then share a sequence. A run that shares no sequence goes on sharing none; any other
# takes all ranks, in as many of its groups as divide them and the batch.
choose_mesh() {
  local room=$1 sequence=$2 groups=$3 batch=$4 accumulate=$5 d
  if [ "$room" -ge $((sequence * groups)) ]; then
    echo "$((sequence * groups)) $sequence"
  elif [ "$sequence" = 1 ]; then
    for ((d = room; d > 1 && batch % (d * accumulate) != 0; d--)); do :; done
    echo "$d 1"
  else
    for ((d = groups; d > 1 && (room % d != 0 || batch % (d * accumulate) != 0); d--)); do :; done
    echo "$room $((room / d))"
  fi
}
