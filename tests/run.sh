#!/usr/bin/env bash
# Sets up, builds and runs every test: tests/run.sh
# All three presets are built and their tests run; then formatting and static analysis are checked.
#   tests/run.sh --quick   a verdict within four minutes on two cores, from a fresh clone: the release build, most of its
#                          tests, and formatting. Left out, for their time: the double build (gradients, and other
#                          implementations' results to 1e-9), the debug build (assertions, sanitizers), static analysis,
#                          the installed program, fresh machines, and tests with the labels slow, fault and cluster: long
#                          runs, more than four ranks, processes that are killed, hosts (to name them:
#                          ctest --preset release -N -L slow).
#   tests/run.sh --help    this
# The last line is "N passed, N failed"; the exit status is 0 only where nothing failed.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
. "$(dirname "${BASH_SOURCE[0]}")/support/options.sh" || exit 1
script_options --quick "$@"
quick=0
case "$*" in
'') ;;
--quick) quick=1 ;;
*) echo "run.sh: found $*; allowed: --quick, --help, or nothing" >&2 && exit 2 ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export LC_ALL=C
passed=0 failed=0 failures=()

record() { # record STATUS NAME: one check that passed or failed
  if [ "$1" = 0 ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    failures+=("$2")
  fi
}

run_preset() { # run_preset PRESET [ARGUMENT...]: of cmake, and what follows -- of ctest
  local preset=$1 log=build/$1/ctest.log failed_here total configure=()
  shift
  while [ $# != 0 ] && [ "$1" != -- ]; do configure+=("$1") && shift; done
  [ $# = 0 ] || shift
  echo "=== preset $preset"
  if ! cmake --preset "$preset" -DRF_TESTS=ON -DRF_WERROR=ON ${configure[@]+"${configure[@]}"} || ! cmake --build --preset "$preset"; then
    record 1 "$preset: build"
    return
  fi
  ctest --preset "$preset" -j2 --no-tests=error "$@" 2>&1 | tee "$log"
  # "83% tests passed, 1 tests failed out of 6"
  read -r failed_here total < <(sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests\{0,1\} failed out of \([0-9]*\).*/\1 \2/p' "$log")
  if [ -z "${total-}" ]; then
    record 1 "$preset: ctest gave no result"
    return
  fi
  passed=$((passed + total - failed_here))
  failed=$((failed + failed_here))
  [ "$failed_here" = 0 ] || failures+=("$preset: $failed_here of $total tests, named above and in $log")
}

check_format() {
  echo "=== clang-format"
  find include src tests cluster -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run -Werror --ferror-limit=1
  record $? "clang-format (to repair: clang-format -i FILE)"
}

check_tidy() {
  echo "=== clang-tidy"
  # The debug build's commands: assertions are compiled in, and tell the analyser what holds. The
  # compiler's own omp.h serves where clang's is not installed, alone in a folder: clang's stdatomic.h
  # would take the compiler's next, which clang does not read.
  local omp_folder=$PWD/build/omp
  mkdir -p "$omp_folder" && ln -sf "$(gcc -print-file-name=include/omp.h)" "$omp_folder/omp.h"
  run-clang-tidy -quiet -j2 -p build/debug -extra-arg=-idirafter"$omp_folder" \
    -extra-arg=-Wno-unknown-warning-option "^$PWD/src/" >build/clang-tidy.log 2>&1
  local status=$?
  sed -i 's/\x1b\[[0-9;]*m//g' build/clang-tidy.log # colours, which it writes even to a file
  grep -E '(warning|error):' build/clang-tidy.log && status=1
  record $status "clang-tidy (all of it: build/clang-tidy.log)"
}

# A machine that has nothing, and one with the reference BLAS: from a clone to a trained model.
check_fresh_machines() {
  local variant status
  echo "=== fresh machines"
  if [ "$(id -u)" = 0 ] && ! launch/setup.sh --install; then
    echo "skipped: launch/setup.sh --install failed"
    return
  fi
  for variant in bookworm libblas; do
    tests/install/fresh.sh "$variant"
    status=$?
    [ $status != 77 ] || return # it says why
    record $status "fresh machine $variant (tests/install/fresh.sh $variant; build/install/$variant.log)"
  done
}

launch/setup.sh --tests || exit 1
if [ $quick = 1 ]; then
  run_preset release -DRF_LEVELS=OFF -- -LE '^(slow|fault|cluster)$'
  check_format
else
  # For the virtual cluster's tests, which skip without: only root may run them.
  [ "$(id -u)" != 0 ] || launch/setup.sh --cluster
  for preset in release debug double; do
    run_preset "$preset"
  done
  check_format
  check_tidy
  check_fresh_machines
fi

for failure in ${failures[@]+"${failures[@]}"}; do
  echo "FAILED $failure"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
