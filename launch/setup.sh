#!/usr/bin/env bash
# Installs what building needs and the machine lacks; with --tests what testing needs too, with --quickstart the text
# that launch/quickstart.sh trains on, with --cluster what the virtual cluster (cluster/README.md) needs, with --install
# what the tests on fresh machines (tests/install/) need.
#   launch/setup.sh [--tests] [--quickstart] [--cluster] [--install]
# What is already there by other means (modules, Spack, another distribution) counts: what the program is built on is
# asked of launch/packages.cmake, as the build asks it, and each line below asks for the thing, not for the Debian
# package. Exit status: 0 all there; 1 something is missing.
set -u
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# package | how to tell that it is there. What asking takes:
needed='
gcc                    | command -v cc
libc6-dev              | echo "#include <stdio.h>" | cc -E -o /dev/null -
make                   | command -v make || command -v ninja
cmake                  | command -v cmake
'
for_tests='
python3                | command -v python3
hdf5-tools             | command -v h5dump
python3-h5py           | python3 -c "import h5py" || /usr/bin/python3 -c "import h5py"
clang-format           | command -v clang-format
clang-tidy             | command -v run-clang-tidy
valgrind               | command -v valgrind
'
# The King James Bible: public domain, 4.3 MB of text.
for_quickstart='
bible-kjv              | command -v bible
bible-kjv-text         | bible -l 80 gen1:1 | grep beginning
'
for_cluster='
iproute2               | PATH=$PATH:/usr/sbin command -v tc
util-linux             | command -v nsenter && command -v unshare
munge                  | PATH=$PATH:/usr/sbin command -v munged
slurm-wlm              | PATH=$PATH:/usr/sbin command -v slurmctld && PATH=$PATH:/usr/sbin command -v slurmd && command -v srun
'

for_install='
debootstrap            | PATH=$PATH:/usr/sbin command -v debootstrap
'

for option; do
  case "$option" in
  --tests) needed+=$for_tests ;;
  --quickstart) needed+=$for_quickstart ;;
  --cluster) needed+=$for_cluster ;;
  --install) needed+=$for_install ;;
  *)
    echo "usage: launch/setup.sh [--tests] [--quickstart] [--cluster] [--install]" >&2
    exit 2
    ;;
  esac
done

list_missing() {
  while IFS='|' read -r package check; do
    [ -z "$package" ] || bash -c "$check" >/dev/null 2>&1 </dev/null || printf '%s ' $package
  done <<<"$needed"
}

# What the build would miss, by configuring it in a folder that goes again.
list_missing_of_build() {
  local folder
  folder=$(mktemp -d) || return 1
  if ! cmake -S "$source_dir" -B "$folder" -DRF_LIST_MISSING=ON >"$folder/log" 2>&1 || ! tr '\n' ' ' <"$folder/missing-packages"; then
    cat "$folder/log" >&2
    rm -rf "$folder"
    return 1
  fi
  rm -rf "$folder"
}

as_root=
may_install() {
  if [ "$(id -u)" != 0 ]; then
    # Without a terminal nobody can type a password: sudo counts only where it asks for none.
    command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; } || return 1
    as_root=sudo
  fi
  command -v apt-get >/dev/null
}

apt() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 "$@" >&2
}

refreshed=0
install() { # install PACKAGE...
  echo "setup: missing: $*" >&2
  if ! may_install; then
    echo "setup: cannot install here (that takes Debian or Ubuntu, and root or sudo)." >&2
    echo "setup: ask an administrator for the Debian packages above, or load the modules that bring them." >&2
    exit 1
  fi
  if [ $refreshed = 0 ]; then
    apt update || echo "setup: the package lists could not be refreshed; trying with what is there" >&2
    refreshed=1
  fi
  apt install --no-install-recommends "$@" || {
    echo "setup: apt-get could not install: $* (its messages are above)" >&2
    exit 1
  }
}

# Asks twice: before, and after what was missing is installed.
provide() { # provide ASK: a function that prints packages
  local missing
  missing=$($1) || exit 1
  # shellcheck disable=SC2086 # a list of words
  [ -z "${missing// /}" ] || install $missing
  missing=$($1) || exit 1
  [ -z "${missing// /}" ] || {
    echo "setup: installed, yet not found: $missing" >&2
    exit 1
  }
}

provide list_missing
provide list_missing_of_build
