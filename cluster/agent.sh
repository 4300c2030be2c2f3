#!/usr/bin/env bash
# What ssh is between hosts: cluster/agent.sh HOST COMMAND... runs a command line on a virtual host (mpirun's
# plm_rsh_agent). It goes in by the kernel, yet only where the network between here and the host is up, as ssh would.
# Exit status: the command's; 255 where the host does not answer.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
case "${1-}" in -h | --help) sed -n '1d; /^#/!q; s/^# \{0,1\}//p' "$0" && exit ;; esac
[ $# -ge 2 ] || { echo "usage: cluster/agent.sh HOST COMMAND..." >&2; exit 2; }
host=$1
shift
# Nothing listens on the host: to be refused is to have been answered.
# shellcheck disable=SC2016 # the inner shell's $1
if ! answer=$(LC_ALL=C timeout 2 bash -c 'exec 3<>"/dev/tcp/$1/22"' bash "$host" 2>&1) &&
  [[ $answer != *"Connection refused"* ]]; then
  echo "agent.sh: $host does not answer" >&2
  exit 255
fi
exec "$(dirname "${BASH_SOURCE[0]}")/hosts.sh" exec "$host" /bin/sh -c "$*"
