#!/usr/bin/env bash
# The program in place and the installed one on processors that this machine is not, in qemu-user (which has AVX2, but no
# AVX-512): what the first says where it lacks something, and that the second trains on the level that fits.
#   tests/install/processors.sh [BUILD]     BUILD: a built folder of the release preset (build/release)
# qemu-user-static is used where it is installed; elsewhere its package is fetched, as apt does, and unpacked below
# RF_ROOTS (/var/tmp/reformer-roots): nothing is installed. Prints a table of markdown; the exit status is 1 where a row is
# not as it must be, 2 where BUILD is none, 77 where there is no qemu to be had.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
# shellcheck source-path=SCRIPTDIR source=root.sh
. "$(dirname "${BASH_SOURCE[0]}")/root.sh"
# shellcheck source-path=SCRIPTDIR source=alike.sh
. "$root_home/tests/install/alike.sh"
script_options "" "$@"
[ $# -le 1 ] || { echo "processors.sh: found '$2' where nothing more belongs" >&2; exit 2; }
build=$(realpath -- "${1:-$root_home/build/release}") && [ -x "$build/reformer" ] && [ -f "$build/cmake_install.cmake" ] ||
  { echo "processors.sh: ${1:-$root_home/build/release}: no built folder (cmake --preset release && cmake --build --preset release)" >&2; exit 2; }
[ "$(uname -m)" = x86_64 ] || { echo "skipped: for x86-64" >&2; exit 77; }

find_qemu() {
  command -v qemu-x86_64-static || command -v qemu-x86_64 && return
  local folder=$roots/qemu
  if [ ! -x "$folder/usr/bin/qemu-x86_64-static" ]; then
    mkdir -p "$folder" 2>/dev/null && (cd "$folder" && apt-get -q download qemu-user-static) >/dev/null 2>&1 &&
      dpkg-deb --fsys-tarfile "$folder"/qemu-user-static*.deb | tar -C "$folder" -x ./usr/bin/qemu-x86_64-static &&
      rm -f "$folder"/*.deb || return 1
  fi
  echo "$folder/usr/bin/qemu-x86_64-static"
}
qemu=$(find_qemu) || { echo "skipped: no qemu-user, and its package cannot be fetched into $roots/qemu (RF_ROOTS)" >&2; exit 77; }

. "$root_home/tests/support/work.sh" || exit 1
cd "$work" || exit 1
cmake --install "$build" --prefix "$work/installed" >install.log || { cat install.log >&2; exit 1; }
installed=$work/installed/bin/reformer
unset OPENBLAS_CORETYPE LIBXSMM_TARGET LD_LIBRARY_PATH # the libraries shall choose by the processor
# An arena reserves more addresses than the machine has memory where nothing limits them, and qemu keeps a record of each page.
emulate() (
  ulimit -v $((64 << 20))
  "$qemu" -cpu "$@" 2>"$work/said"
  status=$?
  grep -v "warning: TCG doesn't support requested feature" "$work/said" >&2
  exit $status
)
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl=self OMP_NUM_THREADS=1

alike_runs
# A program on the library, as docs/library.md has it.
cc "$root_home/docs/example/train.c" -o train -I"$work/installed/include" -L"$work/installed/lib" -lreformer \
  -Wl,-rpath,"$work/installed/lib" || exit 1

failures=0
fail() {
  failures=$((failures + 1))
  echo "FAILED: $*" >&2
}
"$build/reformer" train tiny.yaml --run here >here.log 2>&1 || { cat here.log >&2; exit 1; }

last() { printf '%.8f' "$(losses "$1" | tail -n 1)"; } # last RUN

# row MODEL LEVEL: qemu's processor of that name, and the library that belongs to it
row() {
  local model=$1 level=$2 status said found blas xsmm by
  said=$(emulate "$model" "$build/reformer" --version 2>&1 >out.txt)
  status=$?
  said=$(grep "^error: " <<<"$said")
  [ "$status" = 2 ] && [ ! -s out.txt ] && [[ $said == *"lacks what the program was compiled for: "*avx512f*"cmake --install"* ]] ||
    fail "$model, in place: status $status: $said"
  emulate "$model" "$build/reformer" train tiny.yaml --run never >never.log 2>&1
  [ $? = 2 ] && [ ! -e never ] || fail "$model, in place, trains: $(cat never.log)"
  emulate "$model" -E LD_LIBRARY_PATH="$work/installed/lib/glibc-hwcaps/x86-64-v4" "$installed" --version >forced.log 2>&1
  [ $? = 2 ] && grep -q "lacks .*avx512f.*LD_LIBRARY_PATH" forced.log || fail "$model, installed, v4 forced: $(cat forced.log)"

  emulate "$model" -E LD_LIBRARY_PATH="$work/installed/lib/glibc-hwcaps/x86-64-v4" \
    "$work/train" tiny.yaml 1 never >forced.log 2>&1
  [ $? = 2 ] && grep -q "^error: .*lacks .*avx512f.*LD_LIBRARY_PATH" forced.log && [ ! -e never ] ||
    fail "$model, a program on the library, v4 forced: $(cat forced.log)"

  emulate "$model" "$installed" --version >version.txt 2>&1 || fail "$model, installed: $(cat version.txt)"
  found=$(sed -n 's/^compiled for //p' version.txt)
  blas=$(sed -n 's/^OpenBLAS.*code for //p' version.txt)
  xsmm=$(sed -n 's/^libxsmm.*code for //p' version.txt)
  [ "$found" = "$level" ] || fail "$model: the loader took $found, not $level"
  rm -rf there
  emulate "$model" "$installed" train tiny.yaml --run there >there.log 2>&1 || fail "$model, installed, trains: $(cat there.log)"
  by=$(apart here there) || fail "$model: losses $(losses there), here $(losses here)"
  echo "| $model | $(grep -o '[^ ,]*' <<<"${said#*compiled for: }" | sed -n 1p), ... | $found | $blas | ${xsmm:-none} | $(last there) | $by |"
}

echo "| processor of qemu | the build in place lacks | installed: level | OpenBLAS | libxsmm | loss after 3 steps ($(last here) here) | losses differ by |"
echo "| --- | --- | --- | --- | --- | --- | --- |"
row Haswell-noTSX x86-64-v3
row EPYC-Rome x86-64-v3
row SandyBridge x86-64-v2
row Nehalem x86-64-v2
# Not qemu64 (as AMD's it gets OpenBLAS's code for Opteron, which takes 3DNow!) nor Conroe (without cmpxchg16b, which a
# library beneath takes): there is no such processor.
row Penryn x86-64
row kvm64 x86-64
exit $((failures > 0))
