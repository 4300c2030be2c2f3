#!/usr/bin/env bash
# The whole release preset of the suite in a fresh Debian 13, with its Open MPI 5, HDF5 1.14, gcc 14 and Slurm 24.11; the
# virtual cluster and Slurm's included: a test that skips counts as one that fails.
#   tests/install/debian13.sh [TEST...]        ctest's names of tests (regular expressions), where not all are meant
# Prints a row of a table; the log is build/install/debian13.log. Takes a quarter of an hour on two cores. Exit status:
# 0 all passed; 1 one did not, was skipped, or the build fails; 2 no such option; 77 there are no fresh machines here.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
# shellcheck source-path=SCRIPTDIR source=root.sh
. "$(dirname "${BASH_SOURCE[0]}")/root.sh"
script_options "" "$@"
root=$roots/debian13.$$ log=$root_home/build/install/debian13.log
chosen=()
[ $# = 0 ] || chosen=(-R "$(IFS='|' && echo "$*")")
root_ready trixie || exit 77
trap 'root_destroy "$root"' EXIT
trap 'exit 1' INT TERM HUP
mkdir -p "$(dirname "$log")" && : >"$log" || exit 1

inside() { # inside COMMAND...: where the project is
  # shellcheck disable=SC2016 # the inner shell's
  root_run "$root" bash -c 'cd /root/reformer && exec "$@"' inside "$@" >>"$log" 2>&1 </dev/null
}
timed() { # timed COMMAND...: sets seconds
  local start=$EPOCHSECONDS
  "$@" || { echo "failed: $* (the end of $log)" >&2 && tail -n 20 "$log" >&2 && exit 1; }
  seconds=$((EPOCHSECONDS - start))
}
version() { root_run "$root" dpkg-query --show --showformat '${Version}' "$1" 2>/dev/null | sed 's/[+-].*//'; }

fresh() { root_make trixie "$root" && root_copy_tree "$root" /root/reformer && inside launch/setup.sh --tests --cluster; }
build() { inside cmake --preset release -DRF_WERROR=ON && inside cmake --build --preset release; }
timed fresh && setup=$seconds
timed build && built=$seconds
start=$EPOCHSECONDS
inside ctest --preset release -j2 --no-tests=error ${chosen[@]+"${chosen[@]}"}
status=$? tested=$((EPOCHSECONDS - start))
# "99% tests passed, 1 tests failed out of 167"; ctest counts what was skipped among the passed
read -r failed all < <(sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests\{0,1\} failed out of \([0-9]*\).*/\1 \2/p' "$log")
skipped=$(grep -c '\*\*\*Skipped' "$log")
echo '| Open MPI | HDF5 | gcc | Slurm | passed | failed | skipped | set-up s | build s | tests s |'
echo '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |'
printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$(version openmpi-bin)" "$(version libhdf5-dev)" \
  "$(version gcc-14)" "$(version slurmd)" $((${all:-0} - ${failed:-0} - skipped)) "${failed:--}" "$skipped" "$setup" \
  "$built" "$tested"
[ "$status" = 0 ] && [ "$skipped" = 0 ] && exit 0
sed -n '/^The following tests/,$p' "$log"
exit 1
