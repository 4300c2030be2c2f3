# For the scripts here: where a virtual cluster keeps what it needs to end again, and the processes that hold it.
# RF_CLUSTER names the cluster; $here is the folder of these scripts.
# shellcheck shell=bash disable=SC2034
here=$(dirname "$(readlink -f -- "${BASH_SOURCE[0]}")")
cluster=${RF_CLUSTER:-rf}
state=/run/reformer-cluster/$cluster

show_help() { sed -n '1d; /^#/!q; s/^# \{0,1\}//p' "$0"; } # the head of the script

die() { # die STATUS MESSAGE
  local status=$1
  shift
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit "$status"
}

# A process is known by its number and its start: the number alone may be another's by now. Nothing is said of one that
# has ended and is a zombie, as in a container whose first process reaps none.
process_start() { sed -n 's/.*) \([^ZX]\) /\1 /p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

remember_process() { echo "$2 $(process_start "$2")" >"$state/$1.pid"; } # NAME PID

process_of() { # process_of NAME: its pid, if it still lives
  local pid start
  read -r pid start 2>/dev/null <"$state/$1.pid" && [ -n "$start" ] && [ "$(process_start "$pid")" = "$start" ] && echo "$pid"
}

gone() { ! process_of "$1" >/dev/null; }

end_process() { # end_process NAME: at once, and until it is gone
  local pid
  if pid=$(process_of "$1"); then
    kill -KILL "$pid" 2>/dev/null
    wait_for 5 gone "$1" || echo "$(basename "$0"): $1, process $pid, does not end" >&2
  fi
  rm -f "$state/$1.pid"
}

# end_inside NAMESPACE HOST [COMMAND...]: ends what runs in a host's namespace (net, pid), all but the process that holds
# it; with COMMANDs only those. What a daemon has started is no child of anything here, but is found by where it lives.
end_inside() {
  local kind=$1 holder namespace other
  holder=$(process_of "$2") && namespace=$(readlink "/proc/$holder/ns/$kind") && [ -n "$namespace" ] || return 0
  shift 2
  for other in /proc/[0-9]*; do
    [ "$(readlink "$other/ns/$kind" 2>/dev/null)" = "$namespace" ] || continue
    other=${other#/proc/}
    [[ $other != "$holder" && $other != "$$" ]] || continue
    [ $# = 0 ] || [[ " $* " = *" $(cat "/proc/$other/comm" 2>/dev/null) "* ]] || continue
    kill -KILL "$other" 2>/dev/null
  done
}

seconds_up() { cut -d. -f1 /proc/uptime; } # a clock that nobody sets

wait_for() { # wait_for SECONDS COMMAND...: until the command succeeds
  local end=$(($(seconds_up) + $1))
  shift
  until "$@"; do
    [ "$(seconds_up)" -lt "$end" ] || return 1
    sleep 0.02
  done
}
