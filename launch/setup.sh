#!/usr/bin/env bash
# Installs what building needs and the machine lacks; with --tests what testing needs too, with --quickstart the text
# that launch/quickstart.sh trains on, with --cluster what the virtual cluster (cluster/README.md) needs, with --install
# what the tests on fresh machines (tests/install/) need.
#   launch/setup.sh [--tests] [--quickstart] [--cluster] [--install]
# What is already there by other means (modules, Spack, another distribution) counts: what the program is built on is
# asked of launch/packages.cmake, as the build asks it, and each line below asks for the thing, not for the Debian
# package. Where nothing can be installed it names all that is missing.
# Exit status: 0 all there; 1 something is missing; 2 wrong usage.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
folder=${BASH_SOURCE[0]%/*} # no dirname: a machine may lack everything
[ "$folder" != "${BASH_SOURCE[0]}" ] || folder=.
# shellcheck source-path=SCRIPTDIR source=plain.sh
. "$folder/plain.sh" || exit 1

# The compiler that CMake would take, with its options.
compiler=${CC-}
[ -n "$compiler" ] || compiler=$(command -v cc || command -v gcc || command -v clang)
compiles() { # compiles COMPILER [OPTION...]
  echo "#include <stdio.h>" | "$@" -x c -fsyntax-only - >/dev/null 2>&1
}
export -f compiles
export compiler

# package | how to tell that it is there
tools='
gcc                    | command -v "${compiler%% *}"
libc6-dev              | compiles $compiler
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
debian-archive-keyring | test -s /usr/share/keyrings/debian-archive-keyring.gpg
'

usage="usage: launch/setup.sh [--tests] [--quickstart] [--cluster] [--install]"
extras=
for option; do
  case "$option" in
  --tests) extras+=$for_tests ;;
  --quickstart) extras+=$for_quickstart ;;
  --cluster) extras+=$for_cluster ;;
  --install) extras+=$for_install ;;
  -h | --help) show_help && exit 0 ;;
  *) echo "setup: unknown option $option; $usage" >&2 && exit 2 ;;
  esac
done
# Of what CC names, gcc can be installed where it is not there, and the C library's headers where it finds none, whatever
# its options.
can_be_mended() {
  [[ ${CC%% *} =~ ^g?cc$ ]] && { ! command -v "${CC%% *}" || ! compiles "${CC%% *}"; } >/dev/null
}
# shellcheck disable=SC2086 # options
if [ -n "${CC-}" ] && ! compiles $CC && ! can_be_mended; then
  echo "setup: CC=$CC compiles nothing; name another compiler, or other options, or none" >&2
  exit 1
fi
for TMPDIR in "${TMPDIR:-/tmp}" /tmp ''; do [ -w "$TMPDIR/." ] && break; done
if [ -z "$TMPDIR" ]; then
  echo "setup: no temporary folder can be made: name a folder that can be written in TMPDIR" >&2
  exit 1
fi

list_missing() { # list_missing LINES
  while IFS='|' read -r package check; do
    [ -z "$package" ] || bash -c "$check" >/dev/null 2>&1 </dev/null || printf '%s ' "${package// /}"
  done <<<"$1"
}

# What the build lacks into build_missing, its names for Spack into build_spack, and what would make it faster into
# build_wanted: by configuring it in a folder that goes again.
ask_build() {
  local scratch status=0
  scratch=$(mktemp -d) || return 1
  choose_generator
  if cmake -S "$home" -B "$scratch" -DRF_LIST_MISSING=ON >"$scratch/log" 2>&1; then
    { read -r build_missing && read -r build_spack && read -r build_wanted; } <"$scratch/missing-packages" || status=1
  else
    status=1
  fi
  [ $status = 0 ] || cat "$scratch/log" >&2
  rm -rf "$scratch"
  return $status
}

# The same where there is nothing to ask with: all that the build would ask for.
read_table() {
  local line name what debian spack in_table=
  build_missing='' build_spack='' build_wanted=''
  while IFS= read -r line; do
    case "$line" in
    'set(rf_packages'*) in_table=1 ;;
    ']]'*) break ;;
    name* | *+*\|* | xsmm*) ;;
    *\|*)
      [ -n "$in_table" ] || continue
      # shellcheck disable=SC2034 # name, what
      IFS='|' read -r name what debian spack <<<"$line"
      debian=${debian// /} spack=${spack// /}
      [[ " $no_tools $build_missing " == *" $debian "* ]] || build_missing+=" $debian"
      [[ " $build_spack " == *" $spack "* ]] || build_spack+=" $spack"
      ;;
    esac
  done <"$home/launch/packages.cmake"
}

as_root=
may_install() {
  command -v apt-get >/dev/null || return 1
  [ "$EUID" != 0 ] || return 0
  command -v sudo >/dev/null || return 1
  as_root=sudo
  # Without a terminal nobody can type a password.
  sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }
}

refuse() { # refuse MISSING [PERHAPS]
  echo "setup: missing: $1" >&2
  [ -z "${2-}" ] || echo "setup: needed too, unless they are there (cmake and a compiler would tell):$2" >&2
  echo "setup: cannot install here (that takes Debian or Ubuntu, and root or sudo)." >&2
  echo "setup: ask an administrator for the Debian packages above, or load the modules that bring them." >&2
  [ -z "$build_spack" ] || echo "setup: with Spack (cluster/spack.yaml has all of them): ${build_spack# }" >&2
  exit 1
}

apt() ( # whatever this shell's umask: others read what is installed
  umask 022
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 "$@" >&2
)

refreshed=0
install() { # install PACKAGE...
  [ $refreshed = 1 ] || apt update || echo "setup: no fresh package lists; trying with what is there" >&2
  refreshed=1
  apt install --no-install-recommends "$@"
}

need() { # need PACKAGE...
  [ $# != 0 ] || return 0
  echo "setup: missing: $*" >&2
  install "$@" && return
  echo "setup: apt-get could not install: $* (its messages are above)" >&2
  exit 1
}

# shellcheck disable=SC2086 # lists of words, all
provide() {
  no_tools=$(list_missing "$tools") others=$(list_missing "$extras")
  if [ -n "$no_tools" ]; then
    read_table
    may_install || refuse "$no_tools$others" "$build_missing"
    need $no_tools
  fi
  ask_build || return 1
  if [ -n "$others$build_missing" ]; then
    may_install || refuse "$others$build_missing"
    need $others $build_missing
    others=$(list_missing "$extras")
    ask_build || return 1
    if [ -n "$others$build_missing" ]; then
      echo "setup: installed, yet not found: $others$build_missing (cmake -S '$home' -B FOLDER may tell why)" >&2
      return 1
    fi
  fi
  if [ -n "$build_wanted" ] && ! { may_install && install $build_wanted; }; then
    echo "setup: done without, though it would be faster with: $build_wanted" >&2
  fi
}
provide
