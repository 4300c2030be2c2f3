#!/usr/bin/env bash
# The project on other architectures, with other compilers and another MPI library, each in a root of Debian (root.sh: for
# root, with debootstrap and a mirror).
#   tests/install/ports.sh [--keep] [VARIANT...]   all of them, where none is named; --list names them
# Prints a row of docs/machines.md for each: what was there, what came of it, and minutes. --keep leaves the roots, and
# goes on in those that were left. Logs: build/install/VARIANT.log.
# Exit status: 0 each did what it should; 1 one did not; 2 no such variant or option; 77 there are no fresh machines here.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
# shellcheck source-path=SCRIPTDIR source=root.sh
. "$(dirname "${BASH_SOURCE[0]}")/root.sh"
logs=$root_home/build/install
keep=0

# name | suite | what the last column of its row says of versions: commands inside
variants='
aarch64    | bookworm | aarch64-linux-gnu-gcc --version; qemu-aarch64-static --version
big-endian | trixie   | s390x-linux-gnu-gcc --version
32-bit     | trixie   | i686-linux-gnu-gcc --version
clang      | bookworm | clang --version
clang-new  | trixie   | clang --version
mpich      | bookworm | mpichversion
'

# --- What variants are made of: each adds to $found what the row says ---------------------------

note() { found+=${found:+; }$*; }

inside() { # inside COMMAND...: where the project is
  # shellcheck disable=SC2016
  root_run "$root" bash -c 'cd /root/reformer && exec "$@"' inside "$@" >>"$log" 2>&1 </dev/null
}

there() { root_install "$root" "$@" >>"$log" 2>&1 || { note "apt-get does not install $*" && return 1; }; }

build() { # build PRESET ARGUMENT...: of cmake
  inside cmake --preset "$@" -DRF_WERROR=ON && inside cmake --build --preset "$1" -j2 && return
  note "$1: does not build"
  return 1
}

tests() { # tests PRESET ARGUMENT...: of ctest
  local said
  inside ctest --preset "$@" --no-tests=error
  local status=$?
  # "83% tests passed, 1 tests failed out of 6"
  said=$(sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests\{0,1\} failed out of \([0-9]*\).*/\1 of \2/p' "$log" | tail -n 1)
  note "$1: ${said:-no} tests fail"
  return $status
}

refused() { # refused TEXT ARGUMENT...: cmake says the text
  local text=$1
  shift
  ! inside cmake -S . -B build/refused "$@" && tr -s ' \n' ' ' <"$log" | grep -q -F -e "$text" &&
    note "refused: \"$text\"" && return
  note "not refused with \"$text\""
  return 1
}

cross_compiler() { # cross_compiler TRIPLE PROCESSOR: a toolchain file
  printf 'set(CMAKE_SYSTEM_NAME Linux)\nset(CMAKE_SYSTEM_PROCESSOR %s)\nset(CMAKE_C_COMPILER %s-gcc)\n' "$2" "$1" \
    >"$root/root/toolchain.cmake"
}

# --- The variants -------------------------------------------------------------------------------

variant_aarch64() {
  local preset status=0
  # Debian 13's Open MPI for aarch64 brings a gcc that runs there, in the place of the one that crosses; the emulator has
  # to be newer than Debian 12's (launch/aarch64.cmake).
  echo "deb $(root_mirror) bookworm-backports main" >"$root/etc/apt/sources.list.d/backports.list"
  inside dpkg --add-architecture arm64 && there make cmake pkgconf:arm64 crossbuild-essential-arm64 \
    qemu-user-static/bookworm-backports python3-h5py \
    {libopenmpi,libopenblas-openmp,libhdf5,libyaml,libjansson,libxxhash,libcmocka}-dev:arm64 || return 1
  for preset in release double; do
    build $preset -DCMAKE_TOOLCHAIN_FILE=/root/reformer/launch/aarch64.cmake &&
      tests $preset -L '^(kernel|lsh|nn|model|storage|checkpoint|weights)$' || status=1
  done
  return $status
}

variant_big-endian() {
  there make cmake gcc-s390x-linux-gnu libc6-dev-s390x-cross && cross_compiler s390x-linux-gnu s390x &&
    refused "s390x is big-endian" -DCMAKE_TOOLCHAIN_FILE=/root/toolchain.cmake || return 1
  ! inside s390x-linux-gnu-gcc -fsyntax-only -Iinclude -Isrc src/kernel/copy.c && grep -q 'error: #error .*little' "$log" &&
    note "its compiler says so too"
}

variant_32-bit() {
  there make cmake gcc-i686-linux-gnu libc6-dev-i386-cross && cross_compiler i686-linux-gnu i686 &&
    refused "makes programs of 32 bits" -DCMAKE_TOOLCHAIN_FILE=/root/toolchain.cmake
}

variant_clang() { # variant_clang VERSION: of its libraries
  local preset status=0
  there clang "libomp-${1:-14}-dev" "libclang-rt-${1:-14}-dev" libxsmm-dev python3-h5py hdf5-tools procps &&
    inside env CC=clang launch/setup.sh || return 1
  build release -DCMAKE_C_COMPILER=clang -DRF_LEVELS=OFF && tests release -LE '^(cluster|fault)$' || status=1
  for preset in release double debug; do
    build $preset -DCMAKE_C_COMPILER=clang && note "$preset: builds" || status=1
  done
  return $status
}
variant_clang-new() { variant_clang 19; }

variant_mpich() {
  there mpich libmpich-dev python3 procps && inside launch/setup.sh && build release -DRF_LEVELS=OFF || return 1
  local status=0 run
  tests release -L '^mpi$' || status=1
  run=(train configs/quickstart.yaml --set data.kind=duplicate --set model.vocab_size=256 --set data.length=512
    --set training.steps=4 --set training.eval_every=0 --set optimizer.warmup=2 --set output.sample_tokens=0
    --set mesh.sequence=2)
  rm -rf "$root"/tmp/one "$root"/tmp/two
  inside mpiexec -n 2 build/release/reformer "${run[@]}" --run /tmp/one && note "mpiexec -n 2 trains" || status=1
  inside launch/run.sh --ranks 2 --threads 1 -- "${run[@]}" --run /tmp/two && note "run.sh trains" || status=1
  return $status
}

# --- One variant --------------------------------------------------------------------------------

run_variant() { # run_variant VARIANT
  local variant=$1 log=$logs/$1.log found='' status=0 verdict=passed versions start=$SECONDS
  root=$roots/ports-$variant
  mkdir -p "$logs" "$roots" && : >"$log"
  { [ -d "$root" ] || root_make "$(root_column "$variant" 2)" "$root"; } && root_copy_tree "$root" /root/reformer ||
    { note "there is no such machine" && false; } && "variant_$variant" || { status=1 && verdict="**failed** (build/install/$variant.log)"; }
  # The first line of what each command says, without what is in brackets.
  versions=$(root_run "$root" bash -c "$(root_column "$variant" 3 | sed 's/;/ | head -n 1;/g') | head -n 1" 2>/dev/null |
    sed 's/ *([^)]*)//g; s/\t/ /g; s/  */ /g' | paste -s -d ',' | sed 's/,/, /g')
  [ $keep = 1 ] || root_destroy "$root"
  printf '| %s | %s: %s | %s | %s | %s |\n' "$variant" "$(root_column "$variant" 2)" "$versions" "$found" "$verdict" \
    $(((SECONDS - start + 59) / 60))
  return $status
}

script_options "--list --keep" "$@"
[ "${1-}" != --keep ] || { keep=1 && shift; }
root_choose "$@"
root_table '| variant | Debian: with | what came of it | verdict | minutes |'
