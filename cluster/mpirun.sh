#!/usr/bin/env bash
# mpirun over the virtual hosts of cluster/hosts.sh, started on head: cluster/mpirun.sh -n 4 PROGRAM ...
# Every host takes as many ranks as `hosts.sh up --slots` said, the first host first. Takes all of mpirun's options but
# --help, which is this.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
case "${1-}" in -h | --help) sed -n '1d; /^#/!q; s/^# \{0,1\}//p' "$0" && exit ;; esac
exec "$(dirname "${BASH_SOURCE[0]}")/hosts.sh" exec head mpirun \
  --hostfile "/run/reformer-cluster/${RF_CLUSTER:-rf}/hostfile" "$@"
