#!/usr/bin/env bash
# Installs what building needs and the machine lacks; with --tests what testing needs too, with --quickstart the text
# that launch/quickstart.sh trains on, with --cluster what the virtual cluster (cluster/README.md) needs.
#   launch/setup.sh [--tests] [--quickstart] [--cluster]
# What is already there by other means (modules, Spack, another distribution) counts: each line below
# asks for the thing, not for the Debian package. Exit status: 0 all there; 1 something is missing.
set -u

# The one list of packages. package | how to tell that it is there
needed='
gcc                    | command -v gcc
libc6-dev              | echo "#include <stdio.h>" | cc -E -o /dev/null -
make                   | command -v make
cmake                  | command -v cmake
pkg-config             | command -v pkg-config
libopenmpi-dev         | command -v mpicc
openmpi-bin            | command -v mpirun
libopenblas-openmp-dev | pkg-config --exists openblas || echo "int openblas_get_num_threads(void); int main(void) { return !openblas_get_num_threads(); }" | cc -x c -o /dev/null - -lopenblas
libxsmm-dev            | pkg-config --exists libxsmm || [ "$(uname -m)" != x86_64 ]
libhdf5-openmpi-dev    | command -v h5pcc
libyaml-dev            | pkg-config --exists yaml-0.1
libjansson-dev         | pkg-config --exists jansson
libxxhash-dev          | pkg-config --exists libxxhash
libcmocka-dev          | pkg-config --exists cmocka
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
# libopenblas-openmp-dev: the threads of this OpenBLAS are OpenMP's, so it starts none of its own when loaded;
# the variant that libopenblas-dev brings starts one a core. Either works.

for option; do
  case "$option" in
  --tests) needed+=$for_tests ;;
  --quickstart) needed+=$for_quickstart ;;
  --cluster) needed+=$for_cluster ;;
  *)
    echo "usage: launch/setup.sh [--tests] [--quickstart] [--cluster]" >&2
    exit 2
    ;;
  esac
done

list_missing() {
  while IFS='|' read -r package check; do
    [ -z "$package" ] || bash -c "$check" >/dev/null 2>&1 </dev/null || printf '%s ' $package
  done <<<"$needed"
}

missing=$(list_missing)
[ -n "$missing" ] || exit 0
echo "setup: missing: $missing" >&2

as_root=
if [ "$(id -u)" != 0 ]; then
  # Without a terminal nobody can type a password: sudo counts only where it asks for none.
  if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    as_root=sudo
  else
    as_root=none
  fi
fi
if ! command -v apt-get >/dev/null || [ "$as_root" = none ]; then
  echo "setup: cannot install here (that takes Debian or Ubuntu, and root or sudo)." >&2
  echo "setup: ask an administrator for the Debian packages above, or load the modules that bring them." >&2
  exit 1
fi

apt() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 "$@" >&2
}
apt update || echo "setup: the package lists could not be refreshed; trying with what is there" >&2
# shellcheck disable=SC2086 # a list of words
apt install --no-install-recommends $missing || {
  echo "setup: apt-get could not install: $missing(its messages are above)" >&2
  exit 1
}
missing=$(list_missing)
[ -z "$missing" ] || {
  echo "setup: installed, yet not found on PATH or by pkg-config: $missing" >&2
  exit 1
}
