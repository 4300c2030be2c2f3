#!/usr/bin/env bash
# What the scripts in launch/ say to a wrong command line, before they install or build anything. PROGRAM SOURCE_DIR
set -u
source_dir=$2
. "$source_dir/tests/cli/check.sh" || exit 1

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
check 2 "unknown option more; usage: launch/setup.sh" -- --tests more
check 0 "launch/setup.sh [--tests] [--quickstart] [--cluster] [--install]" "Exit status" -- --help
for name in fresh ports debian13 package processors; do # before they look for a machine
  PROGRAM=$source_dir/tests/install/$name.sh
  check 0 "tests/install/$name.sh" -- -h
  check 2 "$name.sh: found --fast; allowed: " -- --fast
done
PROGRAM=$source_dir/tests/run.sh
check 0 "tests/run.sh --quick" -- -h
check 2 "run.sh: found --quick more; allowed: --quick" -- --quick more
PROGRAM=$source_dir/launch/setup.sh
CC=no-such-compiler check 1 "CC=no-such-compiler compiles nothing" -- --tests
CC="cc --no-such-option" check 1 "CC=cc --no-such-option compiles nothing" -- --tests
PROGRAM=$source_dir/launch/run.sh
check 0 "launch/run.sh [OPTION...] -- train CONFIG" -- --help
check 2 "unknown option --bogus; see launch/run.sh --help" -- --bogus
check 2 "unknown option -x" -- -x -- train
check 2 "--ranks: an argument is missing" -- --ranks
PROGRAM=$source_dir/launch/scaling.sh
check 0 "launch/scaling.sh CONFIG --out FOLDER" -- --help
check 0 "launch/scaling.sh CONFIG --out FOLDER" -- x.yaml --out there --help
check 2 "unknown option --bogus; see launch/scaling.sh --help" -- x.yaml --bogus
check 2 "--out: its argument is missing" -- x.yaml --out
check 2 "found '--out', wanted CONFIG" -- --out there
PROGRAM=$source_dir/launch/gather.sh
check 0 "launch/gather.sh FOLDER" -- --help
# What Slurm says and does not say outside of it.
for name in one_node many_nodes sweep; do
  script=$source_dir/launch/$name.sbatch PROGRAM=env
  check 2 "$name.sbatch: found no launch/run.sh in '$work'; submit from" REFORMER_HOME -- -u REFORMER_HOME \
    SLURM_SUBMIT_DIR="$work" bash "$script" x.yaml
  check 2 "$name.sbatch: found no launch/run.sh in ''; submit from" -- -u REFORMER_HOME -u SLURM_SUBMIT_DIR bash "$script"
done
PROGRAM=$source_dir/tests/install/processors.sh
check 2 "$work: no built folder" -- "$work"
PROGRAM=$source_dir/tests/install/package.sh
check 2 "found 'woody'; allowed: bookworm, trixie" -- woody
check 2 "--package: found ''" -- --package

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

# The build does without libxsmm, and so does setup.sh where nothing can be installed.
mkdir usr pc-all
ln -s /usr/bin/* usr && rm -f usr/apt-get usr/sudo
for folder in $(pkg-config --variable pc_path pkg-config | tr : ' '); do ln -s "$folder"/*.pc pc-all 2>/dev/null; done
rm -f pc-all/libxsmm*
PROGRAM=$source_dir/launch/setup.sh
[ "$(uname -m)" != x86_64 ] || TMPDIR=$work/nowhere PATH=$work/usr PKG_CONFIG_LIBDIR=$work/pc-all check 0 \
  "done without, though it would be faster with: libxsmm-dev" --

# cmake names all that is missing at once, and why what is there will not do: an old HDF5, a file for pkg-config whose
# library is gone, another BLAS's cblas.h.
mkdir -p hdf5/include hdf5/lib pc
echo '#define H5_VERSION "1.8.23"' >hdf5/include/H5pubconf.h
echo 'int H5open(void);' >hdf5/include/hdf5.h
echo 'int H5open(void) { return 0; }' >h5.c
echo 'int MPI_Init(void) { return 0; }' | cc -x c -shared -fPIC -Wl,-soname,libmpi.so.99 -o hdf5/lib/libmpi.so.99 -
cc -shared -fPIC h5.c -o hdf5/lib/libhdf5.so -Wl,--no-as-needed hdf5/lib/libmpi.so.99
printf 'prefix=/nowhere\nName: jansson\nDescription: gone\nVersion: 2.14\nLibs: -ljansson-gone\n' >pc/jansson.pc
printf 'prefix=/nowhere\nName: openblas\nDescription: another\nVersion: 3.11\nLibs: -lm\n' >pc/openblas.pc
PROGRAM=cmake
unset PKG_CONFIG_PATH
HDF5_ROOT=$work/hdf5 PKG_CONFIG_LIBDIR=$work/pc check 1 \
  "HDF5 1.10 or newer, serial or parallel (found: 1.8.23)" "jansson: pkg-config names 2.14 in /nowhere" \
  libyaml xxHash "cmocka (or configure with -DRF_TESTS=OFF)" "apt-get install" libhdf5-dev libyaml-dev libjansson-dev \
  libxxhash-dev libcmocka-dev "spack load" -- -S "$source_dir" -B build
# One that brings another MPI library into the process.
echo '#define H5_VERSION "1.10.8"' >hdf5/include/H5pubconf.h
HDF5_ROOT=$work/hdf5 check 1 "libhdf5.so is built on libmpi.so.99, mpicc on lib" -- -S "$source_dir" -B build
# What was missing and is there now is found in the same folder, though another h5cc comes first.
mkdir bin && printf '#!/bin/sh\nexit 1\n' >bin/h5cc && chmod +x bin/h5cc
PATH=$work/bin:$PATH check 0 "Found HDF5: " "Build files have been written" -- -S "$source_dir" -B build
# What is not built for it is not installed, and says so; levels that the compiler does not know are left out.
check 1 "RF_LEVELS=OFF" "cmake -DRF_LEVELS=ON" "cmake --build" -- --install build --prefix installed
check 1 "RF_LEVELS and RF_SANITIZE are both ON; allowed: one" -- -S "$source_dir" -B build -DRF_LEVELS=ON -DRF_SANITIZE=ON
[ "$(uname -m)" != x86_64 ] || check 0 "has no library for x86-64-v3, x86-64-v4" "gcc 11" "Build files have been written" -- \
  -S "$source_dir" -B build -DRF_LEVELS=ON -DRF_SANITIZE=OFF -DRF_HAS_march_x86_64_v3=OFF -DRF_HAS_march_x86_64_v4=OFF

# quickstart.sh in a project of which only it is real: a folder that was built elsewhere, settings, a folder of others.
mkdir -p other/launch other/build/release other/data other/bin && cp "$source_dir"/launch/{quickstart,plain}.sh other/launch/
echo 'exit 0' >other/launch/setup.sh
echo 'CMAKE_HOME_DIRECTORY:INTERNAL=/elsewhere' >other/build/release/CMakeCache.txt
touch other/build/release/old && echo text >other/data/quickstart.txt
cat >other/bin/cmake <<'END'
#!/bin/sh
mkdir -p build/release && printf '#!/bin/sh\necho "$@"; [ ! -e build/release/old ]\n' >build/release/reformer
chmod +x build/release/reformer
END
chmod +x other/bin/cmake
PROGRAM=$work/other/launch/quickstart.sh
PATH=$work/other/bin:$PATH check 0 "build/release was made for /elsewhere; making it anew" \
  "train configs/quickstart.yaml --set data.path='$work/other/data/quickstart.txt' --set a.b=1 --set c=it's" -- \
  --set a.b=1 other/data/quickstart.txt --set "c=it's"
chmod 755 . && chmod -R a+rX,a-w other
[ "$(id -u)" != 0 ] || PROGRAM=setpriv as_nobody=(--reuid 65534 --regid 65534 --clear-groups "$work/other/launch/quickstart.sh")
check 1 "other/build cannot be written; copy the project" "cmake -S '$work/other' -B FOLDER" -- ${as_nobody[@]+"${as_nobody[@]}"}
chmod -R u+w other

# cluster/spack.yaml brings all that the table names.
while read -r name; do
  checks=$((checks + 1))
  grep -q -E "^ *- \"?$name(@| |\$)" "$source_dir/cluster/spack.yaml" ||
    { failures=$((failures + 1)); echo "FAILED: cluster/spack.yaml has no $name"; }
done < <(sed -n '/^set(rf_packages/,/^]]/s/^[a-z0-9-]* *|.*| *//p' "$source_dir/launch/packages.cmake" | grep -v '^Spack$\|^gcc$' | sort -u)
[ $checks -gt 20 ] || { failures=$((failures + 1)); echo "FAILED: no table of packages"; }
finish
