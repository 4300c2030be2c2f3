#!/usr/bin/env bash
# What the scripts in launch/ say to a wrong command line, before they install or build anything. PROGRAM SOURCE_DIR
set -u
source_dir=$2
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
. "$source_dir/tests/cli/check.sh"

PROGRAM=$source_dir/launch/quickstart.sh
usage="usage: launch/quickstart.sh [TEXT] [--set KEY=VALUE]..."
check 0 "launch/quickstart.sh TEXT" "--set KEY=VALUE" "bits a byte" -- --help
check 2 "unknown option --fast" "$usage" -- --fast
check 2 "found 2 texts" "$usage" -- a b
check 2 "--set: found '', wanted KEY=VALUE" "$usage" -- text --set
check 2 "--set: found 'training.steps', wanted KEY=VALUE" -- --set training.steps
check 3 "missing.txt: no file that can be read" -- missing.txt
check 3 "$work: no file that can be read" -- "$work"
PROGRAM=$source_dir/launch/setup.sh
check 2 "usage: launch/setup.sh [--tests] [--quickstart] [--cluster] [--install]" -- --test
check 2 "usage: launch/setup.sh [--tests] [--quickstart] [--cluster] [--install]" -- --tests more
CC=no-such-compiler check 1 "CC=no-such-compiler compiles nothing" -- --tests

if command -v shellcheck >/dev/null; then
  checks=$((checks + 1))
  shellcheck -x -S warning "$source_dir"/launch/*.sh "$source_dir"/launch/*.sbatch "$source_dir"/cluster/*.sh \
    "$source_dir"/tests/cluster/*.sh "$source_dir"/tests/install/*.sh || failures=$((failures + 1))
fi

# Where nothing can be installed it names what is missing: here all of it, as no command is found.
ln -s "$(command -v bash)" bash
output=$(PATH=$work "$BASH" "$source_dir/launch/setup.sh" --tests --quickstart 2>&1)
status=$?
checks=$((checks + 1))
for package in gcc make cmake pkg-config libopenmpi-dev libopenblas-openmp-dev libhdf5-dev libcmocka-dev clang-tidy \
  bible-kjv bible-kjv-text "administrator" "with Spack"; do
  case "$output" in *"$package"*) ;; *) status="$status, no $package" ;; esac
done
[ "$status" = 1 ] || { failures=$((failures + 1)); printf 'FAILED: setup.sh with nothing there: status %s\n%s\n' "$status" "$output"; }

# cmake names all that is missing at once, and why what is there will not do: an old HDF5, a file for pkg-config whose
# library is gone, another BLAS's cblas.h.
mkdir -p hdf5/include hdf5/lib pc
echo '#define H5_VERSION "1.8.23"' >hdf5/include/H5pubconf.h
echo 'int H5open(void);' | tee hdf5/include/hdf5.h | cc -x c -shared -o hdf5/lib/libhdf5.so -
printf 'prefix=/nowhere\nName: jansson\nDescription: gone\nVersion: 2.14\nLibs: -ljansson-gone\n' >pc/jansson.pc
printf 'prefix=/nowhere\nName: openblas\nDescription: another\nVersion: 3.11\nLibs: -lm\n' >pc/openblas.pc
PROGRAM=cmake
unset PKG_CONFIG_PATH
HDF5_ROOT=$work/hdf5 PKG_CONFIG_LIBDIR=$work/pc check 1 \
  "HDF5 1.10 or newer, serial or parallel (found: 1.8.23)" "jansson: pkg-config names 2.14 in /nowhere" \
  libyaml xxHash "cmocka (or configure with -DRF_TESTS=OFF)" "apt-get install" libhdf5-dev libyaml-dev libjansson-dev \
  libxxhash-dev libcmocka-dev "spack load" -- -S "$source_dir" -B build
# What was missing and is there now is found in the same folder.
check 0 "Build files have been written" -- -S "$source_dir" -B build

# cluster/spack.yaml brings all that the table names.
while read -r name; do
  checks=$((checks + 1))
  grep -q -E "^ *- \"?$name(@| |\$)" "$source_dir/cluster/spack.yaml" ||
    { failures=$((failures + 1)); echo "FAILED: cluster/spack.yaml has no $name"; }
done < <(sed -n '/^set(rf_packages/,/^]]/s/^[a-z0-9-]* *|.*| *//p' "$source_dir/launch/packages.cmake" | grep -v '^Spack$\|^gcc$' | sort -u)
[ $checks -gt 20 ] || { failures=$((failures + 1)); echo "FAILED: no table of packages"; }
finish
